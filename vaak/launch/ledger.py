"""The ledger of a launch: one JSON line for each thing that happened, written once and synced before it counts."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vaak.errors import BadInput


@dataclass(frozen=True)
class Record:
    """One line: a step began, ended (`done`), did not hold (`failed`), was interrupted, was overridden, or what it vouched for
    was found `changed`.

    `inputs` is a hash of everything that the step depends on, spelled out in the evidence of `began`; `evidence` is what it
    found, with `limits` if it was judged by any; times are Unix seconds.
    """

    step: str
    status: str
    inputs: str
    evidence: dict[str, Any] = field(default_factory=dict)
    because: str | None = None
    time: float = 0.0

    @property
    def without_figures(self) -> bool:
        """Whether it was overridden where the step broke off and found nothing that could be judged."""
        return self.status == "overridden" and "limits" not in self.evidence


class Ledger:
    """Append-only record of a launch at `path`; a last line torn by a crash is dropped when it is opened.

    With `mend` off nothing is written: for whoever only looks, perhaps while the launch walks.
    """

    def __init__(self, path: Path, mend: bool = True) -> None:
        self.path = path
        self.records: list[Record] = []
        if path.exists():
            self._read(mend)

    def _read(self, mend: bool) -> None:
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if mend and whole != raw:  # the process died inside a write: that line never counted
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        # Bytes end a line at a newline only; text would at U+2028 too, which a reason or a transcript may hold.
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self.records.append(_record(json.loads(line)))
            except (ValueError, TypeError) as error:  # ValueError: no JSON, or no UTF-8
                raise BadInput(
                    f"{self.path}: line {number} is no ledger record; restore the file or start anew"
                ) from error

    def add(
        self, step: str, status: str, inputs: str, evidence: dict[str, Any] | None = None, because: str | None = None
    ) -> Record:
        """Append one record and sync it to disk before returning it."""
        record = Record(step, status, inputs, evidence or {}, because, time.time())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # What is no text, such as a stray byte in a file's name, is kept as JSON's own escape of it.
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(record)
        return record

    def worked(self, step: str, inputs: str) -> Record | None:
        """The newest record of `step` if its work was ended on the same inputs and nothing was begun since; else None.

        A gate that failed has worked too if it found figures: they need not be found again to be judged.
        """
        newest = self.newest(step)
        if newest is None or newest.inputs != inputs:
            return None
        judged = newest.status == "failed" and "limits" in newest.evidence
        return newest if newest.status in ("done", "overridden") or judged else None

    def newest(self, step: str, status: str | None = None) -> Record | None:
        """The newest record of a step (with that status, if given)."""
        return next((r for r in reversed(self.records) if r.step == step and status in (None, r.status)), None)

    def good(self, step: str) -> Record | None:
        """The newest record of a step that let the launch go on: it was done, or overridden."""
        return next((r for r in reversed(self.records) if r.step == step and r.status in ("done", "overridden")), None)

    def seconds(self, step: str) -> float:
        """Seconds spent between each `began` of the step and the record that follows it, summed over continuations."""
        spent, began = 0.0, None
        for record in self.records:
            if record.step != step:
                continue
            if record.status == "began":
                began = record.time
            elif began is not None:
                spent, began = spent + record.time - began, None
        return spent


def _record(row: Any) -> Record:
    """Raises `TypeError` for what is no record."""
    record = Record(**row)
    if not isinstance(record.evidence, dict) or not isinstance(record.time, int | float):
        raise TypeError("evidence is no mapping, or time no number")
    return record
