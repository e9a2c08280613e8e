"""A long text in one voice: what each chunk continues from, which seed it has, and what is said of one that was cut."""

from typing import Any

import numpy as np
import pytest

import vaak.speak.speech
from tests.speak.tiny_speaker import ToneCodec, tiny_model, tiny_tokenizer
from vaak.errors import BadInput
from vaak.speak.generation import Generation
from vaak.speak.long import PAUSE_SECONDS, chunk_seed, speak_long
from vaak.speak.sentences import chunks_of
from vaak.speak.speech import build_prompt, speak

TEXT = "The quick fox. The lazy dog. A brown fox jumps. Over the dog."
CHUNKS = ["The quick fox.", "The lazy dog.", "A brown fox jumps.", "Over the dog."]

Speaker = tuple[Any, Any, Any]  # model, tokenizer, codec


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    tokenizer = tiny_tokenizer()
    return tiny_model(base_size=tokenizer.size), tokenizer, ToneCodec()


@pytest.fixture
def asked(monkeypatch):
    """What `generate` is asked for, call by call; item n of a text is answered by n + 3 codes of value n."""
    calls, answered = [], []

    def generate(model, prompts, *, max_codes, seeds, **_):
        calls.append([list(prompts), list(max_codes), list(seeds)])
        answered.extend(prompts)
        numbers = range(len(answered) - len(prompts), len(answered))
        return [Generation(np.full(n + 3, n, np.uint16), n not in asked_to_fail) for n in numbers]

    asked_to_fail = set()
    monkeypatch.setattr(vaak.speak.speech, "generate", generate)
    return calls, asked_to_fail


def prompts_with(speaker, texts, **voice):
    return [build_prompt(speaker[0].vocabulary, speaker[1], text, **voice) for text in texts]


def same(prompts, wanted):
    return len(prompts) == len(wanted) and all(np.array_equal(a, b) for a, b in zip(prompts, wanted, strict=True))


def test_later_chunks_continue_from_the_first_in_words_and_codes(speaker: Speaker, asked):
    calls, _ = asked
    wave, chunks = speak_long(*speaker, TEXT, "Asha, a woman", seed=7, longest=20)
    assert [chunk.text for chunk in chunks] == CHUNKS
    first = {"voice_text": CHUNKS[0], "voice_codes": np.zeros(3, np.uint16)}
    assert same(calls[0][0], prompts_with(speaker, CHUNKS[:1], voice_description="Asha, a woman"))
    assert same(calls[1][0], prompts_with(speaker, CHUNKS[1:], voice_description="Asha, a woman", **first))
    assert calls[0][2] == [7] and calls[1][2] == [chunk_seed(7, i) for i in (1, 2, 3)]
    assert len({*calls[0][2], *calls[1][2], chunk_seed(8, 1)}) == 5
    assert len(wave) == 320 * (3 + 4 + 5 + 6) + 3 * round(PAUSE_SECONDS * 16000)
    silent = wave[960 : 960 + round(PAUSE_SECONDS * 16000)]
    assert not silent.any() and wave[:960].any()


def test_all_chunks_continue_from_a_reference_that_was_given(speaker: Speaker, asked):
    calls, _ = asked
    reference = {"voice_text": "My voice.", "voice_codes": np.arange(20, dtype=np.uint16)}
    speak_long(*speaker, TEXT, longest=20, **reference)
    assert len(calls) == 1 and same(calls[0][0], prompts_with(speaker, CHUNKS, **reference))


def test_a_chunk_that_was_cut_is_reported_and_not_continued(speaker: Speaker, asked):
    calls, fail = asked
    fail |= {0, 3}
    _, chunks = speak_long(*speaker, TEXT, longest=20)
    assert [chunk.generation.stopped for chunk in chunks] == [False, True, True, False]
    assert same(calls[1][0], prompts_with(speaker, CHUNKS[1:2]))
    second = {"voice_text": CHUNKS[1], "voice_codes": np.ones(4, np.uint16)}
    assert same(calls[2][0], prompts_with(speaker, CHUNKS[2:], **second))


def test_prompt_and_codes_fit_into_the_models_positions(speaker: Speaker, asked):
    calls, _ = asked
    long = "the quick brown fox jumps over the lazy dog and " * 8
    speak_long(*speaker, long, longest=70)  # 70 characters may take 512 codes, as many as there are positions
    assert len(calls) > 1
    for prompts, limits, _ in calls:
        assert all(len(prompt) + limit <= 512 for prompt, limit in zip(prompts, limits, strict=True))
    # No room for the first chunk before the others: the description alone says who speaks.
    assert same(calls[-1][0], prompts_with(speaker, chunks_of(long, 70)[1:]))
    with pytest.raises(BadInput, match="reference voice of 400 codes leaves no room"):
        speak_long(*speaker, long, voice_text="My voice.", voice_codes=np.zeros(400, np.uint16), longest=70)


def test_a_short_text_sounds_as_from_speak(speaker: Speaker):
    wave, [chunk] = speak_long(*speaker, "the dog", "Asha, a woman", seed=5)
    once, generation = speak(*speaker, "the dog", "Asha, a woman", seed=5)
    assert np.array_equal(wave, once) and np.array_equal(chunk.generation.codes, generation.codes)
    with pytest.raises(BadInput, match="empty"):
        speak_long(*speaker, " \n ")
