"""What a person sees of a run and may do to it: a bar, sentences, a tracker, and a stop that saves; the same for each kind of run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def beside(job: str, out: Path, track: str | None) -> Iterator[dict[str, Any]]:
    """Arguments of a run in the folder `out`, as `vaak.train.loop.train` and `vaak.align.run.align` take them. job: its name for
    people and trackers. Of several processes one speaks."""
    from vaak.launch.console import Console, stopping
    from vaak.track import opened_tracker

    console = Console()
    with (
        stopping() as stop,
        opened_tracker(
            track if is_first() else None, run=out.resolve().name, job=job, folder=out, say=console.line
        ) as tracker,
        console.progress(job) as bar,
    ):
        yield {"tracker": tracker, "on_step": bar if is_first() else None, "stop": stop, "say": console.line}


def is_first() -> bool:
    """Whether this process is the one that speaks, by torchrun's variable."""
    return os.environ.get("RANK", "0") == "0"
