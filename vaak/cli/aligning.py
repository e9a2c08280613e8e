"""Doors to alignment: `align` a fine-tuned model by rewards or by preferences, and make the `pairs` that preferences are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaak.cli.default_verb import with_default
from vaak.cli.models import Json, Set
from vaak.cli.running import Track, beside, is_first
from vaak.cli.show import print_json, print_table

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="An alignment's name (grpo-tiny) or a YAML file.")]

align_app = typer.Typer(
    cls=with_default("run"),
    help="Align a fine-tuned model: by rewards of judges (GRPO), or by better and worse completions (DPO).\n\n"
    "Example: `vaak align grpo-tiny --out runs/aligned --set pack=demo-run/pack`",
    no_args_is_help=True,
)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    align_app.command("run")(run)
    align_app.command("pairs")(pairs)
    align_app.command("verl")(verl)
    app.add_typer(align_app, name="align")


def run(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder.")],
    overrides: Set = None,
    resume: Annotated[bool, typer.Option("--resume/--anew", help="Continue a run that is there, or refuse it.")] = True,
    track: Track = None,
) -> None:
    """Align one model; `vaak align RECIPE` is short for this. Interrupt it, run it again, and it continues at its last checkpoint.

    Examples: `vaak align run grpo-tiny --out runs/aligned --set pack=demo-run/pack` ·
    `torchrun --nproc-per-node 8 -m vaak.cli.main align grpo --out runs/aligned --set parent=runs/sft --set 'corpora=[corpus-v1]'` ·
    `vaak sidecar runs/aligned --pack demo-run/pack` (in another terminal: judges that were no rewards)
    """
    from vaak.align.metrics import ALIGNMENT
    from vaak.align.run import align
    from vaak.recipe import load_align_recipe

    with beside("align", out, track, ALIGNMENT) as arguments:
        final = align(load_align_recipe(recipe, overrides or []), out, resume=resume, **arguments)
    if is_first():
        typer.echo(f"done; the last checkpoint is {final}")


def pairs(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", "-o", help="The new folder of pairs.")],
    overrides: Set = None,
    prompts: Annotated[
        int | None, typer.Option(help="So many prompts; as many as the recipe's steps take if it is not given.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Speak a recipe's prompts several times with its parent, and keep the best and the worst of each as a pair for DPO.

    Interrupt it, run it again, and it goes on; the pairs are the same. A group whose judge failed gives none, nor does one
    whose rewards are alike.

    Examples: `vaak align pairs dpo-tiny --out runs/pairs --set pack=demo-run/pack` ·
    `vaak align dpo-tiny --out runs/dpo --set pairs=runs/pairs` (then learns from them)
    """
    from vaak.align.pair_drawing import make_pairs
    from vaak.launch.console import Console, stopping
    from vaak.recipe import load_align_recipe

    console = Console(quiet=as_json)
    with stopping("after the group that is being judged it stops") as stop, console.progress("pairs") as bar:
        found = make_pairs(
            load_align_recipe(recipe, overrides or []),
            out,
            prompts=prompts,
            on_step=bar,
            stop=stop,
            say=console.line,
        )
    if as_json:
        print_json({"folder": str(out), **found.manifest})
        return
    columns = ["language", "prompts", "pairs", "reward chosen", "rejected", "dropped", "no difference"]
    names = ("groups", "pairs", "chosen_reward", "rejected_reward", "dropped", "alike")
    rows = [[language, *(one[name] for name in names)] for language, one in found.manifest["languages"].items()]
    print_table(found.id[:12], columns, rows)
    for failure, count in found.manifest["failures"].items():
        typer.echo(f"dropped: {count} by {failure}")


def verl(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, which all machines see under this path.")],
    overrides: Set = None,
    nodes: Annotated[int, typer.Option(help="Machines.", min=1)] = 1,
    gpus_per_node: Annotated[int, typer.Option(help="GPUs of each.", min=1)] = 8,
) -> None:
    """Write the same alignment as a run of verl, for several machines: model, prompts in ids, settings and a script.

    In which languages the recogniser is trusted is measured first, as before a run. verl itself is not needed for this.

    Example: `vaak align verl grpo --out runs/verl --nodes 4 --set parent=runs/sft --set 'corpora=[corpus]' --set pack=pack`
    """
    import tempfile

    from vaak.align.stage import open_asr_of, pack_of
    from vaak.align.trust import trust_of
    from vaak.align.verl import export_verl
    from vaak.codec import open_codec
    from vaak.launch.console import Console
    from vaak.recipe import load_align_recipe

    tree = load_align_recipe(recipe, overrides or [])
    codec = open_codec(tree.codec)
    with tempfile.TemporaryDirectory() as scratch:
        trusted = trust_of(tree, pack_of(tree, codec), codec, open_asr_of(tree), Path(scratch), Console().line)
    folder = export_verl(tree, out, trusted, nodes=nodes, gpus_per_node=gpus_per_node)
    typer.echo(f"{folder}: start `{folder / 'run.sh'}` on every machine; it was never run without GPUs")
