"""Door to what a plan costs: `cost`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vaak.cli.show import print_json, print_table


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    app.command()(cost)


def cost(
    recipes: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE…", help="Names of stages (pt-s1), recipe files, or a project file with stages."),
    ],
    gpus: Annotated[int, typer.Option(help="How many GPUs train together.")] = 8,
    gpu: Annotated[str, typer.Option(help="Which: h100, h200, a100-80, b200, l40s or rtx4090.")] = "h100",
    mfu: Annotated[
        float | None, typer.Option(help="Share of the GPU's peak that is reached; the table says 0.4.")
    ] = None,
    price: Annotated[
        float | None, typer.Option(help="Dollars per GPU hour, instead of the table's ordinary price.")
    ] = None,
    microbatch: Annotated[int | None, typer.Option(help="Rows of a microbatch, instead of the recipe's.")] = None,
    vocabulary: Annotated[
        int | None,
        typer.Option(help="Ids of text, control tokens and codes together, where tokenizer or codec are not here."),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value of every recipe: --set context=4096")
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Trace the memory of a GPU, which takes seconds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")] = False,
) -> None:
    """What stages will take: days and money, memory of a GPU by what it is for, disk and traffic. Nothing is trained.

    It needs no GPU, no weights and no network: a step is run with tensors that have shapes and no contents.

    Examples: `vaak cost pt-s1 --gpus 8 --gpu h100` · `vaak cost pt-s1 pt-s2 pt-s3 --gpus 32 --mfu 0.45 --price 2.1` ·
    `vaak cost pt-s1 --gpu l40s --set activation_checkpointing=none --microbatch 1` · `vaak cost project.yaml --json`
    """
    from vaak.launch.cost import checked, curriculum_totals, stage_cost
    from vaak.launch.cost_plan import stages_of
    from vaak.launch.hardware import Hardware, filled

    hardware = filled(Hardware(gpu, gpus, mfu, price))
    stages = [
        stage_cost(checked(recipe, microbatch), hardware, vocabulary_size=vocabulary, trace=memory)
        for recipe in stages_of(recipes, overrides or [])
    ]
    if as_json:
        from dataclasses import asdict

        content: dict[str, Any] = {"hardware": asdict(hardware), "stages": [one.to_dict() for one in stages]}
        print_json({**content, "all": curriculum_totals(stages)})
        return
    _print(stages, hardware)


def _print(stages: Any, hardware: Any) -> None:
    from vaak.launch.cost_tables import headline, memory_rows, notes_of, storage_rows, time_rows

    names = [one.name for one in stages]
    everything = ["all"] if len(stages) > 1 else []
    typer.echo(headline(hardware))
    print_table("time and money", ["", *names, *everything], time_rows(stages))
    if stages[0].memory is not None:
        print_table("memory of one GPU, GiB of tensors", ["", *names], memory_rows(stages))
    print_table("disk and traffic", ["", *names, *everything], storage_rows(stages))
    for note in notes_of(stages):
        typer.echo(note)
