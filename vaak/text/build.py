"""`vaak text build`: the inputs of a configuration, prepared one by one, deduplicated together, frozen as a text corpus.

Beside the new corpus stands a work folder, `<corpus>.build`, with a folder for each input that is done: a build that was
stopped goes on with the next one. It goes when the corpus is frozen; `<corpus>.report` stays.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vaak.corpus.manifest import MANIFEST, check_unclaimed
from vaak.corpus.work_folders import make_folder, work_folder
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer, tokenizer_hash
from vaak.languages import LANGUAGES
from vaak.storage.files import read_json, room_on_disk, write_json
from vaak.storage.locks import lock_file, only_one, unlock
from vaak.text.document import Raw
from vaak.text.inputs import Input, list_inputs
from vaak.text.prepare import VERSION, Steps
from vaak.text.prepared import PreparedWriter, counts_of, done_with, seconds_of
from vaak.text.processes import default_processes, prepared_in_order
from vaak.text.report import write_report
from vaak.text.settings import TextSettings
from vaak.text.sources import Source
from vaak.text.writing import OWNER, PreparedInput, write_corpus

# Called with what is done and what there is to do, in megabytes, and a few words.
Progress = Callable[[float, float, str], None]

_WORK = re.compile(r"lock|inputs|dedupe|dropped\.parquet|report\.json")

# Documents that go to a process together: as many as have so many characters, but no more than this.
_BATCH_CHARACTERS, _BATCH_DOCUMENTS = 1 << 20, 1024

# Another version of these may decide differently about a text.
_LIBRARIES = ("ftfy", "indic-numtowords", "py3langid", "pycld2", "rensa", "tiktoken", "tokenizers")


@dataclass(frozen=True)
class Task:
    """One input, what is done to it, and the folder in which it is prepared."""

    source: Source
    input: Input
    steps: Steps
    folder: Path
    made_of: dict[str, Any]


def build_text(
    settings: TextSettings, processes: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Run a build, or what is left of it; returns its report (`vaak.text.report`). A corpus that is frozen stays as it is.

    Raises `BadInput` for a source or a tokenizer that cannot be read, and if the corpus is frozen from another
    configuration or another process builds it.
    """
    if (report := finished_report(settings)) is not None:
        return report
    work = work_folder(settings.corpus, ".build", _WORK)
    tokenizer = load_tokenizer(settings.tokenizer)
    make_folder(work)
    with room_on_disk(work), only_one(work / "lock", f"another process builds {settings.corpus}; wait for it"):
        if not (settings.corpus / MANIFEST).exists():  # else another process froze it just now
            check_unclaimed(settings.corpus, OWNER)
            _check_report_folder(settings)
            tasks = tasks_of(settings, tokenizer, work)
            prepare_tasks(tasks, tokenizer, processes or default_processes(), progress)
            _freeze(settings, tokenizer, tasks, work, progress)
    report = finished_report(settings)
    assert report is not None
    return report


def prepare_share(settings: TextSettings, rank: int, of: int, processes: int = 1) -> Counter[str]:
    """Prepare every `of`-th input, beginning with the one of number `rank`: what one of many machines does.

    Returns how many documents these inputs have, how many are kept unless they are duplicates, and how many are dropped
    for each reason; nothing if the corpus is frozen. Raises `BadInput` if another process freezes the corpus or prepares
    one of these inputs.
    """
    counts: Counter[str] = Counter()
    if (settings.corpus / MANIFEST).exists():
        return counts
    with _among_others(settings) as work:
        if (settings.corpus / MANIFEST).exists():  # frozen just now
            return counts
        tokenizer = load_tokenizer(settings.tokenizer)
        tasks = tasks_of(settings, tokenizer, work)[rank::of]
        prepare_tasks(tasks, tokenizer, processes, None)
        for row in (row for task in tasks for row in counts_of(task.folder)):
            dropped: dict[str, int] = row["dropped"]
            counts.update({"read": row["read"], "kept": row["read"] - sum(dropped.values()), **dropped})
    return counts


def inputs_done(settings: TextSettings) -> tuple[int, int]:
    """How many inputs are prepared, and how many there are. Raises `BadInput` for what a build would refuse at its start."""
    with _among_others(settings) as work:
        check_unclaimed(settings.corpus, OWNER)
        tasks = tasks_of(settings, load_tokenizer(settings.tokenizer), work)
        return sum(done_with(task.folder, task.made_of) for task in tasks), len(tasks)


