"""The launch order (SPEC G4) walked as a resumable sequence of gates over a project file, with recorded evidence."""

from vaak.launch.order import run_launch, write_report_of

__all__ = ["run_launch", "write_report_of"]
