"""What a recipe means for a run: microbatch and accumulation, steps, its plan, and its place after a parent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vaak.corpus import Corpus
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import Plan, solve_plan
from vaak.recipe.tree import Recipe

# Rows of one microbatch where a recipe leaves it open: the seed's choice for a 1.7B model on 80 GB.
DEFAULT_MICROBATCH = 2


def split_batch(rows_per_step: int, world: int, microbatch_rows: int | None = None) -> tuple[int, int]:
    """`(microbatch, accumulation)` with microbatch × accumulation × world = rows per step.

    Without `microbatch_rows` it is 2, or 1 where 2 does not divide. Raises `BadInput` for a batch that does not divide.
    """
    if rows_per_step % world:
        raise BadInput(f"a step of {rows_per_step} rows does not divide by {world} processes; change tokens_per_step")
    each = rows_per_step // world
    if microbatch_rows is None:
        microbatch_rows = DEFAULT_MICROBATCH if each % DEFAULT_MICROBATCH == 0 else 1
    if each % microbatch_rows:
        raise BadInput(
            f"{each} rows a process do not divide by a microbatch of {microbatch_rows}; change microbatch_rows or "
            "tokens_per_step"
        )
    return microbatch_rows, each // microbatch_rows


def plan_recipe(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    tokenizer: TextTokenizer,
    vocabulary: Vocabulary,
    cache_folder: str | Path,
    excluded_ids: Iterable[str] = (),
) -> Plan:
    """The plan of a stage: as many rows as its steps take, or passes over the data where the recipe counts in passes."""
    if not corpora:
        raise BadInput(f"recipe {recipe.name} names no corpus; add one with --set 'corpora=[FOLDER]'")
    steps = recipe.planned_steps
    return solve_plan(
        recipe.mixture,
        corpora,
        stage_kind=recipe.kind,
        context=recipe.context,
        total_rows=None if steps is None else steps * recipe.rows_per_step,
        passes=recipe.length.passes,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        seed=recipe.seed,
        cache_folder=cache_folder,
        excluded_ids=excluded_ids,
    )


def steps_of(recipe: Recipe, plan: Plan) -> int:
    """Optimizer steps of a stage. Where passes decide, the last step is filled up from the plan's next round."""
    steps = recipe.planned_steps
    return steps if steps is not None else -(-plan.n_rows // recipe.rows_per_step)


def check_peak(recipe: Recipe, parent: Recipe) -> float:
    """Ratio of a stage's peak rate to its parent's final rate.

    Raises `BadInput` if the peak is not below the parent's peak and the recipe does not allow it.
    """
    peak, before = recipe.schedule.peak_lr, parent.schedule.peak_lr
    if peak >= before and not recipe.allow_higher_peak:
        raise BadInput(
            f"recipe {recipe.name} has a peak rate of {peak:g}, which is not below the {before:g} of its parent "
            f"{parent.name}; lower schedule.peak_lr, or set allow_higher_peak"
        )
    return peak / parent.schedule.min_lr if parent.schedule.min_lr else float("inf")
