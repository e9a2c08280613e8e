"""What a person sees of a run and may do to it: a bar, sentences, a tracker, and a stop that saves; the same for each kind of run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vaak.track.metric import Metric


Track = Annotated[
    list[str] | None,
    typer.Option(
        help="Also tell every figure: wandb[:PROJECT], trackio[:PROJECT], jsonl:PATH, prometheus[:PORT]; may be given several "
        "times. Without it trackio's local page, where that is installed; none: nobody."
    ),
]

_STOPPING = "asked to stop: the step that is under way is saved first; once more ends it at once"


@contextmanager
def beside(job: str, out: Path, track: Sequence[str] | None, metrics: Sequence[Metric]) -> Iterator[dict[str, Any]]:
    """Arguments of a run in the folder `out`, as `vaak.train.loop.train` and `vaak.align.run.align` take them. job: its name for
    people and trackers. track: `--track` as it was given. metrics: what an exporter exports. Of several processes one speaks."""
    from vaak.launch.console import Console, stopping
    from vaak.track import chosen_trackers, default_trackers, opened_trackers

    console = Console(quiet=not is_first())
    with (
        stopping(_STOPPING if console.rich.is_terminal and is_first() else "", console) as stop,
        console.screen(job, out) as screen,
        opened_trackers(
            chosen_trackers(track, default_trackers()) if is_first() else (),
            run=out.resolve().name,
            job=job,
            folder=out,
            metrics=metrics,
            say=screen.say,  # a terminal that takes nothing holds neither a tracker up nor who tells it
            direct=(screen.figures,),
        ) as tracker,
    ):
        yield {"tracker": tracker, "on_step": screen.on_step if is_first() else None, "stop": stop, "say": screen.say}


def is_first() -> bool:
    """Whether this process is the one that speaks, by torchrun's variable."""
    return os.environ.get("RANK", "0") == "0"
