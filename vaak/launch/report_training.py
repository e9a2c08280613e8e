"""The training part of a launch's page: loss curves, the mixture wanted against realised, validation, stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from vaak.evaluate.panel_run import MASS_TOLERANCE, STREAM_NAMES, furthest, mixture_table, served_mass
from vaak.launch.project import Project, Stage
from vaak.launch.report_curves import LANGUAGE_NAMES, Stretch, chart, family
from vaak.launch.report_profile import link, profile_parts
from vaak.mixture import Plan, RealisedMass, load_plan
from vaak.page import Cell, alarm, bar_chart, details, grid, table
from vaak.recipe import Recipe, load_recipe
from vaak.track.curves import Curves, read_curves

_AXIS, _NATS = "tokens trained", "nats per target token"


@dataclass(frozen=True)
class StageRun:
    """What a stage's run folder holds."""

    stage: Stage
    folder: Path
    recipe: Recipe
    curves: Curves  # metrics.jsonl
    plan: Plan | None
    mass: RealisedMass | None
    begins: int  # tokens seen by the stages before it

    @property
    def tokens(self) -> int:
        """Positions in rows that it was trained on so far."""
        return int(self.curves.last.get("tokens", 0))

    @property
    def mass_tokens(self) -> int:
        """Target tokens served so far."""
        return sum(self.mass.targets.values()) if self.mass else 0

    @property
    def seconds(self) -> float:
        """Seconds spent in steps."""
        return step_seconds(self.curves, self.recipe.tokens_per_step)

    @property
    def stretch(self) -> Stretch:
        """Where it lies on the axis of all tokens trained."""
        return Stretch(self.curves, self.begins, self.recipe.tokens_per_step)


def step_seconds(curves: Curves, tokens_per_step: int) -> float:
    """Seconds spent in steps: their sum, or, of a run that did not note them, the tokens of each over its measured speed."""
    steps, speed = curves.curve("step_s"), curves.curve("tokens_per_s")
    if steps.count.sum() >= speed.count.sum():  # fewer of a run that began before steps were timed
        return float(np.nansum(steps.mean * steps.count))
    return float(np.nansum(tokens_per_step * speed.count / np.where(speed.mean > 0, speed.mean, np.nan)))


def stage_runs(project: Project, out: Path) -> list[StageRun]:
    """The stages that have begun, in order."""
    found, seen = [], 0
    for stage in project.stages:
        folder = out / "stages" / stage.name
        if not (folder / "metrics.jsonl").exists():
            continue
        served = served_mass(folder)
        mass = served[0] if served else None
        plan = load_plan(folder / "plan") if (folder / "plan" / "plan.json").exists() else None
        recipe = load_recipe(str(folder / "recipe.yaml"), [])
        run = StageRun(stage, folder, recipe, read_curves(folder / "metrics.jsonl"), plan, mass, seen)
        found.append(run)
        seen += run.tokens
    return found


def curves(runs: list[StageRun]) -> list[Markup]:
    """Loss by stream and by language over all tokens trained, stages one after another."""
    marks = {run.stage.name: float(run.begins) for run in runs}
    along, every = [run.stretch for run in runs], [run.curves for run in runs]
    streams, languages = family(every, "loss/stream/", STREAM_NAMES), family(every, "loss/language/", LANGUAGE_NAMES)
    both = {"val/loss": "validation", "loss": "training"}
    title = "Training and validation loss (each stage's own kind of label)"
    rate = chart(along, {"lr": "learning rate"}, "Learning rate", _AXIS, marks=marks)
    speed = chart(along, {"tokens_per_s": "tokens/s"}, "Tokens per second", _AXIS, smooth=9, marks=marks)
    return [
        chart(along, streams, "Training loss by stream", _AXIS, _NATS, smooth=15, marks=marks),
        chart(along, languages, "Training loss by language", _AXIS, _NATS, smooth=15, marks=marks),
        chart(along, both, title, _AXIS, _NATS, smooth=5, marks=marks),
        details("Learning rate and speed", rate, speed),
    ]


