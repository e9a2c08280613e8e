"""The status of a launch as a person sees it on a terminal: one screen."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vaak.launch.run_figures import duration
from vaak.launch.status import LaunchStatus, StageProgress, StepStatus

_STYLES = {
    "done": "green",
    "running": "bold cyan",
    "failed": "bold red",
    "changed": "bold red",
    "overridden": "red",
    "interrupted": "yellow",
    "to do": "dim",
}
# A training that writes nothing for so long is not slow, it stands.
_QUIET_SECONDS = 600.0
_WORDS_WIDTH = 100


def print_status(status: LaunchStatus) -> None:
    """Print it on standard output."""
    console = Console(highlight=False)
    console.print(f"[bold]{escape(status.name)}[/bold] in {escape(status.folder)}")
    table = Table(box=None, pad_edge=False)
    for name in ("step", "state", "time", "what was found"):
        table.add_column(name, justify="right" if name == "time" else "left", overflow="fold")
    for one in status.steps:
        style = _STYLES.get(one.state, "")
        table.add_row(one.name, f"[{style}]{one.state}[/{style}]", _time(one), escape(_short(one.words)))
    console.print(table)
    if status.stage is not None:
        console.print(_stage(status.stage))
    for words in status.in_spite:
        console.print(f"in spite of: {escape(words)}", style="bold red")
    console.print(f"[bold]next:[/bold] {escape(status.next)}")


def _time(one: StepStatus) -> str:
    return "" if one.state == "to do" else duration(one.seconds)


def _short(words: str) -> str:
    return words if len(words) <= _WORDS_WIDTH else words[: _WORDS_WIDTH - 1] + "…"


def _stage(stage: StageProgress) -> str:
    steps = f"step {stage.step:,}" + (f" of {stage.steps:,}" if stage.steps else "")
    parts = [f"[bold]{escape(stage.name)}[/bold]: {steps}"]
    if stage.loss is not None:
        parts.append(f"loss {stage.loss:.4f}")
    if stage.tokens_per_s:
        parts.append(f"{stage.tokens_per_s:,.0f} tokens/s")
    if stage.eta_s is not None:
        parts.append(f"{duration(stage.eta_s)} left")
    if stage.checkpoint_step is not None and stage.checkpoint_age_s is not None:
        parts.append(f"checkpoint at step {stage.checkpoint_step:,}, {duration(stage.checkpoint_age_s)} ago")
    if stage.job is not None:
        parts.append(f"Slurm job {stage.job}")
    if stage.quiet_s > _QUIET_SECONDS:
        parts.append(f"[bold red]nothing written for {duration(stage.quiet_s)}[/bold red]")
    return ", ".join(parts)
