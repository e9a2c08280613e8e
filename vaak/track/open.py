"""Trackers by their names, as a command line gives them: `wandb[:PROJECT]`, `trackio[:PROJECT]`, `jsonl:PATH`, `prometheus[:PORT]`, `none`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from vaak.errors import BadInput
from vaak.track.fan_out import FanOut
from vaak.track.jsonl import JsonlTracker
from vaak.track.metric import Metric
from vaak.track.prometheus_exporter import exporter_choices, exporter_opener
from vaak.track.queued import GATHER_LONG, QueuedTracker
from vaak.track.tracker import Tracker
from vaak.track.trackio_tracker import TrackioTracker
from vaak.track.wandb_tracker import WandbTracker

TRACKERS = "wandb, wandb:PROJECT, trackio, trackio:PROJECT, jsonl:PATH, prometheus or prometheus:PORT"
NONE = "none"
# Their libraries work for each row, wait for disks and networks, and ask for it at the end of a process.
_APART = ("wandb", "trackio")

OpenTracker = Callable[[str], Tracker]
# Folders of runs by the names of the runs.
RunFolders = Mapping[str, str | Path]


def chosen_trackers(track: str | Sequence[str] | None, default: Sequence[str] = ()) -> tuple[str, ...]:
    """The choices that a command line or a project file names, each once; `default` where it names none, nothing for `none`.

    Raises `BadInput` for `none` beside others.
    """
    named = tuple(dict.fromkeys([track] if isinstance(track, str) else track or ()))
    if NONE in named and len(named) > 1:
        raise BadInput(
            f"tracker {NONE!r} stands beside {', '.join(one for one in named if one != NONE)}; name one or the others"
        )
    return () if named == (NONE,) else named or tuple(default)


def default_trackers() -> tuple[str, ...]:
    """Of a training or an alignment for which nobody chose: trackio's local page, where it is installed."""
    return ("trackio",) if importlib.util.find_spec("trackio") is not None else ()


def tracker_opener(
    choice: str,
    *,
    job: str,
    folder: str | Path,
    runs: RunFolders | None = None,
    metrics: Sequence[Metric] = (),
    say: Callable[[str], None] = print,
) -> OpenTracker:
    """A function that opens the tracker of a run by the run's name; all runs share one JSONL file.

    choice: one of `TRACKERS`. job: what W&B calls the kind of work, and which port an exporter has ("evaluate"). folder: where W&B
    keeps its files. runs: the folders of the runs, as far as they are on this machine; trackio keeps the id of each there.
    metrics: what an exporter exports. say: told why W&B goes offline. Raises `BadInput` for another choice, for a package that is
    not installed, and for the metrics.jsonl of one of the runs.
    """
    name, _, rest = choice.partition(":")
    folders = runs or {}
    if name == "jsonl" and rest:
        if any(Path(rest).resolve() == (Path(one) / "metrics.jsonl").resolve() for one in folders.values()):
            raise BadInput(f"--track {choice} is the run's own log, which has every row already; name another file")
        shared: list[JsonlTracker] = []

        def share(run: str) -> Tracker:
            if not shared or shared[-1].closed:
                shared.append(JsonlTracker(rest))
            return shared[-1]

        return share
    if (exporter := exporter_opener(choice, job=job, metrics=metrics, say=say)) is not None:
        return exporter
    if name not in _APART:
        raise BadInput(f"tracker {choice!r} is unknown; use {TRACKERS}")
    if importlib.util.find_spec(name) is None:
        raise BadInput(f"the tracker {name} is not installed; run: pip install 'vaak[{name}]'")
    if name == "wandb":
        return lambda run: WandbTracker(run, job=job, folder=folder, say=say, project=rest or None)
    return lambda run: TrackioTracker(run, project=rest or "vaak", folder=folders.get(run))


def tracker_openers(
    track: str | Sequence[str] | None,
    *,
    job: str,
    folder: str | Path,
    runs: RunFolders | None = None,
    metrics: Sequence[Metric] = (),
    say: Callable[[str], None] = print,
) -> dict[str, OpenTracker]:
    """`tracker_opener` for each of several choices, by a short name of each."""
    opened: dict[str, OpenTracker] = {}
    for choice in chosen_trackers(track):
        opened[_name(choice, opened)] = tracker_opener(
            choice, job=job, folder=folder, runs=runs, metrics=metrics, say=say
        )
    return opened


@contextmanager
def opened_trackers(
    choices: Sequence[str],
    *,
    run: str,
    job: str,
    folder: str | Path,
    metrics: Sequence[Metric] = (),
    say: Callable[[str], None] = print,
    direct: Sequence[Tracker] = (),
) -> Iterator[FanOut]:
    """The trackers of one run while the block runs, each behind a queue. They are opened beside the run, so that is said there
    and raised nowhere; what `tracker_opener` raises is raised here.

    W&B and trackio run in processes of their own. folder: the run's. direct: trackers that need no queue, see `FanOut`.
    """
    openers: dict[str, tuple[str, OpenTracker]] = {}
    for choice in choices:  # all of them before one is opened: what is refused is refused before anything is written
        opener = tracker_opener(choice, job=job, folder=folder, runs={run: folder}, metrics=metrics, say=say)
        openers[_name(choice, openers)] = choice, opener
    trackers: dict[str, QueuedTracker] = {}
    for name, (choice, opener) in openers.items():
        again = _again(choice, folder)
        if choice.partition(":")[0] in _APART:
            apart = partial(_apart, choice, run=run, job=job, folder=folder, say=say)
            trackers[name] = QueuedTracker(name, apart, say, again=again, gather=GATHER_LONG)
        else:
            trackers[name] = QueuedTracker(name, partial(opener, run), say, again=again)
    told = FanOut(trackers, direct)
    try:
        yield told
    finally:
        told.close()


def _apart(choice: str, *, run: str, job: str, folder: str | Path, say: Callable[[str], None]) -> Tracker:
    from vaak.track.apart import TrackerApart

    return TrackerApart(choice, run=run, job=job, folder=folder, say=say)


def _again(choice: str, folder: str | Path) -> str:
    """What tells a run's rows again; an exporter has the newest numbers only."""
    return "" if exporter_choices(choice) else f"vaak replay {folder} --track {choice}"


def _name(choice: str, taken: Iterable[str]) -> str:
    """`wandb` for the first W&B, `wandb-2` for the second."""
    kind = choice.partition(":")[0]
    same = sum(name.partition("-")[0] == kind for name in taken)
    return f"{kind}-{same + 1}" if same else kind
