"""The parts that an encoding is done in: a list is cut into them once, and each is then made whole or not at all.

`NNNNNN.rows.jsonl` says what is in a part, `NNNNNN.npz` is that part encoded, and `plan.json`, written when the list
is cut, says of which list and codec they are. Nothing in a part depends on who encodes it, or on any other part.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vaak.corpus.lists import AudioItem, BadRow
from vaak.corpus.recordings import Recordings, SetAside
from vaak.corpus.samples import from_row, to_row
from vaak.errors import BadInput
from vaak.storage.files import canonical_json, read_json, write_bytes, write_json

PLAN = "plan.json"

# Recordings per part: what an interruption can cost, and what a batch of equally long ones is drawn from.
PART_ITEMS = 256

# Seconds of audio that are in memory at once, for batches of one length to be drawn from.
_SECONDS_AT_ONCE = 4 * 3600


class Encoder(Protocol):
    """What this room needs of a codec; every `vaak.codec` codec is one."""

    name: str
    codebook_size: int
    sample_rate: int
    tokens_per_second: int
    hash: str

    def encode_batch(self, waves: list[np.ndarray]) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class Plan:
    """What the parts of an encoding are of: the codec's and the list's hash, items in all and per part."""

    codec: str
    list: str
    items: int
    part_items: int

    @property
    def parts(self) -> int:
        return -(-self.items // self.part_items)

    def items_in(self, number: int) -> int:
        """Items of one part."""
        return min(self.part_items, self.items - number * self.part_items)


def cut_list(parts: Path, rows: Iterable[AudioItem | BadRow], codec: str, part_items: int, write: bool = True) -> Plan:
    """Cut a list into parts and write what is in each, then the plan; with a plan there already, check it is the same.

    Without `write` nothing is written: the plan alone is made. Raises `BadInput` if `parts` is of another list or codec.
    """
    given = _read_plan(parts)
    digest, lines, n = hashlib.sha256(), [], 0
    for row in rows:
        line = canonical_json(_line(row)) + b"\n"
        digest.update(line)
        lines.append(line)
        n += 1
        if len(lines) == part_items:
            if write and given is None:
                write_bytes(parts / f"{(n - 1) // part_items:06d}.rows.jsonl", b"".join(lines))
            lines = []
    if lines and write and given is None:
        write_bytes(parts / f"{n // part_items:06d}.rows.jsonl", b"".join(lines))
    plan = Plan(codec, digest.hexdigest(), n, part_items)
    if given is not None:
        check_plan(parts, plan, given)
    elif write:
        write_json(parts / PLAN, asdict(plan))
    return plan


def check_plan(parts: Path, plan: Plan, given: Plan | None = None) -> bool:
    """Whether there is a plan in `parts`; `BadInput` if it is another one."""
    given = given or _read_plan(parts)
    if given is not None and given != plan:
        raise BadInput(
            f"{parts} was begun with another list or codec, or other options; delete it, or name another corpus"
        )
    return given is not None


def read_part_rows(parts: Path, number: int) -> list[AudioItem | BadRow]:
    """What is in one part, in the list's order."""
    path = parts / f"{number:06d}.rows.jsonl"
    try:
        return [_from_line(json.loads(line)) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); delete {parts} and begin again") from error


def part_file(parts: Path, number: int) -> Path:
    """Where a part lies once it is encoded."""
    return parts / f"{number:06d}.npz"


def encode_part(parts: Path, number: int, codec: Encoder, recordings: Recordings) -> None:
    """Encode one part: the codes in one row, their lengths (0 = set aside), what was learned of each recording, and the
    original audio of what is held out."""
    learned: list[dict[str, Any]] = []
    codes: dict[int, np.ndarray] = {}
    originals: dict[str, np.ndarray] = {}
    waiting: list[tuple[int, np.ndarray]] = []
    for index, item in enumerate(read_part_rows(parts, number)):
        try:
            if isinstance(item, BadRow):
                raise SetAside("bad row", item.detail.lstrip(": "))
            wave, own_rate = recordings.read(item, codec.sample_rate)
            known: dict[str, Any] = {"duration_s": len(wave) / codec.sample_rate, "sample_rate": own_rate}
            if item.sample.held_out:
                data, known["suffix"] = recordings.original(item)
                originals[f"original_{index}"] = np.frombuffer(data, np.uint8)
        except SetAside as error:
            learned.append({"kind": error.kind, "detail": error.detail})
            continue
        learned.append(known)
        waiting.append((index, wave))
        if sum(len(one) for _, one in waiting) > _SECONDS_AT_ONCE * codec.sample_rate:
            codes |= _encoded(waiting, codec)
            waiting = []
    codes |= _encoded(waiting, codec)
    rows = [codes.get(index, np.empty(0, np.uint16)) for index in range(len(learned))]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        codes=np.concatenate(rows),
        lengths=np.array([len(one) for one in rows], np.int64),
        learned=np.frombuffer(json.dumps(learned).encode(), np.uint8),
        **originals,  # pyright: ignore[reportArgumentType]
    )
    write_bytes(part_file(parts, number), buffer.getvalue())


def read_part(parts: Path, number: int) -> Iterator[tuple[dict[str, Any], np.ndarray, bytes | None]]:
    """(what was learned, codes, original audio or None) of each recording of an encoded part."""
    with np.load(part_file(parts, number), allow_pickle=False) as part:
        learned = json.loads(part["learned"].tobytes())
        ends = np.cumsum(part["lengths"])
        codes = np.split(part["codes"], ends[:-1])
        for index, (known, one) in enumerate(zip(learned, codes, strict=True)):
            name = f"original_{index}"
            yield known, one, part[name].tobytes() if name in part else None


def _encoded(waiting: list[tuple[int, np.ndarray]], codec: Encoder) -> dict[int, np.ndarray]:
    codes = codec.encode_batch([wave for _, wave in waiting]) if waiting else []
    return {index: one for (index, _), one in zip(waiting, codes, strict=True)}


def _read_plan(parts: Path) -> Plan | None:
    if not (parts / PLAN).exists():
        return None
    try:
        return Plan(**read_json(parts / PLAN))
    except TypeError:
        return Plan("", "", 0, 1)  # another version's plan: equal to none


def _line(row: AudioItem | BadRow) -> dict[str, Any]:
    if isinstance(row, BadRow):
        return asdict(row)
    place = {"embedded": row.embedded, "column": row.column} if row.embedded is not None else {}
    return {"path": str(row.path), "row": row.row, "sample": to_row(row.sample), **place}


def _from_line(line: dict[str, Any]) -> AudioItem | BadRow:
    if "detail" in line:
        return BadRow(**line)
    return AudioItem(**{**line, "path": Path(line["path"]), "sample": from_row(line["sample"])})
