"""Audio to codes: a list of recordings becomes a frozen corpus, and what cannot be encoded is set aside with a reason.

The work is done in parts of a few recordings, each written whole to a folder beside the corpus, by one process or many,
on one machine or, over a disk that they share, on several. A run that was interrupted begins again at the parts that are
missing, and the corpus is the same as an undisturbed one's.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vaak.corpus.encode_parts import (
    PART_ITEMS,
    PLAN,
    Encoder,
    Plan,
    check_plan,
    cut_list,
    part_file,
    read_part,
    read_part_rows,
)
from vaak.corpus.encode_workers import encode_parts
from vaak.corpus.lists import AudioItem, BadRow, ListDefaults, read_list, read_rows
from vaak.corpus.manifest import MANIFEST, check_unclaimed
from vaak.corpus.mappings import FieldMapping
from vaak.corpus.samples import from_row, to_row
from vaak.corpus.set_aside import check_new, check_places, publish, set_aside_file, set_aside_line
from vaak.corpus.work_folders import make_folder, work_folder
from vaak.corpus.writer import CorpusWriter
from vaak.errors import BadInput
from vaak.storage.files import hash_json, read_json, room_on_disk, write_json

# Seconds that a rank waits for another's next part before it gives up.
PATIENCE = 3600.0

_REPORT = "report.json"
_SET_ASIDE = "set-aside.jsonl"
_WORK = re.compile(r"\d{6,}\.(rows\.jsonl|npz)|rank-\d+\.lock|(plan|report)\.json|set-aside\.jsonl")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EncodeReport:
    """Recordings read, kept and set aside (`read = kept + sum(set_aside.values())`), seconds kept, the corpus id."""

    read: int
    kept: int
    set_aside: dict[str, int]
    seconds: float
    corpus_id: str
    set_aside_file: Path


@dataclass(frozen=True)
class EncodeOptions:
    """How a list is read, and who does the work; only `part_items` and how the list is read touch what is in a part.

    With `quarantine` rows that cannot be read are set aside too, and everything that is stands in a file of that folder.
    Rank `rank` of `ranks` processes takes parts rank, rank + ranks, ... and divides them among its `workers`.
    """

    mapping: FieldMapping | None = None
    audio_folder: Path | None = None
    quarantine: Path | None = None
    part_items: int = PART_ITEMS
    workers: int = 1
    rank: int = 0
    ranks: int = 1


def codec_entry(codec: Encoder) -> dict[str, Any]:
    """What a corpus records of its codec."""
    return {
        "name": codec.name,
        "hash": codec.hash,
        "codebook_size": codec.codebook_size,
        "tokens_per_second": codec.tokens_per_second,
        "sample_rate": codec.sample_rate,
    }


def encode_list(
    path: str | Path,
    codec: Encoder,
    out: str | Path,
    name: str | None = None,
    defaults: ListDefaults | None = None,
    progress: Progress | None = None,
    options: EncodeOptions | None = None,
) -> EncodeReport:
    """Encode a list, a folder or parquet (see `read_list`) into the frozen corpus `out`: paired where there is a
    transcript, raw otherwise.

    Unreadable, silent, too short and too long recordings and repeated sample ids are listed with their reason in
    `<out>.set-aside.jsonl`, or in `<quarantine>/<name>.set-aside.jsonl`. Held-out recordings keep their original audio in
    the corpus. `progress(done, all)` is called after each part. Called again after an interruption it continues, in
    `<out>.parts`, which is removed at the end. With several ranks this is what rank 0 calls and `encode_share` what the
    others do. Raises `BadInput` before anything is encoded if `out` is frozen, not empty or another's unfinished work, or
    the parts belong to another list or codec; and if another process is at them, or the disk is full.
    """
    out, options = Path(out), options or EncodeOptions()
    parts, name = _parts_of(out), name or out.name
    aside = set_aside_file(options.quarantine, name) if options.quarantine else _beside(out)
    _check_free(out, parts, Path(path), options.quarantine)
    if not (out / MANIFEST).exists():
        if options.quarantine is not None and not (parts / PLAN).exists():
            check_new(aside)
        with room_on_disk(out), _claimed(parts, options.rank):
            plan = cut_list(parts, _list_rows(path, defaults, options), codec.hash, options.part_items)
            check_unclaimed(out, _owner(plan))
            _encode_own(parts, plan, codec, options, progress)
            _wait_for_others(parts, plan, progress)
            _assemble(parts, plan, codec, out, name, aside)
    elif not (parts / _REPORT).exists():
        raise BadInput(f"{out} is a frozen corpus already; encode into a new folder")
    noted = read_json(parts / _REPORT)
    # The place that was noted, whatever the run that ends this encoding was told.
    noted["set_aside_file"] = Path(noted.get("set_aside_file", aside))
    report = EncodeReport(**noted, corpus_id=read_json(out / MANIFEST)["id"])
    _remove(parts)
    return report


def encode_share(
    path: str | Path,
    codec: Encoder,
    out: str | Path,
    defaults: ListDefaults | None = None,
    progress: Progress | None = None,
    options: EncodeOptions | None = None,
) -> int:
    """Encode the parts of a rank above 0, which rank 0 puts together; returns how many recordings they hold.

    It waits until rank 0 has cut the list. Raises `BadInput` as `encode_list` does, and if rank 0 does not come.
    """
    out, options = Path(out), options or EncodeOptions()
    parts = _parts_of(out)
    _check_free(out, parts, Path(path), options.quarantine)
    plan = cut_list(parts, _list_rows(path, defaults, options), codec.hash, options.part_items, write=False)
    since = time.monotonic()
    while not check_plan(parts, plan):
        if (out / MANIFEST).exists():
            return 0
        if time.monotonic() - since > PATIENCE:
            raise BadInput(f"{parts} was not begun by rank 0 within {PATIENCE:.0f} s; start all ranks together")
        time.sleep(0.2)
    with room_on_disk(out), _claimed(parts, options.rank):
        if not check_plan(parts, plan):  # all was there already, and rank 0 has just removed it
            shutil.rmtree(parts)
            return 0
        _encode_own(parts, plan, codec, options, progress)
    return sum(plan.items_in(number) for number in range(options.rank, plan.parts, options.ranks))


def _list_rows(
    path: str | Path, defaults: ListDefaults | None, options: EncodeOptions
) -> Iterator[AudioItem] | Iterator[AudioItem | BadRow]:
    read = read_rows if options.quarantine is not None else read_list
    return read(path, defaults, options.mapping, options.audio_folder)


def _encode_own(parts: Path, plan: Plan, codec: Encoder, options: EncodeOptions, progress: Progress | None) -> None:
    own = range(options.rank, plan.parts, options.ranks)
    missing = [number for number in own if not part_file(parts, number).exists()]
    finished = plan.items - sum(plan.items_in(number) for number in missing)

    def done(number: int) -> None:
        nonlocal finished
        finished += plan.items_in(number)
        if progress is not None:
            progress(finished, plan.items)

    encode_parts(parts, missing, codec, options.workers, done)


def _wait_for_others(parts: Path, plan: Plan, progress: Progress | None) -> None:
    """Until every part is there; gives up when none has come for a long while."""
    missing = [number for number in range(plan.parts) if not part_file(parts, number).exists()]
    since = time.monotonic()
    while missing:
        time.sleep(0.2)
        left = [number for number in missing if not part_file(parts, number).exists()]
        if len(left) < len(missing):
            since = time.monotonic()
            if progress is not None:
                progress(plan.items - sum(plan.items_in(number) for number in left), plan.items)
        elif time.monotonic() - since > PATIENCE:
            raise BadInput(
                f"{parts} lacks part {left[0]} and {len(left) - 1} more, and no rank brought one for {PATIENCE:.0f} s; "
                "run the same command again: finished parts are kept"
            )
        missing = left


@contextmanager
def _claimed(parts: Path, rank: int) -> Iterator[None]:
    """One process at a time as one rank. The system gives the claim back however the process ends."""
    make_folder(parts)
    with open(parts / f"rank-{rank}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(f"another process is at work in {parts}; wait for it or end it") from error
        yield


def _assemble(parts: Path, plan: Plan, codec: Encoder, out: Path, name: str, place: Path) -> None:
    """All parts in order into one corpus: quick beside encoding, so an interruption here starts it again."""
    writer = CorpusWriter(out, name, codec=codec_entry(codec), restart=True, owner=_owner(plan))
    counts: Counter[str] = Counter()
    kept, seconds = 0, 0.0
    with open(parts / _SET_ASIDE, "wb") as aside:
        for number in range(plan.parts):
            rows = read_part_rows(parts, number)
            for item, (learned, codes, original) in zip(rows, read_part(parts, number), strict=True):
                if isinstance(item, AudioItem) and "kind" not in learned and writer.has(item.sample.sample_id):
                    learned = {"kind": "duplicate id", "detail": "an earlier recording has this sample id"}
                if isinstance(item, BadRow) or "kind" in learned:
                    counts[learned["kind"]] += 1
                    aside.write(_aside_line(item, learned))
                    continue
                kept += 1
                seconds += float(learned["duration_s"])
                _add(writer, item, learned, codes, original)
    publish(parts / _SET_ASIDE, place)
    if not kept:
        raise BadInput(f"no recording of {name} can be encoded; {place} says why for each of {plan.items}")
    report = {"read": plan.items, "kept": kept, "set_aside": dict(sorted(counts.items())), "seconds": seconds,
              "set_aside_file": str(place)}  # fmt: skip
    write_json(parts / _REPORT, report)
    writer.freeze()


def _aside_line(item: AudioItem | BadRow, learned: dict[str, Any]) -> bytes:
    if isinstance(item, BadRow):
        return set_aside_line(learned["kind"], learned["detail"], item.row, None, path=None)
    return set_aside_line(learned["kind"], learned["detail"], item.row, item.sample.sample_id, path=str(item.path))


def _add(
    writer: CorpusWriter, item: AudioItem, learned: dict[str, Any], codes: np.ndarray, original: bytes | None
) -> None:
    sample = from_row(to_row(item.sample))
    start = sample.start_ms or 0
    unknown = {"vad_config_hash": "the list of recordings does not say how they were cut"}
    sample = replace(
        sample,
        duration_s=learned["duration_s"],
        sample_rate=learned["sample_rate"],
        start_ms=start,
        end_ms=sample.end_ms or start + round(learned["duration_s"] * 1000),
        normalisation=("strip",) if sample.transcript else None,
        unknown={} if sample.vad_config_hash else unknown,
    )
    if original is not None:
        writer.add_audio(sample.sample_id, original, learned["suffix"])
    writer.add("paired" if sample.transcript else "raw", sample, codes)


def _remove(parts: Path) -> None:
    """The report last: until it is gone, a run that is called again finds that all is done but the removing."""
    for path in parts.iterdir():
        if path.name != _REPORT:
            path.unlink()
    shutil.rmtree(parts)


def _parts_of(out: Path) -> Path:
    return work_folder(out, ".parts", _WORK)


def _check_free(out: Path, parts: Path, source: Path, quarantine: Path | None) -> None:
    """What cannot become the corpus is refused before anything is written; with a plan, again once that is known."""
    check_places(out, parts, quarantine, source if source.is_dir() else None)
    if not (parts / PLAN).exists() and not (out / MANIFEST).exists():
        check_unclaimed(out)


def _owner(plan: Plan) -> str:
    """Who writes the unfinished corpus: the encoding of this very list with this codec."""
    return f"encoding {hash_json(asdict(plan))[:16]}"


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".set-aside.jsonl")
