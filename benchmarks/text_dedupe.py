"""Near duplicates of text: are planted edits found, are distinct documents left alone, how fast, in how much memory?

Documents of twelve languages: real ones of `--documents`, and ones joined of real sentences, in four classes of length.
Recall is of pairs of a document and its edited copy: 2% or 10% of its words changed, one at least. False merges are
near duplicates among documents that share no sentence, and among the real ones. The peer is rensa's own LSH in the way
its manual shows: the words of `text.split()`, 128 slots, 16 bands.
Prints one line per figure: `python benchmarks/text_dedupe.py [--json PATH] [--documents FILE …] [--copies N] [--scale N]`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
from _dedupe_documents import CLASSES, disjoint, documents, edited, joined, sentences
from codec import Figure, at_least, at_most
from rensa import RMinHash, RMinHashLSH  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

from vaak.text.duplicates.bands import band_keys
from vaak.text.duplicates.dedupe import NEAR, THRESHOLD, DedupeStore
from vaak.text.duplicates.signatures import SLOTS, agreement, fingerprints

TEXTS = Path(__file__).resolve().parents[1] / "tests/data/text"
EDITS = {0.02: 0.99, 0.1: 0.9}
# Distinct documents of one class, and the peer's bands.
DISTINCT, PEER_BANDS = 2000, 16
REPEATS = 5

Pools = dict[str, list[str]]
# By share of words changed, language and class: whether each pair was found, by Vaak and by the peer.
Found = dict[tuple[float, str, tuple[int, int]], tuple[np.ndarray, np.ndarray]]


def pairs_found(originals: list[str], copies: list[str]) -> np.ndarray:
    """Whether each original and its copy share a band and agree: what decides in a bucket that is compared completely."""
    first, second = fingerprints(originals)[1], fingerprints(copies)[1]
    return (band_keys(first) == band_keys(second)).any(1) & (agreement(first, second) >= THRESHOLD)


def peer_flags(texts: list[str]) -> np.ndarray:
    matrix = RMinHash.digest_matrix_from_token_sets([text.split() for text in texts], SLOTS, 42)
    return np.array(RMinHashLSH(0.8, SLOTS, PEER_BANDS).query_duplicate_flags_matrix_one_shot(matrix))


def planted(pools: Pools, copies: int) -> Found:
    random, found = Random(0), {}
    for language, pool in pools.items():
        words = [word for sentence in pool for word in sentence.split()]
        for low, high in CLASSES:
            originals = joined(pool, low, high, copies, random)
            for share in EDITS:
                changed = [edited(text, share, words, random) for text in originals]
                peer = [peer_flags([one, other])[0] for one, other in zip(originals, changed, strict=True)]
                found[share, language, (low, high)] = pairs_found(originals, changed), np.array(peer)
    return found


def recall_figures(found: Found) -> list[Figure]:
    figures = []
    for share, want in EDITS.items():
        of_share = {key[1:]: value for key, value in found.items() if key[0] == share}
        for low, high in CLASSES:
            own, peer = (
                np.concatenate([one[side] for (_, size), one in of_share.items() if size == (low, high)])
                for side in (0, 1)
            )
            name = f"recall of {100 * share:g}% edits, {low} to {high:,} characters, {len(own):,} pairs"
            figures.append(at_least(name, float(own.mean()), want, f"the goal; rensa's LSH of words {peer.mean():.3f}"))
        for language in dict.fromkeys(key[0] for key in of_share):
            own = np.concatenate([one[0] for key, one in of_share.items() if key[0] == language])
            name = f"recall of {100 * share:g}% edits, {language}, {len(own):,} pairs"
            figures.append(at_least(name, float(own.mean()), want, "the goal, each language"))
        (language, size), worst = min(of_share.items(), key=lambda one: one[1][0].mean())
        name = (
            f"recall of {100 * share:g}% edits, lowest of languages and lengths ({language}, {size[0]} to {size[1]:,})"
        )
        figures.append(at_least(name, float(worst[0].mean()), want, f"the goal; {len(worst[0])} pairs"))
    return figures


def near(texts: list[str], folder: Path) -> np.ndarray:
    """Which of the texts of one language are dropped as near duplicates."""
    store = DedupeStore(folder)
    hashes, signatures = fingerprints(texts)
    store.add(
        hashes, signatures, [f"benchmark\0{n:09}" for n in range(len(texts))], np.array([len(one) for one in texts])
    )
    return store.decide().reason == NEAR


def false_figures(pools: Pools, real: Pools, folder: Path) -> list[Figure]:
    random, own, peer, total, of_real = Random(1), 0, 0, 0, []
    for language, pool in pools.items():
        for low, high in CLASSES:
            texts = disjoint(pool, low, high, DISTINCT, random)
            if texts:
                total += len(texts)
                own += int(near(texts, folder / f"{language}{low}").sum())
                peer += int(peer_flags(texts).sum())
        if real.get(language):
            of_real.append(near(real[language], folder / f"{language}real"))
    against = f"the goal's 0.1%; {own} of {total:,}, rensa's LSH flags {peer}"
    figures = [at_most("false merges of documents that share no sentence", 100 * own / total, 0.1, against, "%")]
    if of_real:
        found = np.concatenate(of_real)
        against = f"the goal's 0.1%; {found.sum()} of {len(found):,}"
        figures.append(at_most("false merges of the real documents", 100 * float(found.mean()), 0.1, against, "%"))
    return figures


def whole_figures(pools: Pools, folder: Path) -> list[Figure]:
    """English documents that share no sentence, each with an edited copy, through the store."""
    random, pool = Random(2), pools["en"]
    words = [word for sentence in pool for word in sentence.split()]
    originals = disjoint(pool, 128, 1000, DISTINCT, random)
    copies = [edited(text, 0.1, words, random) for text in originals]
    dropped = int(near(originals + copies, folder / "whole").sum()) / len(copies)
    return [at_least("copies with 10% edits dropped by the whole store, en", dropped, 0.9, f"{len(copies):,} copies")]


def speed_figures(pools: Pools) -> list[Figure]:
    figures = []
    for language, characters in (("en", 2000), ("hi", 2000), ("en", 300), ("ml", 300)):
        texts = joined(pools[language], characters - 50, characters + 50, 500_000 // characters, Random(3))
        size = sum(len(text.encode()) for text in texts) / 1e6
        own, peer = [], []
        for _ in range(REPEATS):
            for seconds, made in ((own, fingerprints), (peer, peer_flags)):
                start = time.process_time()
                made(texts)
                seconds.append(time.process_time() - start)
        own_s, peer_s = float(np.median(own)), float(np.median(peer))
        against = f"15 MB/s; {len(texts) / own_s:,.0f} documents/s; rensa on text.split(), flags with it, {size / peer_s:.1f} MB/s"
        name = f"hash and signature, {language}, {characters:,} characters, a core"
        figures.append(at_least(name, size / own_s, 15, against, "MB/s"))
    return figures


def scale_figures(scale: int, folder: Path) -> list[Figure]:
    script = Path(__file__).with_name("_dedupe_scale.py")
    figures, anonymous = [], []
    for n in (scale // 4, scale):
        command = [sys.executable, str(script), str(n), str(folder / str(n))]
        one = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        anonymous.append(one["anonymous"])
    counts = ", ".join(f"{name} {count:,}" for name, count in one["counts"].items())
    against = f"a minute; {one['seconds']:.1f} s by the clock, adding them {one['adding']:.1f} s; {counts}"
    figures.append(
        at_most(f"seconds of a core a million documents, {scale:,}", 1e6 * one["cpu"] / scale, 60, against, "s")
    )
    against = f"a small machine; with the pages of files that it maps {one['resident']:.0f} MiB"
    figures.append(at_most(f"peak memory, {scale:,} documents", one["anonymous"], 512, against, "MiB"))
    name = f"peak memory, {scale:,} documents over that of a quarter of them"
    figures.append(at_most(name, anonymous[1] / anonymous[0], 1.5, "bounded; 4 if it held all", "×"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--documents", type=Path, nargs="*", default=sorted(TEXTS.glob("*.jsonl")))
    parser.add_argument("--copies", type=int, default=100, help="pairs of each language, class and share")
    parser.add_argument("--scale", type=int, default=1_000_000)
    given = parser.parse_args()
    real = documents(given.documents)
    pools = sentences(real)
    figures = recall_figures(planted(pools, given.copies))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures += false_figures(pools, real, folder) + whole_figures(pools, folder) + speed_figures(pools)
        figures += scale_figures(given.scale, folder)
    if given.json:
        given.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
