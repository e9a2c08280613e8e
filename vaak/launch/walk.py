"""Walk a launch: each step once, in order, resumable, stopping at the first gate that does not hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.launch.console import Console
from vaak.launch.ledger import Ledger
from vaak.launch.project import Project
from vaak.storage.files import hash_json


@dataclass(frozen=True)
class Override:
    """A gate that may fail: going on anyway is explicit and recorded with its reason."""

    gate: str
    because: str


@dataclass
class Launch:
    """A launch under way: the project, its folder, its ledger, and whether somebody asked it to stop."""

    project: Project
    out: Path
    ledger: Ledger
    console: Console
    stop: Callable[[], bool]
    overrides: tuple[Override, ...] = ()

    def evidence(self, step: str) -> dict[str, Any]:
        """What the newest good record of a step found. Raises `BadInput` if the step never ended well."""
        for record in reversed(self.ledger.records):
            if record.step == step and record.status in ("done", "overridden"):
                return record.evidence
        raise BadInput(f"{self.ledger.path}: step '{step}' has no good record; run the launch from its start")


@dataclass(frozen=True)
class Step:
    """One step of the order.

    `inputs` gives everything its outcome depends on (JSON); `run` does the work and returns evidence, raising
    `CheckFailed` where a gate does not hold; `holds` says whether the outputs of a done step are still there.
    """

    name: str
    text: str
    inputs: Callable[[Launch], dict[str, Any]]
    run: Callable[[Launch], dict[str, Any]]
    holds: Callable[[Launch, dict[str, Any]], bool] = lambda launch, evidence: True


def walk(launch: Launch, steps: list[Step]) -> None:
    """Take the steps in order; those done on the same inputs are passed over, the others are done now.

    Raises `CheckFailed` at a gate that does not hold and has no override, and `Interrupted` when asked to stop.
    """
    _check_overrides(launch, steps)
    with _only_one(launch.out):
        for number, step in enumerate(steps, 1):
            inputs = hash_json(step.inputs(launch))
            done = launch.ledger.done(step.name, inputs)
            if done is not None and step.holds(launch, done.evidence):
                launch.console.step(number, len(steps), step.name, "done before, on the same inputs")
                continue
            launch.console.step(number, len(steps), step.name, step.text)
            _take(launch, step, inputs)


def _take(launch: Launch, step: Step, inputs: str) -> None:
    launch.ledger.add(step.name, "began", inputs)
    try:
        if launch.stop():
            raise Interrupted(f"stopped before '{step.name}'")
        evidence = step.run(launch)
    except CheckFailed as failure:
        override = next((o for o in launch.overrides if o.gate == step.name), None)
        if override is None:
            launch.ledger.add(step.name, "failed", inputs, {"failure": str(failure)})
            raise
        launch.ledger.add(step.name, "overridden", inputs, {"failure": str(failure)}, override.because)
        launch.console.line(f"{failure} — going on anyway, because: {override.because}", "bold red")
        return
    except Interrupted:
        launch.ledger.add(step.name, "interrupted", inputs)
        raise
    launch.ledger.add(step.name, "done", inputs, evidence)


def _check_overrides(launch: Launch, steps: list[Step]) -> None:
    names = [step.name for step in steps]
    for override in launch.overrides:
        if override.gate not in names:
            raise BadInput(f"--override {override.gate}: no such gate; the gates are {', '.join(names)}")
        if not override.because.strip():
            raise BadInput(f"--override {override.gate}: give a reason with --because")


class _only_one:
    """Holds the launch folder for this process: a lock that the system drops when the process dies."""

    def __init__(self, out: Path) -> None:
        self.path = out / "launch.lock"

    def __enter__(self) -> None:
        import fcntl

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(
                f"{self.path}: another launch holds this folder; wait for it or choose another --out"
            ) from error
        self.file.truncate(0)
        self.file.write(str(os.getpid()))
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        self.file.close()
