from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.errors import BadInput
from vaak.storage import files


def test_a_file_is_hashed_as_hashlib_does(tmp_path):
    (tmp_path / "a").write_bytes(b"vaak" * 100_000)
    assert files.sha256_file(tmp_path / "a") == hashlib.sha256(b"vaak" * 100_000).hexdigest()


def test_a_missing_file_is_bad_input_naming_it(tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        files.sha256_file(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        files.read_json(tmp_path / "nowhere.json")


def test_broken_json_is_bad_input_naming_the_file(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BadInput, match=r"x\.json is not valid JSON"):
        files.read_json(tmp_path / "x.json")


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.integers())))
def test_the_hash_of_an_object_does_not_depend_on_the_order_of_its_keys(obj):
    assert files.hash_json(obj) == files.hash_json(dict(reversed(obj.items())))


def test_json_comes_back(tmp_path):
    files.write_json(tmp_path / "deep" / "x.json", {"name": "वाक्", "n": [1, 2.5, None]})
    assert files.read_json(tmp_path / "deep" / "x.json") == {"name": "वाक्", "n": [1, 2.5, None]}
    assert os.listdir(tmp_path / "deep") == ["x.json"]


def test_nan_is_refused_and_the_old_file_stays(tmp_path):
    files.write_json(tmp_path / "x.json", {"n": 1})
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"n": float("nan")})
    assert files.read_json(tmp_path / "x.json") == {"n": 1}


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    files.write_bytes(tmp_path / "x", b"old")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError):
        files.write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_is_listed_sorted_with_sizes_and_hashes(tmp_path):
    files.write_bytes(tmp_path / "b" / "two", b"22")
    files.write_bytes(tmp_path / "a", b"1")
    files.write_bytes(tmp_path / "skip", b"")
    rows = files.hash_folder(tmp_path, exclude=["skip"])
    assert [(row["path"], row["size"]) for row in rows] == [("a", 1), ("b/two", 2)]
    assert rows[1]["sha256"] == hashlib.sha256(b"22").hexdigest()
