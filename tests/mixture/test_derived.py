"""What is derived from a corpus for training: never used when damaged, derived again and said, and bounded in memory."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.mixture.conftest import CODEC
from tests.mixture.test_plan import SFT
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.errors import BadInput
from vaak.mixture import derived, solve_plan, transcripts
from vaak.mixture.row_reader import RowReader


@pytest.fixture
def solve(corpus, tokenizer, vocabulary, tmp_path, monkeypatch):
    monkeypatch.setattr(derived, "_checked", set())

    def solved():
        derived._checked.clear()  # as another process has it
        return solve_plan(SFT, [corpus], stage_kind="sft", context=512, total_rows=64, seed=3, tokenizer=tokenizer,
                          vocabulary=vocabulary, cache_folder=tmp_path)  # fmt: skip

    return solved


def flip_last_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def largest(folder: Path, name: str) -> Path:
    return max(folder.glob(f"*/{name}"), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize(
    "kind,name", [("transcripts", "tokens.npy"), ("transcripts", "offsets.npy"), ("index", "rows.npy")]
)
@pytest.mark.parametrize("how", [flip_last_bit, Path.unlink, lambda path: path.write_bytes(b"")])
def test_what_is_damaged_is_derived_again_and_said(
    solve, corpus, tokenizer, vocabulary, tmp_path, caplog, kind, name, how
):
    plan = solve()
    whole = RowReader(plan, [corpus], vocabulary, tokenizer).batch(range(64))
    path = largest(tmp_path / kind, name)
    before = path.read_bytes()
    how(path)
    derived._checked.clear()
    with pytest.raises(BadInput, match=r"is damaged \(.*\); remove it and plan again"):
        RowReader(plan, [corpus], vocabulary, tokenizer)
    with caplog.at_level(logging.WARNING):
        again = solve()
    assert [f"{path.parent} is damaged" in one.message for one in caplog.records] == [True]
    assert path.read_bytes() == before and again.fingerprint == plan.fingerprint
    batch = RowReader(again, [corpus], vocabulary, tokenizer).batch(range(64))
    assert np.array_equal(batch.input_ids, whole.input_ids)


def test_what_is_whole_is_not_derived_again(solve, tmp_path, monkeypatch):
    solve()
    monkeypatch.setattr(transcripts, "_tokenize", lambda *_: pytest.fail("it was there"))
    solve()
    shutil.rmtree(tmp_path / "index")
    solve()


def test_descriptions_that_are_all_different_are_not_all_remembered(tokenizer, tmp_path, monkeypatch):
    writer = CorpusWriter(tmp_path / "corpus", "many", codec=CODEC)
    voices = [f"Voice {i % 70}" if i % 5 else None for i in range(200)]
    for i, voice in enumerate(voices):
        sample = Sample(f"s{i}", "studio", "en", transcript="a word", transcript_kind="native", voice_description=voice)
        writer.add("paired", sample, [1, 2, 3])
    writer.freeze()
    corpus = open_corpus(tmp_path / "corpus")
    group = corpus.groups["paired", "en", "clean"]
    kept = {}
    for name, most in (("all", 1 << 18), ("few", 10)):
        monkeypatch.setattr(transcripts, "_MOST_VOICES", most)
        monkeypatch.setattr(transcripts, "_BATCH", 16)
        folder = tmp_path / name / transcripts.cached_transcripts(tmp_path / name, corpus, group, tokenizer)
        kept[name] = transcripts.Transcripts(folder)
        heard = [tokenizer.encode(voice) if voice else [] for voice in voices]
        assert [kept[name].voice(i).tolist() for i in range(200)] == heard
        assert kept[name].voice_lengths_of(np.arange(200)).tolist() == [len(one) for one in heard]
    assert len(kept["few"].voice_offsets) > len(kept["all"].voice_offsets)
