"""An alignment made ready to run: its resolved recipe, prompts, judges, model and optimizer, fresh or as a checkpoint left them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from vaak.align.judges import Judges
from vaak.align.pairs import PairOrder, check_pairs, identity, open_pairs
from vaak.align.prompts import PromptOrder, gather_prompts, held_text
from vaak.align.trust import trust_of
from vaak.checkpoint import Checkpoint, find_model, list_checkpoints, load_state, training_folder
from vaak.codec import Codec, open_codec
from vaak.corpus import open_corpus
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput, Interrupted
from vaak.evaluate.items import check_pack_codec
from vaak.grammar.export import text_tokenizer
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.host import choose_precision
from vaak.model.layers import recompute_layers
from vaak.model.open import open_model
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import load_align_recipe, resolve_path, save_recipe
from vaak.recipe.align_tree import AlignRecipe
from vaak.score.asr import Asr, open_asr
from vaak.speak.generation import positions_of
from vaak.speak.speech import check_codec
from vaak.train.optimizer import build_optimizer, load_optimizer
from vaak.train.run_folder import Say, check_same_fields, newest_trusted
from vaak.train.world import World

# Where data lies, how the work is cut and what is kept do not change what a step means.
_MAY_CHANGE = ("corpora", "pack", "pairs", "results", "parent", "codec", "microbatch", "checkpoints", "device",
               "activation_checkpointing")  # fmt: skip
# Nor does how long a judge may take, or where a server is.
_MAY_CHANGE_BELOW = {"judges": ("seconds", "threads"), "rollouts": ("server", "gpu_memory")}
# What a run learns from, by number: prompts, or for DPO pairs of completions of prompts.
Order = TypeVar("Order", bound=PromptOrder | PairOrder)


@dataclass
class AlignStage(Generic[Order]):
    """Everything that an alignment needs. `step`: how many optimizer steps are done; `tokenizer` is of text; `asr`: who hears, None
    where nobody does."""

    recipe: AlignRecipe
    folder: Path
    world: World
    tokenizer: TextTokenizer
    codec: Codec
    prompts: Order
    asr: Asr | None
    trusted: frozenset[str]
    model: SpeechLM
    optimizer: torch.optim.Optimizer
    step: int
    state: dict[str, Any]
    resumed: Checkpoint | None = None


def prepare(
    recipe: AlignRecipe,
    folder: Path,
    world: World,
    resume: bool,
    say: Say,
    stop: Callable[[], bool] = lambda: False,
) -> AlignStage:
    """Make an alignment ready in its run folder, or continue the one that is there.

    Raises `BadInput` if the folder holds another recipe's run, if its prompts would now be others, or if the model, codec and
    corpora do not belong together; `Interrupted` when `stop` turned true before all was ready.
    """
    if list_checkpoints(folder) and not resume:
        raise BadInput(f"{folder} already holds a run; resume it, or name a new folder")
    if recipe.prompts_per_step % world.size or recipe.completions_per_step // world.size % recipe.microbatch:
        raise BadInput(
            f"{recipe.prompts_per_step} prompts a step do not divide by {world.size} processes and their microbatches of "
            f"{recipe.microbatch} completions; change prompts_per_step or microbatch"
        )
    with world.first_before_others():
        recipe = _resolved(recipe, folder, world)
    parent_id, parent = find_model(resolve_path(recipe.parent))
    checkpoint = newest_trusted(folder, world, say) if resume else None
    model = open_model(checkpoint.path if checkpoint else parent)
    codec = open_codec(recipe.codec)
    check_codec(model.vocabulary, codec)
    tokenizer = text_tokenizer(load_tokenizer(checkpoint.path if checkpoint else parent), model.vocabulary)
    say(f"aligns {parent_id}")
    asr = None
    if recipe.kind == "dpo":
        prompts, trusted = _pairs(recipe, identity(parent_id, model.vocabulary, tokenizer, codec), say)
    else:
        pack, asr = pack_of(recipe, codec), open_asr_of(recipe)
        with world.first_before_others():
            trusted = trust_of(recipe, pack, codec, asr, folder, say, stop)
        if world.any(stop()):  # what is half measured decides nothing
            raise Interrupted(f"{recipe.name}: stopped before its first step")
        prompts = prompts_of(recipe, model, tokenizer, codec, pack)
    model = model.to(world.device)
    recompute_layers(model, recipe.activation_checkpointing)
    optimizer = build_optimizer(model, recipe.optimizer, recipe.schedule.peak_lr, recipe.precision)  # pyright: ignore
    stage = AlignStage(
        recipe, folder, world, tokenizer, codec, prompts, asr, trusted, model, optimizer, 0, {"parent": parent_id}
    )
    if checkpoint is not None:
        continue_from(stage, checkpoint, say)
    return stage


def _resolved(recipe: AlignRecipe, folder: Path, world: World) -> AlignRecipe:
    path = folder / "recipe.yaml"
    precision = choose_precision(recipe.precision, world.device)
    if path.is_file():
        saved = load_align_recipe(path)
        check_same_fields(path, _lasting(saved), _lasting(recipe))
        recipe = recipe.model_copy(update={"precision": saved.precision})
        # What keeps and sends checkpoints reads the policy there; a parent that was wrong may be put right before the first.
        moved = {"checkpoints": recipe.checkpoints} | ({} if list_checkpoints(folder) else {"parent": recipe.parent})
        if (written := saved.model_copy(update=moved)) != saved:
            save_recipe(written, path)
        return recipe
    recipe = recipe.model_copy(update={"precision": precision})
    save_recipe(recipe, path)
    return recipe


def check_same_recipe(recipe: AlignRecipe, run: Path) -> None:
    """Raise `BadInput` if a run folder was made with another recipe than this one; where data lies may change, and how work is cut."""
    path = run / "recipe.yaml"
    check_same_fields(path, _lasting(load_align_recipe(path)), _lasting(recipe))


def _lasting(recipe: AlignRecipe) -> dict[str, Any]:
    """What of a recipe a continued run must have as it began."""
    tree = {name: value for name, value in recipe.model_dump(mode="json").items() if name not in _MAY_CHANGE}
    for part, free in _MAY_CHANGE_BELOW.items():
        tree[part] = {name: value for name, value in tree[part].items() if name not in free}
    return tree


def pack_of(recipe: AlignRecipe, codec: Codec) -> GoldPack | None:
    """The recipe's pack, opened. Raises `BadInput` for one of another codec."""
    if not recipe.pack:
        return None
    pack = open_pack(resolve_path(recipe.pack))
    check_pack_codec(pack, codec)
    return pack


