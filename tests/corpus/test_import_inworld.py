"""What the Inworld trainer wrote is read back code by code and field by field, and what is wrong with it is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpus.inworld import LENGTHS, ROWS, codes_of, samples_of, target, write_split
from tests.corpus.toy import CODEC
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_samples import DOES_NOT_SAY, SampleDefaults
from vaak.errors import BadInput


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def rewrite(path: Path, change: Any) -> None:
    values = np.load(path)
    np.save(path, change(values))


def relink(path: Path, to: str) -> None:
    path.unlink()
    path.symlink_to(to)


@pytest.mark.parametrize("pairs", [True, False], ids=["starts and ends", "starts only"])
def test_every_code_and_every_field_comes_back(tmp_path, pairs):
    source = write_split(tmp_path / "vectorized", pairs=pairs)
    before = hashes(source)
    report = import_inworld(source, target(tmp_path / "out"))
    assert (report.read, report.kept, report.set_aside, report.tokens) == (5, 5, {}, sum(LENGTHS))
    assert "raw int32" in report.found[0] and report.fields_left == ["emotion"]
    found = samples_of(tmp_path / "out")
    names = ["a-0", "a-1", "a-2", "a-3", "vectorized.train.4"]
    assert set(found) == set(names)
    for i, name in enumerate(names):
        assert found[name][2] == codes_of(i).tolist()
    stream, sample, _ = found["a-0"]
    assert stream == "paired"
    assert sample == Sample(
        "a-0",
        source="street",
        language="hi",
        speaker="asha",
        tier="unrated",
        transcript="नमस्ते दुनिया",
        duration_s=1.0,
        sample_rate=24000,
        source_id="wavs/0.wav",
        codec_hash=CODEC["hash"],
        transcript_hash=hashlib.sha256("नमस्ते दुनिया".encode()).hexdigest(),
        unknown=dict.fromkeys(("start_ms", "end_ms", "vad_config_hash", "normalisation"), DOES_NOT_SAY),
        dnsmos=3.25,
    )
    assert found["a-1"][1].language == "en" and found["a-1"][1].voice_description == "A calm voice."
    # The trainer's -1 is no duration; no transcript makes it raw.
    stream, sample, _ = found["a-2"]
    assert (stream, sample.language, sample.duration_s, sample.sample_rate) == ("raw", "hi", None, None)
    assert sample.unknown["duration_s"] == sample.unknown["sample_rate"] == DOES_NOT_SAY
    sample = found["a-3"][1]
    assert (sample.speaker, sample.transcript, sample.start_ms, sample.end_ms) == ("7", "Two\nlines", 500, 2900)
    assert (sample.snr_db, sample.asr_error_rate, sample.characters_per_second, sample.dnsmos) == (
        21,
        0.125,
        12.5,
        None,
    )
    assert "vad_config_hash" not in sample.unknown
    assert found["vectorized.train.4"][1].source == "vectorized"
    assert hashes(source) == before
    assert not (tmp_path / "out.import").exists()


def test_the_validation_split_is_held_out(tmp_path):
    source = write_split(tmp_path / "src")
    rows = [{**row, "id": f"v-{i}"} for i, row in enumerate(ROWS)]
    write_split(source, "val", rows)
    import_inworld(source, target(tmp_path / "out"))
    held = {name: sample.held_out for name, (_, sample, _) in samples_of(tmp_path / "out").items()}
    assert [name for name, out in sorted(held.items()) if out] == [f"v-{i}" for i in range(5)]
    import_inworld(source, target(tmp_path / "all"), held_out=("train",))
    assert all(sample.held_out for _, sample, _ in samples_of(tmp_path / "all").values())
    with pytest.raises(BadInput, match="has no split 'trian' to hold out"):
        import_inworld(source, target(tmp_path / "none"), held_out=("trian",))


def test_shards_that_were_not_merged(tmp_path):
    source = tmp_path / "src"
    for shard in (0, 1, 10, 2):
        write_split(source, rows=[{**row, "id": f"s{shard}-{i}"} for i, row in enumerate(ROWS)], shard=shard)
    report = import_inworld(source, target(tmp_path / "out"))
    assert [one.split(":")[0] for one in report.found] == [f"train_codes_{i}.npy" for i in (0, 1, 2, 10)]
    assert len(samples_of(tmp_path / "out")) == 20
    # Merged files hold their shards.
    write_split(source)
    assert import_inworld(source, target(tmp_path / "merged")).kept == 5


@pytest.mark.parametrize("form", ["int64 pairs", "int64 starts", "int32 pairs", "int32 starts"])
def test_an_index_without_a_header_is_recognised_by_its_contents(tmp_path, form):
    source = write_split(tmp_path / "src", pairs="pairs" in form)
    path = source / "train_codes_index.npy"
    np.load(path).astype(form.split()[0]).tofile(path)
    assert f"raw {form.split()[0]}" in import_inworld(source, target(tmp_path / "out")).found[0]
    assert samples_of(tmp_path / "out")["a-3"][2] == codes_of(3).tolist()


def test_codes_with_a_real_header_are_read_too(tmp_path):
    source = write_split(tmp_path / "src")
    codes = np.fromfile(source / "train_codes.npy", np.int32)
    for dtype in ("int32", "uint16", "int64"):
        np.save(source / "train_codes.npy", codes.astype(dtype))
        report = import_inworld(source, target(tmp_path / dtype))
        assert f"{dtype} with a .npy header" in report.found[0]
        assert samples_of(tmp_path / dtype)["a-3"][2] == codes_of(3).tolist()


def test_fields_have_other_names_and_rows_have_defaults(tmp_path):
    rows = [{"words": f"number {i}", "key": i, "grade": "wild"} for i in range(5)]
    source = write_split(tmp_path / "src", rows=rows)
    defaults = SampleDefaults("mine", "Hindi", transcript_kind="romanised", reasons={"vad_config_hash": "lost in 2023"})
    fields = ["transcript=words", "sample_id=key", "tier=grade"]
    import_inworld(source, target(tmp_path / "out"), defaults, fields)
    stream, sample, _ = samples_of(tmp_path / "out")["3"]
    assert (stream, sample.transcript, sample.source, sample.tier) == ("paired", "number 3", "mine", "wild")
    assert (sample.language, sample.transcript_kind) == ("hi", "romanised")
    assert sample.unknown["vad_config_hash"] == "lost in 2023" and sample.unknown["start_ms"] == DOES_NOT_SAY
    with pytest.raises(BadInput, match="did you mean 'transcript'"):
        import_inworld(source, target(tmp_path / "no"), defaults, ["transcripts=words"])


def test_an_import_is_what_the_writer_would_have_written(tmp_path):
    """Sample by sample through the writer, across shards and groups: the same files, the same id."""
    source = write_split(tmp_path / "src")
    report = import_inworld(source, target(tmp_path / "out", shard_tokens=130))
    writer = CorpusWriter(tmp_path / "own", "imported", codec=CODEC, shard_tokens=130)
    imported = samples_of(tmp_path / "out")
    for name in ["a-0", "a-1", "a-2", "a-3", "src.train.4"]:
        writer.add(*imported[name])
    assert writer.freeze() == report.corpus_id


def test_a_codec_whose_hash_nobody_knows(tmp_path):
    source = write_split(tmp_path / "src")
    codec = {**CODEC, "hash": None, "unknown": {"hash": "the checkpoint was overwritten"}}
    import_inworld(source, target(tmp_path / "out", codec=codec))
    corpus = open_corpus(tmp_path / "out")
    assert corpus.codec_hash is None
    sample = samples_of(tmp_path / "out")["a-0"][1]
    assert sample.codec_hash is None and sample.unknown["codec_hash"] == "the checkpoint was overwritten"
    with pytest.raises(BadInput, match="hash of the codec is null"):
        import_inworld(source, target(tmp_path / "no", codec={**CODEC, "hash": None}))
    for name, value in [("tokens_per_second", 0), ("sample_rate", -1), ("codebook_size", 0), ("codebook_size", None),
                        ("tokens_per_second", float("nan")), ("sample_rate", "fast")]:  # fmt: skip
        strange = {**CODEC, name: value, "unknown": {name: "lost"}}
        with pytest.raises(BadInput, match=f"the {name} of codec toy is .* must be a number above zero"):
            import_inworld(source, target(tmp_path / "no", codec=strange))


def lines(number: int, text: str) -> Any:
    def change(source: Path) -> None:
        path = source / "train_samples.jsonl"
        rows = path.read_text().splitlines()
        rows[number] = text
        path.write_text("\n".join(rows) + "\n")

    return change


def field(number: int, **values: Any) -> Any:
    return lines(number, json.dumps({**ROWS[number], **values}))


def without(number: int, name: str) -> Any:
    return lines(number, json.dumps({key: value for key, value in ROWS[number].items() if key != name}))


def index(number: int, start: int, end: int) -> Any:
    def change(source: Path) -> None:
        def put(values: np.ndarray) -> np.ndarray:
            values[number] = (start, end)
            return values

        rewrite(source / "train_codes_index.npy", put)

    return change


def code(at: int, value: int) -> Any:
    def change(source: Path) -> None:
        values = np.fromfile(source / "train_codes.npy", np.int32)
        values[at] = value
        values.tofile(source / "train_codes.npy")

    return change


def cut(name: str, n: int) -> Any:
    def change(source: Path) -> None:
        path = source / name
        path.write_bytes(path.read_bytes()[:-n])

    return change


def drop_line(source: Path) -> None:
    path = source / "train_samples.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def drop_entry(source: Path) -> None:
    rewrite(source / "train_codes_index.npy", lambda values: values[:-1])


# What is wrong, what is set aside for it (row and kind), and what the sentence without a quarantine holds.
BAD: dict[str, tuple[Any, dict[int, str], str]] = {
    "codes cut inside a code": (cut("train_codes.npy", 2), {4: "index out of range"}, "is cut"),
    "codes cut by a sample": (cut("train_codes.npy", 240), {4: "index out of range"}, "line 5"),
    "index cut": (cut("train_codes_index.npy", 8), {4: "no index entry"}, "is cut"),
    "index past the end": (index(4, 246, 307), {4: "index out of range"}, "line 5"),
    "index before the start": (index(0, -5, 50), {0: "index out of range"}, "line 1"),
    "index backwards": (index(1, 125, 50), {1: "index out of range"}, "line 2"),
    "no code": (index(2, 125, 125), {2: "empty"}, "line 3"),
    "neighbours overlap": (index(1, 50, 126), {1: "overlapping index", 2: "overlapping index"}, "line 2"),
    "inside an earlier sample": (index(3, 10, 20), {2: "overlapping index", 3: "overlapping index"}, "line 3"),
    "fewer lines": (drop_line, {4: "no row"}, "has 4 lines"),
    "fewer entries": (drop_entry, {4: "no index entry"}, "4 entries"),
    "a negative code": (code(60, -1), {1: "code out of range"}, "-1"),
    "a code above the codebook": (code(125, 1000), {2: "code out of range"}, "0..999"),
    "a code that a cast would hide": (code(305, 65536 + 3), {4: "code out of range"}, "65539"),
    "no JSON": (lines(1, '{"id": "a-1", '), {1: "invalid JSON"}, "line 2"),
    "a blank line": (lines(3, " "), {3: "invalid JSON"}, "line 4"),
    "no object": (lines(3, "[1, 2]"), {3: "invalid JSON"}, "line 4"),
    "nested without end": (lines(1, '{"x": ' + "[" * 9999 + "]" * 9999 + "}"), {1: "invalid JSON"}, "line 2"),
    "nested deeply": (lines(1, '{"id": ' + "[" * 990 + "]" * 990 + "}"), {1: "wrong type"}, "line 2"),
    "half a character": (lines(3, '{"transcript": "\\ud800", "duration": NaN}'), {3: "invalid JSON"}, "line 4"),
    "no language": (without(0, "language"), {0: "missing field"}, "--language"),
    "an unknown language": (field(0, language="xx"), {0: "unknown language"}, "'xx'"),
    "the trainer's unknown language": (field(0, language="unknown"), {0: "missing field"}, "--language"),
    "an id twice": (field(3, id="a-1"), {3: "duplicate id"}, "'a-1'"),
    "a NaN duration": (field(1, duration=float("nan")), {1: "impossible value"}, "nan"),
    "an infinite duration": (lines(1, '{"language": "en", "duration": 1e999}'), {1: "impossible value"}, "inf"),
    "no duration": (field(1, duration=0), {1: "impossible value"}, "duration is 0"),
    "a duration in words": (field(1, duration="1.5 s"), {1: "wrong type"}, "'1.5 s'"),
    "a rate that is no whole number": (field(1, sample_rate=16000.5), {1: "wrong type"}, "16000.5"),
    "a negative rate": (field(1, sample_rate=-16000), {1: "impossible value"}, "-16000"),
    "a NaN score": (field(0, dnsmos_mos_ovr=float("nan")), {0: "impossible value"}, "dnsmos"),
    "a transcript that is a list": (field(0, transcript=["a"]), {0: "wrong type"}, "no text"),
    "an end before its start": (field(3, end_ms=400), {3: "impossible value"}, "500 to 400"),
    "a tier that is a path": (field(3, tier="../x"), {3: "impossible value"}, "tier"),
    "another transcript than its hash": (field(3, transcript_hash="0" * 64), {3: "impossible value"}, "hash"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_samples_end_the_import_or_are_set_aside(tmp_path, name):
    change, aside, said = BAD[name]
    source = write_split(tmp_path / "src")
    change(source)
    before = hashes(source)
    with pytest.raises(BadInput, match="quarantine") as error:
        import_inworld(source, target(tmp_path / "out"))
    assert said in str(error.value) and "train_" in str(error.value)
    # The same import goes on when it is told where bad samples go.
    report = import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))
    assert report.read == 5 == report.kept + sum(report.set_aside.values())
    assert report.set_aside_file is not None
    records = [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert {one["row"]: one["kind"] for one in records} == aside
    assert all(one["detail"] for one in records)
    kept = samples_of(tmp_path / "out")
    assert len(kept) == report.kept == 5 - len(aside)
    for i in sorted(set(range(5)) - aside.keys()):
        assert kept[f"a-{i}" if i < 4 else "src.train.4"][2] == codes_of(i).tolist()
    assert hashes(source) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda source: (source / "train_samples.jsonl").unlink(), "train_samples.jsonl"),
        (lambda source: (source / "train_codes_index.npy").unlink(), "train_codes_index.npy"),
        (lambda source: (source / "train_codes.npy").unlink(), "no <split>_codes.npy"),
        (lambda source: rewrite(source / "train_codes_index.npy", lambda v: v.astype(np.float64)), "not integers"),
        (lambda source: rewrite(source / "train_codes_index.npy", lambda v: v.reshape(1, -1)), "shape"),
        (lambda source: (source / "train_codes_index.npy").write_bytes(b"x" * 77), "no .npy header"),
        (lambda source: (source / "train_codes_index.npy").write_bytes(b"\x93NUMPY\x01\x00ab"), "header"),
        (lambda source: np.save(source / "train_codes.npy", np.zeros(306)), "float64"),
        # Reading its first byte is an error, as with a bad disk or without the right to.
        (lambda source: relink(source / "train_codes_index.npy", "/proc/self/mem"), r"index\.npy cannot be read"),
        (lambda source: relink(source / "train_samples.jsonl", "/proc/self/mem"), r"samples\.jsonl cannot be read"),
        (lambda source: relink(source / "train_codes.npy", "/proc/self/mem"), r"codes\.npy cannot be read"),
    ],
)
def test_files_that_are_something_else_are_refused_with_a_quarantine_too(tmp_path, change, said):
    source = write_split(tmp_path / "src")
    change(source)
    with pytest.raises(BadInput, match=said):
        import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))


def test_nothing_left_is_no_corpus(tmp_path):
    source = write_split(tmp_path / "src", rows=["x"] * 5)
    with pytest.raises(BadInput, match=r"set-aside\.jsonl says why"):
        import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))
    with pytest.raises(BadInput, match="unfinished"):
        open_corpus(tmp_path / "out")


def test_nothing_is_written_into_the_source_or_over_a_corpus(tmp_path):
    source = write_split(tmp_path / "src")
    with pytest.raises(BadInput, match="inside the source"):
        import_inworld(source, target(source / "out"))
    with pytest.raises(BadInput, match="inside the source"):
        import_inworld(source, target(tmp_path / "out", quarantine=source))
    with pytest.raises(BadInput, match="inside the new corpus"):
        import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "out" / "aside"))
    import_inworld(source, target(tmp_path / "out"))
    with pytest.raises(BadInput, match="frozen"):
        import_inworld(source, target(tmp_path / "out"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        import_inworld(source, target(tmp_path / "thesis"))
    assert (tmp_path / "thesis" / "a.txt").read_text() == "mine"


def test_an_index_that_goes_on_for_whole_blocks_without_lines_is_counted(tmp_path, monkeypatch):
    from vaak.corpus import import_inworld as module

    monkeypatch.setattr(module, "_BLOCK", 2)
    source = write_split(tmp_path / "src", rows=ROWS[:1])
    report = import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))
    assert report.read == 5 and report.kept == 1 and report.set_aside == {"no row": 4}
