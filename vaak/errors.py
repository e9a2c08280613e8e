"""The three ways in which a command ends badly on purpose; `vaak.cli` turns them into exit codes."""


class BadInput(Exception):
    """Bad data or usage: one sentence that names the file, the row and the remedy. Exit 2, no traceback."""


class CheckFailed(Exception):
    """A check or a gate did not hold: one sentence that says which and what to do next. Exit 1, no traceback."""


class Interrupted(Exception):
    """Somebody asked to stop and the work is saved: one sentence that says where. Exit 130, no traceback."""
