"""The metrics log: one JSON object per line, always on, the source of truth for every curve.

A run dies at any byte, so two rules make the file trustworthy afterwards: a last line that was only half
written does not count, and a run that resumes from step s first removes what it had logged after s, because
it is about to do those steps again.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vaak.errors import BadInput
from vaak.track.tracker import Sound, plain

# JSON has no spelling for these three; as strings every JSON reader can open the file, and `read_jsonl` restores them.
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# How the names of rows begin that say where something lies.
REFERENCE = "reference/"


class JsonlTracker:
    """Appends one row per `log` to `path` and hands it to the operating system at once.

    `resume_step=s` first removes every row of a step later than s. Without it an existing file is continued
    as it stands. Either way a half-written last line is removed, so that no row is glued to its remains.
    A row survives the death of the process; it is not synced to the disk, so the last rows may be lost with the power.
    With `say`, a disk that takes no rows (it is full) is said once, and so is that it takes them again; without it is an error.
    """

    def __init__(
        self, path: str | Path, resume_step: int | None = None, say: Callable[[str], None] | None = None
    ) -> None:
        self.path, self._say, self._lost = Path(path), say, 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            if resume_step is None:
                _cut_torn_line(self.path)
            else:
                _repair(self.path, resume_step)
        self._file: BinaryIO = open(self.path, "ab", buffering=0)  # noqa: SIM115  (stays open until close())

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """Append `{"step": step, **values}`. Scalars of numpy and torch become plain numbers."""
        row: dict[str, Any] = {"step": int(step)}
        for name, value in values.items():
            if name != "step":
                row[name] = value if type(value) is float and math.isfinite(value) else _plain(value)
        try:
            self._append(_line(row))
        except OSError as error:
            if self._say is None:
                raise
            self._lost += 1
            if self._lost == 1:
                self._say(f"{self.path} takes no more rows from step {step} on ({error.strerror}); make room")
            return
        if self._lost and self._say is not None:
            self._say(f"{self.path} takes rows again; {self._lost} are missing before step {step}")
            self._lost = 0

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Append the table as a list of rows under its name; of a sound its name only."""
        plain = [
            {column: cell.name if isinstance(cell, Sound) else cell for column, cell in row.items()} for row in rows
        ]
        self.log({name: plain}, step)

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        """A row whose one value, `reference/NAME`, is the address and its metadata."""
        self.log({f"{REFERENCE}{name}": {"address": address, **metadata}}, step)

    def _append(self, line: bytes) -> None:
        """One write per row: with O_APPEND another writer's row can stand before or after it, never inside."""
        written = self._file.write(line)
        if written != len(line):
            os.ftruncate(self._file.fileno(), os.fstat(self._file.fileno()).st_size - (written or 0))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> JsonlTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a log, in file order. A torn last line is left out; it is being written, or was when the run died.

    Raises `BadInput` if the file is missing or any other line is no JSON object.
    """
    return list(iter_jsonl(path))


def iter_jsonl(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a log one after another, in file order, as `read_jsonl` has them; a log of any length takes the memory of one.

    What is written while it is read is read as well. Raises `BadInput` as `read_jsonl`, of a damaged line when it is reached.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; name the metrics.jsonl of a run that has started")
    return (row for _, row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(line with its newline, row) of every whole row of `path`."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            whole = line.endswith(b"\n")
            try:
                row = _parsed(line)
                if not isinstance(row, dict):
                    raise ValueError("not an object")
            except ValueError:  # bad JSON, or bytes that are no UTF-8
                if not whole:
                    return
                raise BadInput(f"{path} line {number} is not a JSON object; remove that line") from None
            if b'"NaN"' in line or b'Infinity"' in line:  # looking into every value would take longer than parsing did
                row = {name: restored(value) for name, value in row.items()}
            yield line if whole else line + b"\n", row


def _parsed(line: bytes) -> Any:
    """The line's value; what orjson does not know and Python's own parser does (a bare NaN, an integer above 64 bits) counts."""
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line)


def _cut_torn_line(path: Path) -> None:
    """In place: another process may be appending to the same file, and its rows must not go to one that was replaced."""
    end = sum(len(line) for line, _ in _rows(path))
    with open(path, "r+b") as file:
        if end > file.seek(0, os.SEEK_END):  # the last row is whole, and only its newline is missing
            file.write(b"\n")
            return
        file.seek(end)
        rest = file.read()
        if rest and b"\n" not in rest:  # with one it is a row that came meanwhile
            file.truncate(end)


def _repair(path: Path, resume_step: int) -> None:
    """Remove a torn last line, and the rows past `resume_step`; the old file stands until the new one is complete."""
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb") as file:
        for line, row in _rows(path):
            if row.get("step", 0) <= resume_step:
                file.write(line)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer above 64 bits; or no JSON at all, and then Python's encoder says so
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    """`value` as strict JSON knows it."""
    return _spelled(plain(value))


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {name: _spelled(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_spelled(part) for part in value]
    return value


def restored(value: Any) -> Any:
    """A value of a row as it was told: NaN and the infinities, which stand in the file as words, are floats again."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [restored(part) for part in value]
    if isinstance(value, dict):
        return {name: restored(part) for name, part in value.items()}
    return value
