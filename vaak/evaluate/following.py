"""Following runs: every complete checkpoint is evaluated once, the newest first, until asked to stop and nothing is left."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import cast

from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.evaluate.checkpoint import evaluate_subject
from vaak.evaluate.exported import ExportedRuns
from vaak.evaluate.items import Level, check_pack_codec
from vaak.evaluate.jobs import REFERENCE, Claim, Job, JobKey
from vaak.evaluate.places import Place, open_places, opened_at, removed_from
from vaak.evaluate.reference import reference_scores, round_trip_id
from vaak.evaluate.rescoring import find_kept
from vaak.evaluate.run_judges import RunJudges
from vaak.evaluate.store import Results, open_results
from vaak.evaluate.trackers import RunTrackers
from vaak.evaluate.working import Followed, work_through
from vaak.score.asr import Asr, open_asr
from vaak.storage.files import read_json
from vaak.track import Tracker


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
    held_out: bool = False,
    threads: int = 1,
    requests: str | Path | None = None,
    trackers: Callable[[str], Tracker] | Mapping[str, Callable[[str], Tracker]] | None = None,
    exporter: Callable[[str], Tracker] | None = None,
    poll_seconds: float = 2.0,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> Followed:
    """Evaluate the checkpoints of `runs` (folders that may not exist yet, or addresses like s3://bucket/run) as they complete.

    Every complete checkpoint whose step is a multiple of `every`, and the last one of each finished run, gets a quick
    look. A full evaluation gets the last checkpoint of each finished run whose folder name stands in `full`, and each
    checkpoint whose id, path or step folder stands there. `requests` is a JSON file {"full": [...]} that is read again
    at every round, for wishes that come later. Runs whose recipe is of an alignment, and with `held_out` all, are also heard by
    judges that no reward listens with (`vaak.evaluate.held_out`); where the reward rises and these get worse, it is said and
    told. `threads` items are measured at once, each on one core. `trackers` opens the
    tracker of a run by the run's name (`vaak.track.tracker_opener`), or several do by their own names (`tracker_openers`); what
    it is told is in `vaak.evaluate.trackers`. `exporter` opens what shows the present state of a run,
    `vaak.evaluate.exported`; it is no tracker and takes nothing from one.
    What is at an address is fetched one checkpoint at a time to a folder beside the database, and removed once it has spoken.
    What was evaluated with other versions of metrics is scored again from the speech that is kept beside the database.
    Any number of processes may follow with one database; they share the work. Returns when `stop_file` exists and each
    checkpoint seen is settled, or soon after `stop` turns true. What a killed one was doing is continued by another, or by
    the next call. Raises `BadInput` for a database that cannot be used or answers no more, an address that refuses, or does not
    answer when it is looked at first or last, and a codec that is not the pack's.
    """
    results = open_results(db)
    gold = pack if isinstance(pack, GoldPack) else open_pack(pack)
    opened = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(gold, opened)
    places = open_places(runs, results.folder, say)
    asr = asr or open_asr(threads=threads)
    say(f"following {', '.join(str(run) for run in runs)} with {asr.name}")
    judges = RunJudges(asr, held_out, threads, say)
    told = RunTrackers(trackers, results, gold, opened, say, stop)
    scale_id, last_round = round_trip_id(opened.hash), Path(stop_file).exists
    seen = partial(_seen, places, judges, results, gold, scale_id, full, requests, every, last_round, say)
    with closing(ExportedRuns(exporter, places, results, gold.id, tells=bool(trackers))) as shown:
        find = partial(_find, told, shown, seen)
        do = partial(_do, places, gold, opened, results, asr, judges, threads, say, shown, seen)
        done = work_through(results.database, find, do, last_round=last_round, missing=removed_from(places),
                            poll_seconds=poll_seconds, say=say, stop=stop)  # fmt: skip
        told.close()
    results.close()
    done.evaluated = [identity for identity in done.evaluated if identity != scale_id]
    return done


def _find(told: RunTrackers, shown: ExportedRuns, seen: Callable[[], list[Job]]) -> list[Job]:
    """The jobs of a round, before which it is told what the last one found."""
    told.tell()
    found = seen()
    shown.tell(found)
    return found


def _seen(
    places: Sequence[Place],
    judges: RunJudges,
    results: Results,
    gold: GoldPack,
    scale_id: str,
    full: Sequence[str],
    requests: str | Path | None,
    every: int,
    last_round: Callable[[], bool],
    say: Callable[[str], None],
) -> list[Job]:
    """Every job that there is now, the scales first."""
    wanted, groups = [*full, *_requested(requests, say)], judges.groups(places)
    found = [find_jobs(group, wanted, results, gold, names, every, last_round()) for names, group in groups.items()]
    scales = [Job(scale_id, gold.id, REFERENCE, names, place=str(gold.folder)) for names in groups]
    return [*scales, *sorted(chain(*found), key=_turn, reverse=True)]


def find_jobs(
    places: Sequence[Place],
    full: Sequence[str],
    results: Results,
    pack: GoldPack,
    instrument_names: str,
    every: int = 1,
    ending: bool = False,
) -> list[Job]:
    """What of the runs at `places` is still to be evaluated: full evaluations first, then the newest checkpoint first.

    What was evaluated with other instruments is done again with these, in full where it was full: from its speech, so also
    of checkpoints that are gone. ending: nothing more comes (see `RunAddress.complete`).
    """
    rows = results.finished(pack.id)
    finished = {(row["checkpoint_id"], row["level"]) for row in rows if row["instruments"] == instrument_names}
    jobs: dict[JobKey, Job] = {}
    for one in (seen for place in places for seen in place.complete(ending)):
        level: Level = "full" if one.names & set(full) else "quick"
        if level == "quick" and one.step % every and not one.last:
            continue
        if {(one.id, level), (one.id, "full")} & finished:
            continue
        job = Job(one.id, pack.id, level, instrument_names, one.step, one.completed_at, one.place)
        jobs.setdefault(job.key, job)
    for job in find_kept(results, pack, instrument_names, places, rows):
        jobs.setdefault(job.key, job)
    return sorted(jobs.values(), key=_turn, reverse=True)


def _turn(job: Job) -> tuple[bool, float]:
    return job.level == "full", job.completed_at


def _do(
    places: Sequence[Place],
    gold: GoldPack,
    codec: Codec,
    results: Results,
    asr: Asr,
    judges: RunJudges,
    threads: int,
    say: Callable[[str], None],
    shown: ExportedRuns,
    seen: Callable[[], list[Job]],
    claim: Claim,
    stopped: Callable[[], bool],
) -> None:
    """One job, all of whose writes are under its claim."""
    job, under = claim.job, results.under(claim)
    others = judges.of(job, places)

    def stop() -> bool:
        shown.look(seen)
        return stopped()

    if job.level == REFERENCE:
        reference_scores(gold, codec, asr, under, held_out=others, threads=threads, say=say, stop=stop)
        return
    level, identity = cast(Level, job.level), job.checkpoint_id
    folder = partial(opened_at, places, identity, job.place, stop)
    with shown.evaluation(identity):
        evaluate_subject(identity, folder, gold, codec, under, level=level, asr=asr, held_out=others, threads=threads, say=say,
                         stop=stop)  # fmt: skip
    gc.collect()


def _requested(path: str | Path | None, say: Callable[[str], None]) -> list[str]:
    if path is None or not Path(path).exists():
        return []
    try:
        return [str(name) for name in read_json(path)["full"]]
    except (BadInput, KeyError, TypeError) as error:
        say(f'{path}: is not {{"full": [names]}} and is left out ({error})')
        return []
