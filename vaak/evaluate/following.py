"""Following runs: every complete checkpoint is evaluated once, the newest first, until asked to stop and nothing is left."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from vaak.checkpoint import Checkpoint, lease, list_checkpoints, verify_checkpoint
from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.evaluate.checkpoint import Stopped, evaluate_checkpoint, instruments
from vaak.evaluate.items import Level
from vaak.evaluate.reference import reference_scores
from vaak.evaluate.store import Results, open_results
from vaak.score.asr import Asr, open_asr
from vaak.storage.files import read_json
from vaak.storage.locks import only_one

# A checkpoint that failed this often is put aside until the next start, with the reason in the log.
_ATTEMPTS = 2
# A sidecar whose parent was killed ends after the item or the batch that it is at; its successor waits for it.
_LOCK_SECONDS = 60.0
_DONE = "DONE.json"
_COMPLETE = "COMPLETE.json"


@dataclass
class Followed:
    """What a `follow` did: ids of checkpoints evaluated in this call, and the reason of each that failed."""

    evaluated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    checkpoint: Checkpoint
    level: Level
    completed_at: float


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
    poll_seconds: float = 2.0,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> Followed:
    """Evaluate the checkpoints of `runs` (folders that may not exist yet) as they complete.

    Every complete checkpoint whose step is a multiple of `every`, and the last one of each finished run, gets a quick
    look. A full evaluation gets the last checkpoint of each finished run whose folder name stands in `full`, and each
    checkpoint whose id, path or step folder stands there. `requests` is a JSON file {"full": [...]} that is read again
    at every round, for wishes that come later. `threads` items are measured at once, each on one core.
    Returns when `stop_file` exists and nothing is left to do, or soon after `stop` turns true. What it was doing when it
    was killed is continued by the next call. Raises `BadInput` when another process follows with the same database.
    """
    results = open_results(db)
    done = Followed()
    with _only_one(Path(db)):
        gold = pack if isinstance(pack, GoldPack) else open_pack(pack)
        opened = open_codec(codec) if isinstance(codec, str) else codec
        asr = asr or open_asr(threads=threads)
        say(f"following {', '.join(str(run) for run in runs)} with {asr.name}")
        try:
            reference_scores(gold, opened, asr, results, threads=threads, say=say, stop=stop)
            while not stop():
                # The stop file is looked at first: a checkpoint that came before it is still seen.
                last_round = Path(stop_file).exists()
                wanted = [*full, *_requested(requests, say)]
                jobs = [
                    job
                    for job in find_jobs(runs, wanted, results, gold.id, instruments(asr), every)
                    if job.checkpoint.id not in done.failed
                ]
                if jobs:
                    _run(jobs[0], gold, opened, asr, results, done, threads, say, stop)
                elif last_round:
                    break
                else:
                    time.sleep(poll_seconds)
        except Stopped:
            say("stopped; the next start goes on from here")
    results.close()
    return done


def find_jobs(
    runs: Sequence[str | Path],
    full: Sequence[str],
    results: Results,
    pack_id: str,
    instrument_names: str,
    every: int = 1,
) -> list[Job]:
    """What is still to be evaluated: full evaluations first, then the newest checkpoint first."""
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
            if ended and one is complete[-1]:
                names |= {run.name, str(run)}
            level: Level = "full" if names & set(full) else "quick"
            last = ended and one is complete[-1]
            if level == "quick" and one.step % every and not last:
                continue
            if {(one.id, level), (one.id, "full")} & finished:
                continue
            try:
                jobs.append(Job(one, level, (one.path / _COMPLETE).stat().st_mtime))
            except OSError:  # removed by the run's retention since it was listed
                continue
    return sorted(jobs, key=lambda job: (job.level == "full", job.completed_at), reverse=True)


def _run(
    job: Job,
    pack: GoldPack,
    codec: Codec,
    asr: Asr,
    results: Results,
    done: Followed,
    threads: int,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    identity = job.checkpoint.id
    for attempt in range(_ATTEMPTS):
        try:
            with _held(job.checkpoint):
                evaluate_checkpoint(
                    job.checkpoint.path,
                    pack,
                    codec,
                    results,
                    level=job.level,
                    asr=asr,
                    threads=threads,
                    say=say,
                    stop=stop,
                )
            done.evaluated.append(identity)
            break
        except Stopped:
            raise
        except Exception as error:
            if not (job.checkpoint.path / _COMPLETE).exists():
                say(f"{identity}: removed by the run's retention before it was evaluated")
                done.failed[identity] = "removed before it was evaluated"
                break
            problems = verify_checkpoint(job.checkpoint.path)
            reason = problems[0] if problems else f"{type(error).__name__}: {error}"
            say(f"{identity}: attempt {attempt + 1} of {_ATTEMPTS} failed: {reason}")
            if attempt + 1 == _ATTEMPTS:
                done.failed[identity] = reason
    gc.collect()


@contextmanager
def _held(checkpoint: Checkpoint) -> Iterator[None]:
    """A lease, so that retention does not remove what is being evaluated; a run on a disk that only it may write goes without."""
    with ExitStack() as held:
        with suppress(BadInput, OSError):
            held.enter_context(lease(checkpoint.path.parents[1], checkpoint.step, "sidecar"))
        yield


def _requested(path: str | Path | None, say: Callable[[str], None]) -> list[str]:
    if path is None or not Path(path).exists():
        return []
    try:
        return [str(name) for name in read_json(path)["full"]]
    except (BadInput, KeyError, TypeError) as error:
        say(f'{path}: is not {{"full": [names]}} and is left out ({error})')
        return []


@contextmanager
def _only_one(db: Path) -> Iterator[None]:
    """A lock that ends with the process that holds it, however it ends."""
    refused = f"{db}: another sidecar follows with this database; stop it first or name another"
    with only_one(db.with_name(db.name + ".sidecar.lock"), refused):
        yield
