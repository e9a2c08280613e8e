"""The model's own part of a recipe: which body to start from, and how much of it is trained."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# The matrices of a layer, by the names that both families give them.
LAYER_MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class ModelSettings(BaseModel):
    """Where the language model comes from: trained weights, or an architecture to initialise from a seed.

    Exactly one of the two is given.

    path: a local folder in the Hugging Face layout or a Hub id such as `Qwen/Qwen3-1.7B-Base`. If its vocabulary has
        no speech part yet it is extended, the new rows drawn from the recipe's seed.
    config: fields of a transformers configuration with `model_type` `qwen3` or `llama` and the sizes
        (`hidden_size`, `num_hidden_layers`, `num_attention_heads`, `num_key_value_heads`, `head_dim`,
        `intermediate_size`, ...). `vocab_size` is not among them: it follows from tokenizer and codec.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = None
    config: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> ModelSettings:
        if (self.path is None) == (self.config is None):
            raise ValueError(
                "give either `path` (a folder or a Hub id) or `config` (an architecture), not both or none"
            )
        if self.config is not None:
            if not isinstance(self.config.get("model_type"), str):
                raise ValueError("`config` needs `model_type`: 'qwen3' or 'llama'")
            if "vocab_size" in self.config:
                raise ValueError("leave `vocab_size` out of `config`: it follows from the tokenizer and the codec")
        return self


class LoraSettings(BaseModel):
    """Train a low-rank change of each target matrix, W + (alpha / rank) B A, and the new vocabulary rows; nothing else.

    targets: which matrices of every layer, by name. There is no dropout: it would make a step depend on how its rows are
        cut, and a resumed run another one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: Annotated[int, Field(gt=0)] = 16
    alpha: Annotated[int, Field(gt=0)] = 32
    targets: tuple[str, ...] = LAYER_MATRICES

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    @field_validator("targets")
    @classmethod
    def _known(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if not targets or len(set(targets)) < len(targets):
            raise ValueError(f"needs one or more of {', '.join(LAYER_MATRICES)}, each once")
        for name in targets:
            if name not in LAYER_MATRICES:
                near = difflib.get_close_matches(name, LAYER_MATRICES, n=2)
                raise ValueError(f"there is no matrix {name!r} in a layer, only {' or '.join(near or LAYER_MATRICES)}")
        return targets
