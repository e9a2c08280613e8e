"""The corpus store against the bare parts that it stands on: numpy, hashlib and a copy of the file.

Opening is measured in fresh processes over sparse files of 10^4, 10^6 and 10^8 samples; reading, verifying and importing in
turn with their peers, medians. Prints one line per figure: `python benchmarks/corpus.py [--json PATH]`. Staged reads are in
benchmarks/staging.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from codec import Figure, at_least, at_most

from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.import_codec import codec_of_import
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_run import ImportTarget
from vaak.corpus.import_samples import SampleDefaults
from vaak.corpus.manifest import root_hash
from vaak.corpus.writer import SHARD_TOKENS

SIZES = (10**4, 10**6, 10**8)
MEAN_TOKENS = 400  # a sample of 8 seconds
READ_SAMPLES, ROW_TOKENS, ROWS = 50_000, 2048, 2000
IMPORT_SAMPLES = 100_000
ROUNDS = 5
CODEC = {"name": "xcodec2", "hash": "0" * 64, "codebook_size": 65536, "tokens_per_second": 50, "sample_rate": 16000}

# What a fresh process does: import and open. Offsets are mapped, never read; peak memory is the whole process's.
OPENING = """
import json, resource, sys, time
from vaak.corpus import open_corpus
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
corpus = open_corpus(sys.argv[1])
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak / 1024, (peak - before) / 1024, corpus.manifest["samples"]]))
"""


def sparse_corpus(folder: Path, samples: int) -> Path:
    """A corpus that opens: whole manifest and headers, holes where tokens, offsets and rows would stand."""
    per_shard = SHARD_TOKENS // MEAN_TOKENS
    group = folder / "raw" / "hi" / "clean"
    group.mkdir(parents=True)
    shards, files = [], []
    for number, first in enumerate(range(0, samples, per_shard)):
        n = min(per_shard, samples - first)
        stem, tokens = f"{number:05d}", n * MEAN_TOKENS
        _sparse_array(group / f"{stem}.tokens.npy", np.dtype(np.uint16), tokens)
        _sparse_array(group / f"{stem}.offsets.npy", np.dtype(np.int64), n + 1, last=tokens)
        (group / f"{stem}.samples.parquet").write_bytes(b"")
        shards.append({"stem": stem, "samples": n, "tokens": tokens})
        for kind in ("tokens.npy", "offsets.npy", "samples.parquet"):
            path = group / f"{stem}.{kind}"
            files.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": "0" * 64})
    tokens = samples * MEAN_TOKENS
    summary = {"stream": "raw", "language": "hi", "tier": "clean", "samples": samples, "tokens": tokens,
               "hours": tokens / 50 / 3600, "sources": {"sparse": {"samples": samples, "tokens": tokens}},
               "unknown": {}, "shards": shards}  # fmt: skip
    body: dict[str, Any] = {"format": "vaak-corpus-1", "name": "sparse", "codec": CODEC, "tokenizer_hash": None,
                            "samples": samples, "groups": [summary], "files": files}  # fmt: skip
    (folder / "MANIFEST.json").write_text(json.dumps({"id": root_hash(body), **body}))
    return folder


def _sparse_array(path: Path, dtype: np.dtype, n: int, last: int | None = None) -> None:
    with open(path, "wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n,)}
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + n * dtype.itemsize
        file.truncate(end)
        if last is not None:
            file.seek(end - dtype.itemsize)
            file.write(dtype.type(last).tobytes())


def opening(folder: Path) -> list[Figure]:
    figures = []
    for size in SIZES:
        corpus = sparse_corpus(folder / f"sparse-{size}", size)
        runs = []
        for _ in range(ROUNDS):
            out = subprocess.run([sys.executable, "-c", OPENING, str(corpus)], check=True, capture_output=True)
            runs.append(json.loads(out.stdout))
        seconds, peak, more, samples = np.median(runs, axis=0)
        assert int(samples) == size
        figures += [
            at_most(f"open {size:.0e} samples, time", float(seconds), 1.0, "a second", "s"),
            at_most(f"open {size:.0e} samples, memory", float(peak), 300.0, f"opening adds {more:.1f} MB", "MB"),
        ]
        shutil.rmtree(corpus)
    return figures


def real_corpus(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    writer = CorpusWriter(folder / "real", "real", codec=CODEC)
    lengths = rng.integers(100, 700, READ_SAMPLES)
    for i, n in enumerate(lengths.tolist()):
        writer.add("raw", Sample(f"s{i}", "made", "hi"), rng.integers(0, 65536, n, dtype=np.uint16))
    writer.freeze()
    return folder / "real"


def reading(folder: Path) -> Figure:
    """Rows of whole samples drawn at random, joined: through a group, and from the bare map by the same offsets."""
    group = open_corpus(folder).groups["raw", "hi", "clean"]
    shard = group.folder / "00000"
    tokens = np.load(f"{shard}.tokens.npy", mmap_mode="r").view(np.ndarray)
    offsets = np.load(f"{shard}.offsets.npy", mmap_mode="r").view(np.ndarray)
    per_row = ROW_TOKENS // MEAN_TOKENS
    picks = np.random.default_rng(2).integers(0, group.n_samples, (ROWS, per_row)).tolist()

    def through_group() -> int:
        return sum(len(np.concatenate([group.tokens(i) for i in row])) for row in picks)

    def bare() -> int:
        return sum(len(np.concatenate([tokens[offsets[i] : offsets[i + 1]] for i in row])) for row in picks)

    assert through_group() == bare()
    return at_least("random packed reads, speed", _ratio(bare, through_group, 15), 0.9, "a bare numpy memmap", "x")


def verifying(folder: Path) -> Figure:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.json"]

    def digest(path: Path) -> str:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def bare() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(digest, paths))

    def verify() -> None:
        assert verify_corpus(folder) == []

    return at_least("verify, speed", _ratio(bare, verify), 0.8, "hashlib on as many cores", "x")


def importing(folder: Path) -> Figure:
    """An Inworld-layout folder of 100,000 samples: its codes file copied and flushed, and the whole folder imported."""
    rng = np.random.default_rng(3)
    source = folder / "inworld"
    source.mkdir()
    lengths = rng.integers(100, 700, IMPORT_SAMPLES)
    codes = source / "train_codes.npy"
    rng.integers(0, 65536, int(lengths.sum()), dtype=np.int32).tofile(codes)
    np.save(source / "train_codes_index.npy", np.cumsum(lengths) - lengths)
    with open(source / "train_samples.jsonl", "w") as file:
        for i, n in enumerate(lengths.tolist()):
            row = {"id": f"s{i}", "language": "hi", "speaker_id": f"v{i % 50}", "transcript": f"वाक्य संख्या {i}",
                   "duration": n / 50, "sample_rate": 24000}  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    files = list(source.iterdir())

    def copy() -> None:
        for path in files:
            shutil.copyfile(path, folder / "copy")
            with open(folder / "copy", "rb") as file:
                os.fsync(file.fileno())
        (folder / "copy").unlink()

    def run() -> None:
        target = ImportTarget(folder / "imported", "imported", codec_of_import("xcodec2"), quarantine=None)
        report = import_inworld(source, target, SampleDefaults("made"))
        assert report.kept == IMPORT_SAMPLES
        shutil.rmtree(folder / "imported")

    return at_least("import, speed", _ratio(copy, run, 3), 0.3, "a copy of the files, flushed to disk", "x")


def _ratio(peer: Callable[[], Any], own: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Median over rounds of the peer's seconds by our own, in turn, after one round to warm up."""
    ratios = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        peer()
        middle = time.perf_counter()
        own()
        if number:
            ratios.append((middle - began) / (time.perf_counter() - middle))
    return float(np.median(ratios))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vaak-bench-") as name:
        folder = Path(name)
        figures = opening(folder)
        corpus = real_corpus(folder)
        figures += [reading(corpus), verifying(corpus), importing(folder)]
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
