"""`vaak replay`: which file is told again, to whom, and who is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from vaak.errors import BadInput
from vaak.launch.progress import last_step
from vaak.track import Tracker, replay, tracker_opener


def replay_run(
    run: Path,
    choices: Sequence[str],
    *,
    on_step: Callable[[float, float, str], None] = lambda done, total, words: None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> int:
    """Tell the metrics of a run folder (or a metrics.jsonl) to each of the trackers; returns how many rows that were.

    Raises `BadInput` for what is no run, for a tracker that is unknown or not installed or cannot be told of what was, and for a
    JSONL file that is the run's own. Asked to stop, it leaves the rest.
    """
    metrics = run if run.is_file() else run / "metrics.jsonl"
    if not metrics.is_file():
        raise BadInput(f"{run} has no metrics.jsonl; name the folder of a run")
    for choice in choices:
        _check(choice, metrics)
    folder, steps = metrics.resolve().parent, last_step(metrics)
    runs = {folder.name: folder} if metrics.name == "metrics.jsonl" else {}  # else it is a copy, in any folder
    openers = [tracker_opener(choice, job="replay", folder=folder, runs=runs, say=say) for choice in choices]
    with ExitStack() as opened:
        trackers: list[Tracker] = []
        for opener in openers:
            trackers.append(opener(folder.name))
            opened.callback(trackers[-1].close)
        return replay(metrics, trackers, lambda rows, step: on_step(step, max(steps, step), f"{rows:,} rows"), stop)


def _check(choice: str, metrics: Path) -> None:
    kind, _, rest = choice.partition(":")
    if kind in ("prometheus", "none"):
        what = (
            "Prometheus has only what is now, it cannot be told of the past"
            if kind == "prometheus"
            else "none tells nobody"
        )
        raise BadInput(f"--track {choice}: {what}; replay to wandb, trackio or jsonl:PATH")
    if kind == "jsonl" and rest and Path(rest).resolve() == metrics.resolve():
        raise BadInput(f"--track {choice} is the file that is replayed; name another one")
