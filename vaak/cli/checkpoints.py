"""Doors to the checkpoints of a run: `checkpoint list|verify|export|prune|publish|pull`; a run may be an address, `s3://…`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from vaak.checkpoint.folder import Checkpoint
from vaak.checkpoint.outbox import Record
from vaak.checkpoint.remote import RemoteCheckpoint, RemotePruned
from vaak.cli.show import print_json, print_table
from vaak.errors import BadInput, CheckFailed, Interrupted

Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]
Run = Annotated[Path, typer.Argument(help="The folder of a run.")]
RunOrUrl = Annotated[
    str, typer.Argument(help="The folder of a run, or the address it was published to: s3://bucket/run.")
]
CheckpointFolder = Annotated[Path, typer.Argument(help="A checkpoint, or a run (its newest complete one).")]

# Between looks for a run that has not begun.
_POLL_SECONDS = 0.5

checkpoint_app = typer.Typer(help="List, verify, export, prune, publish and pull checkpoints.", no_args_is_help=True)


def add_verbs(app: typer.Typer) -> None:
    """Hang this module's verbs on the command."""
    checkpoint_app.command("list")(list_them)
    checkpoint_app.command("verify")(verify)
    checkpoint_app.command("export")(export)
    checkpoint_app.command("prune")(prune)
    checkpoint_app.command("publish")(publish)
    checkpoint_app.command("pull")(pull)
    app.add_typer(checkpoint_app, name="checkpoint")


def list_them(run: RunOrUrl, as_json: Json = False) -> None:
    """The checkpoints of a run.

    Example: `vaak checkpoint list runs/one`
    """
    found = _found(run)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        rows = [[one.step, _kind(one), one.id or None] for one in found]
        print_table(run, ["step", "what", "id"], rows)


def _found(run: str) -> Sequence[Checkpoint | RemoteCheckpoint]:
    """The checkpoints of a run that is there, though it may have none yet."""
    from vaak.checkpoint import list_checkpoints, list_remote

    if _is_address(run):
        found = list_remote(run)
        if not found:
            raise BadInput(f"{run} holds no checkpoint; correct the address")
        return found
    folder = Path(run)
    if not any((folder / name).exists() for name in ("checkpoints", "recipe.yaml", ".lock")):
        raise BadInput(
            f"{run} is {'no run' if folder.exists() else 'not there'}; name the folder of a run, or its address"
        )
    with _disk(folder):
        return list_checkpoints(folder)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What a disk refuses is said in one sentence."""
    from vaak.storage.transfer import unwritable

    try:
        yield
    except OSError as error:
        raise unwritable(error, folder) from error


def _is_address(run: str) -> bool:
    return "://" in run


def _kind(one: Checkpoint | RemoteCheckpoint) -> str:
    if not one.complete:
        return "unfinished"
    return "full" if one.full else "model"


def verify(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint or a run, in a folder or at an address.")],
    as_json: Json = False,
) -> None:
    """Hash a checkpoint again, or compare what is recorded at an address (exit 1 if it is damaged).

    Of a run all are; what is still being saved, or sent, is shown and is no damage.

    Example: `vaak checkpoint verify runs/one/checkpoints/step-00000200`
    """
    found = _verified_there(checkpoint) if _is_address(checkpoint) else _verified(Path(checkpoint))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            typer.echo(f"{one.checkpoint}: {'unfinished' if one.unfinished else '; '.join(one.problems or ['whole'])}")
    damaged = [one for one in found if one.problems and not one.unfinished]
    if damaged:
        raise CheckFailed(f"{len(damaged)} of {len(found)} checkpoints cannot be trusted")


@dataclass(frozen=True)
class _Verified:
    """What was found wrong with a checkpoint; unfinished: it has no mark yet, or its removal had begun."""

    checkpoint: str
    problems: list[str]
    unfinished: bool = False


def _verified(checkpoint: Path) -> list[_Verified]:
    from vaak.checkpoint import verify_checkpoint
    from vaak.checkpoint.folder import COMPLETE, step_of

    if not checkpoint.exists():
        raise BadInput(f"{checkpoint} is not there; name a checkpoint or a run")
    with _disk(checkpoint):
        if step_of(checkpoint.name) is not None:
            return [_Verified(str(checkpoint), verify_checkpoint(checkpoint))]
        folders = [one.path for one in _found(str(checkpoint)) if isinstance(one, Checkpoint)]
        if not folders:
            raise BadInput(f"{checkpoint} holds no checkpoint yet; wait for its first, or name another run")
        return [_looked_at(str(one), partial(verify_checkpoint, one), (one / COMPLETE).exists) for one in folders]


def _verified_there(url: str) -> list[_Verified]:
    from vaak.checkpoint import verify_remote
    from vaak.checkpoint.remote import marked, split_address

    run, step = split_address(url)
    if step is not None:
        return [_Verified(url, verify_remote(run, step))]
    found = [one for one in _found(run) if isinstance(one, RemoteCheckpoint)]
    return [_looked_at(one.url, partial(verify_remote, run, one.step), partial(marked, one.url)) for one in found]


def _looked_at(where: str, verify: Callable[[], list[str]], marked: Callable[[], bool]) -> _Verified:
    """Damaged is what has problems and its mark before and after: a save may end meanwhile, a removal begin."""
    before = marked()
    problems = verify()
    return _Verified(where, problems, bool(problems) and not (before and marked()))


def export(
    checkpoint: CheckpointFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option("--dtype", help="Of the weights; by default what the run computed in."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the model and tokenizer as an ordinary Hugging Face folder, which vLLM opens too.

    Example: `vaak checkpoint export runs/one --out model --dtype bfloat16`
    """
    from vaak.checkpoint import export_model

    with _disk(out):
        folder = export_model(checkpoint, out, dtype)
    if as_json:
        print_json({"folder": str(folder)})
    else:
        typer.echo(f"exported to {folder}")


