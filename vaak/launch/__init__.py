"""The launch order (SPEC G4) walked as a resumable sequence of gates over a project file, with recorded evidence.

What needs PyTorch is imported on first use: a process that only waits for another need not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaak.launch.order import run_launch, write_report_of
    from vaak.launch.status import launch_status

__all__ = ["launch_status", "run_launch", "write_report_of"]

_HOME = {"launch_status": "status", "run_launch": "order", "write_report_of": "order"}


def __getattr__(name: str) -> Any:
    """Imports the module that holds `name` on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'vaak.launch' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"vaak.launch.{_HOME[name]}"), name)
