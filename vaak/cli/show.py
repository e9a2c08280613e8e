"""How a command shows what it found: a table for a person, or the same content as JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from vaak.corpus.encode import EncodeReport
    from vaak.corpus.import_run import ImportReport


def print_json(content: Any) -> None:
    """The content as JSON on standard output, Indic text unescaped."""
    json.dump(content, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def print_report(report: EncodeReport | ImportReport, out: Path, amount: str, as_json: bool) -> None:
    """What an import or an encoding kept, `amount` of it in words, and set aside; as JSON with `corpus`, its folder."""
    if as_json:
        print_json({**asdict(report), "corpus": str(out)})
        return
    for line in getattr(report, "found", ()):
        print(line)
    if left := getattr(report, "fields_left", None):
        print(f"no field takes {', '.join(left)}; map one with --field OURS=THEIRS")
    aside = sum(report.set_aside.values())
    print(f"{report.read:,} read = {report.kept:,} kept ({amount}) + {aside:,} set aside")
    for kind, count in report.set_aside.items():
        print(f"  {count:,} {kind} (each in {report.set_aside_file})")
    print(f"frozen as {report.corpus_id}")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on standard output; numbers stand to the right."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) or row[index] is None for row in rows)
        table.add_column(column, justify="right" if numeric and rows else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
