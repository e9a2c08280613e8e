"""JSON lines, parquet and text with any names, packed in every way, in every state that files are found in."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.readers.shipped import HINDI, documents_of, inputs_of, json_lines, write, write_parquet
from vaak.errors import BadInput
from vaak.text.document import Raw
from vaak.text.readers import rows as room
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import LONGEST_ROW, json_rows, line_rows

ROWS = [{"text": f"Document {i}. {HINDI}", "key": f"k{i}", "lang": "hin_Deva"} for i in range(3000)]


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def in_members(pack) -> bytes:
    """As crawls write it: every thousand rows packed on their own, one after the other."""
    return b"".join(pack(json_lines(ROWS[i : i + 1000])) for i in range(0, 3000, 1000))


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"

PACKED = {
    "rows.jsonl": json_lines(ROWS),
    "rows.jsonl.gz": gzip.compress(json_lines(ROWS)),
    "rows.jsonl.zst": zstd(json_lines(ROWS)),
    "members.jsonl.gz": in_members(gzip.compress),
    "frames.jsonl.zst": in_members(zstd),
    "skippable.jsonl.zst": SKIPPABLE + in_members(zstd) + SKIPPABLE,
    "unpacked-by-a-browser.jsonl.gz": json_lines(ROWS),
    "no-suffix": gzip.compress(json_lines(ROWS)),
}


@pytest.mark.parametrize("name", PACKED)
def test_all_rows_of_all_packings(tmp_path, name):
    write(tmp_path / name, PACKED[name])
    (one,) = inputs_of(tmp_path, reader="jsonl", files=name, id_field="key", language_field="lang")
    found = list(one.open_documents())
    assert [raw for raw, _ in found] == [Raw(row["text"], row["key"], "hi") for row in ROWS]
    consumed = [n for _, n in found]
    assert consumed == sorted(consumed) and consumed[-1] == one.bytes == len(PACKED[name])


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.jsonl.zst", "members.jsonl.gz", "frames.jsonl.zst"])
@pytest.mark.parametrize("left", [0.3, 0.999])
def test_a_packed_file_that_was_cut_names_the_row_reached(tmp_path, name, left):
    data = PACKED[name]
    write(tmp_path / name, data[: int(len(data) * left)])
    (one,) = inputs_of(tmp_path, reader="jsonl", files=name, language="hi")
    found = []
    with pytest.raises(BadInput) as cut:
        found.extend(raw for raw, _ in one.open_documents())
    assert f"{name} cannot be read further than row {len(found)} (" in str(cut.value)
    assert "fetch the file again" in str(cut.value)
    assert [raw.text for raw in found] == [row["text"] for row in ROWS[: len(found)]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"BZh91AY&SY", "is packed with bzip2"),
        (b"\xfd7zXZ\x00", "is packed with xz"),
        (b"\xff\xfe{\x00", "is UTF-16; convert it"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(tmp_path, data, said):
    write(tmp_path / "a.jsonl", data)
    with pytest.raises(BadInput, match=rf"a\.jsonl {said}"):
        documents_of(tmp_path, reader="jsonl", files="a.jsonl", language="hi")


def test_rows_that_are_no_documents_are_said_and_the_reading_goes_on(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"text": "first", "key": 7}\r',
        b'{"text": "cut',
        b"",
        b'["text"]',
        b'"text"',
        b'{"other": 1}',
        b'{"text": null, "lang": "ta"}',
        b'{"text": 5}',
        b'{"text": "caf\xe9"}',
        b'{"text": "\\ud83d"}',
        b'{"text": "NaN is what Python writes", "score": NaN}',
        b'{"text": ' + b"[" * 100_000,
        b'{"text": "last", "key": true, "lang": "xx"}',
    ]
    write(tmp_path / "a.jsonl", b"\n".join(lines))
    found = documents_of(
        tmp_path, reader="jsonl", files="a.jsonl", id_field="key", language_field="lang", language="hi"
    )
    assert [(raw.document_id, raw.language, raw.text or raw.problem) for raw in found] == [
        ("7", "hi", "first"),
        ("a.jsonl:1", None, "row 1 of a.jsonl is no JSON (unexpected end of data)"),
        ("a.jsonl:3", None, "row 3 of a.jsonl is no JSON object"),
        ("a.jsonl:4", None, "row 4 of a.jsonl is no JSON object"),
        ("a.jsonl:5", "hi", "row 5 of a.jsonl has no text in 'text'"),
        ("a.jsonl:6", "ta", "row 6 of a.jsonl has no text in 'text'"),
        ("a.jsonl:7", "hi", "row 7 of a.jsonl has no text in 'text' but a value of type int"),
        ("a.jsonl:8", None, "row 8 of a.jsonl is not UTF-8"),
        ("a.jsonl:9", None, "row 9 of a.jsonl holds half a surrogate"),
        ("a.jsonl:10", "hi", "NaN is what Python writes"),
        ("a.jsonl:11", None, "row 11 of a.jsonl is nested too deeply"),
        ("a.jsonl:12", None, "last"),
    ]  # fmt: skip
    assert all((raw.text == "") == (raw.problem is not None) for raw in found)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz"])
def test_an_empty_file_has_no_rows(tmp_path, name):
    write(tmp_path / name, b"")
    assert documents_of(tmp_path, reader="jsonl", files=name, language="hi") == []


def test_a_row_of_a_hundred_megabytes_is_passed_over_in_bounded_memory(tmp_path):
    with gzip.GzipFile(tmp_path / "a.jsonl.gz", "wb", 1) as file:
        file.write(b'{"text": "before"}\n{"text": "')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"text": "after"}\n')
    tracemalloc.start()
    found = documents_of(tmp_path, reader="jsonl", files="a.jsonl.gz", language="en")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(raw.document_id, raw.text or raw.problem) for raw in found] == [
        ("a.jsonl.gz:0", "before"),
        ("a.jsonl.gz:1", "row 1 of a.jsonl.gz is longer than 32 MiB"),
        ("a.jsonl.gz:2", "after"),
    ]
    assert peak < 1.2 * LONGEST_ROW


@given(
    st.lists(st.binary(max_size=8).map(lambda one: one.replace(b"\n", b"")), max_size=12),
    st.integers(1, 9),
    st.booleans(),
)
def test_lines_do_not_depend_on_where_blocks_end(tmp_path_factory, lines, block, ended):
    """The plain reference is Python's own splitting."""
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    data = data.removeprefix(b"\xef\xbb\xbf")

    class Blocks(InputFile):
        def blocks(self):
            yield from (data[i : i + block] for i in range(0, len(data), block))

    reference = data.split(b"\n")
    reference = reference[:-1] if reference[-1] == b"" else reference
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and block > 1:
        return
    assert [line for _, line in room._lines(Blocks(Where("a", "a"), len(data)))] == reference


