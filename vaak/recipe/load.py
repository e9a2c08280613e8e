"""Reading and writing recipes: YAML, overrides, and refusals that name the key and the nearest known one."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from vaak.codec.settings import CodecRecipe
from vaak.errors import BadInput
from vaak.recipe.align_tree import KINDS, AlignRecipe
from vaak.recipe.tree import CheckpointSettings, Recipe
from vaak.storage.files import write_bytes

STAGES = Path(__file__).parent / "stages"
ALIGNMENTS = Path(__file__).parent / "alignments"
CODECS = Path(__file__).parent / "codecs"
_EXAMPLE = "example:"
Tree = TypeVar("Tree", bound=BaseModel)


def stage_names() -> list[str]:
    """Names of the recipes that come with the package, sorted."""
    return sorted(path.stem for path in STAGES.glob("*.yaml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe by a stage's name or a file's path, and put overrides `path.to.key=value` over it.

    Values of overrides are YAML (`schedule.peak_lr=1e-4`, `corpora=[a, b]`, `pack=null`), and paths in them are relative
    to the working directory. Raises `BadInput` naming the file or override, the key, and the nearest known key.
    """
    return _load(Recipe, STAGES, str(name_or_path), overrides, _beside)


def load_align_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> AlignRecipe:
    """Read the recipe of an alignment by the name of one that comes with the package or by a file's path; as `load_recipe`."""
    return _load(AlignRecipe, ALIGNMENTS, str(name_or_path), overrides, _beside)


def load_policy(name_or_path: str | Path) -> CheckpointSettings:
    """When the run of a recipe saves and what it keeps, whether it is of a training stage or of an alignment."""
    path = Path(name_or_path)
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        tree = None  # said by whoever reads it next
    aligned = tree.get("kind") in KINDS if isinstance(tree, dict) else (ALIGNMENTS / f"{name_or_path}.yaml").is_file()
    return (load_align_recipe if aligned else load_recipe)(name_or_path).checkpoints


def load_codec_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> CodecRecipe:
    """Read the recipe of a codec by the name of one that comes with the package or by a file's path; as `load_recipe`."""
    return _load(CodecRecipe, CODECS, str(name_or_path), overrides, _audio_beside)


def _load(
    kind: type[Tree],
    named: Path,
    name: str,
    overrides: Iterable[str],
    beside: Callable[[dict[str, Any], Path], dict[str, Any]],
) -> Tree:
    path = _find(name, named)
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        first = " ".join(str(error).split())
        raise BadInput(f"{path} cannot be read as YAML ({first}); give a recipe file") from error
    if not isinstance(tree, dict):
        keys = " and ".join(repr(key) for key in list(kind.model_fields)[:2])
        raise BadInput(f"{path} is not a mapping; a recipe has keys such as {keys}")
    tree = beside(tree, path.parent) if path.parent != named else dict(tree)
    for override in overrides:
        _put(tree, override)
    # Absolute from here on: a saved recipe means the same wherever it is read again.
    tree = beside(tree, Path.cwd())
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise BadInput(_fault(str(path), error, kind)) from error


def save_recipe(recipe: Recipe | AlignRecipe, path: str | Path) -> None:
    """Write the whole tree, defaults included, as YAML that `load_recipe` reads back to an equal recipe."""
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    write_bytes(path, text.encode())


def is_address(text: str) -> bool:
    """Whether a corpus of a recipe lies in object storage and not in a folder."""
    return "://" in text


def resolve_path(path: str | Path) -> Path:
    """A path of a recipe as a folder: `example:corpus` and `example:tokenizer` name the embedded example's."""
    text = str(path)
    if is_address(text):
        raise BadInput(f"{text} is an address, and a folder is needed here; `vaak corpus pull FOLDER {text}` makes one")
    if not text.startswith(_EXAMPLE):
        return Path(path)
    import vaak.demo

    part = text.removeprefix(_EXAMPLE)
    folder = getattr(vaak.demo, f"{part}_folder", None)
    if folder is None:
        raise BadInput(f"{text!r} names nothing in the embedded example; use example:corpus or example:tokenizer")
    return Path(folder())


def _find(name: str, folder: Path) -> Path:
    named = folder / f"{name}.yaml"
    if named.is_file():
        return named
    path = Path(name)
    if path.is_file():
        return path
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"give a file, or one of {', '.join(known)}"
    raise BadInput(f"there is no recipe {name!r}: {hint}")


