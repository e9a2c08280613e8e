"""A plan: the mixture solved against real corpora, with its rows per cell, its fingerprint, and what gave way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vaak.errors import BadInput
from vaak.mixture.cells import Cell, Part
from vaak.mixture.order import Interleave
from vaak.storage.files import hash_json, read_json, write_json

StageKind = Literal["pretrain", "sft"]
_FORMAT = "vaak-plan-1"


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a plan. Shares are of the plan's target tokens.

    `wanted_share` is what the budget asks, `share` what whole rows give. `target_tokens`, `rows` and `prompt_tokens` are
    what the plan serves; `available_tokens` are the target tokens of one epoch and `hours` its audio.
    """

    cell: Cell
    wanted_share: float
    share: float
    target_tokens: float
    rows: int
    available_tokens: int
    epochs: float
    hours: float
    prompt_tokens: float
    parts: tuple[Part, ...]

    @property
    def epoch_rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class Plan:
    """Everything that decides the content of every row, but for the corpora themselves.

    `unserved` are the cells whose share is less than half a row of this plan: wanted, and given nothing. `inputs` are the named things that the plan was made from; `notes` say what gives way, what was left out and what is
    passed too often. `cache` is the folder of the pack indexes and transcript ids.
    """

    stage_kind: StageKind
    context: int
    seed: int
    cells: tuple[PlannedCell, ...]
    inputs: dict[str, Any]
    notes: list[str]
    cache: Path
    unserved: tuple[PlannedCell, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the inputs, the rows of each cell and the hashes of every index."""
        cells = [[str(one.cell), one.rows, [asdict(part) for part in one.parts]] for one in self.cells]
        return hash_json({"format": _FORMAT, "inputs": self.inputs, "cells": cells})

    @property
    def n_rows(self) -> int:
        return sum(one.rows for one in self.cells)

    @property
    def target_tokens(self) -> float:
        """Target tokens that the whole plan serves (an average: rows of a cell differ a little)."""
        return sum(one.target_tokens for one in self.cells)

    @cached_property
    def interleave(self) -> Interleave:
        return Interleave(np.array([one.rows for one in self.cells], dtype=np.int64), self.seed)

    @property
    def window(self) -> int:
        """How many rows of a cell lie together and are served together; a cell of no more is shuffled as a whole."""
        return self.inputs.get("rows shuffled together", max((one.epoch_rows for one in self.cells), default=1))

    @cached_property
    def streams(self) -> tuple[str, ...]:
        return tuple(sorted({one.cell.stream for one in self.cells}))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({one.cell.language for one in self.cells}))

    @cached_property
    def sources(self) -> tuple[str, ...]:
        return tuple(sorted({one.cell.source for one in self.cells}))

    def shares(self, by: Literal["stream", "language", "source", "tier"]) -> dict[str, tuple[float, float]]:
        """`{name: (wanted share, planned share)}` over one field of all cells, unserved ones too, sorted by name."""
        found: dict[str, tuple[float, float]] = {}
        for one in (*self.cells, *self.unserved):
            wanted, share = found.get(getattr(one.cell, by), (0.0, 0.0))
            found[getattr(one.cell, by)] = (wanted + one.wanted_share, share + one.share)
        return dict(sorted(found.items()))

    def table(self, cells: bool = True) -> str:
        """The plan for people: totals by stream, source and language, then (if asked) every cell, then the notes."""
        lines = [
            f"{self.n_rows:,} rows of {self.context:,}, {self.target_tokens:,.0f} target tokens, {self.fingerprint[:12]}"
        ]
        by_stream: Callable[[Cell], str] = lambda cell: cell.stream  # noqa: E731
        lines += _block("stream", self.cells, by_stream)
        lines += _block("stream and source", self.cells, lambda cell: f"{cell.stream} {cell.source}")
        lines += _block("stream and language", self.cells, lambda cell: f"{cell.stream} {cell.language}")
        lines += _block("language", self.cells, lambda cell: cell.language)
        if cells:
            lines += _block("cell", self.cells, str)
        return "\n".join([*lines, "", "notes", *(f"  {note}" for note in self.notes or ["none"])])

    def save(self, folder: str | Path) -> None:
        """Write `plan.json`. The indexes stay in the cache, which is named relative to the folder."""
        folder = Path(folder)
        write_json(
            folder / "plan.json",
            {
                "format": _FORMAT,
                "fingerprint": self.fingerprint,
                "cache": os.path.relpath(self.cache, folder),
                "stage_kind": self.stage_kind,
                "context": self.context,
                "seed": self.seed,
                "inputs": self.inputs,
                "notes": self.notes,
                "cells": [asdict(one) for one in self.cells],
                "unserved": [asdict(one) for one in self.unserved],
            },
        )


def load_plan(folder: str | Path) -> Plan:
    """Read a saved plan. Raises `BadInput` if it is missing, of another version, or edited."""
    path = Path(folder) / "plan.json"
    tree = read_json(path)
    if not isinstance(tree, dict) or tree.get("format") != _FORMAT:
        raise BadInput(f"{path} is not a plan of format {_FORMAT}; plan again in a new run folder")
    cells, unserved = (tuple(_planned_cell(one) for one in tree[name]) for name in ("cells", "unserved"))
    plan = Plan(
        stage_kind=tree["stage_kind"],
        context=tree["context"],
        seed=tree["seed"],
        cells=cells,
        inputs=tree["inputs"],
        notes=tree["notes"],
        cache=Path(os.path.normpath(Path(folder) / tree["cache"])),
        unserved=unserved,
    )
    if plan.fingerprint != tree["fingerprint"]:
        raise BadInput(f"{path} does not match its own fingerprint: it was edited or damaged; restore it")
    return plan


def _planned_cell(row: dict[str, Any]) -> PlannedCell:
    return PlannedCell(**{**row, "cell": Cell(**row["cell"]), "parts": tuple(Part(**part) for part in row["parts"])})


def check_unchanged(saved: Plan, now: Plan, where: str | Path) -> None:
    """Raise `BadInput` naming what changed, if a plan made today is not the one that a run began with."""
    if saved.fingerprint == now.fingerprint:
        return
    changed = [name for name in saved.inputs if saved.inputs[name] != now.inputs.get(name)]
    changed += [name for name in now.inputs if name not in saved.inputs]
    what = ", ".join(changed) if changed else "pack indexes or rows per cell"
    raise BadInput(
        f"{where}: the run began with another plan: changed since then: {what}; restore it, or start a new run folder"
    )


def _block(title: str, cells: Sequence[PlannedCell], name: Callable[[Cell], str]) -> list[str]:
    groups: dict[str, list[PlannedCell]] = {}
    for one in cells:
        groups.setdefault(name(one.cell), []).append(one)
    head = f"{title:<32}{'wanted':>9}{'planned':>9}{'targets':>16}{'epochs':>9}{'hours':>11}{'prompt':>14}"
    lines = ["", head]
    for label, members in groups.items():
        tokens = sum(one.target_tokens for one in members)
        available = sum(one.available_tokens for one in members)
        lines.append(
            f"  {label:<30}{sum(one.wanted_share for one in members):>9.2%}{sum(one.share for one in members):>9.2%}"
            f"{tokens:>16,.0f}{tokens / available:>9.2f}{sum(one.hours for one in members):>11,.1f}"
            f"{sum(one.prompt_tokens for one in members):>14,.0f}"
        )
    return lines
