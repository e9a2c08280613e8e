"""The one configuration tree of a training stage, and what it means for a run."""

from vaak.recipe.align_tree import AlignRecipe
from vaak.recipe.load import (
    is_address,
    load_align_recipe,
    load_codec_recipe,
    load_policy,
    load_recipe,
    resolve_path,
    save_recipe,
    stage_names,
)
from vaak.recipe.run import check_peak, plan_recipe, split_batch, steps_of
from vaak.recipe.tree import (
    Cadence,
    CheckpointSettings,
    Length,
    OptimizerSettings,
    ParallelSettings,
    Recipe,
    ScheduleSettings,
    StagingSettings,
    ValidationSettings,
)

__all__ = [
    "AlignRecipe",
    "Cadence",
    "CheckpointSettings",
    "Length",
    "OptimizerSettings",
    "ParallelSettings",
    "Recipe",
    "ScheduleSettings",
    "StagingSettings",
    "ValidationSettings",
    "check_peak",
    "is_address",
    "load_align_recipe",
    "load_codec_recipe",
    "load_policy",
    "load_recipe",
    "plan_recipe",
    "resolve_path",
    "save_recipe",
    "split_batch",
    "stage_names",
    "steps_of",
]
