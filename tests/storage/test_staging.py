"""Staging from a real S3 server: ahead, checked, bounded, shared by processes, and with faults on the way."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.storage.proxy import Fault, gets
from vaak.errors import BadInput
from vaak.storage.cache import bytes_held, open_cache, shard_path
from vaak.storage.objects import PART_BYTES, open_objects, upload_file, write_object
from vaak.storage.staging import Source, open_staging
from vaak.storage.transfer import FileEntry

SIZE = 200_000


def make_source(s3: str, folder: Path, n: int = 6, size: int = SIZE) -> Source:
    """n objects of known bytes: a.bin, b.bin, …"""
    objects, files = open_objects(s3), {}
    folder.mkdir(exist_ok=True)
    for number in range(n):
        data = np.random.default_rng(number).bytes(size)
        name, digest = f"{chr(97 + number)}.bin", hashlib.sha256(data).hexdigest()
        (folder / name).write_bytes(data)
        upload_file(objects, name, folder / name, size, digest)
        files[name] = FileEntry(name, size, digest)
    return Source(objects, files)


def until(holds, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)


@pytest.fixture
def source(s3, tmp_path) -> Source:
    return make_source(s3, tmp_path / "origin")


def is_here(tmp_path: Path, source: Source, name: str) -> bool:
    return (tmp_path / "cache/shards" / source.files[name].sha256).exists()


def test_what_is_announced_is_here_when_it_is_used(source, tmp_path):
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage:
        stage.announce(["c.bin", "a.bin"])
        until(lambda: stage.counters().fetched == 2)
        for name in ("c.bin", "a.bin"):
            with stage.use(name) as local:
                assert local.read_bytes() == (tmp_path / "origin" / name).read_bytes()
        seen = stage.counters()
    assert (seen.hits, seen.misses, seen.bytes_fetched, seen.evicted) == (2, 0, 2 * SIZE, 0)
    assert seen.seconds_waited < 0.2


def test_what_is_not_announced_is_fetched_while_the_consumer_waits_and_that_is_counted(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin", 1)
    proxy.latency = 0.2
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage:
        with stage.use("a.bin") as local:
            assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()
        assert stage.counters().misses == 1 and 0.4 <= stage.counters().seconds_waited < 5


def test_shards_come_in_the_announced_order(source, proxy, tmp_path):
    source = Source(open_objects(source.objects.url), source.files)  # through the proxy
    order = ["d.bin", "b.bin", "f.bin", "a.bin"]
    with open_staging(tmp_path / "cache", 10 * SIZE, source, jobs=1) as stage:
        stage.announce(order)
        until(lambda: stage.counters().fetched == 4)
    assert [one.path.rsplit("/", 1)[1] for one in proxy.asked("GET")] == order
    assert all("if-match" in {name.lower() for name in one.headers} for one in proxy.asked("GET"))


def test_a_large_shard_comes_in_ranges_at_once(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin", 1, 3 * PART_BYTES + 17)
    proxy.latency = 0.3
    began = time.monotonic()
    with open_staging(tmp_path / "cache", 4 * PART_BYTES, source) as stage, stage.use("a.bin") as local:
        assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()
    assert len(proxy.asked("GET")) == 4
    assert time.monotonic() - began < 4 * 0.3 + 1.2  # the four wait together, not one after the other


def test_the_cache_stays_within_its_bound_and_evicts_what_is_needed_last(source, tmp_path):
    cache = open_cache(tmp_path / "cache", 3 * SIZE)
    most, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            most[0] = max(most[0], bytes_held(cache))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with open_staging(tmp_path / "cache", 3 * SIZE, source) as stage:
            names = sorted(source.files) * 3
            stage.announce(names)
            for name in names:
                with stage.use(name) as local:
                    assert local.read_bytes() == (tmp_path / "origin" / name).read_bytes()
            seen = stage.counters()
    finally:
        done.set()
        watcher.join()
    assert 0 < most[0] <= 3 * SIZE
    assert seen.fetched - seen.evicted == 3 and seen.hits + seen.misses == len(names)


def test_work_ahead_never_evicts_what_is_needed_sooner(source, tmp_path):
    with open_staging(tmp_path / "cache", 3 * SIZE, source) as stage:
        stage.announce(["a.bin", "b.bin", "c.bin", "d.bin", "e.bin"])
        until(lambda: stage.counters().fetched == 3)
        time.sleep(0.5)
        assert [name for name in sorted(source.files) if is_here(tmp_path, source, name)] == ["a.bin", "b.bin", "c.bin"]
        with stage.use("a.bin"):
            pass
        until(lambda: is_here(tmp_path, source, "d.bin"))
        assert not is_here(tmp_path, source, "a.bin") and is_here(tmp_path, source, "b.bin")


def test_a_shard_in_use_is_never_evicted(source, tmp_path):
    with open_staging(tmp_path / "cache", 2 * SIZE, source) as stage:
        with stage.use("a.bin") as held:
            for name in ("b.bin", "c.bin", "d.bin"):
                with stage.use(name) as local:
                    assert held.exists() and local.exists()
            with stage.use("d.bin"), pytest.raises(BadInput, match=r"no room for e\.bin.*give the cache more"):
                stage.use("e.bin").__enter__()
        with stage.use("e.bin"), stage.use("f.bin"):
            assert not is_here(tmp_path, source, "a.bin")


def test_what_cannot_be_is_refused(source, tmp_path):
    with open_staging(tmp_path / "cache", SIZE // 2, source) as stage:
        with pytest.raises(BadInput, match=r"more than the 100000 of .*give the cache more"):
            stage.announce(["a.bin"])
        with pytest.raises(BadInput, match=r"has no file 'z\.bin'"):
            stage.announce(["z.bin"])


@pytest.mark.parametrize("kind", ["reset", "cut", "short", "status", "flip"])
def test_faults_are_ridden_out(s3, proxy, tmp_path, kind):
    source = make_source(s3, tmp_path / "origin", 2)
    proxy.first(2, Fault(kind, keep=1000), gets(".bin"))
    with open_staging(tmp_path / "cache", 10 * SIZE, source, jobs=1) as stage:
        stage.announce(["a.bin", "b.bin"])
        for name in ("a.bin", "b.bin"):
            with stage.use(name) as local:
                assert local.read_bytes() == (tmp_path / "origin" / name).read_bytes()
        assert stage.counters().damaged == (2 if kind == "flip" else 0)
    assert proxy.made == 2


def test_what_stays_damaged_is_named(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin", 1)
    proxy.rule = lambda request: Fault("flip") if gets("a.bin")(request) else None
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage:
        with pytest.raises(BadInput, match=r"a\.bin came damaged 3 times"):
            stage.use("a.bin").__enter__()
        assert not is_here(tmp_path, source, "a.bin") and stage.counters().damaged == 3
        proxy.rule = lambda request: None
        with stage.use("a.bin") as local:
            assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()


def test_an_object_that_changes_underway_is_an_error(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin", 1)
    seen = []

    def change(request):
        if gets("a.bin")(request) and not seen:
            seen.append(request)
            write_object(source.objects, "a.bin", bytes(SIZE))

    proxy.rule = change
    refused = pytest.raises(BadInput, match=r"a\.bin changed while it was read")
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage, refused:
        stage.use("a.bin").__enter__()


def test_a_shard_that_rots_in_the_cache_is_fetched_anew(source, tmp_path):
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage, stage.use("a.bin") as local:
        path = local
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    with open_staging(tmp_path / "cache", 10 * SIZE, source) as stage, stage.use("a.bin") as local:
        assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()
        assert stage.counters().damaged == 1


CONSUMER = """
import sys, time, random
from vaak.storage.objects import open_objects
from vaak.storage.staging import Source, open_staging
from vaak.storage.transfer import FileEntry
url, cache, limit, seed, rounds, mode = sys.argv[1:7]
files = {p: FileEntry(p, int(n), h) for p, n, h in (one.split(":") for one in sys.argv[7:])}
import hashlib
rng, source = random.Random(int(seed)), Source(open_objects(url), files)
with open_staging(cache, int(limit), source) as stage:
    for _ in range(int(rounds)):
        order = sorted(files)
        rng.shuffle(order)
        stage.announce(order)
        for path in order:
            with stage.use(path) as local:
                print("use", path, flush=True)
                if mode == "stay":
                    time.sleep(60)
                assert hashlib.sha256(local.read_bytes()).hexdigest() == files[path].sha256
    c = stage.counters()
    print("done", c.fetched, c.hits + c.misses, flush=True)
