"""Where a launch stands, in one screen: every step, what runs now and how far it is, what was gone on in spite of, what is next."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vaak.checkpoint.folder import list_checkpoints
from vaak.errors import BadInput
from vaak.evaluate.panel_run import in_spite_of
from vaak.launch.detached import running
from vaak.launch.ledger import Ledger, Record
from vaak.launch.limits import failures, judged_of
from vaak.launch.progress import last_row, planned_steps
from vaak.launch.project import Project, load_project
from vaak.launch.slurm import known_job


@dataclass(frozen=True)
class StepStatus:
    """One step. state: done, overridden, failed, changed, running, interrupted, or to do. seconds: spent on it so far."""

    name: str
    state: str
    seconds: float
    words: str


@dataclass(frozen=True)
class StageProgress:
    """A stage that has begun and not ended. eta_s: seconds left at the speed of its last step, None where that is unknown.

    checkpoint_step, checkpoint_age_s: of its newest complete checkpoint. quiet_s: since its last step was written down.
    """

    name: str
    step: int
    steps: int | None
    loss: float | None
    tokens_per_s: float | None
    eta_s: float | None
    checkpoint_step: int | None
    checkpoint_age_s: float | None
    quiet_s: float
    job: str | None


@dataclass(frozen=True)
class LaunchStatus:
    """process: the number of the process that walks now, or None. in_spite: gates overridden and limits loosened."""

    name: str
    folder: str
    process: int | None
    steps: list[StepStatus]
    stage: StageProgress | None
    in_spite: list[str]
    next: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def launch_status(out: Path) -> LaunchStatus:
    """Read from the files of a launch; nothing is locked or changed. Raises `BadInput` for a folder that is no launch."""
    if not (out / "project.yaml").is_file():
        raise BadInput(f"{out} is no launch (it has no project.yaml); name its folder with --out")
    project, ledger = load_project(out / "project.yaml"), Ledger(out / "ledger.jsonl", mend=False)
    process = running(out / "launch.lock")
    steps = [_step(ledger, name, process is not None) for name in order_of(project)]
    begun = next((one for one in project.stages if _begun(ledger, one.name) and not _ended(out, one.name)), None)
    stage = _progress(out, begun.name) if begun is not None else None
    # What does not hold now stands among the steps.
    spite = [f"{word}: {words}" for word, words in in_spite_of(out) if word != "Failed"]
    return LaunchStatus(project.name, str(out), process, steps, stage, spite, _next(steps, process, out))


def order_of(project: Project) -> list[str]:
    """The names of a launch's steps in their order."""
    size = ["size"] if project.minutes is not None else []
    publish = ["publish"] if project.storage.checkpoints is not None else []
    milestones = ["milestones"] if project.storage.hub is not None else []
    stages = [stage.name for stage in project.stages]
    gates = ["freeze", "pack", "audit", "judges", "overfit"]
    return [*gates, *size, *stages, *publish, "evaluate", *milestones, "report"]


def _step(ledger: Ledger, name: str, walking: bool) -> StepStatus:
    newest = ledger.newest(name)
    if newest is None:
        return StepStatus(name, "to do", 0.0, "")
    seconds = ledger.seconds(name)
    if newest.status == "began":
        state = "running" if walking else "interrupted"
        return StepStatus(name, state, seconds + (time.time() - newest.time if walking else 0.0), "")
    return StepStatus(name, newest.status, seconds, _words(newest))


def _words(record: Record) -> str:
    if record.status in ("failed", "changed", "overridden"):
        because = f" — overridden, because: {record.because}" if record.because else ""
        return str(record.evidence.get("failure", "")) + because
    judged = judged_of(record.evidence)
    wrong = failures(judged)
    return wrong or "; ".join(one.words for one in judged if one.found is not None)


def _begun(ledger: Ledger, name: str) -> bool:
    return ledger.newest(name) is not None


def _ended(out: Path, stage: str) -> bool:
    return (out / "stages" / stage / "DONE.json").is_file()


def _progress(out: Path, stage: str) -> StageProgress:
    run = out / "stages" / stage
    row, steps, now = last_row(run / "metrics.jsonl"), planned_steps(run), time.time()
    complete = [one for one in list_checkpoints(run) if one.complete]
    newest = complete[-1] if complete else None
    step = int(row.get("step", 0))
    speed = row.get("tokens_per_s")
    per_step = row["tokens"] / step if step and row.get("tokens") else None
    eta = (steps - step) * per_step / speed if steps is not None and per_step and speed else None
    try:
        quiet = now - (run / "metrics.jsonl").stat().st_mtime
    except OSError:
        quiet = 0.0
    return StageProgress(
        name=stage,
        step=step,
        steps=steps,
        loss=row.get("loss"),
        tokens_per_s=speed,
        eta_s=eta,
        checkpoint_step=newest.step if newest else None,
        checkpoint_age_s=now - (newest.path / "COMPLETE.json").stat().st_mtime if newest else None,
        quiet_s=quiet,
        job=known_job(run),
    )


def _next(steps: list[StepStatus], process: int | None, out: Path) -> str:
    """What to do now, in one sentence."""
    if process is not None:
        return f"it walks (process {process}); nothing is to be done"
    for one in steps:
        if one.state in ("failed", "changed"):
            return f"{one.words}; then run the same vaak launch again"
        if one.state in ("to do", "interrupted"):
            return f"run the same vaak launch with --out {out} again; it goes on with '{one.name}'"
    return f"it is done; open {out / 'index.html'}"
