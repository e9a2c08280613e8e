"""Writer and reader: what goes in comes out, and what should not go in does not."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.corpus.toy import CODEC, known_tokens, write_corpus
from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.show import show_corpus
from vaak.errors import BadInput, CheckFailed
from vaak.storage.files import read_json

EMBEDDED = Path(__file__).parents[2] / "vaak" / "demo" / "data" / "corpus"

GOOD = Sample("one", "studio", "en", transcript="hello there", transcript_kind="native")


def writer(tmp_path, **changes):
    return CorpusWriter(tmp_path / "new", "new", **{"codec": CODEC, "tokenizer_hash": "t" * 64, **changes})


def test_every_token_comes_back_across_shards(corpus_folder):
    corpus = open_corpus(corpus_folder, verify=True)
    assert set(corpus.groups) == {
        *((stream, language, "clean") for stream in ("raw", "paired") for language in ("en", "hi")),
        ("text", "en", "clean"),
    }
    for (stream, language, _), group in corpus.groups.items():
        assert (group.n_samples, group.n_tokens) == (20, sum(range(40, 60)))
        name = {"raw": f"raw-{language}-", "paired": f"pair-{language}-", "text": "text-"}[stream]
        everything = [known_tokens(f"{name}{i}", 40 + i, 2**32 if stream == "text" else 1000) for i in range(20)]
        for i, tokens in enumerate(everything):
            assert group.tokens(i).dtype == (np.uint32 if stream == "text" else np.uint16)
            assert (group.tokens(i) == tokens).all()
        for some in ([], [3], [19, 0, 7, 7]):
            assert [one.tolist() for one in group.many(some)] == [everything[i].tolist() for i in some]
        assert (group.flat(0, group.n_tokens) == np.concatenate(everything)).all()
        assert group.lengths.tolist() == list(range(40, 60))
        assert group.offsets.tolist() == np.cumsum([0, *range(40, 60)]).tolist()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 990), stop=st.integers(0, 990))
def test_any_window_is_a_piece_of_the_whole(corpus_folder, start, stop):
    group = open_corpus(corpus_folder).groups["raw", "hi", "clean"]
    start, stop = sorted((start, stop))
    assert (group.flat(start, stop) == group.flat(0, 990)[start:stop]).all()


@given(st.integers(0, 990), st.integers(0, 990))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_samples_begin_is_found_without_joining_the_shards(corpus_folder, start, stop):
    group = open_corpus(corpus_folder).groups["raw", "hi", "clean"]
    offsets = group.offsets
    assert group.cuts(start, stop) == [one for one in offsets.tolist() if start < one < stop]
    assert [group.start(i) for i in range(group.n_samples)] == offsets[:-1].tolist()
    parts = list(group.offset_parts())
    assert len(parts) > 2 and np.concatenate([[0], *(one[1:] for one in parts)]).tolist() == offsets.tolist()
    assert all(one[-1] == other[0] for one, other in pairwise(parts))


def test_what_trains_keeps_nothing_for_each_sample(tmp_path):
    writer = CorpusWriter(tmp_path / "new", "many", codec=CODEC, shard_tokens=2000)
    for i in range(20_000):
        writer.add("raw", Sample(f"s{i}", "radio", "hi"), np.array([i % 1000]))
    writer.freeze()
    group = open_corpus(tmp_path / "new").groups["raw", "hi", "clean"]
    group.flat(0, 20_000)  # maps every shard
    tracemalloc.start()
    try:
        for start in range(0, 20_000, 500):
            assert group.cuts(start, start + 500) == list(range(start + 1, start + 500))
            assert group.flat(start, start + 500)[0] == group.tokens(start)[0] and group.start(start) == start
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80_000, "the joined offsets of 20,000 samples are twice that"


def test_windows_and_samples_outside_are_refused(corpus_folder):
    group = open_corpus(corpus_folder).groups["raw", "hi", "clean"]
    for start, stop in [(-1, 5), (5, 4), (0, 991)]:
        with pytest.raises(IndexError):
            group.flat(start, stop)
    for i in (-1, 20):
        with pytest.raises(IndexError):
            group.tokens(i)
        with pytest.raises(IndexError):
            group.many([0, i])
        with pytest.raises(IndexError):
            group.sample(i)


def test_tokens_are_read_only_views_of_one_map(corpus_folder):
    group = open_corpus(corpus_folder).groups["raw", "en", "clean"]
    assert np.shares_memory(group.tokens(0), group.tokens(0))
    with pytest.raises(ValueError):
        group.tokens(0)[0] = 1


def test_opening_reads_no_tokens(corpus_folder):
    # A shard whose token file has the right size but no numpy header opens; only its use fails.
    path = corpus_folder / "raw/en/clean/00000.tokens.npy"
    path.write_bytes(b"x" * path.stat().st_size)
    corpus = open_corpus(corpus_folder)
    with pytest.raises(BadInput, match=r"00000\.tokens\.npy"):
        corpus.groups["raw", "en", "clean"].tokens(0)


def test_fields_come_back(corpus_folder):
    group = open_corpus(corpus_folder).groups["paired", "en", "clean"]
    sample = group.sample(13)
    assert (sample.sample_id, sample.speaker, sample.transcript) == ("pair-en-13", "en-1", "en sentence 13")
    assert (sample.duration_s, sample.sample_rate, sample.held_out) == (53 / 50, 22050, True)
    assert sample.codec_hash == CODEC["hash"]
    assert sample.unknown["vad_config_hash"] == "not given when the corpus was written"
    assert [one.sample_id for one in group.samples()] == group.column("sample_id")
    assert group.column("held_out").sum() == 10 and group.column("held_out").dtype == bool
    assert group.column("duration_s")[:2].tolist() == [0.8, 0.82]
    assert np.isnan(group.column("sample_rate")[0]) and group.column("sample_rate")[1] == 22050
    with pytest.raises(BadInput, match="no column"):
        group.column("mood")


@given(numbers=st.sets(st.integers(0, 19)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_some_samples_are_those_of_all_that_have_their_numbers(corpus_folder, numbers):
    for group in open_corpus(corpus_folder).groups.values():
        every, wanted = list(group.samples()), sorted(numbers)
        assert list(group.samples_at(np.array(wanted, np.int64))) == [every[number] for number in wanted]


def test_numpy_and_pyarrow_alone_can_read_it(corpus_folder):
    shard = corpus_folder / "paired/hi/clean"
    tokens = np.load(shard / "00001.tokens.npy", mmap_mode="r")
    offsets = np.load(shard / "00001.offsets.npy")
    rows = pq.read_table(shard / "00001.samples.parquet").to_pylist()
    assert len(rows) == len(offsets) - 1 and len(tokens) == offsets[-1]
    name = rows[2]["sample_id"]
    n = int(offsets[3] - offsets[2])
    assert (tokens[offsets[2] : offsets[3]] == known_tokens(name, n)).all()


def test_the_id_is_the_contents(tmp_path):
    assert write_corpus(tmp_path / "a") == write_corpus(tmp_path / "b")
    assert write_corpus(tmp_path / "c", name="other") != write_corpus(tmp_path / "d", n=21)


def test_another_process_opens_it_again_instead_of_copying_it(corpus_folder):
    corpus = open_corpus(corpus_folder)
    corpus.groups["raw", "en", "clean"].tokens(0)
    pickled = pickle.dumps(corpus)
    assert len(pickled) < 1000 and pickle.loads(pickled).id == corpus.id


@pytest.mark.parametrize("tokens", [[-1], [1000], [70000], np.array([1, 65536], np.int32), [], [[1]], [1.5]])
def test_codes_are_checked_before_they_are_narrowed(tmp_path, tokens):
    with pytest.raises(BadInput, match="'one'"):
        writer(tmp_path).add("paired", GOOD, tokens)


@pytest.mark.parametrize("tokens", [[-1], [2**32]])
def test_text_ids_are_checked_too(tmp_path, tokens):
    with pytest.raises(BadInput, match="'one'"):
        writer(tmp_path).add("text", GOOD, tokens)


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_id": "../one"},
        {"sample_id": ".one"},
        {"sample_id": ""},
        {"language": "xx"},
        {"tier": "../up"},
        {"source": ""},
        {"transcript_kind": "sung"},
        {"transcript": "  "},
        {"duration_s": float("nan")},
        {"duration_s": 0.0},
        {"start_ms": 5, "end_ms": 5},
        {"start_ms": -1},
        {"sample_rate": 0},
        {"unknown": {"mood": "lost"}},
        {"transcript_hash": "0" * 64},
        {"audio": "audio/nothing.ogg"},
    ],
)
def test_impossible_fields_are_refused(tmp_path, changes):
    with pytest.raises(BadInput):
        writer(tmp_path).add("paired", replace(GOOD, **changes), [1])


def test_a_sample_id_is_given_once(tmp_path):
    new = writer(tmp_path)
    new.add("paired", GOOD, [1])
    with pytest.raises(BadInput, match="unique"):
        new.add("raw", GOOD, [1])


def test_language_tags_are_normalised(tmp_path):
    new = writer(tmp_path)
    new.add("paired", replace(GOOD, language="hin_Deva"), [1])
    new.freeze()
    assert list(open_corpus(tmp_path / "new").groups) == [("paired", "hi", "clean")]


def test_streams_need_their_codec_or_tokenizer(tmp_path):
    with pytest.raises(BadInput, match="codec"):
        writer(tmp_path, codec=None).add("raw", GOOD, [1])
    with pytest.raises(BadInput, match="tokenizer"):
        CorpusWriter(tmp_path / "other", "x", codec=CODEC).add("text", GOOD, [1])
    with pytest.raises(BadInput, match="hash"):
        CorpusWriter(tmp_path / "third", "x", codec={"name": "x"})


def test_a_reason_that_is_given_is_kept(tmp_path):
    new = writer(tmp_path)
    unknown = {"vad_config_hash": "its settings were lost in 2024", "codec_hash": "never true: the corpus has a codec"}
    new.add("raw", replace(GOOD, unknown=unknown), [1])
    new.freeze()
    sample = open_corpus(tmp_path / "new").groups["raw", "en", "clean"].sample(0)
    assert sample.unknown["vad_config_hash"] == "its settings were lost in 2024"
    assert "codec_hash" not in sample.unknown


def test_original_audio_is_kept_beside_and_hashed(tmp_path):
    new = writer(tmp_path)
    path = new.add_audio("one", b"OggS...")
    new.add("paired", GOOD, [1])
    new.freeze()
    sample = open_corpus(tmp_path / "new", verify=True).groups["paired", "en", "clean"].sample(0)
    assert sample.audio == path == "audio/one.ogg"
    assert sample.audio_sha256 and len(sample.audio_sha256) == 64
    assert (tmp_path / "new" / path).read_bytes() == b"OggS..."


def test_audio_without_a_sample_is_not_frozen(tmp_path):
    new = writer(tmp_path)
    new.add("paired", GOOD, [1])
    new.add_audio("two", b"OggS")
    with pytest.raises(BadInput, match="'two'"):
        new.freeze()


def test_quality_is_kept_where_there_is_some(tmp_path):
    new = writer(tmp_path)
    new.add("paired", GOOD, [1])
    new.add("paired", replace(GOOD, sample_id="two", language="hi", dnsmos=3.5, asr_error_rate=0.0), [1])
    new.add("paired", replace(GOOD, sample_id="three", language="hi"), [1])
    new.freeze()
    corpus = open_corpus(tmp_path / "new")
    en, hi = corpus.groups["paired", "en", "clean"], corpus.groups["paired", "hi", "clean"]
    assert (hi.sample(0).dnsmos, hi.sample(0).asr_error_rate, hi.sample(0).snr_db, hi.sample(1).dnsmos) == (
        3.5, 0.0, None, None)  # fmt: skip
    assert hi.column("dnsmos")[0] == 3.5 and np.isnan(hi.column("dnsmos")[1]) and np.isnan(hi.column("snr_db")).all()
    # Columns that say nothing are not there, as before they existed.
    assert en.sample(0).dnsmos is None and np.isnan(en.column("dnsmos")).all()
    assert pq.read_schema(tmp_path / "new/paired/hi/clean/00000.samples.parquet").names[-2:] == [
        "dnsmos", "asr_error_rate"]  # fmt: skip
    assert pq.read_schema(tmp_path / "new/paired/en/clean/00000.samples.parquet").names[-1] == "held_out"
    assert show_corpus(corpus)["quality"] == {"dnsmos": 1, "asr_error_rate": 1}
    with pytest.raises(BadInput, match="snr_db"):
        writer(tmp_path / "other").add("paired", replace(GOOD, snr_db=float("nan")), [1])


def test_the_embedded_example_opens_and_can_be_written_again(tmp_path):
    """A corpus from before the quality columns: the same rows give the same bytes, and so the same id."""
    old = open_corpus(EMBEDDED)
    assert old.id == read_json(EMBEDDED / "MANIFEST.json")["id"]
    key = next(key for key in old.groups if key[0] == "paired")
    assert old.groups[key].sample(0).dnsmos is None and np.isnan(old.groups[key].column("dnsmos")).all()
    new = CorpusWriter(tmp_path / "new", old.name, old.codec, old.tokenizer_hash)
    for (stream, *_), group in old.groups.items():
        for i, sample in enumerate(group.samples()):
            if sample.audio:
                new.add_audio(sample.sample_id, (EMBEDDED / sample.audio).read_bytes(), Path(sample.audio).suffix)
            new.add(stream, sample, group.tokens(i))
    new.freeze()
    written = pq.read_metadata(EMBEDDED.joinpath(*key, "00000.samples.parquet")).created_by
    if pq.read_metadata((tmp_path / "new").joinpath(*key, "00000.samples.parquet")).created_by == written:
        assert open_corpus(tmp_path / "new").id == old.id
    else:
        # Another pyarrow writes the same rows in other bytes; everything else is the same.
        for one, other in zip(old.manifest["files"], open_corpus(tmp_path / "new").manifest["files"], strict=True):
            assert one == other or (one["path"] == other["path"] and one["path"].endswith(".parquet"))


def test_a_crash_leaves_nothing_that_opens(tmp_path):
    new = writer(tmp_path)
    new.add("paired", GOOD, [1])
    del new
    with pytest.raises(BadInput, match="unfinished"):
        open_corpus(tmp_path / "new")
    with pytest.raises(BadInput, match="unfinished"):
        writer(tmp_path)
    again = writer(tmp_path, restart=True)
    again.add("paired", GOOD, [2])
    again.freeze()
    assert open_corpus(tmp_path / "new", verify=True).groups["paired", "en", "clean"].tokens(0).tolist() == [2]


def test_a_frozen_corpus_is_never_written_over(corpus_folder):
    for restart in (False, True):
        with pytest.raises(BadInput, match="frozen"):
            CorpusWriter(corpus_folder, "toy", restart=restart)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        CorpusWriter(tmp_path, "toy", restart=True)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_nothing_is_not_frozen(tmp_path):
    with pytest.raises(BadInput, match="no sample"):
        writer(tmp_path).freeze()


def test_opening_with_verify_names_the_damage(corpus_folder):
    path = corpus_folder / "raw/en/clean/00001.tokens.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    open_corpus(corpus_folder)
    with pytest.raises(CheckFailed, match=r"raw/en/clean/00001\.tokens\.npy"):
        open_corpus(corpus_folder, verify=True)


def test_a_mark_that_was_half_written_is_no_obstacle(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".UNFINISHED.json.k1ll3d.tmp").write_text("{")
    writer = CorpusWriter(tmp_path / "new", "new", codec=CODEC)
    writer.add("raw", Sample("a", "here", "hi"), [1, 2, 3])
    writer.freeze()
    assert verify_corpus(tmp_path / "new") == []