def profiles(runs: list[StageRun], page_folder: Path) -> list[Markup | str]:
    """Of each stage where its time went, with its traces, and its own report where there is one."""
    parts: list[Markup | str] = []
    for run in runs:
        page = run.folder / "report.html"
        if page.is_file():
            more = Markup("{} has its curves one by one.").format(link(page, page_folder, "Its own report"))
        else:
            more = Markup("<code>vaak report {}</code> writes its own report.").format(run.folder)
        parts.append(Markup("<h3>{}</h3><p>{}</p>").format(run.stage.name, more))
        parts += profile_parts(run.folder, page_folder, run.recipe.profile)
    return parts


def loss_table(runs: list[StageRun]) -> Markup:
    """Per stage and name, the mean loss of the first and of the last tenth of its steps: each should fall."""
    rows = []
    for run in runs:
        for key in ["loss", *run.curves.names("loss/stream/"), *run.curves.names("loss/language/")]:
            curve = run.curves.curve(key)
            if curve.count.sum() < 2:
                continue
            first, last = curve.end_means()
            verdict = "falls" if last < first else "does not fall"
            rows.append((run.stage.name, key.replace("loss/", "") if key != "loss" else "all", first, last, verdict))
    return table(rows, ["stage", "loss of", "first tenth", "last tenth", ""], caption="Losses, nats per target token")


def mixture(runs: list[StageRun]) -> list[Markup]:
    """Per stage, wanted and realised shares of target tokens by stream, source and language."""
    parts: list[Markup] = []
    for run in runs:
        if run.plan is None or run.mass is None:
            continue
        charts, worst = [], furthest(run.plan, run.mass)
        for by in ("stream", "source", "language"):
            names = LANGUAGE_NAMES if by == "language" else STREAM_NAMES
            charts.append(
                bar_chart(
                    {
                        names.get(name, name): {"wanted": want, "realised": got}
                        for name, (want, got) in run.mass.beside(run.plan, by).items()
                    },
                    f"{run.stage.name}: by {by}",
                    form="{:.1%}",
                    width=460,
                )
            )
        level = "good" if worst <= MASS_TOLERANCE else "warning"
        parts.append(Markup("<h3>{}</h3>").format(f"{run.stage.name}: {run.mass_tokens:,} target tokens"))
        parts.append(alarm(level, f"the furthest share is {worst:.2f} percentage points from the wanted one"))
        parts.append(grid(*charts, min_width_rem=26))
        parts.append(
            details(
                "All shares, prompt tokens and what gave way",
                mixture_table(run.plan, run.mass, run.stage.name),
                f"Prompt tokens beside the targets: {sum(run.mass.prompts.values()):,}; padding {run.mass.padding_ratio:.2%}.",
                *(run.plan.notes or ["Nothing gave way."]),
            )
        )
    return parts


def worst_mass(runs: list[StageRun]) -> float | None:
    """The largest distance of a realised share from the wanted one over all stages, in percentage points."""
    found = [furthest(run.plan, run.mass) for run in runs if run.plan is not None and run.mass is not None]
    return max(found, default=None)


def stage_table(runs: list[StageRun]) -> Markup:
    """One row a stage: length, schedule, parent, loss at its two ends, time in its steps, skipped steps."""
    rows = []
    for run in runs:
        schedule, first, last = run.recipe.schedule, run.curves.first, run.curves.last
        skipped = run.curves.curve("skipped").high
        rows.append(
            (
                run.stage.name,
                run.stage.parent or "–",
                run.curves.last_step,
                run.tokens,
                f"{schedule.peak_lr:.2g} → {schedule.min_lr:.2g}",
                first.get("loss"),
                last.get("loss"),
                last.get("val/loss"),
                Cell(run.seconds, f"{run.seconds:.0f} s"),
                int(skipped.max()) if len(skipped) else 0,  # each row counts all before it
            )
        )
    columns = ["stage", "weights from", "steps", "tokens", "LR peak → min", "first loss", "last loss", "validation",
               "time", "skipped"]  # fmt: skip
    return table(rows, columns, caption="Stages", sortable=False)
