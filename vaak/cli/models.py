"""Doors to training and its results: `mixture`, `overfit`, `train`, `speak`, `replay`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vaak.cli.running import Track, beside, is_first
from vaak.cli.show import print_json, print_table
from vaak.errors import BadInput, CheckFailed
from vaak.model.sampling import TEMPERATURE

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A stage's name (pt-s1-tiny) or a YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one value: --set schedule.peak_lr=1e-4")]
Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]
Checkpoint = Annotated[
    str,
    typer.Argument(
        help="A checkpoint, a run (its newest complete one), or an export; `demo` is the model that ships with Vaak "
        "(a folder of that name is `./demo`)."
    ),
]

# What stands in place of a checkpoint for the model in the package.
SHIPPED = "demo"

mixture_app = typer.Typer(help="What share of the tokens each stream, source and language gets.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    mixture_app.command("plan")(mixture_plan)
    app.add_typer(mixture_app, name="mixture")
    app.command("overfit")(overfit)
    app.command("train")(train)
    app.command("speak")(speak)
    app.command("replay")(replay)


def mixture_plan(
    recipe: RecipeName,
    overrides: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Keep the plan and its indexes in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve a recipe's mixture against its corpora, and show what is wanted, what is planned, and what gives way.

    Example: `vaak mixture plan pt-s1-tiny --set 'length={steps: 300}'`
    """
    import tempfile

    from vaak.recipe import load_recipe, plan_recipe
    from vaak.train.stage import open_data

    tree = load_recipe(recipe, overrides or [])
    data = open_data(tree)
    with tempfile.TemporaryDirectory() as scratch:
        plan = plan_recipe(
            tree,
            data.corpora,
            tokenizer=data.tokenizer,
            vocabulary=data.vocabulary,
            cache_folder=(out or Path(scratch)) / "cache",
            excluded_ids=data.pack.excluded_ids if data.pack else (),
        )
        if out is not None:
            plan.save(out)
        if not as_json:
            typer.echo(plan.table())
            return
        print_json({"fingerprint": plan.fingerprint, "rows": plan.n_rows, "target_tokens": plan.target_tokens,
                    "notes": plan.notes, "cells": [_cell_row(cell) for cell in plan.cells]})  # fmt: skip


def _cell_row(cell: Any) -> dict[str, Any]:
    return asdict(cell.cell) | {key: value for key, value in asdict(cell).items() if key not in ("cell", "parts")}


def overfit(
    recipe: RecipeName,
    overrides: Set = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where its result is written.")] = Path("overfit-run"),
    samples: Annotated[int, typer.Option(help="How many samples must be learned by heart.")] = 32,
    max_seconds: Annotated[float, typer.Option(help="Give up after this long.")] = 600.0,
    as_json: Json = False,
) -> None:
    """Overfit a few samples in loss and in regenerated codes (SPEC G3); exit 1 if the model cannot.

    Example: `vaak overfit sft-tiny --out overfit-run`
    """
    from vaak.launch.console import Console
    from vaak.recipe import load_recipe
    from vaak.train.overfit import overfit as run

    with Console(quiet=as_json).progress("overfit") as bar:
        result = run(load_recipe(recipe, overrides or []), out, n=samples, max_seconds=max_seconds, on_step=bar)
    if as_json:
        print_json(asdict(result))
    else:
        rows = [[one.sample_id, one.language, one.n_codes, one.reproduced, one.stopped] for one in result.samples]
        print_table("overfit", ["sample", "language", "codes", "regenerated", "stopped"], rows)
        typer.echo(
            f"loss {result.loss:.4f}, {result.reproduced_share:.2%} of codes, {result.steps} steps, {result.seconds:.0f} s"
        )
    if not result.passed:
        raise CheckFailed(
            f"{recipe}: the model does not fit {samples} samples; look for a fault in data, prompt or loss"
        )


def train(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder.")],
    overrides: Set = None,
    parent: Annotated[
        Path | None, typer.Option(help="Take the weights of this checkpoint or run, and nothing else.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume/--anew", help="Continue a run that is there, or refuse it.")] = True,
    track: Track = None,
) -> None:
    """Train one stage. Interrupt it, run it again, and it continues at the row where its last checkpoint stands.

    Examples: `vaak train pt-s1-tiny --out runs/one --set 'length={steps: 200}'` ·
    `torchrun --nproc-per-node 8 -m vaak.cli.main train pt-s1 --out runs/s1` (one process for each GPU; ops/ has launch files)
    """
    from vaak.checkpoint import find_checkpoint
    from vaak.recipe import load_recipe
    from vaak.train.loop import train as run
    from vaak.train.metrics import TRAINING

    start = find_checkpoint(parent).path if parent is not None else None
    with beside("train", out, track, TRAINING) as arguments:
        final = run(load_recipe(recipe, overrides or []), out, parent=start, resume=resume, **arguments)
    if is_first():
        typer.echo(f"done; the last checkpoint is {final}")


