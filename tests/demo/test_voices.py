"""Voices: who they are, and the same wave for the same text. Engines that are not installed are skipped by name."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pytest

from vaak.demo.voices import LEVEL_DB, RATE, VOICES, Voice, speech, synthesise
from vaak.errors import BadInput
from vaak.languages import LANGUAGES

_TEXT = {"en": "The small dog sat near the river.", "hi": "आज मौसम अच्छा है।", "as": "ত্ৰিশ টকা লাগিব।"}


def _voice(name: str, language: str) -> Voice:
    return next(voice for voice in VOICES if (voice.name, voice.language) == (name, language))


def _need(voice: Voice) -> None:
    if voice.engine == "flite" and shutil.which("flite") is None:
        pytest.skip("flite is not installed (apt-get install flite)")
    package = {"espeak": "espeakng_loader", "hibari": "hibari"}.get(voice.engine)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (pip install 'vaak[demo]')")


def test_every_language_has_two_voices_to_train_on() -> None:
    for language in LANGUAGES:
        seen = [voice for voice in VOICES if voice.language == language and not voice.held_out]
        assert len(seen) >= 2
    assert {voice.language for voice in VOICES if voice.held_out} == {"en", "hi"}


def test_a_speaker_has_one_description_in_every_language() -> None:
    described = {(voice.name, voice.voice_description) for voice in VOICES}
    assert len(described) == len({name for name, _ in described}) == len({text for _, text in described})


@pytest.mark.parametrize(("name", "language"), [("heart", "en"), ("rms", "en"), ("asha", "hi"), ("ravi", "as")])
def test_the_same_text_gives_the_same_wave(name: str, language: str) -> None:
    voice = _voice(name, language)
    _need(voice)
    first, second = (speech(voice, _TEXT[language]) for _ in range(2))
    assert np.array_equal(first.wave, second.wave)
    assert first.wave.dtype == np.float32
    assert abs(len(first.wave) / RATE - (first.end_ms - first.start_ms) / 1000) < 0.002
    assert abs(20 * np.log10(np.sqrt(np.square(first.wave).mean())) - LEVEL_DB) < 0.1


def test_faster_speech_is_shorter() -> None:
    voice = _voice("meera", "hi")
    _need(voice)
    assert len(synthesise(voice, _TEXT["hi"], 1.2)) < len(synthesise(voice, _TEXT["hi"], 0.9))


def test_letters_with_a_dot_below_are_not_read_out_by_name() -> None:
    voice = _voice("asha", "as")
    _need(voice)
    # Read by name, the one letter in the middle takes longer than the whole word.
    assert len(synthesise(voice, "ময়না")) < 1.5 * len(synthesise(voice, "ময়না".replace("য়", "")))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(BadInput, match="organ"):
        synthesise(Voice("x", "organ", "en", "x", "X"), "Hello there.")
