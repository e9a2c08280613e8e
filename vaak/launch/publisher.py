"""The publisher of a launch: a process beside each stage that sends its checkpoints to storage, and ends with the launch.

`python -m vaak.launch.publisher RUN [--to ADDRESS] [--hub NAME] [--db DB] [--track WORD] --parent PID`. It may be killed at any moment; what
waits stands on disk, and the steps `publish` and `milestones` send what is left.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from vaak.checkpoint.claim import claim_address, is_claimed
from vaak.checkpoint.publish import Pace, PublishedRun, publish_run
from vaak.checkpoint.publish_figures import publish_exporter
from vaak.checkpoint.remote import list_remote
from vaak.errors import BadInput, Interrupted
from vaak.evaluate import evaluation_notes
from vaak.evaluate.panel_run import in_spite_of, launch_of
from vaak.launch.limits import Judged
from vaak.launch.project import Stage
from vaak.launch.walk import Launch, Step
from vaak.recipe import load_recipe
from vaak.storage.objects import ObjectMissing, open_objects
from vaak.track import Tracker
from vaak.track.prometheus_exporter import exporter_choices

_NICENESS = 5
_POLL_SECONDS = 0.5
_ENDING_SECONDS = 60.0
Target = Literal["to", "hub"]


class Publisher:
    """One process at a time, for the stage that is being trained; nothing where the project has no storage."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.process: subprocess.Popen[bytes] | None = None

    def claim(self, stage: Stage) -> None:
        """Make the stage's address its own before it is trained. Raises `BadInput` if it is another run's, or cannot be written.

        One that has published before is not asked again: training goes on while storage is away.
        """
        run, to = self.launch.out / "stages" / stage.name, targets_of(self.launch, stage).get("to")
        if to is None or is_claimed(run):
            return
        there = {one.id for one in list_remote(to) if one.complete} if _is_there(to) else set()
        claim_address(open_objects(to, create=True), run, f"{stage.name}/0/-", there)

    def start(self, stage: Stage) -> None:
        """Publish the checkpoints of a stage as they come; those of the stage before may be behind, and wait for the end."""
        targets = targets_of(self.launch, stage)
        if not targets:
            return
        self.end()
        run = self.launch.out / "stages" / stage.name
        command = [sys.executable, "-m", "vaak.launch.publisher", str(run), "--parent", str(os.getpid())]
        command += [part for name, value in targets.items() for part in (f"--{name}", value)]
        command += ["--db", self.launch.db] if "hub" in targets else []
        command += [part for choice in exporter_choices(self.launch.project.track) for part in ("--track", choice)]
        with (self.launch.out / "publisher.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)

    def end(self) -> None:
        """End the process if it still runs; what it was sending is continued by the next one."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _is_there(url: str) -> bool:
    """Whether an address on a disk has a folder; in a bucket every prefix is there."""
    try:
        open_objects(url)
    except ObjectMissing:
        return False
    return True


def targets_of(launch: Launch, stage: Stage) -> dict[str, str]:
    """Where a stage publishes to: its own place below the project's address, and its own repository. Tags there are steps, and every
    stage counts its own."""
    storage, found = launch.project.storage, {}
    if storage.checkpoints is not None:
        found["to"] = f"{storage.checkpoints.rstrip('/')}/{stage.name}"
    if storage.hub is not None:
        found["hub"] = f"{storage.hub}-{stage.name}"
    return found


def publish_step(publisher: Publisher) -> Step:
    """The step that sends full checkpoints of all stages that are not at their addresses yet; an evaluation elsewhere needs them."""
    text = "send checkpoints to storage that are not there yet"
    return _sending("publish", text, publisher, "to")


def milestones_step(publisher: Publisher) -> Step:
    """The step that sends milestones to the Hub, with their evaluation where there is one by now."""
    return _sending("milestones", "send milestones to the Hub that are not there yet", publisher, "hub")


def _sending(name: str, text: str, publisher: Publisher, target: Target) -> Step:
    def run(launch: Launch) -> dict[str, Any]:
        publisher.end()
        return _send_what_is_left(launch, target)

    remedy = "see what is said above, mend the storage and run again"
    return Step(name, text, _inputs, run, _judge, remedy=remedy)


def _inputs(launch: Launch) -> dict[str, Any]:
    return {
        "storage": launch.project.storage.model_dump(),
        "checkpoints": [launch.evidence(stage.name)["checkpoint"] for stage in launch.project.stages],
    }


def _send_what_is_left(launch: Launch, target: Target) -> dict[str, Any]:
    waiting = sent = 0
    errors: list[str] = []
    for stage in launch.project.stages:
        targets = {name: value for name, value in targets_of(launch, stage).items() if name == target}
        run, say = launch.out / "stages" / stage.name, launch.console.line
        # Nothing more is evaluated now: what has no evaluation is sent without.
        done = publish(run, targets, launch.db, launch.stop, say, pace=Pace(evaluation=0.0))
        sent += len(done.published)
        waiting += len(done.waiting)
        errors += [f"{stage.name} step {one.step}: {one.error}" for one in done.waiting if one.error]
        errors += [f"{stage.name}: {done.unseen}"] if done.unseen else []
        if launch.stop():
            raise Interrupted("stopped while checkpoints were sent; it goes on from there")
    for line in errors:
        launch.console.line(line, "yellow")
    launch.console.line(f"{sent} sent now, {waiting} wait")
    return {"sent": sent, "waiting": waiting, "errors": errors}


def _judge(launch: Launch, evidence: dict[str, Any]) -> Sequence[Judged]:
    return [Judged("checkpoints that could not be sent", max(evidence["waiting"], len(evidence["errors"])), 0, 0)]


def publish(
    run: Path,
    targets: dict[str, str],
    db: str | None,
    stop: Callable[[], bool],
    say: Callable[[str], None],
    follow: bool = False,
    pace: Pace = Pace(),
    tracker: Tracker | None = None,
) -> PublishedRun:
    """Publish a run as its own recipe keeps checkpoints; milestones wait for their evaluation in `db`, as `pace` says how long."""
    policy = load_recipe(run / "recipe.yaml").checkpoints
    notes = None if db is None or "hub" not in targets else lambda identity: notes_of(run, db, identity)
    return publish_run(run, to=targets.get("to"), hub=targets.get("hub"), policy=policy, notes=notes, follow=follow,
                       stop=stop, say=say, pace=pace, tracker=tracker)  # fmt: skip


def notes_of(run: Path, db: str, identity: str) -> str | None:
    """What a milestone's card says of it: its evaluation, None before that is there, and what its launch went on in spite of."""
    notes, launch = evaluation_notes(db, identity), launch_of(run)
    spite = in_spite_of(launch) if launch is not None else []
    if notes is None or not spite:
        return notes
    lines = "\n".join(f"- **{word}:** {words}" for word, words in spite)
    return f"{notes.rstrip()}\n\n## Gates that it was trained in spite of\n\n{lines}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait until the run has begun, then follow it until it is done and sent, or the launch is gone."""
    parser = argparse.ArgumentParser(prog="python -m vaak.launch.publisher")
    parser.add_argument("run", type=Path)
    for name in ("--to", "--hub", "--db"):
        parser.add_argument(name)
    parser.add_argument("--track", action="append", default=[])
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(arguments)
    os.nice(_NICENESS)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))

    def stop() -> bool:
        return bool(asked) or os.getppid() != options.parent

    targets = {name: value for name in ("to", "hub") if (value := getattr(options, name))}
    while not (options.run / "recipe.yaml").is_file():
        if stop():
            return 0
        time.sleep(_POLL_SECONDS)

    def say(line: str) -> None:
        print(line, flush=True)

    try:
        with publish_exporter(options.track, options.run, say) as tracker:
            publish(options.run, targets, options.db, stop, say, follow=True, tracker=tracker)
    except BadInput as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
