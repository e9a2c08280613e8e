"""The corpus that ships: whole, small, in twelve languages, and honest about where each sample came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vaak.demo
from vaak.codec import open_codec
from vaak.corpus import Corpus, open_corpus, verify_corpus
from vaak.grammar.tokenizer import load_tokenizer
from vaak.languages import LANGUAGES, script_of
from vaak.storage.files import read_json


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return open_corpus(vaak.demo.corpus_folder())


def test_every_byte_is_as_frozen(corpus: Corpus) -> None:
    assert verify_corpus(corpus.folder) == []
    data = Path(vaak.demo.__file__).parent / "data"
    assert sum(path.stat().st_size for path in data.rglob("*")) < 17.5e6
    record = read_json(data / "PROVENANCE.json")
    assert record["corpus_id"] == corpus.id
    assert record["tokenizer_sha256"] == load_tokenizer(vaak.demo.tokenizer_folder()).hash


def test_it_belongs_to_the_embedded_codec(corpus: Corpus) -> None:
    codec = open_codec("embedded")
    assert corpus.codec_hash == codec.hash
    assert corpus.codebook_size == codec.codebook_size


def test_all_streams_in_all_languages_and_two_tiers(corpus: Corpus) -> None:
    for language in LANGUAGES:
        for stream, tier in (
            ("paired", "clean"),
            ("paired", "wild"),
            ("raw", "clean"),
            ("raw", "wild"),
            ("text", "clean"),
        ):
            assert (stream, language, tier) in corpus.groups


def test_transcripts_are_in_their_own_script(corpus: Corpus) -> None:
    for language in LANGUAGES:
        group = corpus.groups["paired", language, "clean"]
        native = [
            text
            for text, kind in zip(group.column("transcript"), group.column("transcript_kind"), strict=True)
            if kind == "native"
        ]
        assert script_of(" ".join(native)).get(LANGUAGES[language].script, 0) > 0.99


def test_every_sample_says_where_it_came_from(corpus: Corpus) -> None:
    for (stream, _, _), group in corpus.groups.items():
        names = ["source_id", "transcript_hash" if stream == "text" else "audio_sha256", "normalisation"]
        if stream != "text":
            names += ["start_ms", "end_ms", "vad_config_hash", "codec_hash", "sample_rate", "speaker", "duration_s"]
        for name in names:
            assert all(value is not None for value in group.column(name)), name


def test_codes_last_as_long_as_the_audio(corpus: Corpus) -> None:
    group = corpus.groups["paired", "en", "clean"]
    seconds = np.asarray(group.column("duration_s"), float)
    assert np.array_equal(group.lengths, np.ceil(np.round(seconds * 16000) / 320))
