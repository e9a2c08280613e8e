"""The border to vLLM. vLLM itself needs a GPU and is not here: what stands for it is a double, made after the classes of its
version 0.10 and later, that keeps what it was asked and answers with objects of the same fields. That the real one answers so
is not tested here."""

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.speak.test_generation import prompts_of
from tests.speak.tiny_speaker import tiny_model, tiny_tokenizer
from vaak.errors import BadInput
from vaak.speak.generation import generate
from vaak.speak.speech import build_prompt
from vaak.speak.vllm import generate_vllm, open_vllm


@dataclass
class SamplingParams:
    """Double: the fields that are used, with vLLM's own defaults and its own refusals."""

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    max_tokens: int | None = 16
    stop_token_ids: list[int] | None = None
    allowed_token_ids: list[int] | None = None
    detokenize: bool = True

    def __post_init__(self):
        assert self.max_tokens is None or self.max_tokens >= 1
        assert 0 < self.top_p <= 1 and self.top_k >= 0 and self.temperature >= 0


@dataclass
class CompletionOutput:
    """Double of what vLLM gives for one sequence."""

    token_ids: list[int]
    finish_reason: str | None
    stop_reason: int | str | None = None
    index: int = 0
    text: str = ""


@dataclass
class Llm:
    """Double of `vllm.LLM`: answers one item after another with what it was given to say."""

    answers: list[CompletionOutput] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def generate(self, prompts, sampling_params, *, use_tqdm=True):
        self.asked = list(zip(prompts, sampling_params, strict=True))
        return [
            SimpleNamespace(prompt_token_ids=prompt["prompt_token_ids"], outputs=[answer], finished=True)
            for prompt, answer in zip(prompts, self.answers, strict=True)
        ]


@pytest.fixture(autouse=True)
def double(monkeypatch):
    module = SimpleNamespace(
        LLM=lambda **settings: Llm(settings=settings), SamplingParams=SamplingParams, TokensPrompt=dict
    )
    monkeypatch.setitem(sys.modules, "vllm", module)


def test_prompts_are_ours_and_only_codes_and_the_stop_token_may_be_drawn():
    tokenizer = tiny_tokenizer()
    model = tiny_model(base_size=tokenizer.size)
    vocabulary = model.vocabulary
    prompt = build_prompt(
        vocabulary,
        tokenizer,
        "lazy dog",
        voice_description="Asha, a woman",
        voice_text="the fox",
        voice_codes=np.arange(9),
    )
    llm = Llm([CompletionOutput([vocabulary.speech_end], "stop")] * 2)
    options = {"temperature": 0.7, "top_k": 5, "top_p": 0.9}
    generate_vllm(llm, vocabulary, [prompt, prompt[:-9]], max_codes=[30, 40], seeds=[11, 12], **options)
    [(first, parameters), (second, others)] = llm.asked
    assert first["prompt_token_ids"] == prompt.tolist() and second["prompt_token_ids"] == prompt[:-9].tolist()
    assert set(first) == {"prompt_token_ids"} and all(type(one) is int for one in first["prompt_token_ids"])
    allowed = [vocabulary.speech_end, *range(vocabulary.first_speech_id, vocabulary.size)]
    assert parameters.allowed_token_ids == allowed and len(allowed) == 65 and vocabulary.size < vocabulary.padded_size
    assert parameters.stop_token_ids == [vocabulary.speech_end] and parameters.detokenize is False
    assert (parameters.seed, others.seed) == (11, 12) and (parameters.max_tokens, others.max_tokens) == (30, 40)
    assert (parameters.temperature, parameters.top_k, parameters.top_p, parameters.n) == (0.7, 5, 0.9, 1)


def test_an_answer_is_the_same_with_and_without_its_stop_token():
    vocabulary = tiny_model().vocabulary
    ids, end = vocabulary.speech_ids([3, 1, 2]).tolist(), vocabulary.speech_end
    for answer, stopped in (
        (CompletionOutput([*ids, end], "stop", stop_reason=end), True),
        (CompletionOutput([*ids, end], "stop", stop_reason=None), True),  # met as the model's own end of sequence
        (CompletionOutput(ids, "stop", stop_reason=end), True),
        (CompletionOutput(ids, "length"), False),
    ):
        [one] = generate_vllm(Llm([answer]), vocabulary, [np.array([1])], max_codes=9)
        assert one.codes.tolist() == [3, 1, 2] and one.codes.dtype == np.uint16 and one.stopped is stopped


def test_what_our_loop_says_comes_back_from_an_engine_that_says_the_same():
    model = tiny_model(codes=8)
    prompts, limits = prompts_of(model, 6), [12, 0, 5, 12, 12, 1]
    own = generate(model, prompts, max_codes=limits, temperature=30.0)
    end = model.vocabulary.speech_end
    answers = [
        CompletionOutput([*model.vocabulary.speech_ids(one.codes).tolist(), *([end] if one.stopped else [])], "stop" if one.stopped else "length")
        for one, limit in zip(own, limits, strict=True) if limit
    ]  # fmt: skip
    back = generate_vllm(Llm(answers), model.vocabulary, prompts, max_codes=limits, temperature=30.0)
    assert [one.stopped for one in back] == [one.stopped for one in own] and not own[1].stopped
    assert all(np.array_equal(a.codes, b.codes) for a, b in zip(back, own, strict=True))


def test_what_cannot_be_is_said_and_not_passed_on():
    vocabulary = tiny_model().vocabulary
    prompts = [np.array([1])]
    for bad in (5, vocabulary.speech_start, vocabulary.size):  # text, a control token, a row of padding
        with pytest.raises(BadInput, match="no speech id"):
            generate_vllm(Llm([CompletionOutput([bad], "length")]), vocabulary, prompts, max_codes=9)
    with pytest.raises(RuntimeError, match="abort"):
        generate_vllm(Llm([CompletionOutput([], "abort")]), vocabulary, prompts, max_codes=9)
    with pytest.raises(BadInput, match="empty"):
        generate_vllm(Llm(), vocabulary, [np.zeros(0, np.int64)], max_codes=9)


def test_an_export_is_opened_without_its_tokenizer_and_a_missing_vllm_is_named(tmp_path, monkeypatch):
    tiny_model().vocabulary.save(tmp_path)
    llm, vocabulary = open_vllm(tmp_path, dtype="bfloat16")
    assert llm.settings == {"model": str(tmp_path), "skip_tokenizer_init": True, "dtype": "bfloat16"}
    assert vocabulary == tiny_model().vocabulary
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(BadInput, match="not installed"):
        open_vllm(tmp_path)
