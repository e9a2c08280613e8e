"""Flat streams come in as they are: every value, no invented boundaries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.inworld import target
from vaak.corpus import open_corpus
from vaak.corpus.import_flat import import_flat
from vaak.corpus.import_samples import SampleDefaults
from vaak.corpus.show import corpus_table, show_corpus
from vaak.errors import BadInput

CODES = np.random.default_rng(1).integers(0, 1000, 1000, dtype=np.int32)
IDS = np.random.default_rng(2).integers(0, 150_000, 777, dtype=np.int32)
HINDI = SampleDefaults("radio", "hi")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    CODES.tofile(folder / "train_pretraining_codes.npy")
    CODES[:90].tofile(folder / "val_pretraining_codes.npy")
    IDS.tofile(folder / "train_pretraining_tokens.npy")
    return folder


def test_every_value_comes_back_in_pieces(tmp_path, source):
    report = import_flat(source, target(tmp_path / "out", tokenizer_hash="t" * 64, shard_tokens=300), HINDI, piece=64)
    assert (report.read, report.kept, report.tokens) == (16 + 2 + 13, 31, 1000 + 90 + 777)
    assert report.found == [
        "train_pretraining_codes.npy: 1,000 codes, raw int32",
        "train_pretraining_tokens.npy: 777 tokens, raw int32",
        "val_pretraining_codes.npy: 90 codes, raw int32",
    ]
    corpus = open_corpus(tmp_path / "out", verify=True)
    raw, text = corpus.groups["raw", "hi", "unrated"], corpus.groups["text", "hi", "unrated"]
    assert raw.flat(0, 1090).tolist() == [*CODES, *CODES[:90]] and text.flat(0, 777).tolist() == IDS.tolist()
    assert raw.tokens(0).dtype == np.uint16 and text.tokens(0).dtype == np.uint32
    assert raw.lengths.tolist() == [*[64] * 15, 40, 64, 26]
    sample = raw.sample(15)
    assert (sample.sample_id, sample.source, sample.duration_s) == ("radio.train-codes.15", "radio", 40 / 50)
    assert "flat" in sample.unknown["source_id"] and "flat" in sample.unknown["start_ms"]
    assert raw.column("held_out").tolist() == [False] * 16 + [True] * 2


def test_show_says_that_boundaries_are_unknown(tmp_path, source):
    import_flat(source, target(tmp_path / "out", tokenizer_hash="t" * 64), HINDI)
    corpus = open_corpus(tmp_path / "out")
    assert show_corpus(corpus)["boundaries"] == "unknown: flat streams, cut into pieces of 32768 tokens"
    assert "sample boundaries are unknown" in corpus_table(corpus)


def test_one_file_with_a_header(tmp_path):
    for dtype in ("uint16", "int64", "int32"):
        folder = tmp_path / dtype
        folder.mkdir()
        np.save(folder / "train_pretraining_codes.npy", CODES.astype(dtype))
        path = folder / "train_pretraining_codes.npy"
        report = import_flat(path, target(tmp_path / f"out-{dtype}"), HINDI)
        assert report.found == [f"train_pretraining_codes.npy: 1,000 codes, {dtype} with a .npy header"]
        group = open_corpus(tmp_path / f"out-{dtype}").groups["raw", "hi", "unrated"]
        assert group.flat(0, 1000).tolist() == CODES.tolist()


@pytest.mark.parametrize("value", [-1, 1000, 65536])
def test_a_piece_with_a_code_out_of_range_is_set_aside(tmp_path, source, value):
    codes = CODES.copy()
    codes[100] = value
    codes.tofile(source / "train_pretraining_codes.npy")
    (source / "train_pretraining_tokens.npy").unlink()
    with pytest.raises(BadInput, match=r"train_pretraining_codes.npy, values 64\.\.128.*quarantine"):
        import_flat(source, target(tmp_path / "out"), HINDI, piece=64)
    report = import_flat(source, target(tmp_path / "out", quarantine=tmp_path / "aside"), HINDI, piece=64)
    assert (report.read, report.kept, report.set_aside) == (18, 17, {"code out of range": 1})
    assert report.set_aside_file is not None
    record = json.loads(report.set_aside_file.read_text())
    assert (record["first"], record["stop"], record["sample_id"]) == (64, 128, "radio.train-codes.1")
    group = open_corpus(tmp_path / "out").groups["raw", "hi", "unrated"]
    assert group.flat(0, 1000 - 64).tolist() == [*CODES[:64], *CODES[128:]]


def test_text_ids_are_held_against_the_tokenizer(tmp_path, source):
    (source / "train_pretraining_codes.npy").unlink()
    (source / "val_pretraining_codes.npy").unlink()
    text = target(tmp_path / "out", codec=None, tokenizer_hash="t" * 64)
    with pytest.raises(BadInput, match=r"the tokenizer has 0\.\.149"):
        import_flat(source, text, HINDI, vocabulary=150)
    with pytest.raises(BadInput, match="--tokenizer"):
        import_flat(source, target(tmp_path / "no"), HINDI)
    # Nothing was noted by the run that failed, so other settings are no change of plan.
    assert import_flat(source, text, HINDI, vocabulary=150_000).tokens == 777


def test_a_cut_file(tmp_path, source):
    path = source / "train_pretraining_codes.npy"
    path.write_bytes(path.read_bytes()[:-1])
    (source / "train_pretraining_tokens.npy").unlink()
    with pytest.raises(BadInput, match="cut: 3 bytes"):
        import_flat(source, target(tmp_path / "out"), HINDI)
    report = import_flat(source, target(tmp_path / "out", quarantine=tmp_path / "aside"), HINDI)
    assert report.tokens == 999 + 90


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: np.save(s / "train_pretraining_codes.npy", np.zeros(5, np.float32)), "float32, not integers"),
        (lambda s: np.save(s / "train_pretraining_codes.npy", np.zeros((5, 2), np.int32)), "shape"),
        (lambda s: [path.unlink() for path in s.iterdir()], "has no <split>_pretraining_codes.npy"),
    ],
)
def test_other_files_are_refused(tmp_path, source, change, said):
    change(source)
    with pytest.raises(BadInput, match=said):
        import_flat(source, target(tmp_path / "out", tokenizer_hash="t" * 64), HINDI)


def test_a_language_must_be_named(tmp_path, source):
    with pytest.raises(BadInput, match="--language"):
        import_flat(source, target(tmp_path / "out"), SampleDefaults("radio"))
    with pytest.raises(BadInput, match="'klingon'"):
        import_flat(source, target(tmp_path / "out"), SampleDefaults("radio", "klingon"))


@settings(max_examples=12)
@given(n=st.integers(1, 400), piece=st.integers(8, 50), room=st.integers(0, 100), bad=st.sets(st.integers(0, 399)))
def test_in_is_kept_and_set_aside(tmp_path_factory, n, piece, room, bad):
    folder = tmp_path_factory.mktemp("flat")
    (folder / "src").mkdir()
    codes = CODES[:n].copy()
    bad = {at for at in bad if at < n}
    codes[list(bad)] = 1000
    codes.tofile(folder / "src" / "train_pretraining_codes.npy")
    aside = {at // piece for at in bad}
    pieces = -(-n // piece)
    wanted = target(folder / "out", quarantine=folder / "aside", shard_tokens=piece + room)
    if len(aside) == pieces:
        with pytest.raises(BadInput, match="can be imported"):
            import_flat(folder / "src", wanted, HINDI, piece=piece)
        return
    report = import_flat(folder / "src", wanted, HINDI, piece=piece)
    assert (report.read, report.kept) == (pieces, pieces - len(aside))
    group = open_corpus(folder / "out", verify=True).groups["raw", "hi", "unrated"]
    kept = [CODES[i * piece : min((i + 1) * piece, n)] for i in range(pieces) if i not in aside]
    assert group.flat(0, group.n_tokens).tolist() == np.concatenate(kept).tolist()
