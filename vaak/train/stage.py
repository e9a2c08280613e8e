"""A stage made ready to run: its resolved recipe, plan, data, model and optimizer, fresh or as a checkpoint left them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vaak.checkpoint import (
    Checkpoint,
    find_checkpoint,
    list_checkpoints,
    load_state,
    load_tensors,
    training_folder,
)
from vaak.codec import code_levels
from vaak.corpus import Corpus, open_corpus, open_staged_corpus
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.host import choose_precision
from vaak.mixture import Plan, check_unchanged, load_plan
from vaak.model.open import create_model, open_model
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import (
    Recipe,
    check_peak,
    is_address,
    load_recipe,
    plan_recipe,
    resolve_path,
    save_recipe,
    split_batch,
    steps_of,
)
from vaak.train.adapters import begin_lora, check_lora, is_lora, resume_lora
from vaak.train.early_checks import check_start, check_vocabulary
from vaak.train.optimizer import build_optimizer, load_optimizer
from vaak.train.parallel import check_shards, parallelise
from vaak.train.run_folder import Say, check_same_fields, newest_trusted
from vaak.train.world import World

# A short stage over many cells has a note for each that gets no row: all are in plan.json, these are said aloud.
_NOTES_SAID = 3


@dataclass(frozen=True)
class Data:
    """What a recipe's paths name, opened."""

    corpora: list[Corpus]
    tokenizer: TextTokenizer
    vocabulary: Vocabulary
    pack: GoldPack | None

    @property
    def shard_wait(self) -> float | None:
        """Seconds that readers stood waiting for staged shards so far, or None where every corpus is a folder."""
        staged = [one.staged.counters().seconds_waited for one in self.corpora if one.staged is not None]
        return sum(staged) if staged else None

    @property
    def tokens_per_second(self) -> float:
        """Codes per second of audio; 0 for corpora of text alone."""
        return next((float(one.codec["tokens_per_second"]) for one in self.corpora if one.codec), 0.0)


@dataclass
class Stage:
    """Everything that the loop needs. `step` is how many optimizer steps are done; `module` is what to call for a loss, the
    model or what wraps it on several processes."""

    recipe: Recipe
    plan: Plan
    data: Data
    model: SpeechLM
    module: nn.Module
    optimizer: torch.optim.Optimizer
    steps: int
    step: int
    state: dict[str, Any]
    # The checkpoint that it continues.
    resumed: Checkpoint | None = None


def open_data(recipe: Recipe) -> Data:
    """Open the corpora, tokenizer and pack of a recipe. Raises `BadInput` naming what is missing or does not fit."""
    corpora = _open_corpora(recipe)
    sizes = {one.codebook_size for one in corpora if one.codebook_size}
    if len(sizes) != 1:
        found = ", ".join(map(str, sorted(sizes))) or "none"
        raise BadInput(f"recipe {recipe.name} needs corpora of one codec; their codebook sizes are {found}")
    codecs = {one.codec_hash[:12]: one.folder for one in corpora if one.codec_hash}
    if len(codecs) > 1:
        found = ", ".join(f"{folder} has {name}" for name, folder in codecs.items())
        raise BadInput(
            f"recipe {recipe.name} mixes codes of different codecs ({found}); encode all with one, or leave out"
        )
    tokenizer = load_tokenizer(resolve_path(recipe.tokenizer))
    pack = open_pack(resolve_path(recipe.pack)) if recipe.pack else None
    return Data(corpora, tokenizer, tokenizer.vocabulary(sizes.pop()), pack)


