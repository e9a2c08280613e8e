"""Checkpoints: saved whole or not at all, verified before they are trusted, kept by a policy, exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vaak.checkpoint.folder import (
    Checkpoint,
    find_checkpoint,
    list_checkpoints,
    load_state,
    newest_complete,
    step_folder,
    verify_checkpoint,
)
from vaak.checkpoint.policy import Policy, due, milestone, prune

if TYPE_CHECKING:
    from vaak.checkpoint.export import export_model
    from vaak.checkpoint.save import load_tensors, save_checkpoint

__all__ = [
    "Checkpoint",
    "Policy",
    "due",
    "export_model",
    "find_checkpoint",
    "list_checkpoints",
    "load_state",
    "load_tensors",
    "milestone",
    "newest_complete",
    "prune",
    "save_checkpoint",
    "step_folder",
    "verify_checkpoint",
]

_HOME = {"export_model": "export", "load_tensors": "save", "save_checkpoint": "save"}


def __getattr__(name: str) -> Any:
    """Imports what needs PyTorch on first use: listing and verifying need files alone."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.checkpoint' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"vaak.checkpoint.{_HOME[name]}"), name)
