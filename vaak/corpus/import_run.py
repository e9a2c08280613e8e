"""A long import that can be killed at any moment: what is done is noted down, and the rest is done again from there.

Beside the new corpus stands a work folder, `<out>.import`: the plan (which source, which settings), the last noted
state, the ids seen so far and what was set aside. It goes when the corpus is frozen.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vaak.corpus.ids import SeenIds
from vaak.corpus.import_source import fingerprint
from vaak.corpus.manifest import MANIFEST, UNFINISHED, check_unclaimed, claim_folder, freeze_folder
from vaak.corpus.samples import STREAMS
from vaak.corpus.set_aside import check_new, check_places, publish, set_aside_file, set_aside_line
from vaak.corpus.shards import SHARD_TOKENS, GroupWriter, hashed_files
from vaak.corpus.work_folders import make_folder, work_folder
from vaak.corpus.writer import checked_codec, corpus_metadata
from vaak.errors import BadInput
from vaak.storage.files import read_json, room_on_disk, write_json

# Tokens between two notes: what a kill can cost, a few seconds of work.
NOTE_EVERY = 1 << 28

# Blocks that wait to be written.
_AHEAD = 2

# How the unfinished corpus names who writes it, and what stands in the work folder.
_OWNER = "an import"
_WORK_FORMAT = 2
_WORK = re.compile(r"lock|ids|(plan|state|report)\.json|set-aside\.jsonl")


@dataclass(frozen=True)
class ImportReport:
    """Samples read, kept and set aside (`read = kept + sum(set_aside.values())`), tokens kept, the corpus id.

    `found` says in words what the files of the source are, `fields_left` which names in its rows no field took.
    """

    read: int
    kept: int
    set_aside: dict[str, int]
    tokens: int
    corpus_id: str
    set_aside_file: Path | None
    found: list[str]
    fields_left: list[str]


@dataclass(frozen=True)
class ImportTarget:
    """Where an import goes: the folder of the corpus, its name and codec, where bad samples are set aside.

    Without `quarantine` the first bad sample ends the import.
    """

    out: Path
    name: str
    codec: dict[str, Any] | None = None
    tokenizer_hash: str | None = None
    quarantine: Path | None = None
    shard_tokens: int = SHARD_TOKENS
    note_every: int = NOTE_EVERY


class ImportRun:
    """One import, from where it was left. Use it as a context; then `add`, `set_aside`, `note` and last `finish`.

    `position` is whatever the last `note` was given, None at the beginning. Raises `BadInput` if the corpus is frozen,
    another process writes it, or the source or the settings changed since it was begun.
    """

    def __init__(self, target: ImportTarget, sources: Sequence[Path], settings: Mapping[str, Any]) -> None:
        self.target, self.sources = target, list(sources)
        self.work = work_folder(target.out, ".import", _WORK)
        check_places(target.out, self.work, target.quarantine, self.sources[0].resolve().parent)
        self.done = (target.out / MANIFEST).exists()
        if self.done and not (self.work / "report.json").exists():
            raise BadInput(f"{target.out} is a frozen corpus already; import into a new folder")
        make_folder(self.work)
        self._lock = _locked(self.work / "lock", target.out)
        self._pool = ThreadPoolExecutor(2)
        self._writer = ThreadPoolExecutor(1)
        self._converting: list[Future[None]] = []
        self._adding: list[Future[None]] = []
        self._aside: BinaryIO | None = None
        self.groups: dict[tuple[str, str, str], GroupWriter] = {}
        self._prints = [fingerprint(path) for path in self.sources]
        try:
            if not self.done:
                with room_on_disk(target.out):
                    self._open(dict(settings))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> ImportRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        for group in self.groups.values():
            group.abandon()
        if self._aside is not None:
            with suppress(OSError):
                self._aside.close()
        self._lock.close()

    def add(self, key: tuple[str, str, str], rows: pa.Table, lengths: NDArray[np.int64], tokens: NDArray) -> None:
        """Samples of one stream, language and tier, in order. They are written while the caller goes on."""
        while len(self._adding) >= _AHEAD:
            self._adding.pop(0).result()
        self._adding.append(self._writer.submit(self._add, key, rows, lengths, tokens))
        self.kept += len(lengths)
        self.tokens += len(tokens)
        self._since += len(tokens)

    def _add(self, key: tuple[str, str, str], rows: pa.Table, lengths: NDArray[np.int64], tokens: NDArray) -> None:
        if key not in self.groups:
            self.groups[key] = self._group(key, tokens.dtype, None)
        self.groups[key].add_block(rows, lengths, tokens)

    def set_aside(self, kind: str, detail: str, where: str, sample_id: str | None, **more: Any) -> None:
        """A bad sample: into the quarantine, or the end of the import. `where` names its file and row."""
        if self.target.quarantine is None:
            raise BadInput(f"{where}: {detail} ({kind}); correct it, or set bad samples aside with --quarantine DIR")
        self.counts[kind] += 1
        assert self._aside is not None
        self._aside.write(set_aside_line(kind, detail, where, sample_id, **more))

    def note(self, position: Any, always: bool = True, last: bool = False) -> None:
        """Everything up to here is done: a later run of this import goes on at `position`. No id comes after the last."""
        if not always and self._since < self.target.note_every:
            return
        if not always and self._since < 2 * self.target.note_every and not all(one.done() for one in self._converting):
            # Rather a little later than to wait for the rows of a shard that was just closed.
            return
        assert self._aside is not None
        self._settle()
        self._aside.flush()
        os.fsync(self._aside.fileno())
        state = {
            "position": position,
            "kept": self.kept,
            "tokens": self.tokens,
            "set_aside": dict(self.counts),
            "aside_bytes": self._aside.tell(),
            "ids": None if last else self.ids.save(),
            "fields_left": sorted(self.fields_left),
            "groups": [{"key": list(key), **group.state()} for key, group in self.groups.items()],
        }
        write_json(self.work / "state.json", state)
        for group in self.groups.values():
            group.drop_spools()
        self.position, self._since = position, 0

    def finish(self, found: Sequence[str], extra: Mapping[str, Any]) -> ImportReport:
        """Freeze the corpus, with `extra` in its manifest, and remove the work folder."""
        if not self.done:
            self._freeze(list(found), extra)
        noted = read_json(self.work / "report.json")
        # The place that was noted, whatever the run that ends this import was told.
        aside = noted.pop("set_aside_file", None)
        report = ImportReport(
            **noted,
            corpus_id=read_json(self.target.out / MANIFEST)["id"],
            set_aside_file=Path(aside) if aside is not None else None,
        )
        (self.target.out / UNFINISHED).unlink(missing_ok=True)
        # The report goes last: until then a kill leaves an import that knows that it is done.
        for path in self.work.iterdir():
            if path.name != "report.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.work)
        return report

    def _freeze(self, found: list[str], extra: Mapping[str, Any]) -> None:
        self._settle()
        for group in self.groups.values():
            group.close()
        self.note({"end": True}, last=True)
        if self._prints != [fingerprint(path) for path in self.sources]:
            raise BadInput(
                f"{self.sources[0].parent} changed while it was imported; delete {self.work} and begin again"
            )
        aside = self._aside_file()
        if aside is not None:
            publish(self.work / "set-aside.jsonl", aside)
        if not self.kept:
            where = f"{aside} says why" if aside else "it holds none"
            raise BadInput(f"no sample of {self.sources[0].parent} can be imported; {where}")
        write_json(
            self.work / "report.json",
            {
                "read": self.kept + sum(self.counts.values()),
                "kept": self.kept,
                "set_aside": dict(sorted(self.counts.items())),
                "tokens": self.tokens,
                "set_aside_file": str(aside) if aside is not None else None,
                "found": found,
                "fields_left": sorted(self.fields_left),
            },
        )
        metadata = corpus_metadata(self.target.name, self.target.codec, self.target.tokenizer_hash, self.groups)
        hashed = hashed_files(self.groups)
        freeze_folder(self.target.out, {**metadata, **extra}, hashed)

    def _open(self, settings: dict[str, Any]) -> None:
        out, plan_path, state_path = self.target.out, self.work / "plan.json", self.work / "state.json"
        codec = checked_codec(self.target.codec) if self.target.codec is not None else None
        plan = {
            "source": self._prints,
            "settings": {**settings, "name": self.target.name, "codec": codec, "shard_tokens": self.target.shard_tokens,
                         "tokenizer_hash": self.target.tokenizer_hash, "work_format": _WORK_FORMAT},
            "quarantine": str(self.target.quarantine) if self.target.quarantine is not None else None,
        }  # fmt: skip
        check_unclaimed(out, _OWNER if plan_path.exists() else None)
        self._check_quarantine(read_json(plan_path) if plan_path.exists() else None, state_path.exists())
        if state_path.exists():
            before = read_json(plan_path)
            _check_plan(before, plan, self.work, out)
            state = read_json(state_path)
            if before.get("quarantine") != plan["quarantine"]:
                write_json(plan_path, plan)
        else:
            # Nothing was noted yet, so whatever was begun may go.
            write_json(plan_path, plan)
            claim_folder(out, _OWNER, self.target.name, STREAMS, restart=True)
            state = {"position": None, "kept": 0, "tokens": 0, "set_aside": {}, "aside_bytes": 0, "ids": None,
                     "fields_left": [], "groups": []}  # fmt: skip
        self.position: Any = state["position"]
        self.kept, self.tokens, self._since = int(state["kept"]), int(state["tokens"]), 0
        self.counts: Counter[str] = Counter(state["set_aside"])
        self.fields_left: set[str] = set(state["fields_left"])
        self.ids = SeenIds(self.work / "ids", state["ids"])
        self._aside = open(self.work / "set-aside.jsonl", "ab")  # noqa: SIM115 - closed by __exit__
        self._aside.truncate(state["aside_bytes"])
        self._aside.seek(0, os.SEEK_END)
        for one in state["groups"]:
            stream, language, tier = one["key"]
            dtype = np.dtype(np.uint32 if stream == "text" else np.uint16)
            self.groups[stream, language, tier] = self._group((stream, language, tier), dtype, one)
        self._remove_strays()

    def _check_quarantine(self, before: Mapping[str, Any] | None, noted: bool) -> None:
        """One that is given later loses nothing: without it nothing was set aside. One that is missing would."""
        aside = self._aside_file()
        if before is None and aside is not None:
            check_new(aside)
        if noted and before is not None and before.get("quarantine") and aside is None:
            raise BadInput(
                f"the import was begun with --quarantine {before['quarantine']}; give it again, or delete {self.work} "
                f"and {self.target.out} and begin again"
            )

    def _group(self, key: tuple[str, str, str], dtype: np.dtype, state: Mapping[str, Any] | None) -> GroupWriter:
        folder = self.target.out.joinpath(*key)
        return GroupWriter(folder, dtype, self.target.shard_tokens, state, self._later, keep_spools=True)

    def _later(self, work: Callable[[], None]) -> None:
        self._converting.append(self._pool.submit(work))

    def _settle(self) -> None:
        """Wait until everything that was added is written, and the rows of every closed shard are parquet."""
        while self._adding:
            self._adding.pop(0).result()
        while self._converting:
            self._converting.pop(0).result()

    def _remove_strays(self) -> None:
        """Files that were begun after the last note, and a manifest that was not yet renamed to its name."""
        for leftover in self.target.out.glob(".*.tmp"):
            leftover.unlink()
        wanted = {group.folder / name for group in self.groups.values() for name in group.files()}
        for stream in STREAMS:
            for path in (self.target.out / stream).rglob("*"):
                if path.is_file() and path not in wanted:
                    path.unlink()

    def _aside_file(self) -> Path | None:
        quarantine = self.target.quarantine
        return set_aside_file(quarantine, self.target.name) if quarantine is not None else None


def _locked(path: Path, out: Path) -> BinaryIO:
    """Held until the file is closed; the kernel releases it when the process is killed."""
    file = open(path, "wb")  # noqa: SIM115 - closed by the run
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise BadInput(f"another process imports into {out}; wait for it, or name another folder") from error
    return file


def _check_plan(before: Mapping[str, Any], now: Mapping[str, Any], work: Path, out: Path) -> None:
    again = f"delete {work} and {out} and begin again"
    for old, new in zip(before["source"], now["source"], strict=False):
        if old != new:
            raise BadInput(f"{new['name']} changed since its import was begun; restore it, or {again}")
    if len(before["source"]) != len(now["source"]):
        raise BadInput(f"the source has other files than when its import was begun; restore them, or {again}")
    if before["settings"].get("work_format") != now["settings"]["work_format"]:
        raise BadInput(f"the import into {out} was begun by another version of vaak; {again}")
    for name, value in now["settings"].items():
        if before["settings"].get(name) != value:
            old = before["settings"].get(name)
            raise BadInput(f"the import was begun with {name} {old!r}, now it is {value!r}; keep it, or {again}")
