"""An object read from any place gives what a file gives."""

from __future__ import annotations

import io
import random

import pytest

from vaak.storage import object_file
from vaak.storage.object_file import WINDOWS, ObjectFile
from vaak.storage.objects import ObjectChanged, open_objects, state_of, write_object

WINDOW = 1000


@pytest.fixture
def opened(s3, monkeypatch):
    monkeypatch.setattr(object_file, "WINDOW_BYTES", WINDOW)

    def made(data: bytes) -> ObjectFile:
        objects = open_objects(s3)
        write_object(objects, "a", data)
        return ObjectFile(objects, "a", state_of(objects, "a")[0])

    return made


def test_any_reads_and_seeks_give_what_a_file_gives(opened):
    data = random.Random(7).randbytes(5 * WINDOW + 13)
    ours, reference, draw = opened(data), io.BytesIO(data), random.Random(8)
    for _ in range(300):
        if draw.random() < 0.5:
            whence = draw.choice((io.SEEK_SET, io.SEEK_END))
            place = draw.randrange(-20, len(data) + 20)
            place = max(place, 0) if whence == io.SEEK_SET else min(-place, 0)
            assert ours.seek(place, whence) == reference.seek(place, whence)
        size = draw.choice((-1, 0, 1, 7, WINDOW, 3 * WINDOW))
        assert ours.read(size) == reference.read(size)
        assert ours.tell() == reference.tell()
        assert len(ours._windows) <= WINDOWS
    into = bytearray(50)
    ours.seek(WINDOW - 10)
    assert ours.readinto(into) == 50 and bytes(into) == data[WINDOW - 10 : WINDOW + 40]


def test_bytes_that_are_near_are_asked_for_once(opened, proxy):
    file = opened(bytes(3 * WINDOW))
    before = len(proxy.asked("GET"))
    for place in (0, 500, 10, 2 * WINDOW, 20, 2 * WINDOW + 5):
        file.seek(place)
        file.read(10)
    assert len(proxy.asked("GET")) - before == 2


def test_an_empty_object_is_an_empty_file(opened):
    assert opened(b"").read() == b""


def test_an_object_written_anew_is_refused(opened, s3):
    file = opened(bytes(2 * WINDOW))
    file.read(1)
    write_object(open_objects(s3), "a", bytes(2 * WINDOW) + b"x")
    file.seek(WINDOW)
    with pytest.raises(ObjectChanged, match="changed while it was read"):
        file.read(1)
