"""What every tracker takes: the numbers of a step, and tables whose cells may be sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Sound:
    """A sound as a cell of a table: a whole audio file and its name, whose suffix says what it is ("hi-3.mp3")."""

    name: str
    data: bytes


class Tracker(Protocol):
    """Takes the numbers of one step. `values` maps a metric's name to a number, a string or a list of these."""

    def log(self, values: Mapping[str, Any], step: int) -> None: ...

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A table under one name; each step has its own. Rows have the same columns; a cell is a number, a text, None
        or a `Sound`, whose name occurs once in the table."""
        ...

    def close(self) -> None: ...
