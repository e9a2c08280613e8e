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
from vaak.checkpoint.leases import LeaseWatch, lease
from vaak.checkpoint.policy import Policy, Pruned, due, milestone, model_due, prune

if TYPE_CHECKING:
    from vaak.checkpoint.export import export_model
    from vaak.checkpoint.milestones import publish_milestone
    from vaak.checkpoint.save import Content, Saver, load_tensors, save_checkpoint, training_folder, weights_of

__all__ = [
    "Checkpoint",
    "Content",
    "LeaseWatch",
    "Policy",
    "Pruned",
    "Saver",
    "due",
    "export_model",
    "find_checkpoint",
    "lease",
    "list_checkpoints",
    "load_state",
    "load_tensors",
    "milestone",
    "model_due",
    "newest_complete",
    "prune",
    "publish_milestone",
    "save_checkpoint",
    "step_folder",
    "training_folder",
    "verify_checkpoint",
    "weights_of",
]

_SAVE = ("Content", "Saver", "load_tensors", "save_checkpoint", "training_folder", "weights_of")
_HOME = {"export_model": "export", "publish_milestone": "milestones"} | dict.fromkeys(_SAVE, "save")


def __getattr__(name: str) -> Any:
    """Imports what needs PyTorch on first use: listing and verifying need files alone."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.checkpoint' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"vaak.checkpoint.{_HOME[name]}"), name)
