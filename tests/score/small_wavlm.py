"""A WavLM for x-vectors with random weights, laid out as `microsoft/wavlm-base-plus-sv`, but narrow and two layers deep."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector


def make_wavlm(folder: Path, seed: int = 0) -> Path:
    config = WavLMConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        use_weighted_layer_sum=True,
        tdnn_dim=(32, 32, 32, 32, 48),
        xvector_output_dim=24,
    )
    torch.manual_seed(seed)
    WavLMForXVector(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder
