"""Doors to models and runs: `train`, `overfit`, `mixture`, `evaluate`, `sidecar`, `speak`, `checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A stage's name (pt-s1-tiny) or a YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one value: --set schedule.peak_lr=1e-4")]
Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]

mixture_app = typer.Typer(help="Plan what share of the tokens each stream, source and language gets.", no_args_is_help=True)
checkpoint_app = typer.Typer(help="List, verify, export and prune the checkpoints of a run.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    mixture_app.command("plan")(mixture_plan)
    app.add_typer(mixture_app, name="mixture")
    app.command("overfit")(overfit)
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("sidecar")(sidecar)
    app.command("speak")(speak)
    for name, verb in (("list", list_), ("verify", verify), ("export", export), ("prune", prune)):
        checkpoint_app.command(name)(verb)
    app.add_typer(checkpoint_app, name="checkpoint")
