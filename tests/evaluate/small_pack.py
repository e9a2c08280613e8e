"""A small gold pack with recordings, a run with checkpoints, and a recogniser that is a labelled test double."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from torch import Tensor

from tests.speak.tiny_speaker import CODES, ToneCodec, tiny_model, tiny_tokenizer
from vaak.checkpoint import Checkpoint, save_checkpoint
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.corpus.pack_items import GoldPack

LANGUAGES = ("en", "hi", "ta")
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "and",
    "then",
    "it",
    "rests",
    "near",
    "old",
    "trees",
]


def make_pack(folder: Path, seed: int = 3) -> GoldPack:
    """Three languages, two voices in training and one that is not, twelve short held-out utterances each."""
    codec = ToneCodec()
    settings = {
        name: getattr(codec, name) for name in ("name", "hash", "codebook_size", "tokens_per_second", "sample_rate")
    }
    writer = CorpusWriter(folder / "corpus", "small", codec=settings)
    rng = np.random.default_rng(1)
    lengths: list[int] = []
    for language in LANGUAGES:
        for voice in ("a", "b", "new"):
            for i in range(8):
                held_out = i >= 4 or voice == "new"
                codes = rng.integers(0, CODES, 30 + 3 * len(lengths))
                lengths.append(len(codes))
                name = f"{language}-{voice}-{i}"
                if held_out:
                    ogg = io.BytesIO()
                    soundfile.write(ogg, codec.decode(codes), 16000, format="OGG")
                    writer.add_audio(name, ogg.getvalue())
                sample = Sample(
                    name,
                    "studio",
                    language,
                    speaker=f"{language}-{voice}",
                    transcript=" ".join(rng.choice(WORDS, 5)),
                    transcript_kind="native",
                    voice_description="Asha, a woman",
                    held_out=held_out,
                )
                writer.add("paired", sample, codes)
    writer.freeze()
    build_pack(
        open_corpus(folder / "corpus"),
        folder / "pack",
        seed,
        n_ce=5,
        per_language=2,
        cross_lingual=2,
        probes=0,
        extended={"en": 4},
    )
    return open_pack(folder / "pack")


def add_checkpoint(
    run: Path,
    step: int,
    seed: int = 0,
    tensors: Mapping[str, Tensor] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Checkpoint:
    """A complete checkpoint of random weights, with these `files` beside the tokenizer; a full one with `tensors`."""
    tokenizer = tiny_tokenizer()
    model = tiny_model(seed=seed, base_size=tokenizer.size)
    files = {"tokenizer.json": tokenizer.source.encode()} | dict(files or {})
    return save_checkpoint(run, step, model, state={"step": step}, tensors=tensors, files=files)


class AsrDouble:
    """A test double, not a recogniser: it hears the text of the recording whose length is nearest, or nothing."""

    def __init__(self, pack: GoldPack, deaf: bool = False, languages: Iterable[str] = ("en",)) -> None:
        self.name, self.hash, self.languages = "test-double", "d" * 64, frozenset(languages)
        self.calls, self._deaf = 0, deaf
        spoken = [p for p in pack.prompts if p.reference_codes is not None and p.language in self.languages]
        self._texts = {len(p.reference_codes): p.text for p in spoken if p.reference_codes is not None}

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        self.calls += 1
        if self._deaf or not len(wave):
            return ""
        return self._texts[min(self._texts, key=lambda length: abs(length - len(wave) / rate * 50))]
