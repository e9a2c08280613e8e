"""Seconds and memory of `DedupeStore` for so many synthetic documents, in an interpreter of its own, as JSON.

A tenth are copies of earlier ones: a twentieth exact, a twentieth with a fifth of the slots drawn anew. A further
hundredth is one text that comes again and again with a fifth of its slots other.
`python benchmarks/_dedupe_scale.py DOCUMENTS FOLDER`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from vaak.text.duplicates.dedupe import DedupeStore
from vaak.text.duplicates.signatures import SLOTS

BLOCK = 10_000


class Memory(threading.Thread):
    """The largest memory seen, in MiB: all of the process, and what is not mapped from files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.resident = self.anonymous = 0.0

    def run(self) -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name == "VmRSS":
                    self.resident = max(self.resident, int(value.split()[0]) / 1024)
                elif name == "RssAnon":
                    self.anonymous = max(self.anonymous, int(value.split()[0]) / 1024)
            time.sleep(0.005)


def filled(folder: Path, documents: int) -> tuple[DedupeStore, float]:
    """(the store, seconds that adding took)."""
    store, random, seconds = DedupeStore(folder), np.random.default_rng(0), 0.0
    text = random.integers(0, 1 << 32, SLOTS, np.uint32)
    for start in range(0, documents, BLOCK):
        n = min(BLOCK, documents - start)
        signatures = random.integers(0, 1 << 32, (n, SLOTS), np.uint32)
        hashes = random.integers(0, 1 << 63, (n, 2), np.uint64)
        exact, near, again = n // 20, n // 10, n // 10 + n // 100
        hashes[:exact], signatures[:exact] = hashes[-exact:], signatures[-exact:]
        other = random.random((again - exact, SLOTS)) < 0.2
        like = np.concatenate([signatures[-near:-exact], np.tile(text, (again - near, 1))])
        signatures[exact:again] = np.where(other, signatures[exact:again], like)
        keys = [f"crawl\0{number:012}" for number in range(start, start + n)]
        before = time.perf_counter()
        store.add(hashes, signatures, keys, random.integers(128, 10_000, n))
        seconds += time.perf_counter() - before
    return store, seconds


def main() -> None:
    documents, folder = int(sys.argv[1]), Path(sys.argv[2])
    store, adding = filled(folder, documents)
    memory = Memory()
    memory.start()
    start, cpu = time.perf_counter(), time.process_time()
    decisions = store.decide()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = memory.resident, memory.anonymous
    store.check(decisions)
    print(
        json.dumps(
            {
                "adding": adding,
                "seconds": seconds,
                "cpu": cpu,
                "resident": peak[0],
                "anonymous": peak[1],
                "counts": decisions.counts(),
            }
        )
    )


if __name__ == "__main__":
    main()