"""


def consumer(source: Source, cache: Path, limit: int, seed: int, rounds: int, mode: str = "run") -> subprocess.Popen:
    files = [f"{one.path}:{one.size}:{one.sha256}" for one in source.files.values()]
    command = [sys.executable, "-c", CONSUMER, source.objects.url, str(cache), str(limit), str(seed), str(rounds), mode]
    return subprocess.Popen([*command, *files], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_processes_share_a_cache(source, tmp_path):
    cache = open_cache(tmp_path / "cache", 4 * SIZE)
    running = [consumer(source, tmp_path / "cache", 4 * SIZE, seed, 5) for seed in range(3)]
    most = 0
    while any(one.poll() is None for one in running):
        most = max(most, bytes_held(cache))
        time.sleep(0.002)
    said = [one.communicate()[0].splitlines() for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert 0 < most <= 4 * SIZE
    fetched = sum(int(lines[-1].split()[1]) for lines in said)
    uses = sum(int(lines[-1].split()[2]) for lines in said)
    assert uses == 3 * 5 * 6 and fetched < uses  # what one process brought, another used


def test_a_shard_that_another_process_uses_stays_until_that_process_is_killed(source, tmp_path):
    holder = consumer(source, tmp_path / "cache", 2 * SIZE, 0, 1, "stay")
    assert holder.stdout is not None
    name = holder.stdout.readline().split()[1]
    others = [one for one in sorted(source.files) if one != name]
    try:
        with open_staging(tmp_path / "cache", 2 * SIZE, source) as stage:
            for other in others:
                with stage.use(other):
                    assert is_here(tmp_path, source, name)
            holder.kill()
            holder.wait()
            with stage.use(others[0]), stage.use(others[1]):
                assert not is_here(tmp_path, source, name)
    finally:
        holder.kill()
        holder.communicate()


def test_a_killed_fetch_is_continued_by_the_next_process(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin", 1, 3 * PART_BYTES)
    proxy.rule = lambda request: (
        time.sleep(30) if f"bytes={2 * PART_BYTES}-" in str(request.headers) and gets(".bin")(request) else None
    )
    child = consumer(source, tmp_path / "cache", 4 * PART_BYTES, 0, 1)
    partial = tmp_path / "cache/partial"
    until(lambda: partial.is_dir() and any(one.stat().st_size == 2 * PART_BYTES for one in partial.iterdir()))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    proxy.rule = lambda request: None
    with open_staging(tmp_path / "cache", 4 * PART_BYTES, source) as stage, stage.use("a.bin") as local:
        assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()
        assert stage.counters().bytes_fetched == PART_BYTES


def test_what_was_begun_of_an_older_object_makes_room(source, tmp_path):
    entry = source.files["a.bin"]
    partial = open_cache(tmp_path / "cache", SIZE).folder / "partial" / f"{entry.sha256}-{'0' * 16}-{SIZE}"
    partial.write_bytes(b"old")
    with open_staging(tmp_path / "cache", SIZE, source) as stage, stage.use("a.bin") as local:
        assert local.read_bytes() == (tmp_path / "origin/a.bin").read_bytes()
    assert not partial.exists()


@pytest.mark.slow
def test_a_cache_survives_kills(source, tmp_path):
    rng = np.random.default_rng(3)
    cache, files = open_cache(tmp_path / "cache", 3 * SIZE), list(source.files.values())
    for seed in range(10):
        child = consumer(source, tmp_path / "cache", 3 * SIZE, seed, 1000)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.5)))
        child.kill()
        child.communicate()
        assert bytes_held(cache) <= 3 * SIZE
        for one in files:
            path = shard_path(cache, one.sha256)
            assert not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
    last = consumer(source, tmp_path / "cache", 3 * SIZE, 0, 2)
    assert last.communicate(timeout=60)[0].splitlines()[-1].startswith("done") and last.returncode == 0
    assert os.listdir(tmp_path / "cache/partial") == []


def test_a_consumer_waits_only_when_bytes_come_slower_than_it_needs_them(s3, proxy, tmp_path):
    source = make_source(s3, tmp_path / "origin")
    proxy.latency = 0.1  # two a shard, two shards at once: a shard every 0.1 s
    names = sorted(source.files)
    for pause, enough in ((0.4, True), (0.0, False)):
        with open_staging(tmp_path / f"cache-{pause}", 10 * SIZE, source) as stage:
            stage.announce(names)
            with stage.use(names[0]):
                first = stage.counters().seconds_waited
            for name in names[1:]:
                time.sleep(pause)
                with stage.use(name):
                    pass
            waited = stage.counters().seconds_waited - first
        assert waited < 0.1 if enough else waited > 0.1


MEMORY = """
import resource, sys
from vaak.storage.objects import open_objects
from vaak.storage.staging import Source, open_staging
from vaak.storage.transfer import FileEntry
files = {p: FileEntry(p, int(n), h) for p, n, h in (one.split(":") for one in sys.argv[3:])}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_staging(sys.argv[2], 1 << 30, Source(open_objects(sys.argv[1]), files)) as stage:
    stage.announce(sorted(files))
    for path in sorted(files):
        with stage.use(path):
            pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_shards(s3, tmp_path):
    grown = []
    for number, size in enumerate((48 << 20, 160 << 20)):
        source = make_source(f"{s3}/{number}", tmp_path / f"origin-{number}", 2, size)
        files = [f"{one.path}:{one.size}:{one.sha256}" for one in source.files.values()]
        command = [sys.executable, "-c", MEMORY, source.objects.url, str(tmp_path / f"cache-{number}"), *files]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
        grown.append(float(done.stdout))
    # Two shards on the way, each with at most five parts of 8 MiB, and what the client keeps for itself.
    assert max(grown) < 200 and grown[1] < grown[0] + 60, grown
