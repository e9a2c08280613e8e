"""Doors to a whole launch: `demo`, `launch`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the launch; run again with the same one to continue.")
]
Minutes = Annotated[float | None, typer.Option(help="Minutes of training, divided among the stages.", min=0.1)]
Overrides = Annotated[list[str] | None, typer.Option("--override", help="Go on past this gate though it failed.")]
Because = Annotated[str, typer.Option("--because", help="Why; recorded, and shown in every later report.")]


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    app.command()(demo)
    app.command()(launch)
    app.command()(report)


def demo(
    out: Out = Path("demo-run"),
    minutes: Minutes = 10.0,
    override: Overrides = None,
    because: Because = "",
) -> None:
    """Walk the whole launch order on the embedded example, and end with one page to listen to.

    Interrupt it, run it again, and it continues.

    Examples: `vaak demo` · `vaak demo --minutes 3 --out short-run`
    """
    from vaak.demo import project_file

    _run(project_file(), out, minutes, override, because)


def launch(
    project: Annotated[Path, typer.Argument(help="A project file (YAML).")],
    out: Out = Path("launch-run"),
    minutes: Minutes = None,
    override: Overrides = None,
    because: Because = "",
) -> None:
    """Walk a project's launch order, each gate opened only on evidence.

    Examples: `vaak launch project.yaml --out runs/first` ·
    `vaak launch project.yaml --out runs/first --override audit --because "known: no transcripts in source x"`
    """
    _run(project, out, minutes, override, because)


def report(out: Annotated[Path, typer.Argument(help="The folder of a launch.")]) -> None:
    """Write the page of a launch again, from what its folder holds now.

    Example: `vaak report demo-run`
    """
    from vaak.launch import write_report_of

    typer.echo(f"the page: {write_report_of(out)}")


def _run(project: Path, out: Path, minutes: float | None, gates: list[str] | None, because: str) -> None:
    from vaak.launch import run_launch

    page = run_launch(project, out, minutes=minutes, overrides=[(gate, because) for gate in gates or []])
    typer.echo(f"done; listen to {page}")
