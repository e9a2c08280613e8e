"""Completions by vLLM through TRL, on GPUs: TRL sends it the weights, and only ids and log-probabilities cross the border.

Interface: TRL 1.16, `VLLMGeneration.generate`; vLLM's `SamplingParams`. What may be drawn is listed, so its log-probabilities,
which it gives after that suppression, are of the policy that is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vaak.align.rollouts import Draw
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import AlignRecipe
from vaak.speak.generation import Generation, generation_of
from vaak.speak.vllm import speech_only


def vllm_settings(recipe: AlignRecipe, vocabulary: Vocabulary, positions: int) -> dict[str, Any]:
    """The part of TRL's settings that is about vLLM; empty for Vaak's own loop. positions: ids of the longest prompt and what
    may follow it."""
    rollouts = recipe.rollouts
    if rollouts.engine == "own":
        return {}
    found: dict[str, Any] = {
        "use_vllm": True,
        "generation_kwargs": speech_only(vocabulary),
        "vllm_max_model_length": positions,
    }
    if rollouts.engine == "vllm_server":
        return found | {"vllm_mode": "server", "vllm_server_base_url": rollouts.server}
    return found | {"vllm_mode": "colocate", "vllm_gpu_memory_utilization": rollouts.gpu_memory}


def name_rollout_model(model: SpeechLM, folder: Path, write: bool) -> None:
    """Name `model.lm` by a folder that vLLM opens, since TRL tells it where to begin by that name; one process writes it.

    It has all rows of the vocabulary, those of padding too, as the weights have that TRL sends.
    """
    if write:
        model.lm.save_pretrained(folder)
    model.lm.name_or_path = str(folder)
    model.lm.config._name_or_path = str(folder)


def vllm_draw(generation: Any, vocabulary: Vocabulary, group: int) -> Draw:
    """`generation` is TRL's `VLLMGeneration`. Its draws do not repeat from a seed: vLLM batches as requests come.

    A prompt stands `group` times in a row. All are cut at the longest limit, and then each at its own.
    """

    def draw(prompts: Sequence[np.ndarray], limits: Sequence[int], seeds: Sequence[int]) -> list[Generation]:
        _, ids, log_probabilities, _ = generation.generate(
            prompts=[prompt.tolist() for prompt in prompts], images=None, num_generations=group
        )
        return [
            _cut(vocabulary, said, [one[0] for one in scores], limit)
            for said, scores, limit in zip(ids, log_probabilities, limits, strict=True)
        ]

    return draw


def _cut(vocabulary: Vocabulary, ids: Sequence[int], scores: Sequence[float | None], limit: int) -> Generation:
    found = generation_of(vocabulary, ids, limit)
    kept = np.array(scores[: len(found.codes) + found.stopped], np.float64).astype(np.float32)  # None is NaN
    return replace(found, log_probabilities=kept)