def _open_corpora(recipe: Recipe) -> list[Corpus]:
    """The folders, and the addresses through one cache, which they share when they fetch ahead."""
    remote = sum(map(is_address, recipe.corpora))
    limit = int(recipe.staging.limit_gb * 1e9)
    cache = Path(recipe.staging.folder).expanduser()
    return [
        open_staged_corpus(path, cache, limit, limit // remote) if is_address(path) else open_corpus(resolve_path(path))
        for path in recipe.corpora
    ]


def prepare(
    recipe: Recipe, run: Path, parent: Path | None, resume: bool, say: Say, world: World | None = None
) -> Stage:
    """Make a stage ready in its run folder, or continue the one that is there.

    What was resolved at its start (precision, microbatch) stays as it was. Raises `BadInput` if the folder holds
    another recipe's run, if the plan would now be another, if the step does not divide among the processes, or if the peak
    rate is not below the parent's.
    """
    world = world or World()
    begun = bool(list_checkpoints(run))
    if begun and not resume:
        raise BadInput(f"{run} already holds a run; resume it, or name a new folder")
    if parent is not None:
        recipe = recipe.model_copy(update={"parent": str(parent.resolve())})
    split_batch(recipe.rows_per_step, world.size, recipe.microbatch_rows)
    check_shards(recipe.parallel, world)
    check_lora(recipe, run)
    if not begun:  # what a run began from need not be there any more when it continues
        check_start(recipe)
    with world.first_before_others():
        recipe = _resolved(recipe, run, world, begun)
        data = open_data(recipe)
        if not begun:
            check_vocabulary(recipe, data.vocabulary)
        plan = _plan(recipe, run, data, say)
    steps = steps_of(recipe, plan)
    checkpoint = newest_trusted(run, world, say) if resume else None
    if checkpoint is not None:
        return _resumed(recipe, plan, data, steps, checkpoint, world, say)
    model, origin = _fresh_model(recipe, data, say)
    state: dict[str, Any] = {}
    if recipe.lora is not None:
        state["lora"], sentence = begin_lora(model, recipe, origin)
        say(sentence)
    torch.manual_seed(recipe.seed + world.rank)  # whatever this process has drawn before
    stage = _built(recipe, plan, data, model, steps, world)
    stage.state = state
    return stage


def _built(recipe: Recipe, plan: Plan, data: Data, model: SpeechLM, steps: int, world: World) -> Stage:
    """A stage at its first step, with the model where it will be trained and an optimizer over its parameters there."""
    assert recipe.precision != "auto"  # `_resolved` has settled it
    model = model.to(world.device)
    module = parallelise(model, recipe.parallel, world, recipe.precision)
    optimizer = build_optimizer(model, recipe.optimizer, recipe.schedule.peak_lr, recipe.precision)
    return Stage(recipe, plan, data, model, module, optimizer, steps, 0, {})


def _resolved(recipe: Recipe, run: Path, world: World, begun: bool) -> Recipe:
    """The recipe with nothing left open: the saved one of this run, or the given one, then saved.

    begun: there are checkpoints. What they came from stays in the saved one then, wherever it lies now.
    """
    path = run / "recipe.yaml"
    if path.is_file():
        saved = load_recipe(path)
        check_same_fields(path, lasting_part(saved), lasting_part(recipe))
        # Data may have moved since; the plan's fingerprint makes sure that it is the same data.
        moved = {name: getattr(recipe, name) for name in _MAY_CHANGE}
        moved["parent"] = recipe.parent or saved.parent
        resolved = saved.model_copy(update=moved | {"microbatch_rows": _microbatch(recipe, saved, world)})
        written = saved.model_copy(update={"checkpoints": resolved.checkpoints})
        if not begun:
            written = written.model_copy(update={"parent": resolved.parent})
        if written != saved:
            save_recipe(written, path)
        return resolved
    microbatch, _ = split_batch(recipe.rows_per_step, world.size, recipe.microbatch_rows)
    precision = choose_precision(recipe.precision, world.device)
    recipe = recipe.model_copy(update={"microbatch_rows": microbatch, "precision": precision})
    save_recipe(recipe, path)
    return recipe


def _microbatch(recipe: Recipe, saved: Recipe, world: World) -> int:
    """Rows of a microbatch of a continued run: as it began, unless the recipe or the number of processes says otherwise."""
    if recipe.microbatch_rows is not None:
        return recipe.microbatch_rows
    before, each = saved.microbatch_rows, recipe.rows_per_step // world.size
    return before if before and each % before == 0 else split_batch(recipe.rows_per_step, world.size)[0]


# Where the data lies, how the work is cut and what is kept do not change what a step means; sums may be taken in another order.
_MAY_CHANGE = (
    "checkpoints",
    "corpora",
    "staging",
    "pack",
    "tokenizer",
    "parent",
    "loader_workers",
    "microbatch_rows",
    "device",
    "parallel",
    "activation_checkpointing",
    "compile",
    "profile",
)


def lasting_part(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe says what is trained, as JSON values: two recipes that agree in it may continue each other's runs."""
    tree = recipe.model_dump(mode="json")
    return {name: value for name, value in tree.items() if name not in _MAY_CHANGE}


def check_same_recipe(recipe: Recipe, run: Path) -> None:
    """Raise `BadInput` if a run folder was made with another recipe than this one; where data lies may change, and who loads it."""
    path = run / "recipe.yaml"
    check_same_fields(path, lasting_part(load_recipe(path)), lasting_part(recipe))


def _plan(recipe: Recipe, run: Path, data: Data, say: Say) -> Plan:
    folder = run / "plan"
    plan = plan_recipe(
        recipe,
        data.corpora,
        tokenizer=data.tokenizer,
        vocabulary=data.vocabulary,
        cache_folder=folder / "cache",
        excluded_ids=data.pack.excluded_ids if data.pack else (),
    )
    if (folder / "plan.json").is_file():
        check_unchanged(load_plan(folder), plan, run)
    else:
        plan.save(folder)
        for note in plan.notes[:_NOTES_SAID]:
            say(f"plan: {note}")
        if len(plan.notes) > _NOTES_SAID:
            say(f"plan: {len(plan.notes) - _NOTES_SAID} more notes in {folder / 'plan.json'}")
    return plan


def _fresh_model(recipe: Recipe, data: Data, say: Say) -> tuple[SpeechLM, str]:
    """The model that a stage begins from, and what it is called."""
    if recipe.parent is None:
        model = create_model(recipe.model, data.vocabulary, recipe.seed, code_levels(recipe.codec))
        return model, recipe.model.path or "model.config"
    parent = find_checkpoint(resolve_path(recipe.parent))
    before = load_recipe(parent.path / "recipe.yaml")
    ratio = check_peak(recipe, before)
    model = open_model(parent.path)
    say(
        f"weights from {parent.id}; the optimizer starts anew; the peak rate {recipe.schedule.peak_lr:g} is {ratio:.2f} times "
        f"the parent's final {before.schedule.min_lr:g}"
    )
    return model, parent.id


def _resumed(
    recipe: Recipe, plan: Plan, data: Data, steps: int, checkpoint: Checkpoint, world: World, say: Say
) -> Stage:
    state = load_state(checkpoint.path)
    if state["plan"] != plan.fingerprint:
        raise BadInput(f"{checkpoint.path} was trained with another plan than this run's; start a new run folder")
    if recipe.lora is None:
        model = open_model(checkpoint.path)
    else:  # the checkpoint's weights are merged: the base is made again from where the stage began
        model, origin = _fresh_model(recipe, data, lambda _: None)
        resume_lora(model, recipe, origin, state["lora"], load_tensors(checkpoint.path, is_lora))
    stage = _built(recipe, plan, data, model, steps, world)
    load_optimizer(stage.model, stage.optimizer, training_folder(checkpoint.path))
    _restore_random_state(checkpoint.path, state.get("world", 1), world)
    now = {"threads": torch.get_num_threads(), "world": world.size}
    for name, what in (("threads", "threads"), ("world", "processes")):
        if state.get(name, now[name]) != now[name]:
            say(
                f"resumed with {now[name]} {what} instead of {state[name]}: sums are taken in another order, so the last bits "
                "will differ"
            )
    say(f"continues {checkpoint.id}")
    stage.step, stage.state, stage.resumed = int(state["step"]), state, checkpoint
    return stage


def _restore_random_state(checkpoint: Path, saved_by: int, world: World) -> None:
    """Each rank's own; ranks that there were not take one of those that there were."""
    rank = world.rank % saved_by
    found = load_tensors(checkpoint, lambda name: name in (f"rng/{rank}", f"cuda_rng/{rank}"))
    torch.set_rng_state(found[f"rng/{rank}"])
    if world.device.type == "cuda" and f"cuda_rng/{rank}" in found:
        torch.cuda.set_rng_state(found[f"cuda_rng/{rank}"], world.device)
