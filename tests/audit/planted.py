"""A corpus of twelve languages with a fault of every kind at known samples, and the same corpus without them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vaak.corpus import Corpus, CorpusWriter, Sample, open_corpus
from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.languages import LANGUAGES, SCRIPTS

CODEBOOK = 1024
SILENT, CRASHES = 0, 7  # codes that the test codec decodes to silence, and not at all
PER_LANGUAGE = 40


class ToneCodec:
    """A codec for tests: every code is 20 ms of its own tone."""

    name, codebook_size, sample_rate, output_rate, tokens_per_second, hash = (
        "tones",
        CODEBOOK,
        16000,
        16000,
        50,
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


def sentence(random: np.random.Generator, language: str, words: int) -> str:
    """Random words in the language's script, with one Latin word now and then, as real text has."""
    first, _ = SCRIPTS[LANGUAGES[language].script]
    letters = [chr(first + k) for k in (range(32, 58) if LANGUAGES[language].script == "Latin" else range(0x15, 0x28))]
    letters = [letter for letter in letters if letter.isalpha() and not (language == "as" and letter == "র")]
    parts = ["".join(random.choice(letters, random.integers(3, 8))) for _ in range(words)]
    if random.random() < 0.1:
        parts.append("CD")
    if language == "as":
        parts.append("ৰৱ")
    return " ".join(parts) + "."


def paired(random: np.random.Generator, language: str, name: str, **changes: Any) -> tuple[Sample, np.ndarray]:
    """A clean paired sample: about 12 characters a second, random codes."""
    text = changes.pop("transcript", None) or sentence(random, language, int(random.integers(5, 14)))
    n = max(30, round(len(text) / 12 * 50 * float(np.exp(0.1 * random.standard_normal()))))
    codes = random.integers(10, CODEBOOK, n)
    tier = "clean" if random.random() < 0.5 else "wild"
    sample = Sample(
        name, "studio", language, speaker=f"{language}-{random.integers(4)}", tier=tier, transcript_kind="native",
        transcript=text, duration_s=n / 50 + float(random.uniform(-0.02, 0.02)), sample_rate=16000, normalisation=(),
    )  # fmt: skip
    return replace(sample, **changes), codes


def build(folder: Path, faults: bool) -> tuple[Corpus, TextTokenizer, dict[str, set[str]]]:
    """The corpus, its tokenizer, and per check the ids of the samples at fault."""
    random = np.random.default_rng(7)
    texts = [sentence(random, language, 20) for language in LANGUAGES for _ in range(5)]
    tokenizer = train_tokenizer(texts, 600)
    codec = {
        "name": "tones",
        "hash": ToneCodec.hash,
        "codebook_size": CODEBOOK,
        "tokens_per_second": 50,
        "sample_rate": 16000,
    }
    writer = CorpusWriter(folder, "planted", codec, tokenizer.hash)
    for language in LANGUAGES:
        for k in range(PER_LANGUAGE):
            sample, codes = paired(random, language, f"{language}-{k}", held_out=k < 4)
            writer.add("paired", sample, codes)
            writer.add(
                "raw",
                Sample(f"{language}-raw-{k}", "street", language, tier="wild"),
                random.integers(10, CODEBOOK, 100),
            )
        text = sentence(random, language, 30)
        writer.add(
            "text", Sample(f"{language}-text", "web", language), [*tokenizer.encode(text), tokenizer.end_of_text_id]
        )
    truth: dict[str, set[str]] = defaultdict(set)
    if faults:
        _plant_audio(writer, random, truth)
        _plant_writing(writer, random, truth)
        _plant_text(writer, tokenizer, random, truth)
    writer.freeze()
    if faults:
        _break_codes(open_corpus(folder), truth)
    return open_corpus(folder), tokenizer, truth