def prompts_of(
    recipe: AlignRecipe,
    model: SpeechLM,
    tokenizer: TextTokenizer,
    codec: Codec,
    pack: GoldPack | None,
    wanted: int | None = None,
) -> PromptOrder:
    """The prompts of the whole run, or `wanted` ones; no sample of the pack, and none with the text of one of its prompts.

    Raises `BadInput` for a corpus of another codec, and as `gather_prompts` does.
    """
    corpora = [open_corpus(resolve_path(path)) for path in recipe.corpora]
    for corpus in corpora:
        if corpus.codec_hash is not None and corpus.codec_hash != codec.hash:
            raise BadInput(
                f"{corpus.folder}: its codes are of codec {corpus.codec_hash[:12]}, not of {codec.name} "
                f"({codec.hash[:12]}); name the codec that it was encoded with"
            )
    return gather_prompts(
        recipe.prompts,
        corpora,
        model.vocabulary,
        tokenizer,
        codec,
        wanted=wanted or recipe.prompts_by(recipe.steps),
        seed=recipe.seed,
        positions=positions_of(model),
        excluded={*pack.excluded_ids, *(held_text(one.text) for one in pack.prompts)} if pack else (),
    )


def _pairs(recipe: AlignRecipe, model: dict[str, Any], say: Say) -> tuple[PairOrder, frozenset[str]]:
    """The pairs that the recipe names, and where a recogniser had judged them; `model` is the `identity` of its parent."""
    assert recipe.pairs is not None
    pairs = open_pairs(resolve_path(recipe.pairs))
    check_pairs(pairs, model, recipe.rollouts.temperature)
    say(f"{len(pairs.rows)} pairs of {pairs.folder}")
    if pairs.manifest["parent"] != model["parent"]:
        say(f"{pairs.folder} was spoken by {pairs.manifest['parent']}, so its completions are not this model's own")
    return PairOrder(pairs, Vocabulary(**model["vocabulary"]), recipe.seed), frozenset(pairs.manifest["trusted"])


def continue_from(stage: AlignStage, checkpoint: Checkpoint, say: Say) -> None:
    """Put a stage, whose model is that of `checkpoint`, where that stands. Raises `BadInput` for one of other prompts."""
    state = load_state(checkpoint.path)
    if state["prompts"] != stage.prompts.fingerprint:
        raise BadInput(f"{checkpoint.path} was trained with other prompts than this run's; start a new run folder")
    if state["trusted"] != sorted(stage.trusted):
        raise BadInput(
            f"{checkpoint.path} was trained while the recogniser was trusted in {', '.join(state['trusted']) or 'no language'}, now "
            f"it is in {', '.join(sorted(stage.trusted)) or 'none'}: another reward; name the same pack and results"
        )
    if checkpoint.step:
        load_optimizer(stage.model, stage.optimizer, training_folder(checkpoint.path))
    stage.step, stage.state, stage.resumed = int(state["step"]), state, checkpoint
    say(f"continues {checkpoint.id}")


def open_reference(stage: AlignStage) -> SpeechLM:
    """The parent, which a run is held near to, frozen: read again, since the model of a continued run is not the parent.

    Raises `BadInput` where another model stands there now.
    """
    found, folder = find_model(resolve_path(stage.recipe.parent))
    if found != stage.state["parent"]:
        raise BadInput(
            f"{stage.recipe.parent}: {found} stands there, and this run began with {stage.state['parent']}; "
            "name that one as the parent"
        )
    model = open_model(folder).to(stage.world.device).eval()
    return model.requires_grad_(False)


def open_asr_of(recipe: AlignRecipe) -> Asr:
    """Who hears, for as many threads as the recipe says."""
    return open_asr(recipe.judges.asr, threads=recipe.judges.threads)


def open_judges(stage: AlignStage[PromptOrder]) -> Judges:
    """The judges of a run; each process has its own."""
    assert stage.asr is not None
    return judges_of(stage.recipe, stage.codec, stage.asr, stage.trusted)


def judges_of(recipe: AlignRecipe, codec: Codec, asr: Asr, trusted: frozenset[str]) -> Judges:
    """The judges as a recipe sets them."""
    settings = recipe.judges
    return Judges(codec, asr, recipe.reward, trusted, threads=settings.threads, timeout_s=settings.seconds)