@contextmanager
def _among_others(settings: TextSettings) -> Iterator[Path]:
    """The work folder, which others prepare inputs in as well, but nobody freezes meanwhile."""
    work = work_folder(settings.corpus, ".build", _WORK)
    make_folder(work)
    handle = lock_file(work / "lock", exclusive=False, wait=False, create=True)
    if handle is None:
        raise BadInput(f"another process builds {settings.corpus}; wait for it")
    try:
        with room_on_disk(work):
            yield work
    finally:
        unlock(handle)


def tasks_of(settings: TextSettings, tokenizer: TextTokenizer, work: Path) -> list[Task]:
    """Every input of a configuration, in the order of its sources and of the inputs' names."""
    tasks = []
    libraries = _library_versions()
    for source in settings.sources:
        languages = source.languages or tuple(LANGUAGES)
        steps = Steps(
            source.name,
            languages,
            source.language,
            {language: settings.policy(language) for language in languages},
            settings.min_characters,
            settings.max_tokens,
            settings.seed,
        )
        for one in list_inputs(source, settings.folder, _own_folders(settings, work)):
            made_of = {
                "version": VERSION,
                "libraries": libraries,
                "tokenizer": tokenizer.hash,
                "reader": source.model_dump(mode="json", exclude={"files", "hub", "tier"}),
                # Its commit is in the stamp.
                "hub": source.hub.model_dump(mode="json", exclude={"revision"}) if source.hub is not None else None,
                "steps": asdict(steps) | {"languages": list(languages)},
                "input": one.name,
                "stamp": one.stamp,
            }
            name = hashlib.sha256(f"{source.name}\0{one.name}".encode()).hexdigest()[:24]
            tasks.append(Task(source, one, steps, work / "inputs" / name, made_of))
    return tasks


def _own_folders(settings: TextSettings, work: Path) -> tuple[Path, ...]:
    """What the build itself writes, which is no input although it may stand in a folder of inputs."""
    logs = settings.corpus.with_name(settings.corpus.name + ".logs")  # of a build on many machines
    return tuple(folder.resolve() for folder in (settings.corpus, work, report_folder(settings), logs))


def _library_versions() -> dict[str, str]:
    try:
        return {name: version(name) for name in _LIBRARIES}
    except PackageNotFoundError as error:
        raise BadInput(f"{error.name} is not installed; pip install 'vaak[text]'") from error


def prepare_tasks(tasks: Sequence[Task], tokenizer: TextTokenizer, processes: int, progress: Progress | None) -> None:
    """Prepare the inputs that are not done yet, and say how it goes."""
    left = [task for task in tasks if not done_with(task.folder, task.made_of)]
    if not left:
        return
    tally = _Tally(sum(task.input.bytes for task in tasks), sum(task.input.bytes for task in left), progress)
    writer: PreparedWriter | None = None
    try:
        for mark, batch in prepared_in_order(_batches(left), tokenizer, processes):
            task, consumed, last = mark
            if writer is None:
                writer = PreparedWriter(task.folder, task.source.name, task.steps.seed)
            writer.add(batch)
            tally.add(batch.n_read, batch.n_kept, consumed)
            if last:
                writer.finish(task.made_of)
                writer = None
    finally:
        if writer is not None:
            writer.abandon()


def _batches(tasks: Sequence[Task]) -> Iterator[tuple[tuple[Task, int, bool], list[Raw], Steps]]:
    """The documents of all inputs in batches: (input, how many of its bytes the batch took, whether it is its last one)."""
    for task in tasks:
        documents: list[Raw] = []
        characters = before = after = 0
        for raw, after in task.input.open_documents():
            if characters >= _BATCH_CHARACTERS or len(documents) >= _BATCH_DOCUMENTS:
                yield (task, after - before, False), documents, task.steps
                documents, characters, before = [], 0, after
            documents.append(raw)
            characters += len(raw.text)
        yield (task, task.input.bytes - before, True), documents, task.steps