def _plant_audio(writer: CorpusWriter, random: np.random.Generator, truth: dict[str, set[str]]) -> None:
    def add(
        name: str, checks: tuple[str, ...], codes: np.ndarray | None = None, **changes: Any
    ) -> tuple[Sample, np.ndarray]:
        """Given codes bring a transcript of the usual length with them."""
        if codes is not None:
            changes = {
                "transcript": chr(0x0915 + len(truth)) * (len(codes) * 12 // 50),
                "duration_s": len(codes) / 50,
                **changes,
            }
        sample, own = paired(random, "hi", name, **{"tier": "wild", **changes})
        own = own if codes is None else codes
        writer.add("paired", sample, own)
        for check in checks:
            truth[check].add(name)
        return sample, own

    sample, codes = paired(random, "hi", "duration")
    writer.add("paired", replace(sample, duration_s=len(codes) / 50 + 0.05), codes)
    truth["duration_matches_codes"].add("duration")
    constant, looping = random.integers(10, CODEBOOK, 200), random.integers(10, CODEBOOK, 200)
    constant[50:151], looping[20:180] = 99, np.tile([11, 12, 13, 14], 40)
    add("constant", ("no_repeated_codes",), constant)
    add("looping", ("no_repeated_codes",), looping)
    add("other-codec", ("codec_is_the_same",), codec_hash="d" * 64)
    _, codes = add("once", ())
    add("twice", ("no_duplicate_codes", "held_out_codes_unseen"), codes, held_out=True)
    sample, _ = add("said", (), speaker="Asha")
    add("said-again", ("no_duplicate_transcripts",), transcript=f"{sample.transcript}!", speaker="Asha")
    leaked, _ = add("known", ())
    add("known-held-out", ("held_out_transcripts_unseen",), transcript=leaked.transcript, held_out=True, speaker="Ravi")


def _plant_writing(writer: CorpusWriter, random: np.random.Generator, truth: dict[str, set[str]]) -> None:
    tamil, hindi = sentence(random, "ta", 8), sentence(random, "hi", 8)
    bengali = sentence(random, "bn", 8) + " রর"
    for name, language, checks, changes in (
        ("dots", "te", ("transcript_has_words",), {"transcript": "… — !"}),
        ("tamil-as-hindi", "hi", ("script_matches_language",), {"transcript": tamil}),
        ("latin-as-telugu", "te", ("script_matches_language",), {"transcript": "namaste andi ela unnaru meeru"}),
        ("bengali-as-assamese", "as", ("letters_match_language",), {"transcript": bengali}),
        ("not-romanised", "hi", ("kind_matches_script",), {"transcript": hindi, "transcript_kind": "romanised"}),
        ("not-mixed", "hi", ("kind_matches_script",), {"transcript": hindi + " अ", "transcript_kind": "code_mixed"}),
        ("romanised", "hi", (), {"transcript": "mera naam asha hai aur main yahan hoon", "transcript_kind": "romanised"}),
        ("mixed", "hi", (), {"transcript": "मेरा phone कहाँ है please बताइए", "transcript_kind": "code_mixed"}),
        ("digits", "ta", (), {"transcript": "12 345 6789 10 11 12 13"}),
    ):  # fmt: skip
        sample, codes = paired(random, language, name, **changes)
        writer.add("paired", sample, codes)
        for check in checks:
            truth[check].add(name)
    for name, words in (("too-much-text", 90), ("too-little-text", 0)):
        sample, codes = paired(random, "gu", name)
        writer.add("paired", replace(sample, transcript=sentence(random, "gu", words) if words else "ક"), codes)
        truth["characters_per_second"].add(name)
        truth["characters_per_code"].add(name)


def _plant_text(
    writer: CorpusWriter, tokenizer: TextTokenizer, random: np.random.Generator, truth: dict[str, set[str]]
) -> None:
    ids, end = tokenizer.encode(sentence(random, "hi", 30)), tokenizer.end_of_text_id
    for name, check, tokens in (
        ("foreign-id", "text_ids_in_tokenizer", [*ids, tokenizer.size, end]),
        ("no-end", "text_documents_end", ids),
        ("end-inside", "text_documents_end", [*ids, end, *ids, end]),
    ):
        writer.add("text", Sample(name, "web", "hi"), tokens)
        truth[check].add(name)
    writer.add(
        "text", Sample("malayalam-as-kannada", "web", "kn"), [*tokenizer.encode(sentence(random, "ml", 20)), end]
    )
    truth["script_matches_language"].add("malayalam-as-kannada")


def _break_codes(corpus: Corpus, truth: dict[str, set[str]]) -> None:
    """What the writer refuses: a code beyond the codebook, written over the frozen file (which verify would notice)."""
    group = corpus.groups["raw", "mr", "wild"]
    path = next(iter(sorted(group.folder.glob("*.tokens.npy"))))
    tokens = np.load(path, mmap_mode="r+")
    tokens[int(group.offsets[3]) + 10] = CODEBOOK
    tokens.flush()
    truth["codes_in_range"].add("mr-raw-3")
    truth["codes_in_vocabulary"].add("mr-raw-3")
