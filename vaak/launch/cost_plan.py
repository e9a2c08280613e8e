"""Which stages a cost is asked for, recipes by name or file or all stages of a project file; and how long a stage is."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from vaak.errors import BadInput
from vaak.launch.project import Project, load_project
from vaak.recipe import Recipe, is_address, load_recipe, plan_recipe, resolve_path, steps_of
from vaak.train.stage import open_data


def stages_of(names: Sequence[str], overrides: Sequence[str] = ()) -> list[Recipe]:
    """The recipes of these names or files in order; a project file stands for its stages, each with the project's and its own
    overrides under the given ones. Raises `BadInput` for what cannot be read."""
    found: list[Recipe] = []
    for name in names:
        found += (
            _of_project(load_project(Path(name)), overrides) if _is_project(name) else [load_recipe(name, overrides)]
        )
    if not found:
        raise BadInput("no stage is named; give a recipe, such as pt-s1, or a project file")
    return found


def _is_project(name: str) -> bool:
    """Whether this is a file with stages; what cannot be read is left to who reads it as a recipe and says why."""
    try:
        tree = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(tree, dict) and "stages" in tree


def _of_project(project: Project, overrides: Sequence[str]) -> list[Recipe]:
    corpora = ",".join(f'"{one if is_address(one) else resolve_path(one)}"' for one in project.corpora)
    given = [f"corpora=[{corpora}]", f'tokenizer="{project.tokenizer}"', f'codec="{project.codec}"', *project.overrides]
    return [
        load_recipe(stage.recipe, [*given, *stage.overrides, *overrides]).model_copy(update={"name": stage.name})
        for stage in project.stages
    ]


def stage_steps(recipe: Recipe) -> int | None:
    """Optimizer steps of a stage. Passes over corpora are counted where these and the tokenizer are folders here, without what a
    gold pack that is not built yet will take out of them; else None. Raises `BadInput` for corpora that cannot be opened."""
    if recipe.planned_steps is not None:
        return recipe.planned_steps
    if not recipe.corpora or any(map(is_address, recipe.corpora)) or not resolve_path(recipe.tokenizer).exists():
        return None
    if recipe.pack is not None and not resolve_path(recipe.pack).exists():
        recipe = recipe.model_copy(update={"pack": None})
    data = open_data(recipe)
    with tempfile.TemporaryDirectory(prefix="vaak-cost-") as folder:
        plan = plan_recipe(
            recipe,
            data.corpora,
            tokenizer=data.tokenizer,
            vocabulary=data.vocabulary,
            cache_folder=folder,
            excluded_ids=data.pack.excluded_ids if data.pack else (),
        )
        return steps_of(recipe, plan)