def finished_report(settings: TextSettings) -> dict[str, Any] | None:
    """The report of a build that is done, None if it is not. What a stopped build left to do after freezing is done first.

    Raises `BadInput` if the corpus is frozen from something else than this configuration.
    """
    if not (settings.corpus / MANIFEST).exists():
        return None
    work, folder = work_folder(settings.corpus, ".build", _WORK), report_folder(settings)
    corpus_id = read_json(settings.corpus / MANIFEST)["id"]
    if work.exists():
        _hand_over(settings, work, corpus_id)
    found = read_json(folder / "report.json") if (folder / "report.json").exists() else None
    if found is None or found["corpus"]["id"] != corpus_id:
        raise BadInput(
            f"{settings.corpus} is a frozen corpus, and {folder} does not say how it was built; name a new folder"
        )
    if found["configuration"] != _configuration(settings, tokenizer_hash(settings.tokenizer)):
        raise BadInput(f"{settings.corpus} is frozen, and was built by another configuration; name a new folder")
    return found


def _hand_over(settings: TextSettings, work: Path, corpus_id: str) -> None:
    """Move the report of a frozen corpus out of the work folder, which is not needed any more and goes."""
    with suppress(FileNotFoundError):  # another process has just done it
        lock = lock_file(work / "lock", exclusive=True, wait=True, create=True)
        try:
            if (work / "report.json").exists():
                _check_report_folder(settings)
                _write_report(report_folder(settings), work, corpus_id)
            # The lock goes last, or another process could begin here; what an interruption leaves goes the next time.
            for one in work.iterdir():
                if one.name != "lock":
                    shutil.rmtree(one) if one.is_dir() else one.unlink()
            shutil.rmtree(work)
        finally:
            if lock is not None:
                unlock(lock)


def _write_report(folder: Path, work: Path, corpus_id: str) -> None:
    report = read_json(work / "report.json")
    report["corpus"]["id"] = corpus_id
    with room_on_disk(folder):
        make_folder(folder)
        if (work / "dropped.parquet").exists():
            os.replace(work / "dropped.parquet", folder / "dropped.parquet")
        write_report(folder, report)
    (work / "report.json").unlink()


def _check_report_folder(settings: TextSettings) -> None:
    """Raises `BadInput` where the report cannot stand: better before a long work than at its end."""
    folder = report_folder(settings)
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise BadInput(f"{folder} is no folder that can be written, but the report goes there; move it away")


def report_folder(settings: TextSettings) -> Path:
    """Where the report of a build stands: `<corpus>.report`."""
    return settings.corpus.with_name(settings.corpus.name + ".report")


def _freeze(
    settings: TextSettings,
    tokenizer: TextTokenizer,
    tasks: Sequence[Task],
    work: Path,
    progress: Progress | None,
) -> None:
    """Deduplicate what was prepared, write the corpus, and leave the report in the work folder just before it is frozen."""
    parts = [PreparedInput(task.folder, task.source.name, task.source.tier) for task in tasks]
    started = time.monotonic()

    def before_freezing(counts: dict[str, Any]) -> None:
        # What earlier runs prepared took its time then.
        seconds = time.monotonic() - started + sum(seconds_of(task.folder) for task in tasks)
        report = {
            "corpus": {"name": settings.name or settings.corpus.name, "folder": settings.corpus.name},
            "configuration": _configuration(settings, tokenizer.hash),
            "seconds": round(seconds, 1),
            "documents_per_second": round(sum(row["read"] for row in counts["sources"]) / max(seconds, 1e-9), 1),
            **counts,
        }
        write_json(work / "report.json", report)

    said = (lambda words: progress(0, 0, words)) if progress is not None else (lambda words: None)
    write_corpus(settings, tokenizer, parts, work, before_freezing, said)


def _configuration(settings: TextSettings, tokenizer_hash: str) -> dict[str, Any]:
    """What the corpus was made by: the settings, but for where it stands and who did the work."""
    said = settings.model_dump(mode="json", exclude={"corpus", "tokenizer", "scale"})
    return {**said, "tokenizer": tokenizer_hash, "version": VERSION}


class _Tally:
    """How far the inputs are, in megabytes, and how fast it goes since this process began."""

    def __init__(self, total: int, left: int, progress: Progress | None) -> None:
        self._total, self._done, self._progress = total, total - left, progress
        self._started = time.monotonic()
        self._read = self._kept = 0

    def add(self, read: int, kept: int, consumed: int) -> None:
        self._read, self._kept, self._done = self._read + read, self._kept + kept, self._done + consumed
        if self._progress is not None:
            rate = self._read / max(time.monotonic() - self._started, 1e-9)
            words = f"MB, {rate:,.0f} documents/s, {self._kept / max(self._read, 1):.0%} kept"
            self._progress(self._done / 1e6, self._total / 1e6, words)
