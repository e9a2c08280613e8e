"""The door to the audit of a corpus: `audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaak.cli.show import print_json, print_table
from vaak.errors import CheckFailed

if TYPE_CHECKING:
    from vaak.audit import AuditReport

Limits = Annotated[
    Path | None, typer.Option(help="A YAML file of limits over those that ship; looser ones are shown in red.")
]
Processes = Annotated[
    int | None, typer.Option(min=1, help="How many work at once; default: one per core, fewer for few samples.")
]


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verb on the command."""
    app.command("audit")(audit)


def audit(
    folder: Annotated[str, typer.Argument(help="The folder of a frozen corpus; example:corpus is the embedded one.")],
    codec: Annotated[
        str, typer.Option("--codec", help="A codec's name, or the folder of its weights; none: nothing is decoded.")
    ] = "embedded",
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json of the text stream, or its folder; without it text is not read.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="A gold pack: is any of its items, texts and new voices trained on?")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Samples to look at, drawn from every stream, language and tier.")
    ] = 10_000,
    listen: Annotated[int, typer.Option(min=0, help="Samples per language to decode and listen to.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Which samples are drawn.")] = 1,
    limits: Limits = None,
    processes: Processes = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The report.")] = Path("audit.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")] = False,
) -> None:
    """Audit a corpus before money is spent on it (SPEC G1); exit 1 if a check of severity error fails.

    Examples: `vaak audit corpus-v1` · `vaak audit corpus-v1 --samples 2000 --listen 10 -o look.html` ·
    `vaak audit corpus-v1 --codec xcodec2 --tokenizer qwen/ --pack pack-v1 --limits mine.yaml --json > audit.json` ·
    `vaak audit example:corpus --tokenizer example:tokenizer --listen 4`
    """
    from vaak.audit import audit_corpus, load_limits
    from vaak.codec import open_codec
    from vaak.corpus import open_corpus
    from vaak.corpus.pack import open_pack
    from vaak.grammar.tokenizer import load_tokenizer
    from vaak.launch.console import Console
    from vaak.recipe import resolve_path

    load_limits(limits)  # bad limits are said before anything is read
    place = resolve_path(folder)
    with Console(quiet=as_json).progress("audit") as bar:
        report = audit_corpus(
            open_corpus(place),
            None if codec == "none" else open_codec(codec),
            samples=samples,
            seed=seed,
            tokenizer=load_tokenizer(resolve_path(tokenizer)) if tokenizer else None,
            decode_per_language=listen,
            limits=limits,
            progress=bar,
            pack=open_pack(pack) if pack else None,
            processes=processes,
        )
    report.write_html(out)
    if as_json:
        print_json(report.to_dict())
    else:
        _print(report, folder, out)
    failed = [check.name for check in report.checks if not check.passed and check.severity == "error"]
    if failed:
        raise CheckFailed(f"{folder}: {', '.join(failed)}; the samples at fault are in {out}")


def _print(report: AuditReport, folder: str, out: Path) -> None:
    from rich.markup import escape

    rows = []
    for check in report.checks:
        if check.examined:
            loosened = "".join(f"limit loosened: {words}; " for words in check.loosened)
            verdict = "FAILS" if check.verdict == "fails" else check.verdict
            # Names with spaces wrap where a terminal is narrow; a detail quotes texts, which may look like rich's markup.
            name, detail = check.name.replace("_", " "), escape(loosened + check.detail)
            rows.append([name, check.severity, verdict, len(check.evidence), detail])
    print_table(f"audit of {folder}; the report: {out}", ["check", "severity", "verdict", "at fault", "detail"], rows)
    idle = [check.name.replace("_", " ") for check in report.checks if not check.examined]
    if idle:
        typer.echo(f"nothing to examine: {', '.join(idle)}")
    chances = ", ".join(f"{chance:.1%} in {100 * rate:g}%" for rate, chance in report.missing.items())
    examined, samples = sum(one.examined for one in report.strata), sum(one.samples for one in report.strata)
    counted = f"{examined:,} of {samples:,} samples examined"
    typer.echo(f"{counted}; chance of missing a fault that is in a share of them: {chances}")
