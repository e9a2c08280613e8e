"""The same prompts and limits through vLLM (the extra `vllm`), for many items on a GPU.

Only ids cross the border, so no tokenizer of vLLM's has a say: a prompt is what `vaak.speak.speech.build_prompt` built, and
what may be drawn is listed for each item. Interface: vLLM 0.10 and later, `LLM.generate`, `SamplingParams`, `TokensPrompt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.speak.generation import Generation, check_requests, check_sampling, generation_of

_FINISHED = ("stop", "length")


def open_vllm(folder: str | Path, **settings: Any) -> tuple[Any, Vocabulary]:
    """(vLLM's engine, vocabulary) of an export, as `vaak checkpoint export` writes it; `settings` go to `vllm.LLM`.

    Raises `BadInput` where vLLM is not installed.
    """
    vocabulary = Vocabulary.load(folder)
    return _vllm().LLM(model=str(folder), skip_tokenizer_init=True, **settings), vocabulary


def generate_vllm(
    llm: Any,
    vocabulary: Vocabulary,
    prompts: Sequence[np.ndarray],
    *,
    max_codes: int | Sequence[int],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seeds: Sequence[int] | None = None,
) -> list[Generation]:
    """As `vaak.speak.generation.generate`, by an `llm` of `open_vllm`.

    An item draws from its own seed here, too, but by vLLM's random numbers: what is said differs from ours, and repeats. Raises
    `BadInput` for a bad request, and `RuntimeError` where vLLM gave an item up.
    """
    check_sampling(temperature, top_k, top_p)
    limits, seeds = check_requests(prompts, max_codes, seeds, None)
    asked = [i for i, limit in enumerate(limits) if limit > 0]  # vLLM generates one token at least
    nothing = Generation(np.zeros(0, np.uint16), False)
    results = [nothing for _ in prompts]
    if not asked:
        return results
    parameters = [
        sampling_parameters(vocabulary, limits[i], temperature=temperature, top_k=top_k, top_p=top_p, seed=seeds[i])
        for i in asked
    ]
    answers = llm.generate(token_prompts([prompts[i] for i in asked]), parameters, use_tqdm=False)
    for i, answer in zip(asked, answers, strict=True):
        said = answer.outputs[0]
        if said.finish_reason not in _FINISHED:
            raise RuntimeError(f"vLLM ended item {i} with {said.finish_reason!r} after {len(said.token_ids)} tokens")
        results[i] = _result(vocabulary, said, limits[i])
    return results


def token_prompts(prompts: Sequence[np.ndarray]) -> list[Any]:
    """Prompts in ids, as vLLM takes them: no text, so nothing is tokenized and nothing is put before them."""
    tokens_prompt = _vllm().TokensPrompt
    return [tokens_prompt(prompt_token_ids=[int(one) for one in prompt]) for prompt in prompts]


def sampling_parameters(
    vocabulary: Vocabulary, limit: int, *, temperature: float, top_k: int, top_p: float, seed: int
) -> Any:
    """vLLM's `SamplingParams` of one item: only codes and the stop token, which ends it; nothing is detokenized."""
    return _vllm().SamplingParams(
        n=1,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        max_tokens=limit,
        **speech_only(vocabulary),
    )


def speech_only(vocabulary: Vocabulary) -> dict[str, Any]:
    """Fields of vLLM's `SamplingParams`: only codes and the stop token, which ends an item, and nothing is detokenized."""
    return {
        "allowed_token_ids": [vocabulary.speech_end, *range(vocabulary.first_speech_id, vocabulary.size)],
        "stop_token_ids": [vocabulary.speech_end],
        "detokenize": False,
    }


def _result(vocabulary: Vocabulary, said: Any, limit: int) -> Generation:
    """One `CompletionOutput`. Its ids hold the stop token or not; that it stopped is in its `finish_reason`, too."""
    result = generation_of(vocabulary, said.token_ids, limit)
    return Generation(result.codes, result.stopped or said.finish_reason == "stop")


def _vllm() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise BadInput("vLLM is not installed; pip install 'vaak[vllm]', or use vaak.speak.generate") from error
    return vllm
