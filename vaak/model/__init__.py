"""The causal language model with its speech vocabulary, its packed attention and its loss.

Only the settings are imported here, because recipes need them and PyTorch takes seconds to import; the model itself
is in `vaak.model.speech_lm`, reached through the functions below on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vaak.model.settings import LoraSettings, ModelSettings

if TYPE_CHECKING:
    from vaak.model.open import create_model, open_model, save_model
    from vaak.model.speech_lm import LossOutput, SpeechLM

__all__ = ["LoraSettings", "LossOutput", "ModelSettings", "SpeechLM", "create_model", "open_model", "save_model"]

_HOME = {
    "LossOutput": "vaak.model.speech_lm",
    "SpeechLM": "vaak.model.speech_lm",
    "create_model": "vaak.model.open",
    "open_model": "vaak.model.open",
    "save_model": "vaak.model.open",
}


def __getattr__(name: str) -> Any:
    """Imports the torch half of this room on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.model' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
