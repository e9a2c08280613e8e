"""The door to codecs: `codec train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaak.cli.show import print_json

codec_app = typer.Typer(help="Train a codec of your own.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    codec_app.command("train")(codec_train)
    app.add_typer(codec_app, name="codec")


def codec_train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="The name of a codec's recipe (embedded) or a YAML file.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The training's folder; the codec is in its `codec/`.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value: --set steps=2000 --set 'audio=[recordings]'")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a codec on recordings. Interrupt it, run it again, and it continues at the last step that was saved.

    Examples: `vaak codec train embedded --out my-codec --set 'audio=[recordings/]' --set steps=4000` ·
    `vaak speak my-model "…" --codec my-codec/codec`
    """
    from vaak.codec.train import train_codec
    from vaak.launch.console import Console, stopping
    from vaak.recipe import load_codec_recipe

    console = Console(quiet=as_json)
    with stopping() as stop, console.progress("codec") as bar:
        folder = train_codec(load_codec_recipe(recipe, overrides or []), out, stop=stop, on_step=bar, say=console.line)
    if as_json:
        print_json({"codec": str(folder)})
    else:
        typer.echo(f"done; the codec is {folder}")
