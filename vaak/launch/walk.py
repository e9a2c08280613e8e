"""Walk a launch: each step once, in order, resumable, stopping at the first gate that does not hold."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.launch.console import Console
from vaak.launch.ledger import Ledger, Record
from vaak.launch.limits import Judged, failures, judged_of, loosened_words
from vaak.launch.project import Project
from vaak.launch.stamps import Stamps
from vaak.storage.files import hash_json
from vaak.storage.locks import only_one

# `vaak launch status` looks whether the lock is held, and holds it for an instant.
_TRIES, _BETWEEN_SECONDS = 20, 0.05


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

    def __post_init__(self) -> None:
        self.stamps = Stamps(self.out / "stamps.json")

    def evidence(self, step: str) -> dict[str, Any]:
        """What the newest good record of a step found. Raises `BadInput` if the step never ended well."""
        record = self.ledger.good(step)
        if record is None:
            raise BadInput(f"{self.ledger.path}: step '{step}' has no good record; run the launch from its start")
        return record.evidence

    @property
    def db(self) -> str:
        """The results database of the launch, a file or an address."""
        return self.project.evaluate.db or str(self.out / "results.db")


def _no_limits(launch: Launch, evidence: dict[str, Any]) -> Sequence[Judged]:
    return ()


def _stands(launch: Launch, evidence: dict[str, Any]) -> bool:
    return True


def _nothing_changed(launch: Launch, evidence: dict[str, Any]) -> list[str]:
    return []


@dataclass(frozen=True)
class Step:
    """One step of the order.

    inputs: everything that its outcome depends on (JSON). run: does the work and returns evidence; raises `CheckFailed` where a
    gate does not hold and there is no figure to judge. judge: the evidence against the project's limits. holds: whether the
    outputs of a done step are still there. changed: what of them, or of what the step vouched for, is not what it was, a line
    for each file. remedy: what to do when the gate does not hold. needed: later steps need its evidence, so without any it
    cannot be overridden. always: done each time, whatever it did before.
    """

    name: str
    text: str
    inputs: Callable[[Launch], dict[str, Any]]
    run: Callable[[Launch], dict[str, Any]]
    judge: Callable[[Launch, dict[str, Any]], Sequence[Judged]] = _no_limits
    holds: Callable[[Launch, dict[str, Any]], bool] = _stands
    changed: Callable[[Launch, dict[str, Any]], list[str]] = _nothing_changed
    remedy: str = ""
    needed: bool = False
    always: bool = False


def walk(launch: Launch, steps: list[Step]) -> None:
    """Take the steps in order; those done on the same inputs are passed over, the others are done now.

    Before each of them it is looked whether what the earlier ones vouched for is still what it was. A step whose evidence
    stands is only judged again, so that another limit costs no work.
    Raises `CheckFailed` at a gate that does not hold and has no override, and `Interrupted` when asked to stop.
    """
    _check_overrides(launch, steps)
    for number, step in enumerate(steps, 1):
        check_unchanged(launch, steps[: number - 1])
        inputs = step.inputs(launch)
        key = hash_json(inputs)
        known = None if step.always else launch.ledger.worked(step.name, key)
        if known is not None and step.holds(launch, known.evidence):
            launch.console.step(number, len(steps), step.name, "done before, on the same inputs")
            _judge_again(launch, step, key, known)
            continue
        launch.console.step(number, len(steps), step.name, step.text)
        if known is not None:
            launch.console.line("again, since what it made is gone", "yellow")
        _say_why(launch, step, inputs)
        _take(launch, step, inputs, key)


def check_unchanged(launch: Launch, steps: Sequence[Step]) -> None:
    """Raises `CheckFailed`, naming the file, if what a done step vouched for is not what it was; the ledger has it then."""
    for step in steps:
        newest = launch.ledger.newest(step.name)
        if newest is None or newest.status not in ("done", "overridden") or newest.without_figures:
            continue  # overridden with nothing found: what was wrong with it is known
        found = step.changed(launch, newest.evidence)
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            failure = f"{step.name}: {found[0]}{more}: changed since it was checked; restore it and run again"
            launch.ledger.add(step.name, "changed", newest.inputs, {"failure": failure, "files": found})
            raise CheckFailed(failure)


def _say_why(launch: Launch, step: Step, inputs: dict[str, Any]) -> None:
    """What is another input than at the last time that the step was begun."""
    before = next((r for r in reversed(launch.ledger.records) if r.step == step.name and r.status == "began"), None)
    if before is None or "inputs" not in before.evidence:
        return
    old = before.evidence["inputs"]
    changed = sorted(name for name in {*old, *inputs} if hash_json(old.get(name)) != hash_json(inputs.get(name)))
    if changed:
        launch.console.line(f"again, since this changed: {', '.join(changed)}", "yellow")


def _take(launch: Launch, step: Step, inputs: dict[str, Any], key: str) -> None:
    launch.ledger.add(step.name, "began", key, {"inputs": inputs})
    try:
        if launch.stop():
            raise Interrupted(f"stopped before '{step.name}'")
        evidence = step.run(launch)
    except CheckFailed as failure:
        override = _override(launch, step)
        if override is None or step.needed:
            launch.ledger.add(step.name, "failed", key, {"failure": str(failure)})
            if override is not None:
                raise CheckFailed(
                    f"{failure}; {step.name} left nothing to go on with, so it cannot be overridden"
                ) from failure
            raise
        _go_on(launch, step, key, {"failure": str(failure)}, override)
        return
    except Interrupted:
        launch.ledger.add(step.name, "interrupted", key)
        raise
    _settle(launch, step, key, evidence, step.judge(launch, evidence))


def _judge_again(launch: Launch, step: Step, key: str, known: Record) -> None:
    """The evidence of a step that is not done again, against the limits as they are now."""
    if known.without_figures:
        _say_overridden(launch, known)
        return
    found = {name: value for name, value in known.evidence.items() if name not in ("limits", "loosened", "failure")}
    judged = step.judge(launch, found)
    if known.status != "failed" and failures(judged) == failures(judged_of(known.evidence)):
        if known.status == "overridden":
            _say_overridden(launch, known)
        if [one.to_dict() for one in judged] == known.evidence.get("limits", []):
            return
        launch.ledger.add(
            step.name,
            known.status,
            key,
            found | _recorded(judged, found.get("own_loosened", ())) | _failure(known),
            known.because,
        )
        return
    _settle(launch, step, key, found, judged)


def _say_overridden(launch: Launch, known: Record) -> None:
    launch.console.line(f"{known.evidence['failure']} — overridden before, because: {known.because}", "bold red")


def _failure(known: Record) -> dict[str, Any]:
    return {"failure": known.evidence["failure"]} if "failure" in known.evidence else {}


def _settle(launch: Launch, step: Step, key: str, evidence: dict[str, Any], judged: Sequence[Judged]) -> None:
    """Record what a step found and whether it holds; raises `CheckFailed` if it does not and has no override."""
    evidence = evidence | _recorded(judged, evidence.get("own_loosened", ()))
    for words in evidence.get("loosened", []):
        launch.console.line(words, "bold red")
    wrong = failures(judged)
    if not wrong:
        launch.ledger.add(step.name, "done", key, evidence)
        return
    failure = f"{step.name}: {wrong}; {step.remedy or 'mend it and run again'}"
    override = _override(launch, step)
    if override is None:
        launch.ledger.add(step.name, "failed", key, evidence | {"failure": failure})
        raise CheckFailed(f'{failure}, or go on with --override {step.name} --because "…"')
    _go_on(launch, step, key, evidence | {"failure": failure}, override)


def _recorded(judged: Sequence[Judged], known: Sequence[str] = ()) -> dict[str, Any]:
    """The limits as a record keeps them, and those that are looser than shipped; `known` are such of the step itself."""
    if not judged:
        return {}
    return {"limits": [one.to_dict() for one in judged], "loosened": [*known, *loosened_words(judged)]}


def _go_on(launch: Launch, step: Step, key: str, evidence: dict[str, Any], override: Override) -> None:
    launch.ledger.add(step.name, "overridden", key, evidence, override.because)
    launch.console.line(f"{evidence['failure']} — going on anyway, because: {override.because}", "bold red")


def _override(launch: Launch, step: Step) -> Override | None:
    return next((one for one in launch.overrides if one.gate == step.name), None)


def _check_overrides(launch: Launch, steps: list[Step]) -> None:
    names = [step.name for step in steps]
    for override in launch.overrides:
        if override.gate not in names:
            raise BadInput(f"--override {override.gate}: no such gate; the gates are {', '.join(names)}")
        if not override.because.strip():
            raise BadInput(f"--override {override.gate}: give a reason with --because")


@contextmanager
def held(out: Path) -> Iterator[None]:
    """The launch folder is this process's, whose number stands in the lock; the system drops the lock when it dies.

    Raises `BadInput` if another process holds it, or if it can be no such folder. It is held before the ledger is opened: opening
    mends it.
    """
    lock = out / "launch.lock"
    with ExitStack() as ours:
        try:
            out.mkdir(parents=True, exist_ok=True)
            refused = f"{lock}: another launch holds this folder; wait for it or choose another --out"
            for left in reversed(range(_TRIES)):
                try:
                    ours.enter_context(only_one(lock, refused))
                    break
                except BadInput:
                    if not left:
                        raise
                    time.sleep(_BETWEEN_SECONDS)
            lock.write_text(str(os.getpid()))
        except OSError as error:
            raise BadInput(f"{out} cannot be a launch's folder ({error.strerror}); choose another --out") from error
        yield
