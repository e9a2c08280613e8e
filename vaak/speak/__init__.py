"""Text to codes to sound: prompts through the training grammar, batched decoding, the codec.

PyTorch takes seconds to import, so what needs it is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaak.speak.generation import Generation, generate, stream_codes
    from vaak.speak.long import Chunk, speak_long
    from vaak.speak.speech import build_prompt, open_speaker, speak
    from vaak.speak.stream import speak_stream

__all__ = [
    "Chunk",
    "Generation",
    "build_prompt",
    "generate",
    "open_speaker",
    "speak",
    "speak_long",
    "speak_stream",
    "stream_codes",
]

_HOME = {
    "Chunk": "vaak.speak.long",
    "Generation": "vaak.speak.generation",
    "build_prompt": "vaak.speak.speech",
    "generate": "vaak.speak.generation",
    "open_speaker": "vaak.speak.speech",
    "speak": "vaak.speak.speech",
    "speak_long": "vaak.speak.long",
    "speak_stream": "vaak.speak.stream",
    "stream_codes": "vaak.speak.generation",
}


def __getattr__(name: str) -> Any:
    """Imports the module that holds `name` on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.speak' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