def test_parquet_with_other_names_reads_only_its_columns(tmp_path):
    columns = {
        "body": ["one", None, "three"],
        "n": [10, 11, None],
        "lang": ["hi", "Tamil", None],
        "junk": [1.0, 2.0, 3.0],
    }
    write_parquet(tmp_path / "a.parquet", columns)
    source = {"reader": "parquet", "text_field": "body", "id_field": "n", "language_field": "lang", "language": "en"}
    assert documents_of(tmp_path, files="a.parquet", **source) == [
        Raw("one", "10", "hi"),
        Raw("", "11", "ta", "row 1 of a.parquet has no text in 'body'"),
        Raw("three", "a.parquet:2", "en"),
    ]
    with pytest.raises(
        BadInput, match=r"a\.parquet has no column 'text' but 'body', 'n', 'lang', 'junk'; name another"
    ):
        documents_of(tmp_path, files="a.parquet", reader="parquet", language="en")


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_parquet_in_row_groups_of_every_packing(tmp_path, compression):
    texts = [f"Document {i}. {HINDI}" for i in range(2500)]
    write_parquet(tmp_path / "a.parquet", {"text": texts}, row_group_size=700, compression=compression)
    (one,) = inputs_of(tmp_path, reader="parquet", files="a.parquet", language="hi")
    found = list(one.open_documents())
    assert [raw.text for raw, _ in found] == texts and found[-1][0].document_id == "a.parquet:2499"
    consumed = [n for _, n in found]
    assert consumed == sorted(consumed) and one.bytes // 2 < consumed[-1] <= one.bytes


