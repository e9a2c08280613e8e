"""Doors to the checkpoints of a run: `checkpoint list|verify|export|prune`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from vaak.checkpoint.folder import Checkpoint
from vaak.cli.show import print_json, print_table
from vaak.errors import CheckFailed

Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]
Run = Annotated[Path, typer.Argument(help="The folder of a run.")]
CheckpointFolder = Annotated[Path, typer.Argument(help="A checkpoint, or a run (its newest complete one).")]

checkpoint_app = typer.Typer(help="List, verify, export and prune the checkpoints of a run.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    checkpoint_app.command("list")(list_them)
    checkpoint_app.command("verify")(verify)
    checkpoint_app.command("export")(export)
    checkpoint_app.command("prune")(prune)
    app.add_typer(checkpoint_app, name="checkpoint")


def list_them(run: Run, as_json: Json = False) -> None:
    """The checkpoints of a run.

    Example: `vaak checkpoint list runs/one`
    """
    from vaak.checkpoint import list_checkpoints

    found = list_checkpoints(run)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        rows = [[one.step, _kind(one), one.id or None] for one in found]
        print_table(str(run), ["step", "what", "id"], rows)


def _kind(one: Checkpoint) -> str:
    if not one.complete:
        return "unfinished"
    return "full" if one.full else "model"


def verify(checkpoint: CheckpointFolder) -> None:
    """Hash a checkpoint again (exit 1 if it is damaged).

    Example: `vaak checkpoint verify runs/one/checkpoints/step-00000200`
    """
    from vaak.checkpoint import list_checkpoints, verify_checkpoint

    folders = [one.path for one in list_checkpoints(checkpoint)] or [checkpoint]
    damaged = {folder: problems for folder in folders if (problems := verify_checkpoint(folder))}
    for folder in folders:
        typer.echo(f"{folder}: {'; '.join(damaged.get(folder, ['whole']))}")
    if damaged:
        raise CheckFailed(f"{len(damaged)} of {len(folders)} checkpoints cannot be trusted")


def export(
    checkpoint: CheckpointFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option("--dtype", help="Of the weights; by default what the run computed in."),
    ] = None,
) -> None:
    """Write the model and tokenizer as an ordinary Hugging Face folder, which vLLM opens too.

    Example: `vaak checkpoint export runs/one --out model --dtype bfloat16`
    """
    from vaak.checkpoint import export_model

    typer.echo(f"exported to {export_model(checkpoint, out, dtype)}")


def prune(run: Run, as_json: Json = False) -> None:
    """Remove the checkpoints that the run's own recipe does not keep; of some the model stays.

    Example: `vaak checkpoint prune runs/one`
    """
    from vaak.checkpoint import prune as remove
    from vaak.recipe import load_recipe

    done = remove(run, load_recipe(run / "recipe.yaml").checkpoints)
    if as_json:
        print_json(asdict(done))
        return
    for one in done.removed:
        typer.echo(f"removed step {one.step}")
    for one in done.model_only:
        typer.echo(f"step {one.step}: its model stays")
    for step, holder in done.held.items():
        typer.echo(
            f"{step} is held by {holder}; if that reader is gone, remove {run / 'leases' / step}, then prune again"
        )
    typer.echo(f"{len(done.removed)} removed, {len(done.model_only)} left as models")
