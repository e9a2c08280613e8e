"""Doors to a whole launch: `demo`, `launch`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaak.cli.default_verb import with_default
from vaak.cli.show import print_json
from vaak.errors import BadInput

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the launch; run again with the same one to continue.")
]
Minutes = Annotated[float | None, typer.Option(help="Minutes of training, divided among the stages.", min=0.1)]
Overrides = Annotated[list[str] | None, typer.Option("--override", help="Go on past this gate though it failed.")]
Because = Annotated[str, typer.Option("--because", help="Why; recorded, and shown in every later report.")]


launch_app = typer.Typer(
    cls=with_default("walk"),
    no_args_is_help=True,
    help="""Walk a project's launch order, each gate opened only on evidence; see where it stands.

    Examples: `vaak launch project.yaml --dry-run` · `vaak launch project.yaml --out runs/first` · `vaak launch status --out
    runs/first` · `vaak launch walk --help`
    """,
)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    app.command()(demo)
    launch_app.command("walk")(launch)
    launch_app.command("status")(status)
    app.add_typer(launch_app, name="launch")
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the whole plan and what it costs; nothing is done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: print the same as JSON.")] = False,
) -> None:
    """Walk a project's launch order, each gate opened only on evidence; the word `walk` may be left out.

    Interrupt it, run it again, and it continues. Examples: `vaak launch walk project.yaml --dry-run` ·
    `vaak launch project.yaml --out runs/first` ·
    `vaak launch project.yaml --out runs/first --override audit --because "known: no transcripts in source x"`
    """
    if dry_run and override:
        raise BadInput("--dry-run judges nothing, so nothing can be overridden; leave out --override")
    if dry_run:
        from vaak.launch.dry_run import plan_launch, print_plan

        plan = plan_launch(project, out, minutes=minutes)
        print_json(plan.to_dict()) if as_json else print_plan(plan)
        return
    if as_json:
        raise BadInput("--json goes with --dry-run; `vaak launch status --json` says where a launch stands")
    _run(project, out, minutes, override, because)


def status(
    out: Out = Path("launch-run"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")] = False,
) -> None:
    """Where a launch stands, in one screen: its steps, the stage that is trained now, overrides, and what to do next.

    Example: `vaak launch status --out runs/first`
    """
    from vaak.launch.status import launch_status
    from vaak.launch.status_screen import print_status

    found = launch_status(out)
    print_json(found.to_dict()) if as_json else print_status(found)


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
    page: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Of a run: the page to write; report.html in its folder if not given."),
    ] = None,
) -> None:
    """Write a run's report, at any time: curves, checkpoints, skipped steps, where its time goes. Of a launch: its page again.

    With a gold pack and results, or of a stage of a launch, it is the listening panel as well: checkpoints to hear, alarms.

    Examples: `vaak report runs/one` · `vaak report runs/one --pack pack --db results.db -o panel.html` ·
    `vaak report demo-run/stages/sft` · `vaak report demo-run`
    """
    from vaak.launch import write_report_of

    written = write_report_of(folder, page, pack=pack, db=db, codec=codec)
    typer.echo(f"the page: {written}")


def _run(project: Path, out: Path, minutes: float | None, gates: list[str] | None, because: str) -> None:
    from vaak.launch import run_launch

    if because and not gates:
        raise BadInput("--because gives the reason of an --override; name the gate that is gone past")
    page = run_launch(project, out, minutes=minutes, overrides=[(gate, because) for gate in gates or []])
    typer.echo(f"done; listen to {page}")
