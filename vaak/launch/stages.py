"""The training stages of a launch: sized from a measured speed, each with its own recipe, weights handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaak.checkpoint import newest_complete
from vaak.errors import BadInput
from vaak.launch.project import Stage
from vaak.launch.walk import Launch, Step
from vaak.recipe import Recipe, check_peak, load_recipe, resolve_path
from vaak.storage.files import hash_json, read_json, write_json
from vaak.train.loop import train
from vaak.train.speed import measure_speed

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
    corpora = ",".join(f'"{resolve(path)}"' for path in project.corpora)
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
        "stages": [stage.model_dump() for stage in launch.project.stages],
        "recipes": [
            hash_json(stage_recipe(launch, stage.recipe, stage.overrides).model_dump(mode="json"))
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

    source = f"weights from {stage.parent}" if stage.parent else "from random weights"
    return Step(stage.name, f"train {stage.recipe}, {source}", inputs, run, _stage_holds(stage))


def _stage_inputs(launch: Launch, stage: Stage) -> dict[str, Any]:
    recipe = sized_recipe(launch, stage)
    parent = launch.evidence(stage.parent)["checkpoint"] if stage.parent else None
    return {"recipe": hash_json(recipe.model_dump(mode="json")), "parent": parent}


def claim_run(run: Path, inputs: dict[str, Any]) -> Path | None:
    """Make a run folder that of these inputs; returns where a run of other inputs was moved, or None.

    Without this a run that had ended would pass for one of the new recipe or parent.
    """
    mark, moved = run / "inputs.json", None
    if run.exists() and (not mark.is_file() or read_json(mark) != inputs):
        number = 1
        while (moved := run.with_name(f"{run.name}.replaced-{number}")).exists():
            number += 1
        run.rename(moved)
    if not mark.is_file():
        write_json(mark, inputs)
    return moved


def _train_stage(launch: Launch, stage: Stage) -> dict[str, Any]:
    recipe, run = sized_recipe(launch, stage), run_folder(launch, stage.name)
    parent = None
    if stage.parent:
        parent = launch.out / launch.evidence(stage.parent)["path"]
    replaced = claim_run(run, _stage_inputs(launch, stage))
    if replaced is not None:
        launch.console.line(f"{stage.name}: its recipe or parent changed; the run that was there is now {replaced}")
    with launch.console.progress(stage.name) as bar:
        final = train(
            recipe,
            run,
            parent=parent,
            resume=True,
            on_step=lambda step, total, words: bar(step, total, words),
            stop=launch.stop,
            say=launch.console.line,
        )
    checkpoint = newest_complete(run, verify=True)
    if checkpoint is None:
        raise BadInput(f"{run}: training ended without a complete checkpoint; look at its metrics.jsonl")
    launch.console.line(
        f"{stage.name}: ended at step {checkpoint.step}, checkpoint {checkpoint.id.split('/')[-1][:12]}"
    )
    return {"checkpoint": checkpoint.id, "path": str(Path(final).relative_to(launch.out)), "step": checkpoint.step}


def _stage_holds(stage: Stage):
    def holds(launch: Launch, evidence: dict[str, Any]) -> bool:
        path = launch.out / evidence["path"]
        if not (path / "COMPLETE.json").exists():
            return False
        return read_json(path / "COMPLETE.json")["id"] == evidence["checkpoint"]

    return holds