def _beside(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tree with paths relative to `folder` made absolute.

    `example:` paths, addresses, those below `~`, Hub ids, and names without a slash (a codec's, for one) stay as they are.
    """
    folder = folder.resolve()

    def place(value: Any, may_be_name: bool) -> Any:
        if not isinstance(value, str) or value.startswith((_EXAMPLE, "~")) or Path(value).is_absolute():
            return value
        if is_address(value):
            return value
        there = os.path.normpath(folder / value)
        return value if may_be_name and ("/" not in value or not os.path.exists(there)) else there

    tree = dict(tree)
    if isinstance(tree.get("corpora"), list):
        tree["corpora"] = [place(one, False) for one in tree["corpora"]]
    for key, may_be_name in (
        ("pack", False),
        ("parent", False),
        ("pairs", False),
        ("results", False),
        ("tokenizer", True),
        ("codec", True),
    ):
        if key in tree:
            tree[key] = place(tree[key], may_be_name)
    if isinstance(tree.get("model"), dict) and "path" in tree["model"]:
        tree["model"] = {**tree["model"], "path": place(tree["model"]["path"], True)}
    if isinstance(tree.get("staging"), dict) and "folder" in tree["staging"]:
        tree["staging"] = {**tree["staging"], "folder": place(tree["staging"]["folder"], False)}
    return tree


def _audio_beside(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tree of a codec with paths relative to `folder` made absolute."""

    def place(value: Any) -> Any:
        return os.path.normpath(folder.resolve() / Path(value).expanduser()) if isinstance(value, str) else value

    lists = {key: [place(one) for one in tree[key]] for key in ("audio", "held_out") if isinstance(tree.get(key), list)}
    single = {key: place(tree[key]) for key in ("start_from",) if key in tree}
    return {**tree, **lists, **single}


def _put(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise BadInput(f"override {override!r} is not of the form path.to.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(
            f"the value of override {override!r} is not YAML; quote it, as in 'corpora=[\"a b\"]'"
        ) from error
    *parents, last = key.strip().split(".")
    here = tree
    for name in parents:
        below = here.get(name)
        # A copy: the levels of a loaded tree may be shared by YAML anchors.
        here[name] = dict(below) if isinstance(below, dict) else {}
        here = here[name]
    here[last] = value


def _fault(where: str, error: ValidationError, kind: type[BaseModel]) -> str:
    """One sentence about the first fault: which key, what is wrong, what to do."""
    first = error.errors()[0]
    # pydantic puts the branch of a union into the place; its names have brackets or dashes, no key of ours has.
    loc = [str(part) for part in first["loc"] if not set(str(part)) & set("-[")]
    key = ".".join(loc)
    if first["type"] == "extra_forbidden":
        near = _nearest(loc, kind)
        return f"{where}: unknown key '{key}'; " + (f"did you mean '{near}'?" if near else "remove it")
    if first["type"] == "missing":
        return f"{where}: '{key}' is missing; add it, or give it with --set {key}=..."
    message = first["msg"].removeprefix("Value error, ")
    value = first.get("input")
    shown = f", not {value!r}" if isinstance(value, str | int | float) and "Value error" not in first["msg"] else ""
    return f"{where}: {f'{key!r}: ' if key else ''}{message}{shown}; correct it"


def _nearest(loc: Sequence[str], kind: type[BaseModel]) -> str | None:
    """The known key nearest to an unknown one: among its siblings, else a key of that name anywhere in the tree."""
    siblings = _fields_at(kind, loc[:-1])
    near = difflib.get_close_matches(loc[-1], siblings, n=1)
    if near:
        return ".".join([*loc[:-1], near[0]])
    known = dict(_all_keys(kind, ()))
    anywhere = [path for path, name in known.items() if name == loc[-1]]
    if anywhere:
        return anywhere[0]
    closest = difflib.get_close_matches(loc[-1], list(known.values()), n=1, cutoff=0.75)
    return next((path for path, name in known.items() if closest and name == closest[0]), None)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every settings model that an annotation names, through unions, tuples and dicts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _fields_at(model: type[BaseModel], loc: Sequence[str]) -> list[str]:
    models = [model]
    for part in loc:
        below = [
            found for one in models if part in one.model_fields for found in _models(one.model_fields[part].annotation)
        ]
        # A step that is no field is a key of a dict (a stream's name) or a place in a list: the model stays.
        models = below or models
    return [name for one in models for name in one.model_fields]


def _all_keys(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        yield ".".join((*above, name)), name
        for below in _models(info.annotation):
            yield from _all_keys(below, (*above, name))
