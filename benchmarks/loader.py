"""The mixture's loader against bare memory maps and against codes as strings; its memory, its seeking, and its mass.

Speed in turn with the peers on rows in random order, medians; memory in fresh processes over corpora of 10^4, 10^6 and 10^9
samples (one real shard under many names); mass by serving 100 million targets of the mixes of the first stage and of
fine-tuning. Prints one line per figure: `python benchmarks/loader.py [--json PATH] [--small]`. Needs the `dev` extra and
1 GB of the temporary folder's disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _loader_corpora import CODEBOOK, linked_corpus, skewed_corpus, speech_corpus, tokenizer_of_words
from _turns import compared
from codec import Figure, at_least, at_most
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from vaak.corpus import Corpus
from vaak.grammar.tokenizer import TextTokenizer
from vaak.mixture import MixtureSettings, Plan, RowReader, open_loader, realised_mass, solve_plan
from vaak.recipe import load_recipe

CONTEXT = 2048
BATCH = 8  # rows of a microbatch


@dataclass(frozen=True)
class Sizes:
    """Samples of each stream that is read, rows read of it, samples of the corpora in memory, targets that are served."""

    read: int = 40_000
    rows: int = 2_000
    opened: tuple[int, ...] = (10**4, 10**6, 10**9)
    served: tuple[int, ...] = (10**6, 10**7, 10**8)


SMALL = Sizes(2_000, 80, (10**3, 10**4), (10**5, 10**6))


def one_stream(stream: str) -> MixtureSettings:
    languages = {"caps": {}, "fixed": {"hi": 1.0}, "rest": None}
    return MixtureSettings.model_validate({"streams": {stream: {"share": 1.0}}, "languages": languages})


def planned(
    settings: MixtureSettings,
    corpus: Corpus,
    tokenizer: TextTokenizer,
    cache: Path,
    kind: Any = "pretrain",
    **length: Any,
) -> Plan:
    return solve_plan(
        settings,
        [corpus],
        stage_kind=kind,
        context=CONTEXT,
        tokenizer=tokenizer,
        vocabulary=tokenizer.vocabulary(CODEBOOK),
        seed=1,
        cache_folder=cache,
        **length,
    )


def speeds(folder: Path, sizes: Sizes) -> list[Figure]:
    tokenizer = tokenizer_of_words()
    corpus = speech_corpus(folder / "read", tokenizer, sizes.read)
    figures = []
    for stream, want in (("raw", 0.8), ("text", None), ("paired", 0.35)):
        plan = planned(one_stream(stream), corpus, tokenizer, folder / "cache", passes=1)
        reader = RowReader(plan, [corpus], tokenizer.vocabulary(CODEBOOK), tokenizer)
        batches = [list(range(at, at + BATCH)) for at in range(0, sizes.rows, BATCH)]
        bare, tokens = bare_reads(reader, corpus, stream, batches)

        def own(reader: RowReader = reader, batches: list[list[int]] = batches) -> None:
            for numbers in batches:
                reader.batch(numbers)

        ratio, seconds = compared(bare, own)
        figures += [
            Figure(
                f"{stream}, rows a second",
                sizes.rows / seconds,
                "rows/s",
                0,
                True,
                f"{BATCH} rows a batch, one process",
            ),
            Figure(f"{stream}, tokens a second", tokens / seconds / 1e6, "M/s", 0, True, "the same"),
        ]
        for figure in figures[-2:]:
            print(f"{figure.name} {figure.value:,.1f} {figure.unit} ({figure.against})")
        against = "the same slices of a bare memory map, widened into int64 rows"
        figures.append(at_least(f"{stream}, speed", ratio, want or 0.0, against, "x"))
        filling = compared(batch_filling(reader, batches), own)[0]
        against = "ids, labels and positions filled by bare numpy calls whose every place is known beforehand"
        figures.append(at_least(f"{stream}, speed like for like", filling, want or 0.0, against, "x"))
        if stream == "paired":
            figures += strings(reader, tokenizer, batches)
    return figures


def bare_reads(
    reader: RowReader, corpus: Corpus, stream: str, batches: list[list[int]]
) -> tuple[Callable[[], None], int]:
    """What reads the same tokens of the same rows from numpy maps, knowing every slice beforehand; and how many."""
    group = corpus.groups[stream, "hi", "clean"]
    paths = sorted(group.folder.glob("*.tokens.npy"))
    maps = [np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray) for path in paths]
    firsts = np.cumsum([0, *map(len, maps)])
    slices, total = [], 0
    for numbers in batches:
        of_batch = []
        for b, number in enumerate(numbers):
            at = 0
            for start, stop in reader.stored(number):
                while start < stop:  # cut where a shard ends
                    shard = int(np.searchsorted(firsts, start, side="right")) - 1
                    end = min(stop, int(firsts[shard + 1]))
                    of_batch.append((b, at, maps[shard], start - int(firsts[shard]), end - int(firsts[shard])))
                    at, start = at + end - start, end
            total += at
        slices.append(of_batch)

    def bare() -> None:
        for of_batch in slices:
            rows = np.empty((BATCH, CONTEXT), np.int64)
            for b, at, tokens, start, stop in of_batch:
                rows[b, at : at + stop - start] = tokens[start:stop]

    return bare, total


def batch_filling(reader: RowReader, batches: list[list[int]]) -> Callable[[], None]:
    """The least that numpy has to do for such batches: each document's ids, labels and positions written once."""
    known = []
    for numbers in batches:
        batch = reader.batch(numbers)
        places = [(b, np.cumsum(lengths) - lengths, np.cumsum(lengths)) for b, lengths in enumerate(batch.doc_lens)]
        documents = [(b, int(s), int(e)) for b, starts, ends in places for s, e in zip(starts, ends, strict=True)]
        known.append([(b, s, e, batch.input_ids[b, s:e].astype(np.uint16)) for b, s, e in documents])
    counting = np.arange(CONTEXT)

    def fill() -> None:
        for documents in known:
            ids = np.empty((BATCH, CONTEXT), np.int64)
            memory = np.empty((2, BATCH * CONTEXT + 192), np.int64)  # not at the same place of a page as the ids
            labels, positions = (one[192:].reshape(BATCH, CONTEXT) for one in memory)
            for b, start, end, tokens in documents:
                ids[b, start:end] = tokens
                ids[b, start:end] += CONTEXT
                labels[b, start : end - 1] = ids[b, start + 1 : end]
                labels[b, end - 1] = -100
                positions[b, start:end] = counting[: end - start]

    return fill


