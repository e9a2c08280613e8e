"""What every tracker takes: the numbers of a step, and tables whose cells may be sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A row as it is handed on: values by name, and their step.
Row = tuple[Mapping[str, Any], int]

_PLAIN = frozenset((float, int, str, bool, type(None)))


@dataclass(frozen=True)
class Sound:
    """A sound as a cell of a table: a whole audio file and its name, whose suffix says what it is ("hi-3.mp3")."""

    name: str
    data: bytes


class Tracker(Protocol):
    """Takes the numbers of one step. `values` maps a metric's name to a number, a string or a list of these.

    One that has `log_many(rows)` is given many rows at once (it takes all or raises), and one that has `log_reference(name,
    address, step, metadata)` is told where something lies that is too large to hand over: see `log_reference`.
    """

    def log(self, values: Mapping[str, Any], step: int) -> None: ...

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A table under one name; each step has its own. Rows have the same columns; a cell is a number, a text, None
        or a `Sound`, whose name occurs once in the table."""
        ...

    def close(self) -> None: ...


def log_reference(tracker: Tracker, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
    """Tell a tracker where something of a run lies ("checkpoint", "file:///runs/one/checkpoints/step-00000500"), if it keeps such:
    nothing is read there and nothing is sent but the address and its metadata."""
    take = getattr(tracker, "log_reference", None)
    if take is not None:
        take(name, address, step, metadata)


def plain(value: Any) -> Any:
    """A copy that nobody else changes: scalars and arrays of numpy and torch as numbers and lists of them, a `Sound` as it is."""
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): part if type(part) in _PLAIN else plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
