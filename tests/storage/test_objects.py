"""Addresses, credentials and what is said when something is wrong with them."""

from __future__ import annotations

import hashlib

import pytest

from tests.storage.proxy import Fault
from tests.storage.server import SECRET, free_ports
from vaak.errors import BadInput
from vaak.storage import objects as room
from vaak.storage.objects import (
    PART_BYTES,
    ObjectExists,
    ObjectMissing,
    StorageFailed,
    delete_object,
    list_objects,
    open_objects,
    read_object,
    read_ranges,
    state_of,
    upload_file,
    write_object,
)


@pytest.mark.parametrize(
    "url", ["corpus-v1", "http://host/x", "s3:///x", "s3://me:pw@host/x", "s3://b/x?y=1", "s3://b/../x"]
)
def test_what_is_no_address_is_refused_without_repeating_a_password(url):
    with pytest.raises(BadInput, match="s3://bucket/prefix") as refused:
        open_objects(url)
    assert "pw" not in str(refused.value)


def test_a_custom_endpoint_needs_credentials(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        open_objects(s3)


def test_http_is_spoken_only_when_the_endpoint_says_so(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
    with pytest.raises(BadInput, match="must begin with https"):
        open_objects(s3)


def test_the_wrong_key_is_a_sentence_without_any_key(s3, monkeypatch):
    write_object(open_objects(s3), "a", b"1")
    wrong = "another-secret"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong)
    with pytest.raises(BadInput, match=r"a was refused \(403 Forbidden, \w+\); check the credentials") as refused:
        read_object(open_objects(s3), "a", 10)
    shown = str(refused.value) + repr(open_objects(s3))
    assert wrong not in shown and SECRET not in shown and "Signature=" not in shown


def test_a_refused_listing_is_no_failure_that_passes(s3, proxy):
    proxy.rule = lambda request: Fault("status", status=403)
    with pytest.raises(BadInput, match=r"was refused \(403 Forbidden\)") as refused:
        list_objects(open_objects(s3))
    assert not isinstance(refused.value, StorageFailed) and len(proxy.requests) == 1


def test_storage_out_of_reach_is_a_sentence(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setattr(room, "ATTEMPTS", 1)
    with pytest.raises(StorageFailed, match=r"failed \(it cannot be reached\); check the endpoint, then run it again"):
        read_object(open_objects(s3), "a", 10)


def test_an_error_of_the_service_is_named_by_its_number(s3, proxy, monkeypatch):
    monkeypatch.setattr(room, "ATTEMPTS", 1)
    proxy.rule = lambda request: Fault("status", status=501)
    with pytest.raises(StorageFailed, match="501 Not Implemented"):
        write_object(open_objects(s3), "a", b"1")


def test_objects_are_written_listed_read_and_removed(s3):
    objects = open_objects(s3)
    assert list_objects(objects) == {}
    write_object(objects, "deep/ü 1+%2F.txt", b"12345")
    assert {path: state.size for path, state in list_objects(objects).items()} == {"deep/ü 1+%2F.txt": 5}
    assert read_object(objects, "deep/ü 1+%2F.txt", 5) == b"12345"
    with pytest.raises(BadInput, match="has 5 bytes; at most 4"):
        read_object(objects, "deep/ü 1+%2F.txt", 4)
    with pytest.raises(ObjectExists, match="exists already"):
        write_object(objects, "deep/ü 1+%2F.txt", b"other", create=True)
    delete_object(objects, "deep/ü 1+%2F.txt")
    delete_object(objects, "deep/ü 1+%2F.txt")
    with pytest.raises(ObjectMissing, match="does not exist"):
        state_of(objects, "deep/ü 1+%2F.txt")


def test_a_listing_has_all_pages(s3):
    objects = open_objects(s3)
    for number in range(1005):
        write_object(objects, f"{number:04d}", b"")
    assert len(list_objects(objects)) == 1005


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES + 3])
def test_files_of_any_size_go_up_and_come_back_from_any_byte(s3, tmp_path, size):
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    (tmp_path / "file").write_bytes(data)
    objects, seen = open_objects(s3), []
    upload_file(objects, "file", tmp_path / "file", size, hashlib.sha256(data).hexdigest(), seen.append)
    assert sum(seen) == size
    state, digest = state_of(objects, "file")
    assert (state.size, digest) == (size, hashlib.sha256(data).hexdigest())
    for start in {0, size // 2, max(size - 1, 0), size}:
        assert b"".join(read_ranges(objects, "file", start, state)) == data[start:]


def test_the_parts_of_a_very_large_file_stay_under_the_limit_of_their_number():
    """The arithmetic alone: 5 TiB is the largest object there is."""
    for size in (0, 1, 80 << 30, (80 << 30) + 1, 5 << 40):
        part = room.part_bytes(size)
        assert part >= PART_BYTES and -(-size // part) <= room.MOST_PARTS


def test_a_folder_that_cannot_be_made_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot be made a folder .*; correct the address"):
        open_objects(f"file://{tmp_path}/file/below", create=True)
