"""Following runs: every complete checkpoint is evaluated once, the newest first, until asked to stop and nothing is left."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import cast

from vaak.checkpoint import lease, list_checkpoints, verify_checkpoint
from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.evaluate.checkpoint import evaluate_checkpoint, instruments
from vaak.evaluate.database import DatabaseGone
from vaak.evaluate.items import Level, check_pack_codec
from vaak.evaluate.jobs import REFERENCE, Claim, Job, LeaseLost
from vaak.evaluate.reference import reference_scores, round_trip_id
from vaak.evaluate.store import Results, open_results
from vaak.evaluate.trackers import RunTrackers
from vaak.evaluate.turns import Stopped
from vaak.evaluate.working import Followed, Removed, work_through
from vaak.score.asr import Asr, open_asr
from vaak.storage.files import read_json
from vaak.track import Tracker

_DONE = "DONE.json"
_COMPLETE = "COMPLETE.json"


def follow(
    runs: Sequence[str | Path],
    pack: GoldPack | str | Path,
    db: str | Path,
    *,
    stop_file: str | Path,
    codec: Codec | str = "embedded",
    asr: Asr | None = None,
    full: Sequence[str] = (),
    every: int = 1,
    threads: int = 1,
    requests: str | Path | None = None,
    trackers: Callable[[str], Tracker] | None = None,
    poll_seconds: float = 2.0,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> Followed:
    """Evaluate the checkpoints of `runs` (folders that may not exist yet) as they complete.

    Every complete checkpoint whose step is a multiple of `every`, and the last one of each finished run, gets a quick
    look. A full evaluation gets the last checkpoint of each finished run whose folder name stands in `full`, and each
    checkpoint whose id, path or step folder stands there. `requests` is a JSON file {"full": [...]} that is read again
    at every round, for wishes that come later. `threads` items are measured at once, each on one core. `trackers` opens the
    tracker of a run by the run's name (`vaak.track.tracker_opener`); what it is told is in `vaak.evaluate.trackers`.
    Any number of processes may follow with one database; they share the work. Returns when `stop_file` exists and each
    checkpoint seen is settled, or soon after `stop` turns true. What a killed one was doing is continued by another, or by
    the next call. Raises `BadInput` for a database that cannot be used or answers no more, and a codec that is not the pack's.
    """
    results = open_results(db)
    gold = pack if isinstance(pack, GoldPack) else open_pack(pack)
    opened = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(gold, opened)
    asr = asr or open_asr(threads=threads)
    say(f"following {', '.join(str(run) for run in runs)} with {asr.name}")
    names = instruments(asr)
    told = RunTrackers(trackers, results, gold, opened, say, stop)
    scale = Job(round_trip_id(opened.hash), gold.id, REFERENCE, names, place=str(gold.folder))

    def find() -> list[Job]:
        told.tell()
        wanted = [*full, *_requested(requests, say)]
        return [scale, *find_jobs(runs, wanted, results, gold.id, names, every)]

    def do(claim: Claim, stopped: Callable[[], bool]) -> None:
        under = results.under(claim)
        if claim.job.level == REFERENCE:
            reference_scores(gold, opened, asr, under, threads=threads, say=say, stop=stopped)
            return
        with _reasons(claim.job) as (path, level):
            evaluate_checkpoint(path, gold, opened, under, level=level, asr=asr, threads=threads, say=say, stop=stopped)

    last_round, missing = Path(stop_file).exists, _removed_from(runs)
    done = work_through(results.database, find, do, last_round=last_round, missing=missing, poll_seconds=poll_seconds,
                        say=say, stop=stop)  # fmt: skip
    told.close()
    results.close()
    done.evaluated = [identity for identity in done.evaluated if identity != scale.checkpoint_id]
    return done


def find_jobs(
    runs: Sequence[str | Path],
    full: Sequence[str],
    results: Results,
    pack_id: str,
    instrument_names: str,
    every: int = 1,
) -> list[Job]:
    """What of `runs` is still to be evaluated: full evaluations first, then the newest checkpoint first."""
    finished = {
        (row["checkpoint_id"], row["level"])
        for row in results.finished(pack_id)
        if row["instruments"] == instrument_names
    }
    jobs = []
    for run in map(Path, runs):
        complete = [one for one in list_checkpoints(run) if one.complete]
        ended = (run / _DONE).exists()
        for one in complete:
            names = {one.id, one.path.name, str(one.path), str(one.path.resolve())}
            last = ended and one is complete[-1]
            if last:
                names |= {run.name, str(run)}
            level: Level = "full" if names & set(full) else "quick"
            if level == "quick" and one.step % every and not last:
                continue
            if {(one.id, level), (one.id, "full")} & finished:
                continue
            try:
                completed_at = (one.path / _COMPLETE).stat().st_mtime
            except OSError:  # removed by the run's retention since it was listed
                continue
            place = str(one.path.resolve())
            jobs.append(Job(one.id, pack_id, level, instrument_names, one.step, completed_at, place))
    return sorted(jobs, key=lambda job: (job.level == "full", job.completed_at), reverse=True)


@contextmanager
def _reasons(job: Job) -> Iterator[tuple[Path, Level]]:
    """The checkpoint of a job, held, and its level; of what goes wrong meanwhile, whether the checkpoint is damaged or gone."""
    path = Path(job.place)
    try:
        with _held(path, job.step):
            yield path, cast(Level, job.level)
    except (Stopped, LeaseLost, DatabaseGone):
        raise
    except Exception:
        if _is_gone(path):
            raise Removed("removed by the run's retention before it was evaluated") from None
        problems = verify_checkpoint(path)
        if problems:
            raise BadInput(problems[0]) from None
        raise
    finally:
        gc.collect()


def _removed_from(runs: Sequence[str | Path]) -> Callable[[str], str | None]:
    """Says of a place in one of these runs whether its checkpoint was removed. A run that is not there as a whole says
    nothing: its disk may only be away."""

    def missing(place: str) -> str | None:
        path, here = Path(place), {Path(run).resolve() for run in runs}
        run = path.parent.parent
        if run in here and run.is_dir() and _is_gone(path):
            return "removed by the run's retention before it was evaluated"
        return None

    return missing


def _is_gone(path: Path) -> bool:
    """Whether a checkpoint is not complete any more; a disk that does not answer has not lost it."""
    try:
        os.stat(path / _COMPLETE)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


@contextmanager
def _held(path: Path, step: int) -> Iterator[None]:
    """A lease, so that retention does not remove what is being evaluated; a run on a disk that only it may write goes without."""
    with ExitStack() as held:
        with suppress(BadInput, OSError):
            held.enter_context(lease(path.parents[1], step, "sidecar"))
        yield


def _requested(path: str | Path | None, say: Callable[[str], None]) -> list[str]:
    if path is None or not Path(path).exists():
        return []
    try:
        return [str(name) for name in read_json(path)["full"]]
    except (BadInput, KeyError, TypeError) as error:
        say(f'{path}: is not {{"full": [names]}} and is left out ({error})')
        return []
