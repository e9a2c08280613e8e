"""Text to codes to sound: prompts through the training grammar, batched decoding, the codec.

PyTorch takes seconds to import, so what needs it is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaak.speak.generation import Generation, generate
    from vaak.speak.speech import build_prompt, open_speaker, speak

__all__ = ["Generation", "build_prompt", "generate", "open_speaker", "speak"]

_HOME = {
    "Generation": "vaak.speak.generation",
    "generate": "vaak.speak.generation",
    "build_prompt": "vaak.speak.speech",
    "open_speaker": "vaak.speak.speech",
    "speak": "vaak.speak.speech",
}


def __getattr__(name: str) -> Any:
    """Imports the module that holds `name` on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.speak' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
