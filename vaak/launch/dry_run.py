"""A launch on paper: its steps, and of every stage tokens, steps, hours, disk and money. Nothing is done, nothing written."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.table import Table

from vaak.launch.console import Console
from vaak.launch.cost import StageCost, curriculum_totals, stage_cost
from vaak.launch.follower import Follower
from vaak.launch.hardware import Hardware
from vaak.launch.launchers import check_launcher
from vaak.launch.ledger import Ledger
from vaak.launch.limits import Judged, loosened_words
from vaak.launch.order import order
from vaak.launch.project import OverfitSettings, Project, Stage, StageLimits, load_project
from vaak.launch.publisher import Publisher
from vaak.launch.stages import check_recipes, stage_recipe
from vaak.launch.status_screen import duration
from vaak.launch.walk import Launch

# Where a project names no hardware only what does not depend on it is said.
_ANY = Hardware("h100", 1, None, None)
_GB = 1e9


@dataclass(frozen=True)
class PlannedStep:
    """One step of the order; state: the newest word of the ledger on it, or `to do`."""

    name: str
    text: str
    state: str


@dataclass(frozen=True)
class PlannedStage:
    """What a stage will take. None: not known on paper (no hardware in the project, or a length in passes or minutes).

    memory_bytes: tensors of one GPU at their peak; fits: whether they go into it; disk_bytes: checkpoints at the fullest moment.
    """

    name: str
    recipe: str
    parent: str | None
    tokens: int | None
    steps: int | None
    hours: float | None
    price: float | None
    disk_bytes: int
    memory_bytes: int | None
    fits: bool | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LaunchPlan:
    """All of it. free_bytes: room on the disk of the launch's folder now; loosened: limits looser than the shipped ones."""

    name: str
    folder: str
    hardware: dict[str, Any] | None
    steps: list[PlannedStep]
    stages: list[PlannedStage]
    totals: dict[str, float | None]
    free_bytes: int
    loosened: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan_launch(path: Path, out: Path, *, minutes: float | None = None) -> LaunchPlan:
    """The plan of a project file, for a new launch in `out` or the one that is there.

    Raises `BadInput` for a project file, recipes, hardware or a launcher that the launch itself would refuse.
    """
    project = load_project(path, minutes)
    hardware = hardware_of(project)
    costs = []
    with tempfile.TemporaryDirectory() as scratch:  # a launch in name only: what it would write goes nowhere
        ledger = Ledger(out / "ledger.jsonl", mend=False)
        launch = Launch(project, Path(scratch), ledger, Console(quiet=True), lambda: False)
        check_recipes(launch)
        check_launcher(project.launcher)
        steps = [
            PlannedStep(one.name, one.text, newest.status if (newest := ledger.newest(one.name)) else "to do")
            for one in order(launch, Follower(launch), Publisher(launch))
        ]
        for stage in project.stages:
            recipe = stage_recipe(launch, stage.recipe, stage.overrides)
            costs.append(stage_cost(recipe, hardware or _ANY, trace=hardware is not None, largest=False))
    stages = [_planned(project, stage, cost, hardware) for stage, cost in zip(project.stages, costs, strict=True)]
    return LaunchPlan(
        name=project.name,
        folder=str(out),
        hardware=None if hardware is None else asdict(hardware),
        steps=steps,
        stages=stages,
        totals=_totals(stages, costs, hardware),
        free_bytes=shutil.disk_usage(_existing(out)).free,
        loosened=loosened_of(project),
    )


def hardware_of(project: Project) -> Hardware | None:
    """What the project is priced on, or None."""
    named = project.hardware
    return None if named is None else Hardware(named.gpu, named.gpus, named.mfu, named.price)


def loosened_of(project: Project) -> list[str]:
    """The limits of a project that are looser than the shipped ones, before anything is found."""
    shipped, overfit = OverfitSettings(recipe=""), project.overfit
    judged = {
        "overfit": [
            Judged("loss", None, overfit.loss, shipped.loss),
            Judged("share regenerated", None, overfit.reproduced, shipped.reproduced, most=False),
            Judged("samples", None, overfit.samples, shipped.samples, most=False),
        ]
    }
    for stage in project.stages:
        fields = StageLimits.model_fields
        judged[stage.name] = [
            Judged(name, None, getattr(stage.limits, name), getattr(StageLimits(), name)) for name in fields
        ]
    return [f"{gate}: {words}" for gate, ones in judged.items() for words in loosened_words(ones)]


