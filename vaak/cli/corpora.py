"""Doors to data: `corpus`, `pack`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from vaak.cli import imports, transfers
from vaak.cli.encoding import encode
from vaak.cli.show import print_json
from vaak.errors import CheckFailed

Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]
Folder = Annotated[Path, typer.Argument(help="The folder of a frozen corpus.")]

corpus_app = typer.Typer(help="Make, look at and verify a frozen corpus of codes.", no_args_is_help=True)
pack_app = typer.Typer(help="The gold pack: evaluation items frozen before training.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    corpus_app.command("encode")(encode)
    imports.add_verbs(corpus_app)
    corpus_app.command("show")(show)
    corpus_app.command("verify")(verify)
    transfers.add_verbs(corpus_app)
    app.add_typer(corpus_app, name="corpus")
    pack_app.command("build")(build)
    pack_app.command("show")(show_a_pack)
    app.add_typer(pack_app, name="pack")


def show(folder: Folder, as_json: Json = False) -> None:
    """What a corpus holds per stream, language and tier, and how much of its origin is unknown.

    Example: `vaak corpus show corpus-v1`
    """
    from vaak.corpus import open_corpus
    from vaak.corpus.show import corpus_table, show_corpus

    corpus = open_corpus(folder)
    if as_json:
        print_json(show_corpus(corpus))
    else:
        typer.echo(corpus_table(corpus))


def verify(folder: Folder, as_json: Json = False) -> None:
    """Hash every file of a corpus again and name each that is damaged, missing or extra (exit 1).

    Example: `vaak corpus verify corpus-v1`
    """
    from vaak.corpus import open_corpus, verify_corpus

    damaged = verify_corpus(folder)
    if as_json:
        print_json({"folder": str(folder), "damaged": damaged})
    if damaged:
        for line in damaged if not as_json else ():
            typer.echo(line)
        raise CheckFailed(f"{folder}: {len(damaged)} files are not as they were frozen: {'; '.join(damaged[:5])}")
    if not as_json:
        typer.echo(f"{folder}: every file is as it was frozen, corpus {open_corpus(folder).id}")


def build(
    corpus: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new pack.")],
    seed: Annotated[int, typer.Option(help="Which items are drawn.")] = 1,
    ce: Annotated[int, typer.Option(help="Cross-entropy samples.")] = 1000,
    per_language: Annotated[int, typer.Option(help="Native prompts per language.")] = 4,
    cross_lingual: Annotated[int, typer.Option(help="Prompts in the voice of another language.")] = 12,
    long_form: Annotated[int, typer.Option(help="Prompts of several sentences.")] = 4,
    probes: Annotated[
        int, typer.Option(help="Numbers, names, questions and minimal pairs, so many of each in every language.")
    ] = 2,
    extended: Annotated[
        str, typer.Option(help='More prompts: so many in every language, or by language as JSON: {"en": 100}')
    ] = "0",
    voices: Annotated[
        Literal["any", "new-first", "new-only"],
        typer.Option(help="Whose voices: all; first those that training never hears; those alone."),
    ] = "any",
    source: Annotated[
        list[str] | None, typer.Option(help="Draw prompts of one sentence from this source alone; repeat it for more.")
    ] = None,
) -> None:
    """Draw and freeze a gold pack from the held-out samples of a corpus.

    Examples: `vaak pack build corpus-v1 --out pack-v1 --extended 100` · `vaak pack build corpus-v1 --out pack-v1 --voices new-only`
    """
    from vaak.corpus import open_corpus
    from vaak.corpus.pack import build_pack, open_pack, show_pack

    build_pack(
        open_corpus(corpus),
        out,
        seed=seed,
        n_ce=ce,
        per_language=per_language,
        cross_lingual=cross_lingual,
        long_form=long_form,
        probes=probes,
        extended=_counts(extended),
        voices=voices,
        sources=source or (),
    )
    print_json(show_pack(open_pack(out)))


def _counts(text: str) -> dict[str, int] | int:
    """One number for every language, or numbers by language."""
    try:
        counts = json.loads(text)
        return (
            {str(language): int(count) for language, count in counts.items()}
            if isinstance(counts, dict)
            else int(counts)
        )
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f'--extended takes a number, or JSON like {{"en": 100}}, not {text!r}') from error


def show_a_pack(folder: Annotated[Path, typer.Argument(help="The folder of a pack.")]) -> None:
    """What a gold pack holds, as JSON; every byte is checked on the way.

    Example: `vaak pack show pack-v1`
    """
    from vaak.corpus.pack import open_pack, show_pack

    print_json(show_pack(open_pack(folder)))
