"""Generation by transformers' own `model.generate`: what ours is checked and measured against, not what speaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from vaak.grammar.vocabulary import Vocabulary
from vaak.model.speech_lm import SpeechLM
from vaak.speak.generation import Generation, check_requests, check_sampling, generation_of, positions_of


class CodesOnly(LogitsProcessor):
    """Leaves the stop token and the codes; text, the other control tokens and rows of padding get no probability."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores [B, padded vocabulary] -> the same shape."""
        vocabulary, left = self._vocabulary, torch.full_like(scores, -torch.inf)
        left[:, vocabulary.speech_end] = scores[:, vocabulary.speech_end]
        codes = slice(vocabulary.first_speech_id, vocabulary.size)
        left[:, codes] = scores[:, codes]
        return left


@torch.inference_mode()
def generate_plain(
    model: SpeechLM,
    prompts: Sequence[np.ndarray],
    *,
    max_codes: int | Sequence[int],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[Generation]:
    """As `vaak.speak.generation.generate`, in one batch and with one seed for all of it.

    Greedy codes are the same; sampled ones are drawn from the same distribution, but depend on the batch.
    """
    check_sampling(temperature, top_k, top_p)
    limits, _ = check_requests(prompts, max_codes, None, positions_of(model))
    vocabulary, longest = model.vocabulary, max(map(len, prompts))
    ids = torch.full((len(prompts), longest), vocabulary.end_of_text_id, dtype=torch.int64)
    there = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.from_numpy(np.asarray(prompt, np.int64))
        there[row, longest - len(prompt) :] = 1
    drawing = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    settings = GenerationConfig(
        max_new_tokens=max(max(limits), 1),
        eos_token_id=vocabulary.speech_end,
        pad_token_id=vocabulary.end_of_text_id,
        **(drawing if temperature else {"do_sample": False}),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rows = model.lm.generate(
            ids.to(model.device),
            attention_mask=there.to(model.device),
            generation_config=settings,
            logits_processor=LogitsProcessorList([CodesOnly(vocabulary)]),
        )
    new = rows[:, longest:].cpu().numpy()
    return [generation_of(vocabulary, row, limit) for row, limit in zip(new, limits, strict=True)]
