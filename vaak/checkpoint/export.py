"""A trained model as an ordinary Hugging Face folder: weights, configuration, tokenizer, generation defaults, model card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import torch

from vaak.checkpoint.card import model_card
from vaak.checkpoint.folder import Checkpoint, find_checkpoint, load_state
from vaak.errors import BadInput
from vaak.grammar.export import export_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model.open import open_model, save_model
from vaak.model.speech_lm import SpeechLM
from vaak.storage.files import room_on_disk, sync_folder, write_bytes

ExportType = Literal["float32", "bfloat16"]


def export_model(
    checkpoint: str | Path, out: str | Path, dtype: ExportType | None = None, notes: str | None = None
) -> Path:
    """Write a model-only folder that `AutoModelForCausalLM`, `AutoTokenizer` and vLLM open with the trained ids.

    checkpoint: a checkpoint folder, or a run folder (its newest complete one). dtype: of the weights; by default what the run
    computed in, since an engine left to choose may turn float32 into float16. notes: what an evaluation found, as Markdown
    for the model card. Vaak opens the folder as well. It is written as `OUT.part` and gets its name when it is whole; what a
    kill left of it is replaced.
    Raises `BadInput` for a damaged checkpoint, a folder that already holds something, and a full disk.
    """
    out = Path(out)
    _check_free(out)
    return export_checkpoint(find_checkpoint(checkpoint), out, dtype, notes)


def export_checkpoint(source: Checkpoint, out: Path, dtype: ExportType | None = None, notes: str | None = None) -> Path:
    """`export_model` of a checkpoint that was found and verified already."""
    _check_free(out)
    part = out.with_name(f"{out.name}.part")
    if part.exists():
        shutil.rmtree(part)
    with room_on_disk(out.parent):
        try:
            model = open_model(source.path)
            save_model(model, part, getattr(torch, dtype or _computed_in(source)))
            export_tokenizer(load_tokenizer(source.path / "tokenizer.json"), model.vocabulary, part)
            write_bytes(part / "README.md", model_card(source, _parameters(model), notes).encode())
        except OSError:
            shutil.rmtree(part, ignore_errors=True)  # half a model would keep the disk full
            raise
        sync_folder(part)
        part.rename(out)
        sync_folder(out.parent)
    return out


def _check_free(out: Path) -> None:
    if out.is_file() or (out.exists() and any(out.iterdir())):
        raise BadInput(f"{out} is not empty; name a new folder for the export")


def _computed_in(source: Checkpoint) -> ExportType:
    return "bfloat16" if load_state(source.path).get("precision") == "bf16" else "float32"


def _parameters(model: SpeechLM) -> int:
    """All numbers of the export: rows of padding are not in it."""
    padding = model.vocabulary.padded_size - model.vocabulary.size
    return model.n_parameters - padding * model.head.shape[1] * (1 if model.config.tie_word_embeddings else 2)
