"""One alignment in a run folder: begun, or continued at the prompt where its last checkpoint stands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from vaak.align.batches import Batches, own_draw
from vaak.align.pairs import PairOrder
from vaak.align.prompts import PromptOrder
from vaak.align.stage import AlignStage, open_judges, open_reference, prepare
from vaak.align.vllm_rollouts import name_rollout_model, vllm_draw, vllm_settings
from vaak.checkpoint import Checkpoint
from vaak.errors import BadInput, Interrupted
from vaak.grammar.export import export_tokenizer
from vaak.recipe.align_tree import AlignRecipe
from vaak.storage.files import read_json, write_json
from vaak.track import JsonlTracker, Tracker
from vaak.train.callbacks import OnStep
from vaak.train.failures import sharing_failures
from vaak.train.run_folder import Say, locked
from vaak.train.schedule import learning_rate
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
        if (run / "DONE.json").is_file():
            prepare(recipe, run, world, resume, lambda _: None, stop)
            return run / "checkpoints" / read_json(run / "DONE.json")["folder"]
        say = say if world.is_first else lambda _: None
        stage = prepare(recipe, run, world, resume, say, stop)
        with ExitStack() as opened:
            trackers: list[Tracker] = []
            if world.is_first:
                trackers = [opened.enter_context(JsonlTracker(run / "metrics.jsonl", stage.step, say))]
                trackers += [tracker] if tracker is not None else []
            last = (run_dpo if recipe.kind == "dpo" else run_grpo)(stage, trackers, on_step, stop, say)
        if world.is_first:
            write_json(run / "DONE.json", {"checkpoint": last.id, "folder": last.path.name, "step": last.step})
        return last.path


def run_grpo(
    stage: AlignStage[PromptOrder],
    trackers: Sequence[Tracker],
    on_step: OnStep | None,
    stop: Callable[[], bool],
    say: Say,
) -> Checkpoint:
    """Every step that is left, and the checkpoint of the last. Raises `Interrupted` when it was asked to stop."""
    with ExitStack() as opened:
        opened.enter_context(_quiet())
        return _grpo(stage, trackers, on_step, stop, say, opened)


def _grpo(
    stage: AlignStage[PromptOrder],
    trackers: Sequence[Tracker],
    on_step: OnStep | None,
    stop: Callable[[], bool],
    say: Say,
    opened: ExitStack,
) -> Checkpoint:
    try:
        from vaak.align.grpo import SpeechGRPO, grpo_config
    except ImportError as error:
        raise BadInput(f"alignment needs TRL ({error}); pip install 'vaak[align]'") from error
    from vaak.align.progress import Progress

    recipe, world = stage.recipe, stage.world
    judges = open_judges(stage)
    opened.callback(judges.close)
    batches = Batches(stage, judges, own_draw(stage))
    progress = Progress(stage, trackers, on_step, stop, say)
    opened.callback(progress.checkpointing.close)
    if stage.resumed is None:
        progress.save_start()
    prompts = [prompt for pool in stage.prompts.pools.values() for prompt in pool]
    longest = max(prompt.limit for prompt in prompts)
    positions = max(len(prompt.ids) + prompt.limit for prompt in prompts)
    if recipe.rollouts.engine != "own":
        with world.first_before_others():
            name_rollout_model(stage.model, stage.folder / "trl" / "model", write=world.is_first)
    trainer = SpeechGRPO(
        stage.model,
        open_reference(stage) if recipe.kl else None,
        batches.roll_out,
        trl_tokenizer(stage),
        (stage.optimizer, rates(stage)),
        recipe,
        grpo_config(
            recipe,
            stage.folder / "trl",
            steps=recipe.steps - stage.step,
            world=world.size,
            device=world.device,
            longest=longest,
            vllm=vllm_settings(recipe, stage.model.vocabulary, positions),
        ),
        stage.step // recipe.updates_per_batch * recipe.prompts_per_step,
        [progress],
    )
    if recipe.rollouts.engine != "own":
        batches.draw = vllm_draw(trainer.vllm_generation, stage.model.vocabulary, recipe.group)
    progress.figures = lambda: {**batches.figures(), **trainer.difference()}
    trainer.train()
    return _last_of(stage, progress)


def run_dpo(
    stage: AlignStage[PairOrder],
    trackers: Sequence[Tracker],
    on_step: OnStep | None,
    stop: Callable[[], bool],
    say: Say,
) -> Checkpoint:
    """As `run_grpo`, from pairs that are there already: nothing is drawn or judged."""
    try:
        from vaak.align.dpo import SpeechDPO, dpo_config
    except ImportError as error:
        raise BadInput(f"alignment needs TRL ({error}); pip install 'vaak[align]'") from error
    from vaak.align.progress import Progress

    recipe, world = stage.recipe, stage.world
    with ExitStack() as opened:
        opened.enter_context(_quiet())
        progress = Progress(stage, trackers, on_step, stop, say)
        opened.callback(progress.checkpointing.close)
        if stage.resumed is None:
            progress.save_start()
        config = dpo_config(
            recipe, stage.folder / "trl", steps=recipe.steps - stage.step, world=world.size, device=world.device
        )
        trainer = SpeechDPO(
            stage.model,
            open_reference(stage),
            stage.prompts,
            trl_tokenizer(stage),
            (stage.optimizer, rates(stage)),
            recipe,
            config,
            stage.step * recipe.prompts_per_step,
            [progress],
        )
        trainer.train()
        return _last_of(stage, progress)


@contextmanager
def _quiet() -> Iterator[None]:
    """TRL sets what transformers calls by another name now; nobody can do anything about it here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        yield


def _last_of(stage: AlignStage, progress: Any) -> Checkpoint:
    """The checkpoint of the last step. Raises `Interrupted` where a run was asked to stop before."""
    if progress.stopped:
        raise Interrupted(f"{stage.recipe.name}: stopped after step {stage.step} of {stage.recipe.steps}, saved")
    assert progress.checkpointing.last is not None
    return progress.checkpointing.last


def rates(stage: AlignStage) -> torch.optim.lr_scheduler.LambdaLR:
    """The closed form of the step, as a scheduler that begins where the run stands."""
    recipe, first = stage.recipe, stage.step
    for group in stage.optimizer.param_groups:
        group["initial_lr"] = group["lr"] = recipe.schedule.peak_lr
    return torch.optim.lr_scheduler.LambdaLR(
        stage.optimizer,
        lambda done: learning_rate(recipe.schedule, first + done, recipe.steps) / recipe.schedule.peak_lr,
    )


def trl_tokenizer(stage: AlignStage) -> Any:
    """A Hugging Face tokenizer with the same ids, of which TRL asks the stop token and the padding."""
    from transformers import PreTrainedTokenizerFast

    folder = stage.folder / "trl"
    with stage.world.first_before_others():
        if stage.world.is_first:
            folder.mkdir(exist_ok=True)
            export_tokenizer(stage.tokenizer, stage.model.vocabulary, folder)
    found = PreTrainedTokenizerFast.from_pretrained(folder)
    vocabulary = stage.model.vocabulary
    found.eos_token = found.convert_ids_to_tokens(vocabulary.speech_end)
    found.pad_token = found.convert_ids_to_tokens(vocabulary.end_of_text_id)
    return found
