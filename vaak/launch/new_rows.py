"""Rows of a metrics.jsonl that another process writes, as they come."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vaak.track.jsonl import restored

# A row of metrics has one to two kilobytes: so many bytes at the end of the file are where the first look begins, and of what is
# new at most this much is read at a time.
_FIRST_BYTES, _MOST_BYTES = 1 << 19, 1 << 22


class NewRows:
    """The rows that were added to a metrics.jsonl since the last look; at first those at its end."""

    def __init__(self, metrics: Path) -> None:
        self.metrics = metrics
        self._file, self._offset = -1, 0

    def read(self) -> list[dict[str, Any]]:
        """Rows with a step, oldest first; none where there is no file. A half-written line waits for the next look."""
        try:
            with self.metrics.open("rb") as file:
                about = os.fstat(file.fileno())
                # A run that continues writes the file anew, without the steps that are due again.
                if about.st_ino != self._file or about.st_size < self._offset:
                    self._file, self._offset = about.st_ino, max(0, about.st_size - _FIRST_BYTES)
                file.seek(self._offset)
                data = file.read(_MOST_BYTES)
        except OSError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        found = []
        for line in data.splitlines():
            try:
                row = json.loads(line)
                step = int(row["step"])
                found.append({name: restored(value) for name, value in row.items()} | {"step": step})
            except (ValueError, TypeError, KeyError):  # the half of a line that the first look began in
                continue
        return found