def replay(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its metrics.jsonl.")],
    track: Annotated[
        list[str],
        typer.Option(
            help="Whom to tell: wandb[:PROJECT], trackio[:PROJECT] or jsonl:PATH; may be given several times."
        ),
    ],
) -> None:
    """Tell a run's metrics again, from its metrics.jsonl: to a tracker that was down, or that nobody had then.

    All rows are told, training, validation and checkpoints, in order. trackio has a row once however often it is told; W&B gets
    a new run each time.

    Examples: `vaak replay runs/one --track trackio` · `vaak replay runs/one --track wandb:speech --track jsonl:copy.jsonl`
    """
    from vaak.launch.console import Console, stopping
    from vaak.launch.replaying import replay_run

    console = Console()
    with stopping() as stop, console.progress("replay") as bar:
        told = replay_run(run, track, on_step=bar, stop=stop, say=console.line)
        stopped = stop()
    typer.echo(f"{'stopped: ' if stopped else ''}told {told:,} rows of {run} to {', '.join(track)}")
    if stopped:
        raise typer.Exit(130)


def speak(
    checkpoint: Checkpoint,
    text: Annotated[str | None, typer.Argument(help="What to say; a long text is said chunk by chunk.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Say what stands in this file (UTF-8) instead.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The WAV to write.")] = Path("out.wav"),
    voice: Annotated[Path | None, typer.Option(help="A recording whose voice is continued.")] = None,
    voice_text: Annotated[str | None, typer.Option(help="What that recording says.")] = None,
    describe: Annotated[
        str | None,
        typer.Option(
            help='A voice in words, as in training: "Clara, a woman". Without it and --voice, the shipped model speaks '
            "as Clara in Latin letters and as Asha in Indic ones; any other model is told nothing."
        ),
    ] = None,
    codec: Annotated[str, typer.Option(help="The codec that the model was trained with.")] = "embedded",
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest code each time.", min=0)] = TEMPERATURE,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sound.")] = 0,
) -> None:
    """Say a text, in any language that the model was trained on, and write it as a WAV.

    A text longer than 120 characters is cut between its sentences, and said in one voice. Exit 1, and nothing is written, if
    the model says nothing at all.

    Examples: `vaak speak demo "The blue boat is near the old bridge." -o boat.wav` · `vaak speak demo --file story.txt` ·
    `vaak speak demo-run/stages/sft "नमस्ते।" --voice me.wav --voice-text "मेरा नाम आशा है।" -o hello.wav`
    """
    from vaak.codec.audio import read_audio, write_audio
    from vaak.speak.speech import open_speaker

    text = _text_to_say(text, file)
    if (voice is None) != (voice_text is None):
        raise BadInput("--voice and --voice-text belong together: give the recording and the words that it says")
    model, tokenizer, opened = open_speaker(_model_folder(checkpoint), codec)
    voice_codes = opened.encode(read_audio(voice, opened.sample_rate)) if voice is not None else None
    if checkpoint == SHIPPED and describe is None and voice is None:
        from vaak.demo.voices import best_description

        describe = best_description(text)
    began = time.monotonic()
    wave, chunks = _said(
        model, tokenizer, opened, text, describe, voice_text, voice_codes, temperature=temperature, seed=seed
    )
    if not len(wave):
        raise CheckFailed(f"the model stopped at once and said nothing, so {out} is not written; try another --seed")
    write_audio(out, wave, opened.output_rate)
    seconds, parts = len(wave) / opened.output_rate, f" in {len(chunks)} chunks" if len(chunks) > 1 else ""
    typer.echo(f"{out}: {seconds:.2f} s of speech{parts}, made in {time.monotonic() - began:.1f} s")
    for line in _what_went_wrong(chunks, opened.tokens_per_second):
        typer.echo(f"vaak: {line}", err=True)


def _text_to_say(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise BadInput("give either a text to say or --file with one")
    if file is None:
        return text or ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read as text ({error}); give a file in UTF-8") from error


def _said(model: Any, tokenizer: Any, codec: Any, text: str, *voice: Any, **sampling: Any) -> tuple[Any, list[Any]]:
    """The wave and the chunks of a text, of which a short one has one."""
    from vaak.speak.long import Chunk, speak_long
    from vaak.speak.sentences import chunks_of
    from vaak.speak.speech import speak as say

    texts = chunks_of(text)
    if len(texts) > 1:
        return speak_long(model, tokenizer, codec, text, *voice, **sampling)
    text = texts[0] if texts else text
    wave, generation = say(model, tokenizer, codec, text, *voice, **sampling)
    return wave, [Chunk(text, generation)]


def _what_went_wrong(chunks: Sequence[Any], codes_per_second: int) -> Iterator[str]:
    """A line for every chunk that had to be cut or that nothing was said of."""
    for number, chunk in enumerate(chunks, 1):
        seconds, codes = len(chunk.generation.codes) / codes_per_second, len(chunk.generation.codes)
        where = f" in chunk {number} of {len(chunks)} ({chunk.text[:40]!r} ...)" if len(chunks) > 1 else ""
        if not chunk.generation.stopped:
            shorter = "" if where else ", or a shorter text"
            yield f"the model did not stop by itself{where} and was cut after {seconds:.2f} s; try another --seed{shorter}"
        elif not codes:
            yield f"the model stopped at once{where} and said nothing of it; try another --seed"


def _model_folder(name: str) -> Path:
    """A model's own folder: the shipped one, an export as it is, a checkpoint once verified, a run's newest good one.

    The bare word `demo` is the shipped model, whatever lies in the working folder: what a page of the documentation
    says must not depend on where it is typed.
    """
    from vaak.checkpoint import find_model

    return find_model(named_model(name))[1]


def named_model(name: str) -> str:
    """The folder of the shipped model for its bare word, whatever else is named as it is."""
    if name != SHIPPED:
        return name
    import vaak.demo

    return str(vaak.demo.model_folder())
