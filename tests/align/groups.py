"""A prompt, samples of it and judges whose faults are chosen sample by sample: by the length of a wave, which no two share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.speak.tiny_speaker import CODES, ToneCodec
from vaak.align import hearing
from vaak.speak.generation import Generation

REFERENCE = 50  # codes of the prompt's recording
TEXT = "the quick brown fox"
VOICE = np.full(4, 0.5, np.float32)


@dataclass(frozen=True)
class SpokenPrompt:
    """What `vaak.align.hearing.Judgeable` asks for."""

    language: str = "en"
    text: str = TEXT
    limit: int = 125
    reference_codes: np.ndarray = field(default_factory=lambda: codes_of(REFERENCE, seed=99))
    voice: Callable[[], np.ndarray | None] = lambda: VOICE


def codes_of(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + 1000 * length).integers(0, CODES, length).astype(np.uint16)


def sample(length: int) -> Generation:
    """A good sample of so many codes; shorter than .65 of the recording it falls to the gate "short"."""
    return Generation(codes_of(length), True)


def raises(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Faults:
    """What each judge answers for a sample of so many codes; a function is called. `asked` says who was asked about whom."""

    def __init__(self) -> None:
        self.heard: Mapping[int, object] = {}
        self.quality: Mapping[int, object] = {}
        self.voice: Mapping[int, object] = {}
        self.clear: Mapping[int, object] = {}  # share of voice
        self.asked: Counter[tuple[str, int]] = Counter()
        self._turn = threading.Lock()

    def answer(self, judge: str, wave: np.ndarray, default: Any) -> Any:
        length = len(wave) // 320
        with self._turn:
            self.asked[judge, length] += 1
        found = getattr(self, judge).get(length, default)
        return found() if callable(found) else found

    def asked_of(self, judge: str) -> list[int]:
        return sorted(length for one, length in self.asked.elements() if one == judge)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hearing, "dnsmos", lambda wave, rate: self.answer("quality", wave, 2.0 + len(wave) / 32000))
        monkeypatch.setattr(hearing, "embed_voice", lambda wave, rate: self.answer("voice", wave, VOICE))
        monkeypatch.setattr(hearing, "voice_share", lambda wave, rate: self.answer("clear", wave, 1.0))


class FaultyAsr:
    """A labelled test double: hears the text of the prompt, unless the faults say otherwise."""

    name, hash, languages = "double", "0" * 64, frozenset({"en", "hi"})

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        return self._faults.answer("heard", wave, TEXT)


class FaultyCodec(ToneCodec):
    """`crashes`: lengths of the codes that it cannot decode, with what it raises or gives."""

    def __init__(self, crashes: Mapping[int, Exception | np.ndarray] | None = None) -> None:
        self.crashes: Mapping[int, Exception | np.ndarray] = crashes or {}
        self.batches: list[int] = []

    def decode(self, codes):
        fault = self.crashes.get(len(codes))
        if isinstance(fault, Exception):
            raise fault
        return super().decode(codes) if fault is None else fault

    def decode_batch(self, codes):
        self.batches.append(len(codes))
        return super().decode_batch(codes)