def strings(reader: RowReader, tokenizer: TextTokenizer, batches: list[list[int]]) -> list[Figure]:
    """The codes of the same rows by way of text: each a word of its own among 65,536 that were added to a tokenizer."""
    words = [f"<|speech_{code}|>" for code in range(CODEBOOK)]
    by_text = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(tokenizer.source))
    by_text.add_tokens(words)
    vocabulary = reader.vocabulary
    batch = reader.batch(batches[0])
    codes = [vocabulary.codes(row[row >= vocabulary.first_speech_id]).astype(np.uint16) for row in batch.input_ids]

    def text() -> None:
        for row in codes:
            by_text("".join([words[code] for code in row.tolist()]))

    def ids() -> None:
        for row in codes:
            vocabulary.speech_ids(row)

    def whole() -> None:
        reader.batch(batches[0])

    against = "codes to string to Hugging Face tokenizer with 65,536 added tokens to ids"
    return [
        at_least("codes to ids, speed", compared(text, ids)[0], 200.0, against, "x"),
        at_least("whole paired rows, speed", compared(text, whole)[0], 0.0, f"{against}, of their codes alone", "x"),
    ]


# What a fresh process that trains does: open, plan, and read rows everywhere. Its own memory is what is not pages of files; with
# what training has loaded, for nothing else serves rows, and told without.
SERVING = """
import json, re, sys, threading, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from loader import one_stream, planned, tokenizer_of_words, CODEBOOK
from vaak.corpus import open_corpus
from vaak.mixture import RowReader
import vaak.train.loop
def own():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
most, over = [0.0], threading.Event()
def watch():
    while not over.wait(0.02):
        most[0] = max(most[0], own())
threading.Thread(target=watch, daemon=True).start()
tokenizer = tokenizer_of_words()
before = own()
began = time.perf_counter()
corpus = open_corpus(sys.argv[1])
plan = planned(one_stream("raw"), corpus, tokenizer, Path(sys.argv[2]), passes=1)
seconds = time.perf_counter() - began
reader = RowReader(plan, [corpus], tokenizer.vocabulary(CODEBOOK), tokenizer)
for i in range(1000):
    reader.batch([i * 999_983 % 10**9])
seeks = []
for far in (10**9 - 17, 10**9, 10**9 + 5 * 10**6):
    fresh = RowReader(plan, [corpus], tokenizer.vocabulary(CODEBOOK), tokenizer)
    began = time.perf_counter()
    fresh.batch([far])
    seeks.append(time.perf_counter() - began)
over.set()
print(json.dumps([max(most[0], own()), before, seconds, sorted(seeks)[1] * 1000, plan.n_rows, corpus.manifest["samples"]]))
"""


