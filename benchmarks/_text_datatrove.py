"""The peer of benchmarks/text.py: a pipeline of datatrove's own blocks that does to a dump what `vaak text build` does.

Reading, ftfy, a length limit, a vote of two language classifiers, Gopher's repetition filter, MinHash in its four stages (which
finds exact duplicates too), tokens with a limit of 4,096. What it leaves out makes it faster: no HTML, links, tables or code are
taken out, no script is normalised, no numerals, no ratio of symbols.

Set as somebody would who wants it fast on one machine: one `LocalPipelineExecutor` for each file and stage, so that no stage
waits for another language and no process starts twice (its own pool would start them for each language and stage); the documents
between the stages uncompressed, signatures made in the pass that filters, nothing shuffled, one thread in each process.

Words are cut by its `IndicNLPTokenizer`, English ones too: spaCy, which it assigns to English, cuts 0.4 MB/s where this one
cuts 9, twice for each document, and a dump of 20 MB then took 139 s of CPU in place of 46. It needs indic-nlp-library, looked for in
the folder `benchmarks` of the environment or the one that VAAK_BENCHMARKS names. Its language filters fetch their models, which is why it gets
the same two classifiers as Vaak, asked about the first 1,000 characters, the second only where the first says otherwise.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import py3langid
import pycld2
import xxhash
from _text_documents import Dump
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.filters import GopherRepetitionFilter, LambdaFilter
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens.tokenizer import DocumentTokenizer, TokenizedFile
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils._import_utils import check_required_dependencies
from datatrove.utils.batching import batched
from datatrove.utils.word_tokenizers import IndicNLPTokenizer, WordTokenizer
from loguru import logger
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

BESIDE = Path(os.environ.get("VAAK_BENCHMARKS") or Path(sys.prefix) / "benchmarks")
END_OF_TEXT = "<|endoftext|>"
MIN_CHARACTERS, MAX_TOKENS = 128, 4096
PIECE = 1_000  # characters that the classifiers see
BATCH = 1_000  # documents that are tokenized together
_WORDS = ("indicnlp", "indic-nlp-library")
_MINHASH = MinhashConfig()  # its defaults: 5 words, 14 buckets of 8 hashes


@dataclass(frozen=True)
class _Job:
    """One file of a language (`rank` of `parts`) on its way through the stages; the same for all of them."""

    language: str
    rank: int
    parts: int
    source: Path
    out: Path
    tokenizer: Path


# What one job took and dropped: seconds by step, documents by reason.
_Told = tuple[dict[str, float], dict[str, int]]


def missing() -> str | None:
    """One sentence if the library of its word tokenizer is not there."""
    _look_beside()
    if importlib.util.find_spec(_WORDS[0]) is not None:
        return None
    return f"datatrove's word tokenizer needs indic-nlp-library; run make setup, which installs it into {BESIDE}"


def run_datatrove(dump: Dump, tokenizer: Path, out: Path, workers: int) -> dict[str, Any]:
    """`seconds`, and `cpu_seconds` of all processes; documents `kept`, `dropped` by reason, `tokens`; `per_step`: seconds by step.

    `tokenizer` is a `tokenizer.json`, `out` an empty folder. Loading libraries is not in the seconds, loading the tokenizer is.
    `per_step` sums over the workers; it holds datatrove's own clocks, and what they leave out (opening executors, gzip) is `other`.
    """
    _look_beside()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    # It reads the descriptions of all installed packages before the first step; that is loading too.
    check_required_dependencies("the peer", [(name, name) for name in ("orjson", "ftfy", "xxhash", "tokenizers")])
    check_required_dependencies("the peer", [_WORDS])
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        _Job(language, rank, len(paths), dump.folder / language, out, tokenizer)
        for language, paths in dump.files.items()
        for rank in range(len(paths))
    ]
    jobs.sort(key=lambda job: -dump.files[job.language][job.rank].stat().st_size)
    seconds: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    for stage, of_stage in (
        (_filter_and_sign, jobs),
        (_find_duplicates, [job for job in jobs if job.rank == 0]),
        (_write_tokens, jobs),
    ):
        for took, left in _on_workers(partial(_quietly, stage), of_stage, workers):
            seconds.update(took)
            dropped.update(left)
    whole, cpu = time.perf_counter() - start, sum(os.times()[:4]) - cpu
    kept, tokens = dropped.pop("kept", 0), dropped.pop("tokens", 0)
    return {
        "seconds": whole,
        "cpu_seconds": cpu,
        "kept": kept,
        "tokens": tokens,
        "dropped": dict(dropped),
        "per_step": dict(seconds),
    }


def ids_kept(out: Path) -> set[str]:
    """The ids of the documents that went to the tokenizer, for a look at what a run has done."""
    import orjson

    kept: set[str] = set()
    for path in sorted((out / "kept").rglob("*.jsonl")):
        removed = out / "duplicates" / path.parent.name / f"{int(path.stem):06d}.remove"
        numbers = set(np.fromfile(removed, "<u4").tolist()) if removed.exists() else set()
        lines = path.read_bytes().splitlines()
        kept.update(orjson.loads(line)["id"] for number, line in enumerate(lines) if number not in numbers)
    return kept


def _look_beside() -> None:
    # At the end of the path: the folder holds nothing that the environment has, and shall never hide it.
    if str(BESIDE) not in sys.path:
        sys.path.append(str(BESIDE))


def _on_workers(work: Callable[[_Job], _Told], jobs: Sequence[_Job], workers: int) -> Iterator[_Told]:
    if workers == 1:
        yield from map(work, jobs)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap_unordered(work, jobs, chunksize=1)


def _quietly(stage: Callable[[_Job], _Told], job: _Job) -> _Told:
    """A stage of a job, its log in a file; all its time that no step counted is `other`."""
    start = time.perf_counter()
    with open(job.out / "log.txt", "a") as log, redirect_stderr(log):
        took, dropped = stage(job)
    took["other"] = time.perf_counter() - start - sum(took.values())
    return took, dropped


def _filter_and_sign(job: _Job) -> _Told:
    words = IndicNLPTokenizer(job.language)
    steps = {
        "parse": JsonlReader(str(job.source), compression="gzip", add_file_path=False),
        "ftfy": FTFYFormatter(),
        "too short": LambdaFilter(_is_long_enough),
        "wrong language": LambdaFilter(partial(_is_of, job.language)),
        "repetition": GopherRepetitionFilter(language=words),  # pyright: ignore[reportArgumentType]
        "write documents": JsonlWriter(str(job.out / "kept" / job.language), compression=None),
        "before the signature": _Clock(),
        "signature": _signature(str(job.out / "signatures" / job.language), words),
    }
    took, dropped = _run(job, "filter", steps)
    # The last step's own clock runs while it waits for the others.
    took["signature"] -= took.pop("before the signature")
    return took, dropped


def _signature(folder: str, words: WordTokenizer) -> MinhashDedupSignature:
    step = MinhashDedupSignature(folder, _MINHASH, words)  # pyright: ignore[reportArgumentType]
    step._hash_func = _hash
    return step


def _hash(words: str) -> int:
    """datatrove 0.10.1 hands xxhash a `str`, which xxhash 4 refuses."""
    return xxhash.xxh64_intdigest(words.encode())


def _find_duplicates(job: _Job) -> _Told:
    """Stages 2 and 3 of a language, without executors: these spend 25 ms on the log of each of 14 buckets in 12 languages."""
    signatures, pairs, duplicates = (
        str(job.out / name / job.language) for name in ("signatures", "pairs", "duplicates")
    )
    steps = {
        "pairs": MinhashDedupBuckets(signatures, pairs, config=_MINHASH),
        "clusters": MinhashDedupCluster(pairs, duplicates, config=_MINHASH),
    }
    logger.remove()  # an executor leaves one that writes to the console
    for bucket in range(_MINHASH.num_buckets):
        steps["pairs"].run(None, bucket, _MINHASH.num_buckets)
    steps["clusters"].run(None, 0, 1)
    return {name: step.stats.time_stats.total for name, step in steps.items()}, {}


def _write_tokens(job: _Job) -> _Told:
    steps = {
        "parse again": JsonlReader(str(job.out / "kept" / job.language), compression=None, add_file_path=False),
        "duplicate": MinhashDedupFilter(str(job.out / "duplicates" / job.language)),
        "tokens": _LimitedTokenizer(str(job.out / "tokens" / job.language), str(job.tokenizer)),
    }
    return _run(job, "tokens", steps)


def _run(job: _Job, name: str, steps: dict[str, PipelineStep]) -> _Told:
    executor = LocalPipelineExecutor(
        list(steps.values()),
        tasks=job.parts,
        workers=1,
        local_tasks=1,
        local_rank_offset=job.rank,
        # For each file its own: executors of one folder write over one another's records.
        logging_dir=str(job.out / "logs" / name / f"{job.language}-{job.rank}"),
    )
    pipeline_stats = executor.run()
    assert pipeline_stats is not None  # it is None where all was done before, and the folder was empty
    stats = pipeline_stats.stats
    took = {step: one.time_stats.total for step, one in zip(steps, stats, strict=True)}
    dropped = {
        step: int(one.stats["dropped"].total) for step, one in zip(steps, stats, strict=True) if "dropped" in one.stats
    }
    for one in stats:
        dropped |= {name: int(one.stats[name].total) for name in ("kept", "tokens", "too long") if name in one.stats}
    return took, dropped


def _is_long_enough(document: Document) -> bool:
    return len(document.text) >= MIN_CHARACTERS


def _is_of(language: str, document: Document) -> bool:
    """Whether either classifier calls the beginning of the document `language`."""
    piece = document.text[:PIECE]
    try:
        if pycld2.detect(piece, isPlainText=True, bestEffort=True)[2][0][1] == language:
            return True
    except (pycld2.error, UnicodeError):  # a code point that it refuses
        pass
    return py3langid.classify(piece)[0] == language


class _Clock(PipelineStep):
    """Counts the time that all steps before it take."""

    name, type = "clock", "clock"

    def run(self, data: Iterator[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        documents = iter(data)
        while True:
            with self.track_time():
                document = next(documents, None)
            if document is None:
                return
            yield document


class _LimitedTokenizer(DocumentTokenizer):
    """`DocumentTokenizer` with a limit of tokens. Counting them in a step before would tokenize twice.

    Faster than it in three ways: `encode_batch_fast` finds no offsets, numpy packs the ids, a process loads the file once.
    """

    def __init__(self, output_folder: str, tokenizer: str) -> None:
        super().__init__(output_folder, tokenizer, eos_token=END_OF_TEXT, batch_size=BATCH, shuffle_documents=False)

    def write_unshuffled(self, data: Iterator[Document], filename: str) -> TokenizedFile:
        assert self.tokenizer_name_or_path is not None
        file = TokenizedFile(self.output_folder, filename, token_size=4)
        for batch in batched(data, self.batch_size):
            with self.track_time(unit="batch"):
                tokenizer = _tokenizer(self.tokenizer_name_or_path)
                for one in tokenizer.encode_batch_fast([document.text for document in batch]):
                    ids = one.ids  # a new list each time that it is asked for
                    if len(ids) - 1 > MAX_TOKENS:
                        self.stat_update("too long")
                        continue
                    file.write_bytes(np.array(ids, np.uint32).tobytes())
                    self.stat_update("kept")
                    self.stat_update("tokens", value=len(ids))
        file.close()
        return file


@cache
def _tokenizer(path: str) -> Tokenizer:
    tokenizer = Tokenizer.from_file(path)
    tokenizer.post_processor = TemplateProcessing(
        single="$A <EOS>", special_tokens=[("<EOS>", tokenizer.token_to_id(END_OF_TEXT))]
    )
    return tokenizer