def _planned(project: Project, stage: Stage, cost: StageCost, hardware: Hardware | None) -> PlannedStage:
    sized = project.minutes is not None
    hours = cost.hours if hardware is not None else None
    if sized:  # the budget says how long it trains, the machine how far it comes
        hours = (project.minutes or 0) / 60 * (stage.share or 0) / sum(one.share or 0 for one in project.stages)
    return PlannedStage(
        name=stage.name,
        recipe=stage.recipe,
        parent=stage.parent,
        tokens=None if sized else cost.tokens,
        steps=None if sized else cost.steps,
        hours=hours,
        price=cost.price if hardware is not None and not sized else None,
        disk_bytes=cost.disk_bytes,
        memory_bytes=cost.memory.most if cost.memory is not None else None,
        fits=cost.fits,
        notes=cost.notes,
    )


def _totals(stages: list[PlannedStage], costs: list[StageCost], hardware: Hardware | None) -> dict[str, float | None]:
    totals = {name: _sum(stages, name) for name in ("tokens", "steps", "hours", "price", "disk_bytes")}
    return totals | {"gpu_hours": curriculum_totals(costs)["gpu_hours"] if hardware is not None else None}


def _sum(stages: list[PlannedStage], name: str) -> float | None:
    values = [getattr(stage, name) for stage in stages]
    return None if None in values else sum(values)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.resolve()
    return next(one for one in (folder, *folder.parents) if one.exists())


def print_plan(plan: LaunchPlan) -> None:
    """Print it on standard output."""
    console = RichConsole(highlight=False)
    console.print(f"[bold]{escape(plan.name)}[/bold] in {escape(plan.folder)}; nothing is done now")
    table = Table(box=None, pad_edge=False)
    for name in ("step", "state", "what is done"):
        table.add_column(name, overflow="fold")
    for one in plan.steps:
        table.add_row(one.name, one.state, escape(one.text))
    console.print(table)
    console.print()
    console.print(_stages_table(plan))
    console.print(_about(plan))
    for words in plan.loosened:
        console.print(f"{escape(words)}", style="bold red")


def _stages_table(plan: LaunchPlan) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("stage", "tokens", "steps", "time", "money", "disk", "per GPU"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    for one in plan.stages:
        memory = "–" if one.memory_bytes is None else f"{one.memory_bytes / 2**30:.1f} GiB"
        memory = f"[bold red]{memory}, too much[/bold red]" if one.fits is False else memory
        table.add_row(one.name, *_figures(one.tokens, one.steps, one.hours, one.price),
                      f"{one.disk_bytes / _GB:,.0f} GB", memory)  # fmt: skip
    sums = [sum(getattr(one, name) or 0 for one in plan.stages) for name in ("tokens", "steps", "hours", "price")]
    known = [any(getattr(one, name) for one in plan.stages) for name in ("tokens", "steps", "hours", "price")]
    whole = [plan.totals[name] is not None for name in ("tokens", "steps", "hours", "price")]
    figures = _figures(*(value if some else None for value, some in zip(sums, known, strict=True)))
    # What is not known of one stage comes on top.
    figures = [
        f"{one}{' +' if some and not all_ else ''}" for one, some, all_ in zip(figures, known, whole, strict=True)
    ]
    table.add_row("all", *figures, f"{(plan.totals['disk_bytes'] or 0) / _GB:,.0f} GB", "", style="bold")
    return table


def _figures(tokens: float | None, steps: float | None, hours: float | None, price: float | None) -> tuple[str, ...]:
    return (
        "–" if tokens is None else f"{tokens / 1e9:,.2f} B" if tokens >= 1e8 else f"{tokens / 1e6:,.2f} M",
        "–" if steps is None else f"{steps:,.0f}",
        "–" if hours is None else duration(3600 * hours),
        "–" if price is None else f"${price:,.0f}",
    )


def _about(plan: LaunchPlan) -> str:
    lines = []
    if plan.hardware is None:
        lines.append("Time and money are not known: name gpu and gpus under 'hardware' in the project file.")
    else:
        one = plan.hardware
        lines.append(f"On {one['gpus']} × {one['gpu']}; `vaak cost` says how each figure comes about.")
    needed, free = plan.totals["disk_bytes"] or 0, plan.free_bytes
    words = (
        f"Checkpoints take {needed / _GB:,.1f} GB at the fullest moment of every stage; {free / _GB:,.1f} GB are free."
    )
    lines.append(words if needed < free else f"[bold red]{words}[/bold red]")
    for stage in plan.stages:
        lines += [f"{stage.name}: {note}" for note in stage.notes]
    return "\n".join(dict.fromkeys(lines))
