"""A small model, prompts and judges whose word is known, to see what a step of an alignment does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from vaak.align import run
from vaak.align.judge_counters import JudgeCounters
from vaak.align.judges import Judged
from vaak.align.prompts import AlignPrompt, PromptOrder
from vaak.align.stage import AlignStage
from vaak.checkpoint import find_model
from vaak.codec import open_codec
from vaak.corpus.pack_items import Prompt
from vaak.grammar.prompt import prompt_ids
from vaak.grammar.tokenizer import train_tokenizer
from vaak.model import create_model
from vaak.model.open import open_model, save_model
from vaak.model.settings import ModelSettings
from vaak.recipe import AlignRecipe, save_recipe
from vaak.recipe.tree import CheckpointSettings, ScheduleSettings
from vaak.score.reward_settings import RewardSettings
from vaak.speak.generation import Generation
from vaak.track import JsonlTracker
from vaak.track.jsonl import read_jsonl
from vaak.train.optimizer import build_optimizer
from vaak.train.world import World

CODEBOOK = 64
TOKENIZER = train_tokenizer(["one two three four five six seven eight nine ten red blue green old new big"] * 4, 300)
VOCABULARY = TOKENIZER.vocabulary(CODEBOOK)
# What a judge would say of a generation: its reward, or None where its group is to be dropped.
Word = Callable[[AlignPrompt, Generation], float | None]


def make_model(seed: int = 1):
    config = {"model_type": "qwen3", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
              "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 64, "tie_word_embeddings": True}  # fmt: skip
    return create_model(ModelSettings(config=config), VOCABULARY, seed)


def make_prompt(text: str, language: str = "en", limit: int = 12) -> AlignPrompt:
    codes = np.arange(6, dtype=np.uint16)
    sample = Prompt(f"{language}-{text}", language, "native", text, "someone", None, codes, None, None, None, None, True,
                    True, text)  # fmt: skip
    return AlignPrompt(sample, prompt_ids(VOCABULARY, TOKENIZER.encode(text)), limit, open_codec("embedded"))


def make_recipe(**changes) -> AlignRecipe:
    fields = {
        "name": "toy",
        "kind": "grpo",
        "parent": "nowhere",
        "corpora": (),
        "codec": "embedded",
        "prompts": {"languages": {"en": 1.0}},
        "prompts_per_step": 2,
        "group": 4,
        "microbatch": 4,
        "steps": 2,
        "schedule": ScheduleSettings(peak_lr=1e-3, min_lr=1e-3, warmup_ratio=0.0),
        "checkpoints": CheckpointSettings(every=2, model_only_every=None, milestones=None),
        "precision": "fp32",
        "device": "cpu",
    }
    return AlignRecipe(**{**fields, **changes})


class SetJudges:
    """Says what it is told to say."""

    def __init__(self, word: Word) -> None:
        self.word = word

    def begin(self, prompt: AlignPrompt, generations: Sequence[Generation]) -> Future[list[Judged]]:
        said = [self.word(prompt, one) for one in generations]
        dropped = any(one is None for one in said)
        done: Future[list[Judged]] = Future()
        done.set_result([Judged(None if dropped else one, {}, None, "", "", None, "") for one in said])
        return done

    counters = JudgeCounters()

    def close(self) -> None:
        pass


def make_stage(folder: Path, recipe: AlignRecipe, prompts: Sequence[AlignPrompt], model=None) -> AlignStage:
    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / "recipe.yaml")
    parent = folder.parent / "parent"
    if not parent.exists():
        save_model(model or make_model(), parent)
    recipe = recipe.model_copy(update={"parent": str(parent)})
    model = model or open_model(parent)
    pools: dict[str, list[AlignPrompt]] = {}
    for prompt in prompts:
        pools.setdefault(prompt.language, []).append(prompt)
    order = PromptOrder(pools, dict(recipe.prompts.languages), recipe.seed)
    optimizer = build_optimizer(model, recipe.optimizer, recipe.schedule.peak_lr)
    return AlignStage(recipe, folder, World(), TOKENIZER, open_codec("embedded"), order, None, frozenset(), model, optimizer, 0,
                      {"parent": find_model(parent)[0]})  # fmt: skip


def run_stage(stage: AlignStage, judges, draw=None, stop=lambda: False) -> list[dict]:
    """The rows of metrics.jsonl after `stage` has run to its end, with these judges and, if it is given, this way to draw."""
    replaced: list[Any] = [patch.object(run, "open_judges", lambda stage: judges)]
    if draw is not None:
        replaced.append(patch.object(run, "own_draw", lambda model, rollouts: draw))
    with ExitStack() as opened:
        for one in replaced:
            opened.enter_context(one)
        tracker = opened.enter_context(JsonlTracker(stage.folder / "metrics.jsonl", stage.step, lambda _: None))
        run.run_stage(stage, [tracker], None, stop, lambda _: None)
    return step_rows(stage.folder)


def step_rows(run: Path) -> list[dict]:
    """The rows of steps that an alignment has written, without those of its checkpoints."""
    return [row for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]


def said(*codes: int, stopped: bool = True) -> Generation:
    return Generation(np.array(codes, np.uint16), stopped)


__all__ = ["CODEBOOK", "TOKENIZER", "VOCABULARY", "RewardSettings", "SetJudges", "make_model", "make_prompt",
           "make_recipe", "make_stage", "run_stage", "said", "step_rows"]  # fmt: skip
