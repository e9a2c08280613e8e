"""The model that a recipe trains, by its shapes: from what is on this machine, else from a table of public ones. No weights are read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from huggingface_hub import try_to_load_from_cache

from vaak.checkpoint import find_checkpoint
from vaak.codec import code_levels
from vaak.errors import BadInput
from vaak.grammar.tokenizer import load_tokenizer
from vaak.grammar.vocabulary import CONTROL_TOKENS, Vocabulary
from vaak.model.architecture import check_architecture
from vaak.model.open import create_model
from vaak.model.settings import ModelSettings
from vaak.recipe import Recipe, resolve_path
from vaak.storage.files import read_json

# Of a transformers configuration, what shapes and counts follow from.
_FIELDS = (
    "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "tie_word_embeddings", "attention_bias", "mlp_bias",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """`config`: fields as `ModelSettings.config` has them; `vocabulary`: of the model with its speech part."""

    config: dict[str, Any]
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Parameters:
    """Numbers of a model, a tied matrix counted once. embedding: rows of the vocabulary, an untied head's among them; body: all
    else; trained: all, or with LoRA adapters and new rows; trained_matrices: those of `trained` that Muon would step."""

    total: int
    embedding: int
    trained: int
    trained_matrices: int

    @property
    def body(self) -> int:
        return self.total - self.embedding


@cache
def _known() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("known_models.yaml").read_text(encoding="utf-8"))


def shape_of(recipe: Recipe, vocabulary_size: int | None = None) -> Shape:
    """The shape of a recipe's model. vocabulary_size: ids that mean something, where tokenizer and codec are not to be asked.

    A parent that is a folder decides; else `model.path` (a folder, a Hub id that is cached, or one of the known models) or
    `model.config`. Raises `BadInput` for what cannot be found here, with what to give instead.
    """
    folder = _trained_folder(recipe)
    if folder is not None:
        return Shape(_fields(read_json(folder / "config.json"), str(folder)), Vocabulary.load(folder))
    if recipe.model.config is not None:
        config = {"tie_word_embeddings": True, **recipe.model.config}
        check_architecture(config, "the recipe's model.config")
    else:
        assert recipe.model.path is not None
        config = _base_config(recipe.model.path)
    return Shape(config, _vocabulary(recipe, vocabulary_size))


def parameters(shape: Shape, recipe: Recipe) -> Parameters:
    """How many numbers a recipe's model has and trains."""
    with torch.device("meta"):
        lm: Any = create_model(ModelSettings(config=shape.config), shape.vocabulary, 0).lm
    width, rows = shape.config["hidden_size"], shape.vocabulary.padded_size
    total = sum(one.numel() for one in lm.parameters())
    matrices = 1 if shape.config["tie_word_embeddings"] else 2
    if recipe.lora is None:
        hidden = sum(one.numel() for name, one in lm.named_parameters() if one.ndim >= 2 and ".layers." in name)
        return Parameters(total, matrices * rows * width, total, hidden)
    layers: list[Any] = [one for name, one in lm.named_modules() if name.rpartition(".")[2] in recipe.lora.targets]
    adapters = sum(recipe.lora.rank * (one.in_features + one.out_features) for one in layers)
    new = matrices * (rows - shape.vocabulary.base_size) * width
    return Parameters(total + adapters, matrices * rows * width, adapters + new, adapters)


def sizes(shape: Shape) -> SimpleNamespace:
    """What vaak/model/flops.py asks of a configuration."""
    width = shape.config["hidden_size"] // shape.config["num_attention_heads"]
    return SimpleNamespace(**{"head_dim": width, **shape.config})


def _trained_folder(recipe: Recipe) -> Path | None:
    """What a stage begins from, if it has a vocabulary of its own: a checkpoint, or an exported model."""
    if recipe.parent is not None and resolve_path(recipe.parent).exists():
        return find_checkpoint(resolve_path(recipe.parent)).path
    if recipe.model.path is not None and (Path(recipe.model.path) / "vocabulary.json").is_file():
        return Path(recipe.model.path)
    return None


def _base_config(path: str) -> dict[str, Any]:
    """The configuration of a folder or a Hub id, without asking the Hub."""
    file = Path(path) / "config.json" if Path(path).is_dir() else _cached(path, "config.json")
    if file is not None:
        return _fields(read_json(file), path)
    known = _known_model(path)
    if known is not None:
        return dict(known["config"])
    names = [name for one in _known()["models"] for name in one["names"]]
    near = difflib.get_close_matches(path, names, n=1)
    raise BadInput(
        f"the base model {path} is neither a folder nor cached here, and its shape is not known; "
        + (f"did you mean {near[0]}?" if near else "name a folder with its config.json, or give model.config")
    )


def _fields(config: dict[str, Any], name: str) -> dict[str, Any]:
    check_architecture(config, name)
    return {"tie_word_embeddings": False, **{key: config[key] for key in _FIELDS if config.get(key) is not None}}


def _vocabulary(recipe: Recipe, size: int | None) -> Vocabulary:
    codebook = _codebook(recipe.codec)
    if size is not None:
        codes = min(codebook or 1, size - len(CONTROL_TOKENS) - 1)
        if codes < 1:
            raise BadInput(
                f"a vocabulary of {size} ids is impossible; give text ids, control tokens and codes together"
            )
        return Vocabulary(size - len(CONTROL_TOKENS) - codes, codes, 0)
    if codebook is None:
        raise BadInput(
            f"the codebook of the codec {recipe.codec} is not known here; give --vocabulary with all ids together"
        )
    return Vocabulary(_tokenizer_length(recipe.tokenizer), codebook, 0)


def _codebook(codec: str) -> int | None:
    levels = code_levels(codec)
    return prod(levels) if levels is not None else _known()["codebooks"].get(codec)


def _tokenizer_length(name: str) -> int:
    folder = resolve_path(name)
    if folder.exists():
        return load_tokenizer(folder).size
    file = _cached(name, "tokenizer.json")
    if file is not None:
        return load_tokenizer(file).size
    known = _known_model(name)
    if known is None:
        raise BadInput(f"the tokenizer {name} is neither here nor known; give --vocabulary with all ids together")
    return int(known["tokenizer"])


def _known_model(name: str) -> dict[str, Any] | None:
    return next((one for one in _known()["models"] if name in one["names"]), None)


def _cached(name: str, file: str) -> Path | None:
    """A file of a Hub repository that was fetched before."""
    try:
        found = try_to_load_from_cache(name, file)
    except ValueError:  # no Hub id at all
        return None
    return Path(found) if isinstance(found, str) else None
