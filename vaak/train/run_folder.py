"""A run's folder: who may train in it, where training goes on, and what it needs of the run that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from vaak.checkpoint import Checkpoint, lease, list_checkpoints, verify_checkpoint
from vaak.checkpoint.folder import distrust
from vaak.errors import BadInput
from vaak.recipe import Recipe, load_recipe, resolve_path
from vaak.storage.locks import only_one
from vaak.train.world import World

Say = Callable[[str], None]
_SETTLED = ("precision",)


def check_same_fields(path: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise `BadInput` naming the first field of a recipe in which a run that began with `before` and goes on with `after`
    differs; `auto` and nothing leave open what was settled at the beginning. path: of the recipe that is kept."""
    for name, began_with in before.items():
        left_open = name in _SETTLED and after[name] in (None, "auto")
        if not left_open and began_with != after[name]:
            raise BadInput(
                f"{path}: this run began with {name} = {began_with}, the recipe now says {after[name]}; "
                "restore it, or start a new run folder"
            )


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run folder for this process. Raises `BadInput` if another one trains there now."""
    refused = f"{run} is being trained by another process; stop that one or name another folder"
    with ExitStack() as held:
        try:
            run.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_one(run / ".lock", refused))
        except OSError as error:
            raise BadInput(f"{run} cannot be a run's folder ({error.strerror}); name another one") from error
        yield


@contextmanager
def parent_held(recipe: Recipe, run: Path, parent: Path | None, say: Say) -> Iterator[None]:
    """Hold a lease on the checkpoint that a stage comes from, from before it is read until the stage ends.

    With LoRA it is read again to resume. Of a run it is the newest two, in case that the newest is damaged.
    """
    named = (
        parent
        or _parent_of(recipe)
        or (_parent_of(load_recipe(run / "recipe.yaml")) if (run / "recipe.yaml").is_file() else None)
    )
    among: list[Checkpoint] = []
    if named is not None and named.parent.name == "checkpoints":
        among = [one for one in list_checkpoints(named.parents[1]) if one.path == named]
    elif named is not None:
        among = [one for one in list_checkpoints(named) if one.complete][-2:]
    with ExitStack() as held:
        for one in among:
            try:
                held.enter_context(lease(one.path.parents[1], one.step, "parent"))
            except (BadInput, OSError) as error:
                say(f"retention may remove the parent {one.id}, since no lease can be written beside it ({error})")
        yield


def _parent_of(recipe: Recipe) -> Path | None:
    return None if recipe.parent is None else resolve_path(recipe.parent)


def newest_trusted(run: Path, world: World, say: Say) -> Checkpoint | None:
    """The checkpoint to resume from. The first rank hashes what is there and chooses; the others take the same step."""
    found = _trusted(run, say) if world.is_first else None
    step = int(world.total([found.step if found is not None else -1 if world.is_first else 0])[0])
    if world.is_first or step < 0:
        return found
    for one in list_checkpoints(run):
        if one.step == step and one.complete:
            return one
    raise BadInput(f"{run} has no step {step} on this machine; put the run on a disk that all machines share")


def _trusted(run: Path, say: Say) -> Checkpoint | None:
    """The newest full checkpoint that verifies. Newer ones that do not are named, and are no checkpoints from now on.

    None where none was ever complete. Raises `BadInput` where some are and none can be used: training would begin anew over
    what is there.
    """
    damaged: list[tuple[Path, list[str]]] = []
    complete = [one for one in list_checkpoints(run) if one.complete]
    for one in reversed(complete):
        problems = verify_checkpoint(one.path) if one.full else []
        if problems:
            damaged.append((one.path, problems))
            say(f"passed over {one.path.name}: {'; '.join(problems)}")
        elif one.full:
            for path, _ in damaged:
                distrust(path)
            return one
    if not complete:
        return None
    why = damaged[0][1][0] if damaged else "they hold models alone"
    raise BadInput(
        f"no checkpoint of {run} can be resumed from ({why}); restore one, or start a new folder with --parent and a model of this one"
    )
