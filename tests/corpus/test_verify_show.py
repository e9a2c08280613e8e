from __future__ import annotations

import json

import pytest

from tests.corpus.toy import CODEC
from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.show import corpus_table, show_corpus
from vaak.errors import BadInput

FILES = [
    "raw/en/clean/00000.tokens.npy",
    "raw/en/clean/00000.offsets.npy",
    "paired/hi/clean/00001.samples.parquet",
]


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def test_one_flipped_bit_in_original_audio_is_named(tmp_path):
    writer = CorpusWriter(tmp_path / "corpus", "heard", codec=CODEC)
    audio = writer.add_audio("one", bytes(range(200)))
    writer.add("raw", Sample("one", "radio", "en"), [1, 2])
    writer.freeze()
    flip_a_bit(tmp_path / "corpus" / audio)
    assert verify_corpus(tmp_path / "corpus") == ["audio/one.ogg: damaged, its SHA-256 is another"]


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_one_flipped_bit_in_the_manifest_is_named(corpus_folder, at):
    path = corpus_folder / "MANIFEST.json"
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)
    damaged = verify_corpus(corpus_folder)
    assert len(damaged) == 1 and "MANIFEST.json" in damaged[0]
    with pytest.raises(BadInput, match=r"MANIFEST\.json"):
        open_corpus(corpus_folder)


def test_a_whole_corpus_has_nothing_to_name(corpus_folder):
    assert verify_corpus(corpus_folder) == []


@pytest.mark.parametrize("path", FILES)
def test_one_flipped_bit_is_named(corpus_folder, path):
    data = bytearray((corpus_folder / path).read_bytes())
    data[len(data) // 2] ^= 4
    (corpus_folder / path).write_bytes(data)
    assert verify_corpus(corpus_folder) == [f"{path}: damaged, its SHA-256 is another"]


@pytest.mark.parametrize("path", FILES)
def test_a_cut_file_is_named_and_not_opened(corpus_folder, path):
    data = (corpus_folder / path).read_bytes()
    (corpus_folder / path).write_bytes(data[:-1])
    assert verify_corpus(corpus_folder) == [f"{path}: damaged, {len(data) - 1} bytes instead of {len(data)}"]
    with pytest.raises(BadInput, match=path):
        open_corpus(corpus_folder)


def test_missing_and_extra_files_are_named(corpus_folder):
    (corpus_folder / FILES[0]).unlink()
    (corpus_folder / "raw/en/clean/notes.txt").write_text("hm")
    assert verify_corpus(corpus_folder) == [
        f"{FILES[0]}: missing",
        "raw/en/clean/notes.txt: extra, not in the manifest",
    ]
    with pytest.raises(BadInput, match="missing"):
        open_corpus(corpus_folder)


def test_every_file_is_named_though_some_cannot_be_read(corpus_folder):
    """A disk that fails at one file hides nothing of the others."""
    unreadable, damaged = FILES[:2]
    (corpus_folder / unreadable).unlink()
    (corpus_folder / unreadable).symlink_to("/proc/self/mem")  # reading its first byte is an error, as on a bad disk
    (corpus_folder / FILES[2]).unlink()
    (corpus_folder / FILES[2]).mkdir()
    flip_a_bit(corpus_folder / damaged)
    (corpus_folder / "notes.txt").write_text("hm")
    assert verify_corpus(corpus_folder) == [
        "notes.txt: extra, not in the manifest",
        "paired/hi/clean/00001.samples.parquet: cannot be read (Is a directory)",
        f"{damaged}: damaged, its SHA-256 is another",
        f"{unreadable}: cannot be read (Input/output error)",
    ]


def test_an_edited_manifest_is_no_manifest(corpus_folder):
    path = corpus_folder / "MANIFEST.json"
    manifest = json.loads(path.read_text())
    manifest["groups"][0]["tokens"] += 1
    path.write_text(json.dumps(manifest))
    assert "root hash" in verify_corpus(corpus_folder)[0]
    with pytest.raises(BadInput, match="root hash"):
        open_corpus(corpus_folder)


def test_a_folder_of_another_format_is_refused(corpus_folder):
    (corpus_folder / "MANIFEST.json").write_text('{"format": "vaak-pack-1"}')
    with pytest.raises(BadInput, match="vaak-pack-1"):
        open_corpus(corpus_folder)
    (corpus_folder / "MANIFEST.json").write_text("[]")
    with pytest.raises(BadInput, match="None"):
        open_corpus(corpus_folder)


def test_show_counts_what_is_there_and_what_is_unknown(corpus_folder):
    shown = show_corpus(open_corpus(corpus_folder))
    assert (shown["samples"], shown["tokens"]) == (100, 5 * 990)
    assert shown["hours"] == pytest.approx(4 * 990 / 50 / 3600)
    group = next(one for one in shown["groups"] if (one["stream"], one["language"]) == ("paired", "hi"))
    assert group["sources"] == {"studio": {"samples": 20, "tokens": 990}}
    # Text has no voice activity to detect: only the 80 audio samples count. Half of the paired ones know their rate.
    assert shown["unknown"]["vad_config_hash"]["samples"] == 80
    assert shown["unknown"]["vad_config_hash"]["of"] == 80
    assert shown["unknown"]["sample_rate"]["samples"] == 60
    assert shown["unknown"]["source_id"]["reasons"] == {"not given when the corpus was written": 100}
    assert json.loads(json.dumps(shown)) == shown


def test_the_table_says_the_same_in_words(corpus_folder):
    table = corpus_table(open_corpus(corpus_folder))
    assert "vad_config_hash is unknown for 80 of 80 samples (100%)" in table
    assert "sample_rate is unknown for 60 of 80 samples (75%)" in table
    assert "4,950" in table
