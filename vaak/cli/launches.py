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


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of a launch.")],
    pack: Annotated[
        Path | None, typer.Option("--pack", help="Of a run: its gold pack; its launch's, if it has one.")
    ] = None,
    db: Annotated[
        str | None, typer.Option("--db", help="Of a run: the results database; its launch's likewise.")
    ] = None,
    codec: Annotated[
        str, typer.Option("--codec", help="Of a run: the codec that the pack was made with.")
    ] = "embedded",
    page: Annotated[Path, typer.Option("--out", "-o", help="Of a run: the page to write.")] = Path("panel.html"),
) -> None:
    """Write a run's listening panel: checkpoints to hear, curves, alarms. Of a launch: its page again, `index.html` in its folder.

    Examples: `vaak report runs/one --pack pack --db results.db -o panel.html` · `vaak report demo-run/stages/sft` ·
    `vaak report demo-run`
    """
    from vaak.launch import write_report_of

    written = write_report_of(folder, page, pack=pack, db=db, codec=codec)
    typer.echo(f"the page: {written}")


def _run(project: Path, out: Path, minutes: float | None, gates: list[str] | None, because: str) -> None:
    from vaak.launch import run_launch

    page = run_launch(project, out, minutes=minutes, overrides=[(gate, because) for gate in gates or []])
    typer.echo(f"done; listen to {page}")
