"""Checkpoints: saved whole or not at all, verified before they are trusted, kept by a policy, exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vaak.checkpoint.folder import (
    Checkpoint,
    CheckpointGone,
    find_checkpoint,
    find_model,
    list_checkpoints,
    load_state,
    newest_complete,
    step_folder,
    verify_checkpoint,
)
from vaak.checkpoint.leases import LeaseWatch, lease
from vaak.checkpoint.policy import Policy, Pruned, cadence, due, milestone, model_due, next_due, prune

if TYPE_CHECKING:
    from vaak.checkpoint.export import export_model
    from vaak.checkpoint.fetch import fetch_model
    from vaak.checkpoint.milestones import publish_milestone
    from vaak.checkpoint.pull import Pulled, pull_checkpoint
    from vaak.checkpoint.remote import (
        Published,
        RemoteCheckpoint,
        RemotePruned,
        list_remote,
        prune_remote,
        publish_checkpoint,
        verify_remote,
    )
    from vaak.checkpoint.save import Content, Saver, load_tensors, save_checkpoint, training_folder, weights_of

__all__ = [
    "Checkpoint",
    "CheckpointGone",
    "Content",
    "LeaseWatch",
    "Policy",
    "Pruned",
    "Published",
    "Pulled",
    "RemoteCheckpoint",
    "RemotePruned",
    "Saver",
    "cadence",
    "due",
    "export_model",
    "fetch_model",
    "find_checkpoint",
    "find_model",
    "lease",
    "list_checkpoints",
    "list_remote",
    "load_state",
    "load_tensors",
    "milestone",
    "model_due",
    "newest_complete",
    "next_due",
    "prune",
    "prune_remote",
    "publish_checkpoint",
    "publish_milestone",
    "pull_checkpoint",
    "save_checkpoint",
    "step_folder",
    "training_folder",
    "verify_checkpoint",
    "verify_remote",
    "weights_of",
]

_SAVE = ("Content", "Saver", "load_tensors", "save_checkpoint", "training_folder", "weights_of")
_REMOTE = (
    "Published",
    "RemoteCheckpoint",
    "RemotePruned",
    "list_remote",
    "prune_remote",
    "publish_checkpoint",
    "verify_remote",
)
_HOME = (
    {"export_model": "export", "fetch_model": "fetch", "publish_milestone": "milestones"}
    | dict.fromkeys(_SAVE, "save")
    | dict.fromkeys(_REMOTE, "remote")
    | dict.fromkeys(("Pulled", "pull_checkpoint"), "pull")
)


def __getattr__(name: str) -> Any:
    """Imports what needs PyTorch or storage on first use: listing and verifying need files alone."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.checkpoint' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"vaak.checkpoint.{_HOME[name]}"), name)
