"""The door to text for pretraining: `text build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaak.cli.show import print_json, print_table
from vaak.errors import BadInput, Interrupted

text_app = typer.Typer(
    help="Text for pretraining: crawl dumps in, a frozen corpus of token ids out.", no_args_is_help=True
)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    text_app.command("build")(build)
    app.add_typer(text_app, name="text")


def build(
    configuration: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="YAML: sources, tokenizer, corpus; see docs/text.md.")
    ],
    processes: Annotated[int | None, typer.Option(min=1, help="How many work at once; default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Clean, identify, filter, deduplicate and tokenize text, and freeze it as a corpus with a report beside it (SPEC T2).

    Interrupt it, run it again, and it continues with the first input that is not done. With a section `scale` in CONFIG its
    tasks run on Slurm, on Ray or beside each other here; on Slurm, run it again to see how it goes, and then the report.

    Examples: `vaak text build text.yaml` · `vaak text build text.yaml --processes 16 --json > report.json`
    """
    from vaak.launch.console import Console
    from vaak.text.settings import load_settings

    try:
        from vaak.text.build import build_text, finished_report, report_folder
    except ImportError as error:
        raise BadInput(f"{error.name} is not installed; pip install 'vaak[text]'") from error

    settings = load_settings(configuration)
    report = finished_report(settings)
    try:
        if report is None and settings.scale is not None:
            from vaak.text.scale import build_scaled

            if processes is not None:
                raise BadInput(
                    "--processes is for a build without 'scale'; there, 'scale.options' says it: see docs/text.md"
                )
            words = build_scaled(settings, (lambda words: None) if as_json else print)
            report = finished_report(settings)
            if report is None:
                if as_json:
                    print_json({"frozen": False, "said": words})
                else:
                    print(words)
                return
        if report is None:
            with Console(quiet=as_json).progress("text") as bar:
                report = build_text(settings, processes, bar)
    except KeyboardInterrupt as stopped:
        raise Interrupted("stopped; inputs that are done are kept") from stopped
    if as_json:
        print_json(report)
        return
    _print_counts(report)
    print(f"frozen as {report['corpus']['id']}; look at {report_folder(settings) / 'report.html'}")


def _print_counts(report: dict[str, Any]) -> None:
    rows = []
    for row in report["sources"]:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in row["dropped"].items())
        rows.append((row["source"], row["language"], row["read"], row["kept"], row["tokens"], reasons))
    print_table("read = kept + dropped", ("source", "language", "read", "kept", "tokens", "dropped"), rows)
