"""A folder of shards that something else wrote is checked to the last token before it is frozen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.corpus.toy import CODEC
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.freeze import freeze_corpus
from vaak.errors import BadInput

EN = "paired/en/clean"


@pytest.fixture
def shards(corpus_folder):
    """The toy corpus without its manifest, as other tools would leave it."""
    (corpus_folder / "MANIFEST.json").unlink()
    return corpus_folder


def test_finished_shards_become_the_corpus_that_the_writer_makes(corpus_folder):
    before = open_corpus(corpus_folder).id
    (corpus_folder / "MANIFEST.json").unlink()
    assert freeze_corpus(corpus_folder, "toy", CODEC, "t" * 64) == before
    assert open_corpus(corpus_folder, verify=True).id == before
    with pytest.raises(BadInput, match="frozen already"):
        freeze_corpus(corpus_folder, "toy", CODEC, "t" * 64)


def save(name, change):
    def apply(folder):
        np.save(folder / name, change(np.load(folder / name)))

    return apply


def rows(change):
    def apply(folder):
        path = folder / EN / "00000.samples.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return apply


def column(name, values):
    def change(table):
        kind = table.schema.field(name).type
        return table.set_column(table.schema.names.index(name), name, pa.array(values(table[name].to_pylist()), kind))

    return rows(change)


BAD = {
    "a shard is missing": (lambda f: [one.unlink() for one in (f / EN).glob("00001.*")], "00001 should be"),
    "a file is missing": (lambda f: (f / EN / "00001.offsets.npy").unlink(), "00001.offsets.npy is missing"),
    "a strange file": (lambda f: (f / EN / "notes.txt").write_text("hm"), "notes.txt is no file"),
    "a strange language": (lambda f: (f / EN).parent.rename(f / "paired" / "xx"), "no file of a corpus"),
    "another type": (save(f"{EN}/00000.tokens.npy", lambda v: v.astype(np.int32)), "holds int32"),
    "a code too high": (save(f"{EN}/00000.tokens.npy", lambda v: np.where(v > 500, 1000, v).astype(v.dtype)), "1000"),
    "a token too few": (save(f"{EN}/00000.tokens.npy", lambda v: v[:-1]), "ends at token"),
    "offsets from one": (save(f"{EN}/00000.offsets.npy", lambda v: v + 1), "begin at 0"),
    "an empty sample": (save(f"{EN}/00000.offsets.npy", lambda v: np.where(v == v[2], v[1], v)), "row 1 has no token"),
    "an offset too many": (save(f"{EN}/00000.offsets.npy", lambda v: np.append(v, v[-1])), "one more"),
    "a cut file": (lambda f: cut(f / EN / "00000.tokens.npy"), "is cut"),
    "no parquet": (lambda f: (f / EN / "00000.samples.parquet").write_bytes(b"x" * 50), "as parquet"),
    "another column": (rows(lambda t: t.append_column("mood", pa.nulls(len(t)))), "other columns"),
    "an id twice": (column("sample_id", lambda v: [v[1], *v[1:]]), "in the corpus already"),
    "the wrong folder": (column("language", lambda v: ["hi", *v[1:]]), "row 0 is hi/clean"),
    "no transcript": (column("transcript", lambda v: [None, *v[1:]]), "row 0: sample"),
    "another transcript": (column("transcript", lambda v: ["other", *v[1:]]), "than its hash"),
    "no reason": (column("unknown", lambda v: ["{}", *v[1:]]), "no source_id and no reason"),
    "audio that is not there": (column("audio", lambda v: ["audio/x.ogg", *v[1:]]), "audio/x.ogg"),
    "audio of a foreign folder": (column("audio", lambda v: ["audio/../../secret.ogg", *v[1:]]), "no file of audio/"),
    "audio outside": (column("audio", lambda v: ["../secret.ogg", *v[1:]]), "row 0 names audio '../secret.ogg'"),
    "audio that is a folder": (column("audio", lambda v: ["audio/..", *v[1:]]), "no file of audio/"),
    "a hash without audio": (column("audio_sha256", lambda v: ["0" * 64, *v[1:]]), "names audio None"),
    "no id": (column("sample_id", lambda v: [None, *v[1:]]), "row 0 has no sample_id"),
    "no tier": (column("tier", lambda v: [v[0], None, *v[2:]]), "row 1 has no tier"),
    "no source": (column("source", lambda v: [None, *v[1:]]), "row 0 has no source"),
    "no flag": (column("held_out", lambda v: [None, *v[1:]]), "row 0 has no held_out"),
    "reasons that are no JSON": (
        column("unknown", lambda v: ["{", *v[1:]]),
        "row 0 has an `unknown` that is not valid",
    ),
    "reasons that are no object": (column("unknown", lambda v: ["[1]", *v[1:]]), "row 0 has an `unknown` that is no"),
    "a reason that is no text": (column("unknown", lambda v: ['{"source_id": 5}', *v[1:]]), "no object of reasons"),
    "reasons without end": (column("unknown", lambda v: ["[" * 10**5, *v[1:]]), "row 0 has an `unknown` that is not"),
    "a step that is null": (column("normalisation", lambda v: [[None], *v[1:]]), "step that is null"),
    "a damaged page": (lambda f: damage_a_page(f / EN / "00000.samples.parquet"), "samples.parquet cannot be read to"),
    "text that is no UTF-8": (lambda f: no_text(f / EN / "00000.samples.parquet"), "samples.parquet cannot be read to"),
}


def damage_a_page(path):
    """Zeros in the middle of the first page: the footer, which says what the file holds, stays whole."""
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    data[start : start + 30] = bytes(30)
    path.write_bytes(data)


def no_text(path):
    table = pq.read_table(path)
    values = pa.array([b"\xff\xfe", *table["source"].to_pylist()[1:]], pa.binary())
    strange = pa.Array.from_buffers(pa.string(), len(values), values.buffers())
    pq.write_table(table.set_column(table.schema.names.index("source"), "source", strange), path)


def test_original_audio_is_held_against_its_hash(tmp_path):
    writer = CorpusWriter(tmp_path / "heard", "heard", codec=CODEC)
    writer.add_audio("one", b"OggS and so on")
    writer.add("raw", Sample("one", "radio", "en"), [1, 2])
    corpus_id = writer.freeze()
    (tmp_path / "heard" / "MANIFEST.json").unlink()
    assert freeze_corpus(tmp_path / "heard", "heard", CODEC) == corpus_id
    (tmp_path / "heard" / "MANIFEST.json").unlink()
    (tmp_path / "heard" / "audio" / "one.ogg").write_bytes(b"OggS of another")
    with pytest.raises(BadInput, match=r"row 0 has another audio_sha256 than .*one\.ogg"):
        freeze_corpus(tmp_path / "heard", "heard", CODEC)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_as_the_format_says_is_named(shards, name):
    change, said = BAD[name]
    (shards.parent / "secret.ogg").write_bytes(b"OggS")
    change(shards)
    with pytest.raises(BadInput, match=said):
        freeze_corpus(shards, "toy", CODEC, "t" * 64)
    assert not (shards / "MANIFEST.json").exists()


def test_codec_and_tokenizer_are_needed(shards, tmp_path):
    with pytest.raises(BadInput, match="codec"):
        freeze_corpus(shards, "toy", None, "t" * 64)
    with pytest.raises(BadInput, match="tokenizer"):
        freeze_corpus(shards, "toy", CODEC)
    with pytest.raises(BadInput, match="no shard"):
        freeze_corpus(tmp_path / "empty", "toy", CODEC)
    (shards / "UNFINISHED.json").write_text("{}")
    with pytest.raises(BadInput, match="unfinished"):
        freeze_corpus(shards, "toy", CODEC, "t" * 64)
