"""The training stages of a launch: sized from a measured speed, each with its own recipe, weights handed on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vaak.checkpoint import newest_complete, verify_checkpoint
from vaak.errors import BadInput
from vaak.grammar.tokenizer import load_tokenizer
from vaak.launch.corpora import corpus_ids, corpus_paths
from vaak.launch.evaluated import NewestEvaluation
from vaak.launch.launchers import Training, check_not_trained, train_by_slurm, train_by_torchrun
from vaak.launch.limits import Judged
from vaak.launch.live_screen import LiveScreen
from vaak.launch.outcome import outcome_of
from vaak.launch.project import Stage, StageLimits
from vaak.launch.walk import Launch, Step
from vaak.recipe import Recipe, check_peak, load_recipe, resolve_path, save_recipe
from vaak.storage.files import hash_json, read_json, write_json
from vaak.track import opened_trackers
from vaak.track.open import NONE
from vaak.train.loop import train
from vaak.train.metrics import TRAINING
from vaak.train.speed import measure_speed
from vaak.train.stage import lasting_part

# A stage of fewer steps than this would end inside its own warm-up and say nothing.
FEWEST_STEPS = 8
# Share of the budget that is not spent in steps: validation, checkpoints, meters, and the sidecar's look at the weights.
BESIDE_STEPS = 0.15


def resolve(path: str) -> Path:
    """A path of a project file: `example:` names the embedded example, anything else is a path as it stands."""
    return Path(resolve_path(path))


def stage_recipe(launch: Launch, recipe: str, overrides: tuple[str, ...]) -> Recipe:
    """A stage's recipe with the project's corpora, tokenizer, codec, pack and overrides put into it."""
    project = launch.project
    corpora = ",".join(f'"{path}"' for path in corpus_paths(project))
    return load_recipe(
        recipe,
        [
            f"corpora=[{corpora}]",
            f'pack="{launch.out / "pack"}"',
            f'tokenizer="{resolve(project.tokenizer)}"',
            f'codec="{project.codec}"',
            *project.overrides,
            *overrides,
        ],
    )


def check_recipes(launch: Launch) -> None:
    """Raises `BadInput` for a stage whose recipe cannot be read or whose peak rate its parent's forbids.

    A stage would refuse that itself, but only after the stages before it have been trained.
    """
    recipes: dict[str, Recipe] = {}
    for stage in launch.project.stages:
        recipes[stage.name] = stage_recipe(launch, stage.recipe, stage.overrides)
        if stage.parent is not None:
            check_peak(recipes[stage.name], recipes[stage.parent])


def run_folder(launch: Launch, stage: str) -> Path:
    return launch.out / "stages" / stage


def stage_steps(launch: Launch) -> list[Step]:
    """The sizing (where the project has a budget in minutes) and one step for each stage."""
    steps = []
    if launch.project.minutes is not None:
        text = f"measure this machine and divide {launch.project.minutes:g} minutes of training among the stages"
        steps.append(Step("size", text, _size_inputs, _size))
    return steps + [_stage_step(stage) for stage in launch.project.stages]


def _size_inputs(launch: Launch) -> dict[str, Any]:
    return {
        "minutes": launch.project.minutes,
        # Their limits judge what comes of them, and change no size.
        "stages": [stage.model_dump(exclude={"limits"}) for stage in launch.project.stages],
        "recipes": [
            hash_json(lasting_part(stage_recipe(launch, stage.recipe, stage.overrides)))
            for stage in launch.project.stages
        ],
    }


def _size(launch: Launch) -> dict[str, Any]:
    """Steps per stage = its share of the budget, less `BESIDE_STEPS`, × measured tokens per second ÷ tokens per step.

    Recorded once: a continued launch keeps the sizes it began with, so that its plans stay the same.
    """
    minutes = launch.project.minutes or 0.0
    total = sum(stage.share or 0.0 for stage in launch.project.stages)
    steps: dict[str, int] = {}
    speeds: dict[str, float] = {}
    for stage in launch.project.stages:
        recipe = stage_recipe(launch, stage.recipe, stage.overrides)
        speeds[stage.name] = measure_speed(recipe)
        seconds = 60.0 * minutes * (stage.share or 0.0) / total
        steps[stage.name] = max(
            FEWEST_STEPS, round((1 - BESIDE_STEPS) * seconds * speeds[stage.name] / recipe.tokens_per_step)
        )
        launch.console.line(
            f"{stage.name}: {speeds[stage.name]:,.0f} tokens/s, {seconds:.0f} s, {steps[stage.name]} steps"
        )
    return {"tokens_per_s": speeds, "steps": steps}


def sized_recipe(launch: Launch, stage: Stage) -> Recipe:
    """The recipe that a stage really runs: its length is the sized one where the launch has a budget in minutes."""
    overrides = stage.overrides
    if launch.project.minutes is not None:
        overrides = (*overrides, f"length={{steps: {launch.evidence('size')['steps'][stage.name]}}}")
    return stage_recipe(launch, stage.recipe, overrides)


def _stage_step(stage: Stage) -> Step:
    def inputs(launch: Launch) -> dict[str, Any]:
        return _stage_inputs(launch, stage)

    def run(launch: Launch) -> dict[str, Any]:
        return _train_stage(launch, stage)

    def judge(launch: Launch, evidence: dict[str, Any]) -> list[Judged]:
        return _judge_stage(stage, evidence)

    source = f"weights from {stage.parent}" if stage.parent else "from random weights or the recipe's base"
    remedy = f"look at its curves (vaak report) and at stages.{stage.name}.limits in the project file"
    return Step(
        stage.name,
        f"train {stage.recipe}, {source}",
        inputs,
        run,
        judge,
        _stage_holds,
        _stage_changed,
        remedy,
        needed=True,
    )


def _stage_inputs(launch: Launch, stage: Stage) -> dict[str, Any]:
    recipe = sized_recipe(launch, stage)
    parent = launch.evidence(stage.parent)["checkpoint"] if stage.parent else None
    return {
        "recipe": hash_json(lasting_part(recipe)),
        "parent": parent,
        "corpora": corpus_ids(launch),
        "pack": launch.evidence("pack")["pack"],
        "tokenizer": load_tokenizer(resolve(launch.project.tokenizer)).hash,
    }


def claim_run(run: Path, inputs: dict[str, Any]) -> Path | None:
    """Make a run folder that of these inputs; returns where a run of other inputs was moved, or None.

    Without this a run that had ended would pass for one of the new recipe or parent. What the run of an older version did not
    note is not compared. Raises `BadInput` if a run of other inputs is still being trained.
    """
    mark, moved = run / "inputs.json", None
    noted = read_json(mark) if mark.is_file() else None
    same = noted is not None and all(noted[name] == value for name, value in inputs.items() if name in noted)
    if run.exists() and not same:
        check_not_trained(run)
        number = 1
        while (moved := run.with_name(f"{run.name}.replaced-{number}")).exists():
            number += 1
        run.rename(moved)
        for beside in ("log", "running", "job.json"):
            run.with_name(f"{run.name}.{beside}").unlink(missing_ok=True)
    if not mark.is_file():
        write_json(mark, inputs)
    return moved


def claim_stage(launch: Launch, stage: Stage) -> None:
    """Make the stage's run folder that of its present inputs; done again it does nothing."""
    replaced = claim_run(run_folder(launch, stage.name), _stage_inputs(launch, stage))
    if replaced is not None:
        launch.console.line(f"{stage.name}: its inputs changed; the run that was there is now {replaced}")


