"""Prompts through the grammar, and one text to one wave."""

import numpy as np
import pytest

from tests.speak.tiny_speaker import CODES, ToneCodec, tiny_model, tiny_tokenizer
from vaak.errors import BadInput
from vaak.grammar.prompt import paired_ids
from vaak.speak.speech import build_prompt, likely_codes, speak


@pytest.fixture(scope="module")
def model():
    tokenizer = tiny_tokenizer()
    return tiny_model(base_size=tokenizer.size), tokenizer


def test_the_prompt_is_the_beginning_of_the_training_document(model):
    lm, tokenizer = model
    codes = np.arange(10, dtype=np.uint16)
    prompt = build_prompt(lm.vocabulary, tokenizer, "the lazy dog", voice_description="Asha, a woman")
    trained = paired_ids(lm.vocabulary, tokenizer.encode("the lazy dog"), codes, tokenizer.encode("Asha, a woman"))
    assert np.array_equal(trained[: len(prompt)], prompt)


def test_a_cloned_voice_is_a_document_begun_by_its_reference(model):
    lm, tokenizer = model
    codes = np.arange(10, dtype=np.uint16)
    prompt = build_prompt(lm.vocabulary, tokenizer, "lazy dog", voice_text="the quick ", voice_codes=codes)
    trained = paired_ids(lm.vocabulary, tokenizer.encode("the quick lazy dog"), np.append(codes, codes))
    assert np.array_equal(trained[: len(prompt)], prompt)


def test_speak_gives_a_wave_as_long_as_its_codes_without_the_reference(model):
    lm, tokenizer = model
    reference = np.arange(20, dtype=np.uint16)
    for voice in ({}, {"voice_text": "the fox", "voice_codes": reference}):
        wave, generation = speak(lm, tokenizer, ToneCodec(), "over the dog", max_codes=30, seed=3, **voice)
        assert len(wave) == 320 * len(generation.codes) and len(generation.codes) <= 30
        again, _ = speak(lm, tokenizer, ToneCodec(), "over the dog", max_codes=30, seed=3, **voice)
        assert np.array_equal(wave, again)


def test_bad_requests_are_refused(model):
    lm, tokenizer = model
    with pytest.raises(BadInput, match="empty"):
        build_prompt(lm.vocabulary, tokenizer, "  ")
    with pytest.raises(BadInput, match="both"):
        build_prompt(lm.vocabulary, tokenizer, "hello", voice_text="the fox")
    other = ToneCodec()
    other.codebook_size = CODES * 2
    with pytest.raises(BadInput, match="codec"):
        speak(lm, tokenizer, other, "hello")
    assert likely_codes("a") < likely_codes("a longer text")
