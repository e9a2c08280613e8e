"""The whole order of a launch (SPEC G4): gates, stages, evaluation, report; and the public way to walk it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vaak.codec import open_codec
from vaak.corpus.pack import open_pack
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.evaluate.generations import DECODING
from vaak.evaluate.measures import VERSIONS
from vaak.grammar.tokenizer import load_tokenizer
from vaak.launch.console import Console, stopping
from vaak.launch.follower import Follower
from vaak.launch.gates import gate_steps, judges_asked_for, pack_folder
from vaak.launch.launchers import check_launcher
from vaak.launch.ledger import Ledger
from vaak.launch.project import Project, load_project
from vaak.launch.publisher import Publisher, milestones_step, publish_step
from vaak.launch.report import write_report
from vaak.launch.report_run import write_run_report
from vaak.launch.report_speech import open_speech
from vaak.launch.stages import check_recipes, claim_stage, resolve, stage_steps
from vaak.launch.walk import Launch, Override, Step, held, walk
from vaak.storage.files import room_on_disk, write_bytes

_PROJECT = "project.yaml"
_STOPPING = "vaak: asked to stop; what is under way is put down first, once more ends it at once"


def run_launch(
    project: Path, out: Path, *, minutes: float | None = None, overrides: Sequence[tuple[str, str]] = ()
) -> Path:
    """Walk a project's launch in the folder `out`, or continue it, and return its page.

    minutes: replaces the project's training budget; with another one the stages are sized and trained anew, so give it again to
    continue.
    overrides: (gate, reason) pairs. Raises `CheckFailed` at a gate, `BadInput` for bad input, and `KeyboardInterrupt`
    once the work has been put down safely after Ctrl-C, SIGTERM or the end of its terminal.
    """
    console = Console()
    with room_on_disk(out), held(out), stopping(_STOPPING, console) as stop:
        settings = load_project(project, minutes)
        _check_same_launch(settings, out)
        ledger = Ledger(out / "ledger.jsonl")
        launch = Launch(settings, out, ledger, console, stop, tuple(Override(*one) for one in overrides))
        check_recipes(launch)
        check_launcher(settings.launcher)
        load_tokenizer(resolve(settings.tokenizer))  # refused now, not once the corpora are hashed
        write_bytes(out / _PROJECT, project.read_bytes())
        follower, publisher = Follower(launch), Publisher(launch)
        try:
            walk(launch, order(launch, follower, publisher))
        except Interrupted as interruption:
            console.line(str(interruption), "yellow")
            raise KeyboardInterrupt from interruption
        except CheckFailed:
            # What failed, and on what evidence, stands on the page too, if it can.
            with suppress(BadInput, CheckFailed, OSError):
                write_report(settings, out, ledger)
            raise
        finally:
            follower.end()
            publisher.end()
    return out / "index.html"


def write_report_of(
    folder: Path, page: Path | None = None, *, pack: Path | None = None, db: str | None = None, codec: str = "embedded"
) -> Path:
    """Write the page of a launch again, in its folder; of any other folder, a run's, its report to `page`, or into the folder.

    `page`, `pack`, `db` and `codec` are those of a run; see `vaak.launch.report_run.write_run_report`.
    """
    if not (folder / _PROJECT).exists():
        return write_run_report(folder, page, pack=pack, db=db, codec=codec)
    if pack is not None or db is not None:
        raise BadInput(
            f"{folder}: is a launch with its own pack and results; leave out --pack and --db, or name a stage"
        )
    return write_report(load_project(folder / _PROJECT), folder, Ledger(folder / "ledger.jsonl"))


def _check_same_launch(project: Project, out: Path) -> None:
    """Raises `BadInput` if the folder holds the launch of another project."""
    kept = out / _PROJECT
    if kept.exists() and load_project(kept).name != project.name:
        raise BadInput(
            f"{out}: holds the launch '{load_project(kept).name}', not '{project.name}'; choose another --out"
        )


def order(launch: Launch, follower: Follower, publisher: Publisher) -> list[Step]:
    """Everything in order. The follower starts with the first stage and is asked for its results at the end."""
    steps = gate_steps(launch) + [_accompanied(step, follower, publisher) for step in stage_steps(launch)]
    storage = launch.project.storage
    steps += [publish_step(publisher)] if storage.checkpoints is not None else []
    text = "wait for the sidecar to score the final checkpoint on the whole gold pack"
    steps.append(Step("evaluate", text, _evaluation_inputs, lambda one: follower.finish(), holds=_evaluation_holds))
    steps += [milestones_step(publisher)] if storage.hub is not None else []
    # The page is quick to write and always written again.
    return [*steps, Step("report", "write the page", lambda one: {}, _report, always=True)]


def _accompanied(step: Step, follower: Follower, publisher: Publisher) -> Step:
    """A stage's step with the publisher, and if it is followed the sidecar, running beside it."""
    project = follower.launch.project
    stage = next((one for one in project.stages if one.name == step.name), None)
    if stage is None:
        return step

    def run(launch: Launch) -> dict[str, Any]:
        claim_stage(launch, stage)
        publisher.claim(stage)
        publisher.start(stage)
        if stage.name in project.evaluate.follow:
            follower.start()
        return step.run(launch)

    return replace(step, run=run)


def _evaluation_inputs(launch: Launch) -> dict[str, Any]:
    return {
        "checkpoint": launch.evidence(launch.project.evaluate.final)["checkpoint"],
        "pack": launch.evidence("pack")["pack"],
        "codec": open_codec(launch.project.codec).hash,
        # Speech that is drawn or measured in another way is other evidence: the page would look for it and find none.
        "sampling": DECODING,
        "measures": dict(VERSIONS),
        **judges_asked_for(launch),
    }


def _evaluation_holds(launch: Launch, evidence: dict[str, Any]) -> bool:
    final = launch.evidence(launch.project.evaluate.final)["checkpoint"]
    pack = open_pack(pack_folder(launch))
    return open_speech(launch.db, pack, open_codec(launch.project.codec), final) is not None


def _report(launch: Launch) -> dict[str, Any]:
    page = write_report(launch.project, launch.out, launch.ledger)
    launch.console.line(f"{page}: {page.stat().st_size / 1e6:.1f} MB, open it and listen")
    return {"page": page.name, "bytes": page.stat().st_size}
