"""Ids that come from anywhere are safe ids, stay apart, and give names that a file can have."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.inworld import ROWS, samples_of, target, write_split
from tests.corpus.toy import CODEC, LevelCodec
from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.encode import encode_list
from vaak.corpus.freeze import freeze_corpus
from vaak.corpus.import_flat import import_flat
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_samples import SampleDefaults
from vaak.corpus.samples import SAFE_ID, check_sample, file_stem, readable_id
from vaak.errors import BadInput

LONG_HINDI = "कितनी-लंबी-कहानी-" * 11  # 187 characters of up to three bytes


@given(st.text(max_size=300))
def test_any_name_becomes_a_safe_id_or_nothing(text):
    name = readable_id(text)
    assert name == "" or SAFE_ID.fullmatch(name)
    assert readable_id(name) == name


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_any_id_gives_the_name_of_a_file(text):
    assert len(f".{file_stem(text)}.aiff.xxxxxxxx.tmp".encode()) <= 255
    if len(text.encode()) <= 200:
        assert file_stem(text) == text


def test_what_is_cut_off_still_tells_two_apart():
    assert readable_id("x" * 300 + "a") != readable_id("x" * 300 + "b")
    assert file_stem("क" * 150 + "a") != file_stem("क" * 150 + "b")
    assert file_stem("क" * 150) == file_stem("क" * 150) and file_stem("क" * 150).startswith("क" * 61 + "-")


STRANGE = [".hidden", "..", "a" * 250, "  two words ", "a/b\\c", "tab\there", "bell\x07", "क" * 201, 7, "...", "/"]


@settings(max_examples=30)
@given(st.lists(st.one_of(st.sampled_from(STRANGE), st.text(max_size=240)), min_size=5, max_size=5))
def test_every_imported_sample_is_one_that_the_writer_would_take(tmp_path_factory, ids):
    folder = tmp_path_factory.mktemp("ids")
    rows = [{**row, "id": one} for row, one in zip(ROWS, ids, strict=True)]
    source = write_split(folder / "src", rows=[json.dumps(row) for row in rows])
    try:
        report = import_inworld(source, target(folder / "out", quarantine=folder / "aside"))
    except BadInput as error:
        assert "can be imported" in str(error)
        return
    kept = samples_of(folder / "out")
    assert len(kept) == report.kept
    for stream, sample, _ in kept.values():
        check_sample(stream, sample)


def test_a_folder_with_a_long_name_gives_rows_without_an_id_theirs(tmp_path):
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    source = write_split(tmp_path / ("." + "long-" * 48), rows=rows)
    import_inworld(source, target(tmp_path / "out"))
    found = samples_of(tmp_path / "out")
    assert len(found) == 5
    for stream, sample, _ in found.values():
        check_sample(stream, sample)
    (tmp_path / "flat").mkdir()
    np.arange(300, dtype=np.int32).tofile(tmp_path / "flat" / "train_pretraining_codes.npy")
    import_flat(tmp_path / "flat", target(tmp_path / "raw"), SampleDefaults("s" * 400, "hi"), piece=100)
    assert [len(name) <= 200 for name in samples_of(tmp_path / "raw")] == [True] * 3
    with pytest.raises(BadInput, match="needs a source"):
        import_flat(tmp_path / "flat", target(tmp_path / "no"), SampleDefaults("", "hi"), piece=100)


def test_held_out_audio_of_a_long_indic_id_is_kept(tmp_path):
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "a.wav", 0.3 * np.sin(np.arange(8000) / 9), 16000)
    rows = [{"path": "a.wav", "language": "hi", "held_out": True, "sample_id": LONG_HINDI + end} for end in "ab"]
    (tmp_path / "audio" / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = encode_list(tmp_path / "audio" / "list.jsonl", LevelCodec(), tmp_path / "out")
    assert report.kept == 2 and verify_corpus(tmp_path / "out") == []
    (group,) = open_corpus(tmp_path / "out").groups.values()
    held = list(group.samples())
    assert [one.sample_id for one in held] == [LONG_HINDI + "a", LONG_HINDI + "b"]
    original = (tmp_path / "audio" / "a.wav").read_bytes()
    assert [(tmp_path / "out" / (one.audio or "")).read_bytes() for one in held] == [original] * 2
    assert len(os.listdir(tmp_path / "out" / "audio")) == 2
    # What the format's own check says of such a corpus.
    (tmp_path / "out" / "MANIFEST.json").unlink()
    codec = {**CODEC, "hash": LevelCodec.hash}
    assert freeze_corpus(tmp_path / "out", "again", codec)


def test_an_id_with_a_control_character_is_refused(tmp_path):
    writer = CorpusWriter(tmp_path / "new", "new", codec=CODEC)
    with pytest.raises(BadInput, match="control characters"):
        writer.add("raw", Sample("bell\x07", "here", "hi"), [1])
    with pytest.raises(BadInput, match="control characters"):
        writer.add_audio("null\0", b"OggS")
