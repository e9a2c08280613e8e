"""How a checkpoint speaks: measured item by item, written once, summed up per language; and the sidecar that follows runs.

What needs PyTorch is imported on first use, so that a sidecar can set its threads before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaak.evaluate.checkpoint import evaluate_checkpoint
    from vaak.evaluate.following import follow
    from vaak.evaluate.jobs import list_jobs
    from vaak.evaluate.notes import evaluation_notes
    from vaak.evaluate.outbox import Entry, drain_outbox
    from vaak.evaluate.panel import write_panel
    from vaak.evaluate.places import reward_settings_of
    from vaak.evaluate.reference import reference_scores
    from vaak.evaluate.sidecar import start_sidecar
    from vaak.evaluate.store import Results, newest_versions, open_results
    from vaak.evaluate.summaries import (
        error_words,
        held_out_words,
        item_results,
        proxy_words,
        reference_summary,
        summary,
    )

__all__ = [
    "Entry",
    "Results",
    "drain_outbox",
    "error_words",
    "evaluate_checkpoint",
    "evaluation_notes",
    "follow",
    "held_out_words",
    "item_results",
    "list_jobs",
    "newest_versions",
    "open_results",
    "proxy_words",
    "reference_scores",
    "reference_summary",
    "reward_settings_of",
    "start_sidecar",
    "summary",
    "write_panel",
]

_HOME = {
    "Entry": "outbox",
    "Results": "store",
    "drain_outbox": "outbox",
    "error_words": "summaries",
    "evaluate_checkpoint": "checkpoint",
    "evaluation_notes": "notes",
    "follow": "following",
    "held_out_words": "summaries",
    "item_results": "summaries",
    "list_jobs": "jobs",
    "newest_versions": "store",
    "open_results": "store",
    "proxy_words": "summaries",
    "reference_scores": "reference",
    "reference_summary": "summaries",
    "reward_settings_of": "places",
    "start_sidecar": "sidecar",
    "summary": "summaries",
    "write_panel": "panel",
}


def __getattr__(name: str) -> Any:
    """Imports the module that holds `name` on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.evaluate' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"vaak.evaluate.{_HOME[name]}"), name)