def prune(
    run: RunOrUrl,
    recipe: Annotated[
        Path | None, typer.Option(help="Whose policy holds at an address, such as RUN/recipe.yaml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove the checkpoints that the run's own recipe does not keep; in a folder the model of some stays.

    Example: `vaak checkpoint prune runs/one`
    """
    from vaak.checkpoint import prune as remove
    from vaak.checkpoint import prune_remote
    from vaak.recipe import load_policy
    from vaak.storage.locks import only_one

    if _is_address(run):
        if recipe is None:
            raise BadInput(f"{run} has no recipe of its own; name one, as in --recipe RUN/recipe.yaml")
        done = prune_remote(run, load_policy(recipe))
    else:
        policy = load_policy(recipe or Path(run) / "recipe.yaml")
        # The lock that training holds: two that remove would each take what the other counts on.
        refused = f"{run} is being trained by another process; it prunes by itself"
        with _disk(Path(run)), only_one(Path(run) / ".lock", refused):
            done = remove(run, policy)
    if as_json:
        print_json(asdict(done))
        return
    models = [] if isinstance(done, RemotePruned) else done.model_only
    for one in done.removed:
        typer.echo(f"removed step {one.step}")
    for one in models:
        typer.echo(f"step {one.step}: its model stays")
    for step, holder in done.held.items():
        typer.echo(
            f"{step} is held by {holder}; if that reader is gone, remove {run.rstrip('/')}/leases/{step}, then prune again"
        )
    typer.echo(f"{len(done.removed)} removed" + ("" if _is_address(run) else f", {len(models)} left as models"))


def publish(
    run: Run,
    to: Annotated[str | None, typer.Option(help="Where full checkpoints go: s3://bucket/run.")] = None,
    hub: Annotated[str | None, typer.Option(help="The Hub repository that milestones go to: owner/name.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for the run, and go on until it is done and sent.")
    ] = False,
    db: Annotated[str | None, typer.Option("--db", help="Results database: milestones wait for their notes.")] = None,
    track: Annotated[list[str] | None, typer.Option(help="Export how it stands: prometheus[:PORT].")] = None,
    as_json: Json = False,
) -> None:
    """Send a run's full checkpoints to S3-compatible storage and its milestones, as models, to the Hub.

    Beside a training it never holds up: what fails is tried again, what waits is on disk in RUN/publish. Endpoint and
    credentials come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the Hub's from HF_TOKEN.

    Example: `vaak checkpoint publish runs/one --to s3://bucket/runs/one --hub me/one --follow --db results.db`
    """
    from vaak.checkpoint.publish import publish_run
    from vaak.checkpoint.publish_figures import publish_exporter
    from vaak.launch.console import stopping
    from vaak.recipe import load_policy

    notes = None if db is None else _notes_from(db)
    say = (lambda line: None) if as_json else typer.echo
    with stopping() as stop, publish_exporter(track or [], run, say) as tracker:
        if follow and (to or hub):
            _wait_for(run / "recipe.yaml", stop, say)
        policy = load_policy(run / "recipe.yaml")
        done = publish_run(run, to=to, hub=hub, policy=policy, notes=notes, follow=follow, stop=stop, say=say,
                           tracker=tracker)  # fmt: skip
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(f"{len(done.published)} published, {len(done.superseded)} superseded, {len(done.waiting)} wait")
    left = [f"step {one.step} for {one.target} ({_why(one)})" for one in done.waiting if one.error or not follow]
    if left:
        raise CheckFailed(f"still waiting: {', '.join(left)}; publish again and it continues")
    if done.unseen:
        raise CheckFailed(f"{done.unseen}; publish again when that is mended")


def _wait_for(recipe: Path, stop: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Return when a run has begun, of which its recipe is the first file. Raises `Interrupted` if asked to stop before."""
    if not recipe.is_file():
        say(f"{recipe} is not there yet; waiting for the run to begin")
    while not recipe.is_file():
        if stop():
            raise Interrupted(f"{recipe.parent} has not begun")
        time.sleep(_POLL_SECONDS)


def _why(one: Record) -> str:
    return one.error or ("its evaluation is not there yet" if one.kind == "milestone" else "not tried yet")


def _notes_from(db: str) -> Callable[[str], str | None]:
    from vaak.evaluate import evaluation_notes

    return lambda identity: evaluation_notes(db, identity)


def pull(
    url: Annotated[str, typer.Argument(help="s3://bucket/run (its newest complete one), or …/checkpoints/step-….")],
    run: Run,
    as_json: Json = False,
) -> None:
    """Download a published checkpoint into a run folder, every file against its hash; `vaak train --out RUN` continues there.

    Interrupt it, run it again, and it continues.

    Example: `vaak checkpoint pull s3://bucket/runs/one runs/one`
    """
    from vaak.checkpoint import pull_checkpoint
    from vaak.launch.console import Console

    with Console(quiet=as_json).progress("pull") as bar:
        done = pull_checkpoint(url, run, bar)
    if as_json:
        print_json(asdict(done))
        return
    typer.echo(
        f"{done.moved.files} files ({done.moved.bytes / 1e6:,.1f} MB) came, {done.moved.there} were there already"
    )
    if not done.leased:
        typer.echo("the key may not write there, so no lease kept the checkpoint meanwhile")
    typer.echo(f"whole: {done.id} in {done.path}" + ("" if done.full else ", the model alone"))
