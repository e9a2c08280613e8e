"""A trained model as an ordinary Hugging Face folder: weights, configuration, tokenizer, generation defaults."""

from __future__ import annotations

from pathlib import Path

from vaak.checkpoint.folder import find_checkpoint
from vaak.errors import BadInput
from vaak.grammar.export import export_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model.open import open_model, save_model


def export_model(checkpoint: str | Path, out: str | Path) -> Path:
    """Write a model-only folder that `AutoModelForCausalLM` and `AutoTokenizer` open with the trained ids.

    checkpoint: a checkpoint folder, or a run folder (its newest complete one). The export also carries vocabulary.json,
    so Vaak opens it as well. Raises `BadInput` for a damaged checkpoint or a folder that already holds something.
    """
    source, out = find_checkpoint(checkpoint), Path(out)
    if out.exists() and any(out.iterdir()):
        raise BadInput(f"{out} is not empty; name a new folder for the export")
    model = open_model(source.path)
    save_model(model, out)
    export_tokenizer(load_tokenizer(source.path / "tokenizer.json"), model.vocabulary, out)
    return out
