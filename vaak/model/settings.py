"""The model's own part of a recipe: which body to start from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


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
