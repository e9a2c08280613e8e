"""One alignment in a run folder: begun, or continued at the prompt where its last checkpoint stands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from vaak.align.batches import Batches, own_draw
from vaak.align.prompts import PromptOrder
from vaak.align.stage import AlignStage, check_same_recipe, open_judges, prepare
from vaak.align.vllm_rollouts import name_rollout_model, vllm_draw, vllm_settings
from vaak.checkpoint import Checkpoint
from vaak.errors import BadInput, Interrupted
from vaak.recipe.align_tree import AlignRecipe
from vaak.storage.files import write_json
from vaak.track import JsonlTracker, RunTracker, Tracker
from vaak.train.callbacks import OnStep
from vaak.train.failures import sharing_failures
from vaak.train.loop import finished, last_folder
from vaak.train.run_folder import Say, locked
from vaak.train.world import joined


def align(
    recipe: AlignRecipe,
    run: str | Path,
    *,
    resume: bool = True,
    tracker: Tracker | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Say = print,
) -> Path:
    """Align a model in a run folder, or continue, and return the folder of its final checkpoint.

    The arguments are those of `vaak.train.loop.train`, and so is the folder: recipe.yaml, metrics.jsonl, checkpoints/ (step 0
    is the model as it came) and, at the end, DONE.json; a sidecar follows it and a publisher sends it as any other. Raises
    `BadInput` where TRL is not installed, and `Interrupted` when it was asked to stop.
    """
    run = Path(run)
    with joined(recipe.device) as world, sharing_failures(world), locked(run) if world.is_first else nullcontext():
        done = finished(run) if world.is_first else None
        if world.any(done is not None):
            if not resume:
                raise BadInput(f"{run} already holds a run; resume it, or name a new folder")
            check_same_recipe(recipe, run)
            return done or last_folder(run)
        say = say if world.is_first else lambda _: None
        stage = prepare(recipe, run, world, resume, say, stop)
        with ExitStack() as opened:
            trackers: list[Tracker] = []
            if world.is_first:
                jsonl = opened.enter_context(JsonlTracker(run / "metrics.jsonl", stage.step, say))
                trackers = [opened.enter_context(RunTracker(jsonl, tracker, say))]
            last = run_stage(stage, trackers, on_step, stop, say)
        if world.is_first:
            write_json(run / "DONE.json", {"checkpoint": last.id, "folder": last.path.name, "step": last.step})
        return last.path


def run_stage(
    stage: AlignStage, trackers: Sequence[Tracker], on_step: OnStep | None, stop: Callable[[], bool], say: Say
) -> Checkpoint:
    """Every step that is left, and the checkpoint of the last. Raises `Interrupted` when it was asked to stop."""
    try:
        from vaak.align.dpo import SpeechDPO
        from vaak.align.progress import Progress
    except ImportError as error:
        raise BadInput(f"alignment needs TRL ({error}); pip install 'vaak[align]'") from error
    with ExitStack() as opened:
        opened.enter_context(warnings.catch_warnings())
        # TRL sets what transformers calls by another name now; nobody can do anything about it here.
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        progress = Progress(stage, trackers, on_step, stop, say)
        opened.callback(progress.checkpointing.close)
        progress.start()
        trainer = SpeechDPO(stage, [progress]) if stage.recipe.kind == "dpo" else _grpo(stage, progress, opened)
        trainer.train()
    if progress.stopped:
        raise Interrupted(f"{stage.recipe.name}: stopped after step {stage.step} of {stage.recipe.steps}, saved")
    assert progress.checkpointing.last is not None
    return progress.checkpointing.last


def _grpo(stage: AlignStage[PromptOrder], progress: Any, opened: ExitStack) -> Any:
    """The trainer of GRPO with its judges, which are closed with `opened`."""
    from vaak.align.grpo import SpeechGRPO
    from vaak.align.trl_border import trl_folder

    recipe = stage.recipe
    judges = open_judges(stage)
    opened.callback(judges.close)
    batches = Batches(stage, judges, own_draw(stage.model, recipe.rollouts))
    if recipe.rollouts.engine != "own":
        with stage.world.first_before_others():
            name_rollout_model(stage.model, trl_folder(stage) / "model", write=stage.world.is_first)
    positions = max(len(prompt.ids) + prompt.limit for prompt in stage.prompts.all)
    vllm = vllm_settings(recipe, stage.model.vocabulary, positions)
    trainer = SpeechGRPO(stage, batches.roll_out, vllm, [progress])
    if recipe.rollouts.engine != "own":
        batches.draw = vllm_draw(trainer.vllm_generation, stage.model.vocabulary, recipe.group)
    progress.figures = lambda: {**batches.figures(), **trainer.difference()}
    return trainer
