"""A stage with LoRA: what it begins from, and what its checkpoints carry beside merged weights so that it goes on to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from vaak.errors import BadInput
from vaak.model.lora import add_lora, describe, frozen_hash, load_trained, require_peft, trained_tensors
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import Recipe

# Before the names of trained tensors in a checkpoint's `training/`.
_PREFIX = "lora/"


def check_lora(recipe: Recipe, run: Path) -> None:
    """Raises `BadInput` for LoRA on a model that was never trained, and where peft is missing."""
    if recipe.lora is None:
        return
    require_peft()
    # A run that is there has passed this check, and its own recipe names the parent.
    trained = recipe.parent is not None or recipe.model.path is not None
    if not trained and not (run / "recipe.yaml").is_file():
        raise BadInput(
            f"recipe {recipe.name} has lora and begins from an untrained model (model.config), most of which would stay as it "
            "was drawn; name model.path or a parent, or set lora=null"
        )


def begin_lora(model: SpeechLM, recipe: Recipe, origin: str) -> tuple[dict[str, Any], str]:
    """Put LoRA into the model that a stage begins from, in place.

    origin: what that model is called. Returns what a checkpoint's state remembers of it, and a sentence for people.
    """
    assert recipe.lora is not None
    add_lora(model, recipe.lora, recipe.seed)
    return {"origin": origin, "base": frozen_hash(model)}, describe(model, recipe.lora)


def resume_lora(
    model: SpeechLM, recipe: Recipe, origin: str, began: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """As `begin_lora`, then what was trained is put back: `tensors`, those of a checkpoint that `is_lora` names.

    began: what `begin_lora` returned. Raises `BadInput` if the model is not the one that the stage began from.
    """
    now, _ = begin_lora(model, recipe, origin)
    if now["base"] != began["base"]:
        raise BadInput(
            f"this LoRA run began from {began['origin']}, and {origin} holds other weights; name the first one again with --parent "
            "or model.path"
        )
    load_trained(model, {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()})


def is_lora(name: str) -> bool:
    """Whether a tensor of a checkpoint's `training/` is one of `lora_tensors`."""
    return name.startswith(_PREFIX)


def lora_tensors(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the tensors of the transformers model by name, those that a resumed run puts back, as a checkpoint names them."""
    return {f"{_PREFIX}{name}": tensor for name, tensor in trained_tensors(held).items()}
