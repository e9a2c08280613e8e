"""What a source names, as inputs: which files and objects, under which names, unchanged or not."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.storage.proxy import Fault, gets
from tests.text.readers.shipped import (
    HINDI,
    documents_of,
    fineweb_columns,
    inputs_of,
    json_lines,
    redpajama_row,
    write,
    write_parquet,
)
from vaak.errors import BadInput
from vaak.storage import object_file
from vaak.storage import objects as storage
from vaak.storage.objects import list_objects, open_objects, write_object

ROW = b'{"text": "a"}\n'
JSONL = {"reader": "jsonl", "language": "en"}


def names(folder: Path, files, **source) -> list[str]:
    return [one.name for one in inputs_of(folder, files=files, **{**JSONL, **source})]


def test_a_folder_gives_its_files_of_the_readers_kind_sorted(tmp_path):
    for name in (
        "b/2.jsonl",
        "b/10.jsonl.gz",
        "a.json",
        "B.ndjson.zst",
        "README.md",
        ".cache/x.jsonl",
        "b/.hidden.jsonl",
        "c.txt",
    ):
        write(tmp_path / "data" / name, ROW)
    assert names(tmp_path, "data") == ["data/B.ndjson.zst", "data/a.json", "data/b/10.jsonl.gz", "data/b/2.jsonl"]


def test_names_are_the_same_wherever_the_data_lies(tmp_path):
    for place in ("one", "two"):
        write(tmp_path / place / "data/2023/a.jsonl", ROW)
    found = [inputs_of(tmp_path / "conf", files=str(tmp_path / place / "data"), **JSONL)[0] for place in ("one", "two")]
    assert [one.name for one in found] == ["2023/a.jsonl"] * 2
    assert names(tmp_path / "conf", "../one/data/*/a.jsonl") == ["2023/a.jsonl"]
    assert names(tmp_path / "one", "data/**/*.jsonl") == names(tmp_path / "one", "data/2023") == ["data/2023/a.jsonl"]
    assert str(tmp_path) not in repr([raw for one in found for raw in one.open_documents()])


def test_one_file_that_several_patterns_match_is_one_input(tmp_path):
    write(tmp_path / "a.jsonl", ROW)
    write(tmp_path / "b[1].jsonl", ROW)  # a name that looks like a pattern
    assert names(tmp_path, ["*.jsonl", "a.jsonl", "b[1].jsonl"]) == ["a.jsonl", "b[1].jsonl"]


def test_two_inputs_of_one_name_are_refused(tmp_path):
    for place in ("one", "two"):
        write(tmp_path / place / "a.jsonl", ROW)
    with pytest.raises(BadInput, match=r"two inputs would be called a\.jsonl .*; name the folder that both are below"):
        names(tmp_path / "conf", ["../one/*.jsonl", "../two/*.jsonl"])
    assert names(tmp_path / "conf", "../*/a.jsonl") == ["one/a.jsonl", "two/a.jsonl"]


@pytest.mark.parametrize("files", ["nothing", "*.jsonl", "empty", ["a.json", "b*"]])
def test_a_name_that_gives_nothing_is_refused(tmp_path, files):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "a.json", ROW)
    with pytest.raises(
        BadInput, match=r"source 'tested': \S+ (matches no file|is not there, or has no such file in it); jsonl reads"
    ):
        names(tmp_path, files)


def test_the_stamp_tells_a_file_that_changed(tmp_path):
    file = write(tmp_path / "a.jsonl", ROW)
    (one,) = inputs_of(tmp_path, files="a.jsonl", **JSONL)
    assert (one.bytes, inputs_of(tmp_path, files="a.jsonl", **JSONL)) == (len(ROW), [one])
    os.utime(file, ns=(0, 0))
    (other,) = inputs_of(tmp_path, files="a.jsonl", **JSONL)
    assert other.stamp != one.stamp
    with pytest.raises(BadInput, match=r"a\.jsonl changed since it was listed"):
        list(one.open_documents())
    file.unlink()
    with pytest.raises(BadInput, match=r"a\.jsonl changed since it was listed"):
        list(other.open_documents())


def test_an_input_can_be_given_to_another_process(tmp_path):
    write(tmp_path / "a.jsonl", ROW)
    (one,) = inputs_of(tmp_path, files="a.jsonl", **JSONL)
    assert list(pickle.loads(pickle.dumps(one)).open_documents()) == list(one.open_documents())


def put(url: str, path: str, data: bytes) -> None:
    write_object(open_objects(url), path, data)


def test_objects_are_listed_by_prefix_pattern_and_name(s3, tmp_path):
    for path in (
        "rp/2023-06/0000/en_head.json.gz",
        "rp/2023-06/0001/en_head.json.gz",
        "rp/2023-06/0000/de_head.json.gz",
        "rp/x.md",
    ):
        put(s3, path, b"")
    heads = ["2023-06/0000/en_head.json.gz", "2023-06/0001/en_head.json.gz"]
    assert names(tmp_path, f"{s3}/rp/") == ["2023-06/0000/de_head.json.gz", *heads]
    assert names(tmp_path, f"{s3}/rp/*/*/en_*") == names(tmp_path, f"{s3}/rp/**/en_head.json.gz") == heads
    assert names(tmp_path, f"{s3}/rp/2023-06/0001/en_head.json.gz") == ["en_head.json.gz"]
    for nothing in ("nothing", "rp/2023", "rp/*.jsonl"):
        with pytest.raises(BadInput, match=r"matches no file|is not there"):
            names(tmp_path, f"{s3}/{nothing}")


def test_objects_give_what_files_give(s3, tmp_path):
    """The same bytes through both: packed JSON lines in several requests, and parquet from any place."""
    rows = [redpajama_row(f"{i} {HINDI}") for i in range(3000)]
    packed = write(tmp_path / "documents/2023-06/0000/en_head.json.gz", json_lines(rows), packed=True)
    columns = fineweb_columns([f"{i} {HINDI}" for i in range(3000)])
    parquet = write_parquet(tmp_path / "data/a.parquet", columns, row_group_size=500, compression="none")
    put(s3, "documents/2023-06/0000/en_head.json.gz", packed.read_bytes())
    put(s3, "data/a.parquet", parquet.read_bytes())
    for reader, folder in (("redpajama-v2", "documents"), ("fineweb", "data")):
        local = documents_of(tmp_path, reader=reader, files=folder)
        assert documents_of(tmp_path, reader=reader, files=f"{s3}/{folder}") == local and len(local) == 3000


def test_a_parquet_object_is_read_in_ranges_and_only_its_columns(s3, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(object_file, "WINDOW_BYTES", 1 << 16)
    columns = {"text": [f"{i} {HINDI}" for i in range(3000)], "junk": [os.urandom(2000) for _ in range(3000)]}
    data = write_parquet(tmp_path / "a.parquet", columns, row_group_size=1000, compression="none").read_bytes()
    put(s3, "a.parquet", data)
    (one,) = inputs_of(tmp_path, reader="parquet", language="hi", files=f"{s3}/a.parquet")
    found = list(one.open_documents())
    assert [raw.text for raw, _ in found] == columns["text"]
    asked = [
        request.headers.get("range") or request.headers.get("Range") for request in proxy.asked("GET", "a.parquet")
    ]
    assert asked and all(asked) and len(asked) * (1 << 16) < len(data) / 2


def test_an_object_that_changed_or_is_cut_is_a_sentence(s3, proxy, tmp_path, monkeypatch):
    data = json_lines([redpajama_row(HINDI)])
    put(s3, "a.json", data)
    (one,) = inputs_of(tmp_path, reader="redpajama-v2", files=f"{s3}/a.json")
    put(s3, "a.json", data + data)
    assert inputs_of(tmp_path, reader="redpajama-v2", files=f"{s3}/a.json")[0].stamp != one.stamp
    with pytest.raises(BadInput, match="changed while it was read"):
        list(one.open_documents())
    (two,) = inputs_of(tmp_path, reader="redpajama-v2", files=f"{s3}/a.json")
    proxy.first(1, Fault("short", keep=10), gets("a.json"))
    assert len(list(two.open_documents())) == 2  # asked again
    monkeypatch.setattr(storage, "ATTEMPTS", 1)
    proxy.rule = lambda request: Fault("short", keep=10) if gets("a.json")(request) else None
    with pytest.raises(storage.StorageFailed, match=r"a\.json broke off"):
        list(two.open_documents())


@pytest.mark.parametrize("kind", ["gzip", "parquet"])
def test_a_storage_failure_below_the_unpacking_stays_what_it_is(s3, proxy, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(storage, "ATTEMPTS", 1)
    if kind == "gzip":
        file, source = write(tmp_path / "a.jsonl.gz", ROW, packed=True), JSONL
    else:
        file, source = write_parquet(tmp_path / "a.parquet", {"text": ["a"]}), {"reader": "parquet", "language": "en"}
    put(s3, file.name, file.read_bytes())
    (one,) = inputs_of(tmp_path, files=f"{s3}/{file.name}", **source)
    proxy.rule = lambda request: Fault("status", status=403)
    with pytest.raises(BadInput, match=r"was refused \(403 Forbidden\); check the credentials"):
        list(one.open_documents())


def test_an_address_with_a_password_is_refused_without_repeating_it(tmp_path):
    with pytest.raises(BadInput) as refused:
        names(tmp_path, "s3://me:secret@bucket/a/*.jsonl")
    assert "secret" not in str(refused.value)


def test_a_bucket_that_is_not_there_is_a_sentence(s3, tmp_path):
    with pytest.raises(BadInput, match="is not there, or has no such file in it"):
        names(tmp_path, "s3://no-such-bucket/a")
    assert list_objects(open_objects("s3://no-such-bucket/a")) == {}
