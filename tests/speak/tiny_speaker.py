"""A tiny random model and tokenizer to speak with: built in a tenth of a second, no file read."""

from __future__ import annotations

import numpy as np
import torch

from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import ModelSettings, SpeechLM, create_model

CODES = 64


def tiny_tokenizer() -> TextTokenizer:
    return train_tokenizer(["the quick brown fox jumps over the lazy dog", "Asha, a woman", "मेरी बेटी"] * 4, 300)


def tiny_model(
    family: str = "qwen3", codes: int = CODES, seed: int = 0, base_size: int = 300, **more: bool | float
) -> SpeechLM:
    """Random weights, made steep enough that likely and unlikely codes differ clearly."""
    config = {
        "model_type": family,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        **more,
    }
    model = create_model(ModelSettings(config=config), Vocabulary(base_size, codes, 0), seed)
    model.eval()
    with torch.no_grad():
        model.head.mul_(20)
    return model


class ToneCodec:
    """Each code is 20 ms of its own pitch: enough to see that codes become sound of the right length."""

    name, codebook_size, sample_rate, output_rate, tokens_per_second, hash = "tone", CODES, 16000, 16000, 50, "0" * 64

    def encode(self, wave):
        return np.zeros(-(-len(wave) // 320), np.uint16)

    def encode_batch(self, waves):
        return [self.encode(wave) for wave in waves]

    def decode(self, codes):
        pitch = np.repeat(np.asarray(codes, np.float32) + 1, 320)
        return np.sin(np.cumsum(pitch) * 0.01).astype(np.float32)

    def decode_batch(self, codes):
        return [self.decode(each) for each in codes]
