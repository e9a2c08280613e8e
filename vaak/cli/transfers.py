"""Doors between disks and object storage: `corpus push`, `corpus pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaak.cli.show import print_json

Folder = Annotated[Path, typer.Argument(help="The folder of the corpus.")]
Url = Annotated[str, typer.Argument(help="Where it is kept: s3://bucket/prefix.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Files on the way at once.")]
Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]


def add_verbs(app: typer.Typer) -> None:
    """Hang `push` and `pull` on `vaak corpus`."""
    app.command("push")(push)
    app.command("pull")(pull)


def push(folder: Folder, url: Url, jobs: Jobs = 4, as_json: Json = False) -> None:
    """Upload a frozen corpus; its manifest goes last, so half a corpus is none.

    Interrupt it, run it again, and it continues. The endpoint and the credentials come from AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

    Example: `vaak corpus push corpus-v1 s3://bucket/corpora/v1`
    """
    from vaak.corpus.transfer import push_corpus
    from vaak.launch.console import Console

    with Console(quiet=as_json).progress("push") as bar:
        report = push_corpus(folder, url, bar, jobs)
    _tell(report, "uploaded", as_json)


def pull(folder: Folder, url: Url, jobs: Jobs = 4, as_json: Json = False) -> None:
    """Download a corpus, every file against its hash; its manifest is written last, so half a corpus never opens.

    Interrupt it, run it again, and it continues. Over a whole corpus it restores files that are damaged.

    Example: `vaak corpus pull corpus-v1 s3://bucket/corpora/v1`
    """
    from vaak.corpus.transfer import pull_corpus
    from vaak.launch.console import Console

    with Console(quiet=as_json).progress("pull") as bar:
        report = pull_corpus(folder, url, bar, jobs)
    _tell(report, "downloaded", as_json)


def _tell(report: Any, done: str, as_json: bool) -> None:
    moved = report.moved
    if as_json:
        print_json({"corpus": report.corpus_id, "name": report.name, "files": report.files, "bytes": report.bytes,
                    f"{done}_files": moved.files, f"{done}_bytes": moved.bytes, "there_files": moved.there,
                    "damaged_on_the_way": list(moved.damaged)})  # fmt: skip
        return
    typer.echo(f"{moved.files} files {done} ({moved.bytes / 1e6:,.1f} MB), {moved.there} were there already")
    for path in moved.damaged:
        typer.echo(f"  {path} came damaged and was fetched again")
    typer.echo(f"whole: corpus {report.corpus_id}")