def memory(folder: Path, sizes: Sizes) -> list[Figure]:
    figures, held = [], []
    for samples in sizes.opened:
        corpus = linked_corpus(folder / f"linked-{samples}", samples)
        command = [sys.executable, "-c", SERVING, str(corpus), str(folder / "plan"), str(Path(__file__).parent)]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        own, before, seconds, seek, rows, n = json.loads(out.stdout)
        held.append(own)
        print(
            f"{n:.0e} samples: planned in {seconds:.2f} s, {rows:,} rows, {own:.0f} MB of its own at most, {own - before:.1f} more than before"
        )
        of = "a hundredth of a second, first row of a fresh reader, its cells worked out"
        figures.append(at_most(f"seek to row 10^9 of {n:.0e} samples", seek, 10.0, of, "ms"))
    against = (
        f"that at {sizes.opened[0]:.0e}, planning and serving in a process that trains, pages of files not counted"
    )
    figures.append(at_most(f"memory at {sizes.opened[-1]:.0e} samples", max(held) / held[0], 1.1, against, "x"))
    return figures


def mass(folder: Path, sizes: Sizes) -> list[Figure]:
    """How far the shares of streams, sources and languages are from those that the plan wants, as targets are served."""
    tokenizer = tokenizer_of_words()
    corpus = skewed_corpus(folder / "skewed", tokenizer, sizes.read // 2)
    figures = []
    for name, kind in (("pt-s1", "pretrain"), ("sft", "sft")):
        settings = load_recipe(name).mixture
        plan = planned(settings, corpus, tokenizer, folder / "mass", kind, total_tokens=sizes.served[-1])
        served, left = realised_mass(), list(sizes.served)
        loader = open_loader(plan, [corpus], tokenizer.vocabulary(CODEBOOK), tokenizer, microbatch_rows=16)
        for batch in loader:
            served.add(batch)
            if sum(served.targets.values()) >= left[0]:
                points = {
                    by: max(abs(got - wanted) for wanted, got in served.beside(plan, by).values()) * 100
                    for by in ("stream", "source", "language")
                }
                far = max(points.values())
                of = ", ".join(f"{by} {value:.3f}" for by, value in points.items())
                want = 0.2 if left[0] == 10**8 else 1.0
                figures.append(
                    at_most(f"{name}, share off at {left.pop(0):.0e} targets", far, want, f"the plan: {of}", "points")
                )
            if not left:
                break
        loader.close()
    return figures


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
        figures = [*speeds(folder, sizes), *memory(folder, sizes), *mass(folder, sizes)]
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