def _train_stage(launch: Launch, stage: Stage) -> dict[str, Any]:
    recipe, run = sized_recipe(launch, stage), run_folder(launch, stage.name)
    parent = None
    if stage.parent:
        parent = launch.out / launch.evidence(stage.parent)["path"]
    claim_stage(launch, stage)
    with launch.console.screen(stage.name, run, NewestEvaluation(launch.db, run.name)) as screen:
        _train(launch, stage, recipe, run, parent, screen)
    checkpoint = newest_complete(run, verify=True)
    if checkpoint is None:
        raise BadInput(f"{run}: training ended without a complete checkpoint; look at its metrics.jsonl")
    launch.stamps.proved(checkpoint.path)
    launch.console.line(
        f"{stage.name}: ended at step {checkpoint.step}, checkpoint {checkpoint.id.split('/')[-1][:12]}"
    )
    path = str(checkpoint.path.relative_to(launch.out))
    return {"checkpoint": checkpoint.id, "path": path, "step": checkpoint.step, **asdict(outcome_of(run))}


def _train(launch: Launch, stage: Stage, recipe: Recipe, run: Path, parent: Path | None, screen: LiveScreen) -> None:
    """Train a stage to its end as the project says where."""
    kind, say = launch.project.launcher.kind, screen.say
    if kind == "in-process":
        with opened_trackers(
            launch.project.trackers,
            run=run.name,
            job="train",
            folder=run,
            metrics=TRAINING,
            say=say,
            direct=(screen.figures,),
        ) as tracker:
            train(
                recipe,
                run,
                parent=parent,
                resume=True,
                tracker=tracker,
                on_step=screen.on_step,
                stop=launch.stop,
                say=say,
            )
        return
    written = run.with_name(f"{run.name}.recipe.yaml")
    save_recipe(recipe, written)
    training = Training(stage.name, written, run, parent, launch.project.trackers or (NONE,))
    start = train_by_torchrun if kind == "torchrun" else train_by_slurm
    screen.follow()
    start(training, launch.project.launcher, launch.stop, screen.on_step, say)


def _judge_stage(stage: Stage, evidence: dict[str, Any]) -> list[Judged]:
    """The figures of a stage against its limits; of one from before there were any, none are known."""
    limits, shipped = stage.limits, StageLimits()
    words = {
        "loss": "loss, end over beginning",
        "held_out": "held-out loss, end over beginning",
        "skipped": "share of steps skipped",
        "mass": "served mass, points from the plan",
    }
    return [
        Judged(said, evidence.get(name), getattr(limits, name), getattr(shipped, name)) for name, said in words.items()
    ]


def _stage_holds(launch: Launch, evidence: dict[str, Any]) -> bool:
    """Whether its run is there. A run without the checkpoint that it ended with is not begun again: see `_stage_changed`."""
    return (launch.out / evidence["path"]).parents[1].is_dir()


def _stage_changed(launch: Launch, evidence: dict[str, Any]) -> list[str]:
    """What is wrong with the checkpoint that the stage ended with, if anybody touched it since it was verified."""
    path = launch.out / evidence["path"]
    if not path.parents[1].is_dir():
        return []  # gone as a whole, not changed: the stage is due again
    if not path.exists():
        return [
            f"{path} is gone (vaak checkpoint pull brings it back; without {path.parents[1]} the stage is trained again)"
        ]
    found = launch.stamps.problems(path, lambda: verify_checkpoint(path))
    if not found and read_json(path / "COMPLETE.json")["id"] != evidence["checkpoint"]:
        return [f"{path} is another checkpoint than the one that the stage ended with"]
    return found
