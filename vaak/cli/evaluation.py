"""Doors to scores: `evaluate` one checkpoint, `sidecar` follows a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaak.cli.models import named_model
from vaak.cli.show import print_json, print_table

Pack = Annotated[Path, typer.Option("--pack", help="The folder of a gold pack.")]
Database = Annotated[
    str,
    typer.Option(
        "--db", help="Results database: a SQLite file on a local disk, or postgresql+psycopg://user@host/name."
    ),
]
HeldOut = Annotated[
    bool,
    typer.Option(
        "--held-out",
        help="Measure also what no reward is made of: a second recogniser, PLCMOS, spread of the pitch, speaking rate.",
    ),
]
CodecName = Annotated[str, typer.Option("--codec", help="The codec that the pack was made with.")]


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    app.command("evaluate")(evaluate)
    app.command("sidecar")(sidecar)


def evaluate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A checkpoint, a run (its newest complete one), an export; a folder or an address, s3://bucket/run. "
            "`demo` is the model that ships with Vaak. Or the id of a checkpoint that is gone: what it said is scored again."
        ),
    ],
    pack: Pack,
    db: Database = "results.db",
    codec: CodecName = "embedded",
    quick: Annotated[bool, typer.Option("--quick", help="A small part of the pack only.")] = False,
    held_out: HeldOut = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")] = False,
) -> None:
    """Speak a gold pack's prompts with a checkpoint and measure every item; what is there is not done again.

    Example: `vaak evaluate demo-run/stages/sft --pack demo-run/pack --db demo-run/results.db`
    """
    from vaak.evaluate import error_words, evaluate_checkpoint, proxy_words, reward_settings_of, summary

    say = (lambda line: None) if as_json else typer.echo
    level, checkpoint = "quick" if quick else "full", named_model(checkpoint)
    identity = evaluate_checkpoint(checkpoint, pack, codec, db, level=level, held_out=held_out, say=say)
    found = summary(db, identity, reward=reward_settings_of(checkpoint) if held_out else None)
    if as_json:
        print_json(found)
        return
    columns = ["language", "items", "stop rate", "length", "DNSMOS", "similarity", "errors heard"]
    rows = []
    for language, one in found["languages"].items():
        rows.append([language, one["items"], one.get("stop_rate"), one.get("duration_ratio_median"), one.get("dnsmos"),
                     one.get("similarity"), error_words(one, language)[0]])  # fmt: skip
    print_table(identity, columns, rows)
    if held_out:
        _print_held_out(found)
    if proxies := proxy_words(found["languages"]):
        typer.echo(proxies)


def _print_held_out(found: dict[str, Any]) -> None:
    from vaak.evaluate import held_out_words

    columns = ["language", "reward", "errors heard", "PLCMOS", "pitch spread (semitones)", "units a second"]
    names = ("plcmos", "f0_spread", "speaking_rate_median")
    rows = [
        [code, one.get("reward"), held_out_words(one, code), *(one.get(name) for name in names)]
        for code, one in found["languages"].items()
    ]
    print_table("what the held-out judges heard, and the reward that the items would have had", columns, rows)


def sidecar(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, which may not exist yet, or addresses that runs publish to, s3://bucket/run."
        ),
    ],
    pack: Pack,
    db: Database = "results.db",
    codec: CodecName = "embedded",
    full: Annotated[list[str] | None, typer.Option(help="A run or checkpoint that gets the full evaluation.")] = None,
    every: Annotated[int, typer.Option(help="Look at checkpoints whose step is a multiple of this.", min=1)] = 1,
    held_out: HeldOut = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Also tell figures and sounds: wandb[:PROJECT], trackio[:PROJECT], jsonl:PATH, prometheus[:PORT]; may be "
            "given several times."
        ),
    ] = None,
    stop_file: Annotated[Path, typer.Option(help="Once it exists, end when nothing is left to do.")] = Path(
        "sidecar.stop"
    ),
) -> None:
    """Follow runs and score each complete checkpoint once, in this process. Training never waits for it.

    A metric of a newer version is added to what was scored before, also of checkpoints that are gone.
    Aligned runs are also heard by held-out judges, with --held-out every run is; where the reward rises and these judges get
    worse, it says so.
    Several may follow with one database and share the work: on one machine with SQLite, on any number with PostgreSQL.

    Example: `vaak sidecar runs/one --pack pack --db results.db --every 5000`
    """
    from vaak.evaluate import follow
    from vaak.evaluate.database import folder_of
    from vaak.evaluate.told_to import told_to
    from vaak.launch.console import stopping

    told = told_to(track, folder_of(db), typer.echo, runs)
    with stopping() as stop:
        done = follow(runs, pack, db, stop_file=stop_file, codec=codec, full=full or [], every=every, held_out=held_out,
                      say=typer.echo, stop=stop, **told)  # fmt: skip
    typer.echo(
        f"{len(done.evaluated)} evaluated, {len(done.failed)} failed, {len(done.gone)} removed before their turn"
    )
    if done.failed:
        raise typer.Exit(1)
