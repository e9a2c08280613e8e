"""A corpus as a good one is: twelve languages, real words, log-normal lengths, several sources and many speakers."""

from __future__ import annotations

import random as plain_random
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from vaak.corpus import Sample
from vaak.demo.texts import sentences
from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.languages import LANGUAGES

CODEBOOK, RATE = 4096, 50
SILENT, CRASHES = 0, 7  # codes that the test codec decodes to silence, and not at all


class ToneCodec:
    """A codec for tests: every code is 20 ms of its own tone."""

    name, codebook_size, sample_rate, output_rate, tokens_per_second, hash = (
        "tones",
        CODEBOOK,
        16000,
        16000,
        RATE,
        "c" * 64,
    )

    def encode(self, wave: np.ndarray) -> np.ndarray:
        raise NotImplementedError("the audit never encodes")

    def encode_batch(self, waves: Any) -> list[np.ndarray]:
        raise NotImplementedError("the audit never encodes")

    def decode(self, codes: np.ndarray) -> np.ndarray:
        if (codes == CRASHES).any():
            raise RuntimeError("this codec cannot decode code 7")
        hertz = np.repeat(100.0 + codes.astype(np.float64), 320)
        wave = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / 16000)
        return np.where(np.repeat(codes == SILENT, 320), 0, wave).astype(np.float32)

    def decode_batch(self, codes: Any) -> list[np.ndarray]:
        return [self.decode(one) for one in codes]


ENTRY = {
    "name": "tones",
    "hash": ToneCodec.hash,
    "codebook_size": CODEBOOK,
    "tokens_per_second": RATE,
    "sample_rate": 16000,
}

# Words that real transcripts borrow, and conjuncts that are spelled with a joiner.
_BORROWED = ("YouTube", "WhatsApp", "UPI", "AIIMS", "GST", "COVID-19", "TV")
_JOINED = {"hi": "र्‍हास", "mr": "दुसऱ्‍या", "bn": "র‍্যাব", "ml": "ന്‍", "kn": "ಎನ್‌ಡಿಎ", "te": "ఎన్‌టీఆర్", "gu": "ક્‍લબ"}


@cache
def words(language: str) -> tuple[str, ...]:
    """The words of 300 sentences, the often used ones often."""
    text = " ".join(sentences(language, plain_random.Random(5), 300))
    found = [word.strip(".,!?।\"'") for word in unicodedata.normalize("NFC", text).split()]
    return tuple(word for word in found if word)