def test_parquet_with_bytes_that_are_no_text_loses_only_that_row(tmp_path):
    values = [b"one", "दो".encode(), b"caf\xe9", b"four"]
    texts = pa.array(values, pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    found = documents_of(tmp_path, reader="parquet", files="a.parquet", language="hi")
    assert [raw.text or raw.problem for raw in found] == ["one", "दो", "row 2 of a.parquet is not UTF-8", "four"]


@pytest.mark.parametrize("damage", ["empty", "cut", "no parquet", "page"])
def test_damaged_parquet_is_a_sentence(tmp_path, damage):
    texts = [f"{i} {HINDI}" for i in range(5000)]
    file = write_parquet(tmp_path / "a.parquet", {"text": texts}, row_group_size=1000, compression="zstd")
    data = file.read_bytes()
    middle = len(data) // 2
    broken = {"empty": b"", "cut": data[:middle], "no parquet": b'{"text": "a"}\n' * 9}
    file.write_bytes(broken.get(damage, data[:middle] + b"\xff" * 64 + data[middle + 64 :]))
    with pytest.raises(BadInput, match=r"a\.parquet cannot be read as parquet further than row \d+ \(.+\); fetch"):
        documents_of(tmp_path, reader="parquet", files="a.parquet", language="hi")


def test_plain_text_by_file_line_and_paragraph(tmp_path):
    write(tmp_path / "a.txt", "\ufeffone\r\ntwo\r\n\r\n\r\nthree\r\n".encode())
    write(tmp_path / "b.txt", b"\n \n")

    def found(**options):
        source = {"reader": "plain", "language": "en", "files": "*.txt", **options}
        return [(raw.document_id, raw.text) for raw in documents_of(tmp_path, **source)]

    assert found() == [("a.txt:0", "one\ntwo\n\n\nthree")]
    assert found(documents="line") == [("a.txt:0", "one"), ("a.txt:1", "two"), ("a.txt:4", "three")]
    assert found(documents="paragraph") == [("a.txt:0", "one\ntwo"), ("a.txt:4", "three")]


def test_text_that_is_not_utf8_is_said_for_the_document_that_holds_it(tmp_path):
    write(tmp_path / "a.txt", b"one\n\ntwo\ncaf\xe9\nmore\n\nthree\n")
    found = documents_of(tmp_path, reader="plain", language="en", files="a.txt", documents="paragraph")
    assert [(raw.document_id, raw.text or raw.problem) for raw in found] == [
        ("a.txt:0", "one"),
        ("a.txt:2", "row 2 of a.txt is not UTF-8"),
        ("a.txt:6", "three"),
    ]
    (whole,) = documents_of(tmp_path, reader="plain", language="en", files="a.txt")
    assert whole.problem == "row 0 of a.txt is not UTF-8"


def test_a_paragraph_or_file_without_an_end_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "LONGEST_ROW", 1000)
    write(tmp_path / "hi.txt", f"{HINDI}\n".encode() * 100 + f"\n{HINDI}\n".encode())
    found = documents_of(tmp_path, reader="indiccorp-v2", files="hi.txt")
    assert [(raw.document_id, bool(raw.problem)) for raw in found] == [("hi.txt:0", True), ("hi.txt:101", False)]
    (whole,) = documents_of(tmp_path, reader="plain", language="hi", files="hi.txt")
    assert "is longer than" in (whole.problem or "")


def test_numbers_of_rows_are_those_of_lines(tmp_path):
    """So a person finds a row with `sed -n`, one further on."""
    file = write(
        tmp_path / "a.jsonl", json.dumps({"text": "a"}).encode() + b"\n\n\n" + json.dumps({"text": "b"}).encode()
    )
    opened = InputFile(Where("a.jsonl", str(file)), file.stat().st_size)
    assert [number for number, _ in json_rows(opened)] == [0, 3]
    assert [number for number, _ in line_rows(opened)] == [0, 1, 2, 3]
