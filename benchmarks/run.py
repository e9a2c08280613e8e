"""Runs the benchmarks of this folder, each alone in its own process, and writes what they measured as one table.

    python benchmarks/run.py              all of them, then docs/figures.md is written anew
    python benchmarks/run.py NAME …       only these; nothing is written

Exit 1 if a benchmark died or a figure does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FIELDS = ("name", "value", "unit", "want", "holds", "against")
# "A few minutes on two cores"; one that takes longer hangs or belongs elsewhere.
TIMEOUT_S = 1200


@dataclass(frozen=True)
class Outcome:
    """One benchmark's figures, or why it has none."""

    name: str
    seconds: float
    figures: list[dict[str, Any]]
    failure: str = ""


def benchmark_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "run" and not path.stem.startswith("_"))


def run_benchmark(folder: Path, name: str) -> Outcome:
    """Run one benchmark; what it prints goes to the terminal as it comes."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "figures.json"
        command = [sys.executable, str(folder / f"{name}.py"), "--json", str(path)]
        try:
            code = subprocess.run(command, cwd=folder.parent, timeout=TIMEOUT_S).returncode
            failure = f"ended with exit code {code}" if code not in (0, 1) else ""  # 1: a figure does not hold
        except subprocess.TimeoutExpired:
            failure = f"took more than {TIMEOUT_S} s"
        figures, wrong = read_figures(path)
    return Outcome(name, time.monotonic() - started, figures, failure or wrong)


def read_figures(path: Path) -> tuple[list[dict[str, Any]], str]:
    """(figures, what is wrong with the file or an empty string)."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [], f"wrote no readable figures ({type(error).__name__})"
    if not isinstance(figures, list) or not figures:
        return [], "wrote no figure"
    for figure in figures:
        missing = [field for field in FIELDS if field not in figure]
        if missing:
            return [], f"wrote a figure without {', '.join(missing)}"
    return figures, ""


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The figures page: one table per benchmark."""
    lines = [
        "# Figures",
        "",
        "Written by `make bench`; every line comes from a run of `benchmarks/NAME.py` and can be repeated alone.",
        "",
        f"Measured {time.strftime('%Y-%m-%d')} on {machine()}.",
    ]
    for outcome in outcomes:
        lines += ["", f"## {outcome.name}", "", f"{outcome.seconds:.0f} s"]
        if outcome.failure:
            lines += ["", f"**This benchmark {outcome.failure}.**"]
        if outcome.figures:
            lines += ["", "| figure | value | want | holds | against |", "| --- | ---: | --- | --- | --- |"]
            lines += [row(figure) for figure in outcome.figures]
    return "\n".join(lines) + "\n"


def row(figure: dict[str, Any]) -> str:
    value = f"{figure['value']:.4g}" if isinstance(figure["value"], float) else str(figure["value"])
    cells = (
        figure["name"],
        f"{value} {figure['unit'] or ''}".strip(),
        figure["want"],
        "yes" if figure["holds"] else "**no**",
        figure["against"],
    )
    return (
        "| "
        + " | ".join(str("" if cell is None else cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
        + " |"
    )


def machine() -> str:
    """Cores and kind of processor, and Python, in words."""
    model = platform.machine()
    try:
        cpu = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"


def main(arguments: Sequence[str] | None = None, folder: Path = HERE) -> int:
    parser = argparse.ArgumentParser(description="Run the benchmarks and write docs/figures.md.")
    known = benchmark_names(folder)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(known) or 'none yet'}; all if none is named"
    )
    names = parser.parse_args(arguments).names
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    outcomes = []
    for name in names or known:
        print(f"== {name}", flush=True)
        outcomes.append(run_benchmark(folder, name))
        if outcomes[-1].failure:
            print(f"{name} {outcomes[-1].failure}", file=sys.stderr)
    if not names:
        page = folder.parent / "docs" / "figures.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(markdown(outcomes), encoding="utf-8")
        print(f"wrote {page.relative_to(folder.parent)}")
    return int(any(outcome.failure or not all(figure["holds"] for figure in outcome.figures) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