def sentence(random: np.random.Generator, language: str, n: int) -> str:
    """Words in the language's script with digits, a borrowed word, a joiner and points now and then, as real text has."""
    pool = words(language)
    parts = [pool[i] for i in random.integers(0, len(pool), n)]
    if language != "en" and n > 6 and random.random() < 0.08:
        parts[int(random.integers(n))] = str(random.choice(_BORROWED))
    if random.random() < 0.12:
        parts[int(random.integers(n))] = str(random.integers(1, 2030))
    if language in _JOINED and random.random() < 0.05:
        parts.append(_JOINED[language])
    if n > 5 and random.random() < 0.3:
        parts[n // 2] += ","
    end = "." if language in ("en", "ta", "te", "kn", "ml", "gu", "mr") else "।"
    return unicodedata.normalize("NFC", " ".join(parts) + ("?" if random.random() < 0.1 else end))


def codes_of(random: np.random.Generator, n: int) -> np.ndarray:
    """Speech-like codes: some far more often than others, with short silences."""
    codes = 10 + (random.power(0.6, n) * (CODEBOOK - 10)).astype(np.int64)
    for start in range(40, n - 10, 150):
        codes[start : start + int(random.integers(2, 10))] = 9
    return codes


@dataclass
class Draft:
    """A corpus before it is written: (stream, sample, tokens), in the order in which they are written."""

    random: np.random.Generator
    tokenizer: TextTokenizer
    samples: list[tuple[str, Sample, Any]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def add(self, stream: str, sample: Sample, tokens: Any) -> str:
        self.samples.append((stream, sample, tokens))
        return sample.sample_id

    def place(self, recording: str, n: int) -> dict[str, Any]:
        """Where n codes stand in a recording: after whatever was cut from it before, and a pause."""
        start = self.places.get(recording, 0) + int(self.random.integers(20, 900))
        self.places[recording] = start + round(1000 * n / RATE)
        return {"source_id": recording, "start_ms": start, "end_ms": self.places[recording]}

    def paired(self, language: str, name: str, n_words: int | None = None, **changes: Any) -> tuple[Sample, np.ndarray]:
        """A clean paired sample that is not added yet; `codes` and fields of the sample may be given."""
        count = n_words or max(3, round(float(np.exp(2.3 + 0.4 * self.random.standard_normal()))))
        text = changes.pop("transcript", None) or sentence(self.random, language, count)
        rate = 12 * float(np.exp(0.1 * self.random.standard_normal()))
        codes = changes.pop("codes", None)
        if codes is None:
            codes = codes_of(self.random, max(30, round(sum(map(len, text.split())) / rate * RATE)))
        speaker = f"{language}-voice-{self.random.integers(6)}"
        held_out = changes.get("held_out", False)
        sample = Sample(
            name, "studio", language, speaker=f"{language}-new-voice" if held_out else speaker, tier="clean",
            transcript_kind="native", transcript=text, voice_description="A clear voice.",
            duration_s=round(len(codes) / RATE + float(self.random.uniform(-0.015, 0.015)), 3), sample_rate=24000,
            **self.place(f"studio-{language}-{len(self.samples) // 12}", len(codes)),
            vad_config_hash="v" * 64, normalisation=("nfc",),
        )  # fmt: skip
        return replace(sample, **changes), codes

    def raw(self, language: str, name: str, n: int | None = None, **changes: Any) -> tuple[Sample, np.ndarray]:
        """A clean raw sample that is not added yet."""
        count = n or max(40, round(float(np.exp(5.3 + 0.35 * self.random.standard_normal()))))
        codes = changes.pop("codes", None)
        codes = codes_of(self.random, count) if codes is None else codes
        sample = Sample(
            name, "radio", language, speaker=f"{language}-host-{self.random.integers(9)}", tier="wild",
            duration_s=len(codes) / RATE, sample_rate=16000, vad_config_hash="v" * 64,
            **self.place(f"radio-{language}-{len(self.samples) // 12}", len(codes)),
        )  # fmt: skip
        return replace(sample, **changes), codes

    def document(self, language: str, name: str, text: str | None = None) -> tuple[Sample, list[int]]:
        """A clean text document that is not added yet."""
        lines = [sentence(self.random, language, 9) for _ in range(int(self.random.integers(4, 20)))]
        ids = self.tokenizer.encode("\n".join(lines) if text is None else text)
        sample = Sample(
            name, "web", language, source_id=f"web-{name}", transcript_hash="e" * 64, normalisation=("nfc",)
        )
        return sample, [*ids, self.tokenizer.end_of_text_id]


@cache
def tokenizer() -> TextTokenizer:
    random = np.random.default_rng(3)
    return train_tokenizer([sentence(random, language, 20) for language in LANGUAGES for _ in range(20)], 1000)


def clean_draft(samples: int, seed: int) -> Draft:
    """So many samples over the twelve languages: 55% paired, 40% raw, 5% text; 4% of the paired ones are held out."""
    draft = Draft(np.random.default_rng(seed), tokenizer())
    for language in LANGUAGES:
        for k in range(samples // len(LANGUAGES)):
            kind = k % 20
            if kind < 11:
                draft.add("paired", *draft.paired(language, f"{language}-{k:05d}", held_out=k % 25 == 0))
            elif kind < 19:
                draft.add("raw", *draft.raw(language, f"{language}-{k:05d}"))
            else:
                draft.add("text", *draft.document(language, f"{language}-{k:05d}"))
    return draft
