"""The training part of a launch's page: loss curves, the mixture wanted against realised, validation, stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vaak.evaluate.panel_run import MASS_TOLERANCE, STREAM_NAMES, furthest, mixture_table, served_mass
from vaak.languages import LANGUAGES
from vaak.launch.project import Project, Stage
from vaak.mixture import Plan, RealisedMass, load_plan
from vaak.page import Cell, alarm, bar_chart, details, grid, line_chart, table
from vaak.recipe import Recipe, load_recipe
from vaak.track import read_jsonl


@dataclass(frozen=True)
class StageRun:
    """What a stage's run folder holds."""

    stage: Stage
    folder: Path
    recipe: Recipe
    rows: list[dict[str, Any]]  # metrics.jsonl, training rows
    validation: list[dict[str, Any]]
    plan: Plan | None
    mass: RealisedMass | None
    begins: int  # tokens seen by the stages before it

    @property
    def mass_tokens(self) -> int:
        """Target tokens served so far."""
        return sum(self.mass.targets.values()) if self.mass else 0

    @property
    def seconds(self) -> float:
        """Seconds spent in steps: the tokens of each row divided by its measured speed."""
        spent, before = 0.0, 0.0
        for row in self.rows:
            if row.get("tokens_per_s"):
                spent += (row["tokens"] - before) / row["tokens_per_s"]
            before = row["tokens"]
        return spent


def stage_runs(project: Project, out: Path) -> list[StageRun]:
    """The stages that have begun, in order."""
    found, seen = [], 0
    for stage in project.stages:
        folder = out / "stages" / stage.name
        if not (folder / "metrics.jsonl").exists():
            continue
        rows = read_jsonl(folder / "metrics.jsonl")
        training = [row for row in rows if "loss" in row]
        served = served_mass(folder)
        mass = served[0] if served else None
        plan = load_plan(folder / "plan") if (folder / "plan" / "plan.json").exists() else None
        recipe = load_recipe(str(folder / "recipe.yaml"), [])
        validation = [row for row in rows if "val/loss" in row]
        found.append(StageRun(stage, folder, recipe, training, validation, plan, mass, seen))
        seen += int(training[-1]["tokens"]) if training else 0
    return found


def curves(runs: list[StageRun]) -> list[Markup]:
    """Loss by stream and by language over all tokens trained, stages one after another."""
    marks = {run.stage.name: float(run.begins) for run in runs}
    parts = [
        _chart(runs, "loss/stream/", "Training loss by stream", marks, STREAM_NAMES),
        _chart(runs, "loss/language/", "Training loss by language", marks, _language_names()),
    ]
    validation = {}
    for run in runs:
        for row in run.validation:
            validation.setdefault("validation", []).append((run.begins + _tokens_at(run, row["step"]), row["val/loss"]))
        for row in run.rows:
            validation.setdefault("training", []).append((run.begins + row["tokens"], row["loss"]))
    parts.append(
        line_chart(
            {name: ([x for x, _ in points], [y for _, y in points]) for name, points in validation.items()},
            "Training and validation loss (each stage's own kind of label)",
            "tokens trained",
            "nats per target token",
            smooth=5,
            marks=marks,
        )
    )
    rate = {run.stage.name: ([run.begins + r["tokens"] for r in run.rows], [r["lr"] for r in run.rows]) for run in runs}
    speed = {
        run.stage.name: ([run.begins + r["tokens"] for r in run.rows], [r["tokens_per_s"] for r in run.rows])
        for run in runs
    }
    parts.append(
        details(
            "Learning rate and speed",
            line_chart(rate, "Learning rate", "tokens trained", "", marks=marks),
            line_chart(speed, "Tokens per second", "tokens trained", "", smooth=9, marks=marks),
        )
    )
    return parts


def _language_names() -> dict[str, str]:
    return {code: language.name for code, language in LANGUAGES.items()}


def _tokens_at(run: StageRun, step: int) -> float:
    return next((row["tokens"] for row in reversed(run.rows) if row["step"] <= step), 0.0)


def _chart(runs: list[StageRun], prefix: str, title: str, marks: dict[str, float], names: dict[str, str]) -> Markup:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for run in runs:
        for key in sorted({key for row in run.rows for key in row if key.startswith(prefix)}):
            x, y = series.setdefault(names.get(key[len(prefix) :], key[len(prefix) :]), ([], []))
            for row in run.rows:
                if row.get(key) is not None:
                    x.append(run.begins + row["tokens"])
                    y.append(row[key])
    return line_chart(series, title, "tokens trained", "nats per target token", smooth=15, marks=marks)


def loss_table(runs: list[StageRun]) -> Markup:
    """Per stage and name, the mean loss of the first and of the last tenth of its steps: each should fall."""
    rows = []
    for run in runs:
        keys = sorted({k for row in run.rows for k in row if k.startswith(("loss/stream/", "loss/language/"))})
        for key in ["loss", *keys]:
            values = [row[key] for row in run.rows if row.get(key) is not None]
            if len(values) < 2:
                continue
            tenth = max(1, len(values) // 10)
            first, last = sum(values[:tenth]) / tenth, sum(values[-tenth:]) / tenth
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
            names = _language_names() if by == "language" else STREAM_NAMES
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
        schedule, last = run.recipe.schedule, run.rows[-1] if run.rows else {}
        rows.append(
            (
                run.stage.name,
                run.stage.parent or "–",
                int(last.get("step", 0)),
                int(last.get("tokens", 0)),
                f"{schedule.peak_lr:.2g} → {schedule.min_lr:.2g}",
                run.rows[0]["loss"] if run.rows else None,
                last.get("loss"),
                run.validation[-1]["val/loss"] if run.validation else None,
                Cell(run.seconds, f"{run.seconds:.0f} s"),
                int(max((row.get("skipped", 0) for row in run.rows), default=0)),  # each row counts all before it
            )
        )
    columns = ["stage", "weights from", "steps", "tokens", "LR peak → min", "first loss", "last loss", "validation",
               "time", "skipped"]  # fmt: skip
    return table(rows, columns, caption="Stages", sortable=False)
