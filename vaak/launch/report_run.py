"""The page of one run, trained or aligned, while it goes on or after: curves, checkpoints, skipped steps, where the time goes.

Where its gold pack and results are known the page is its listening panel as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup

from vaak.checkpoint import list_checkpoints
from vaak.errors import BadInput
from vaak.evaluate import write_panel
from vaak.evaluate.panel_run import launch_of, mixture_parts
from vaak.launch.report_aligned import alignment_parts
from vaak.launch.report_curves import LANGUAGE_NAMES, Stretch, chart, extremes_table, family
from vaak.launch.report_profile import link, profile_parts
from vaak.launch.report_training import step_seconds
from vaak.launch.run_figures import duration
from vaak.page import KeyFigure, Page, alarm, details, grid, key_figures, table
from vaak.recipe.align_tree import KINDS
from vaak.storage.files import read_json
from vaak.track.curves import Curves, read_curves

PAGE = "report.html"
Sections = dict[str, Sequence[Markup | str]]
# Of more skipped steps, checkpoints or sources the page names the newest, or first, so many.
_MOST_ROWS, _MOST_CURVES = 300, 18
_NATS = "nats per target token"


@dataclass(frozen=True)
class RunPage:
    """A run's folder as the page has it. recipe: of its YAML the plain keys, so that one of another version can be read, too."""

    folder: Path
    page_folder: Path
    recipe: Mapping[str, Any]
    curves: Curves

    @property
    def aligned(self) -> bool:
        return self.recipe.get("kind") in KINDS

    @property
    def steps(self) -> int | None:
        """How many it will have; None where neither recipe nor plan nor its end says it."""
        length = self.recipe.get("length")
        steps = self.recipe.get("steps") or (length.get("steps") if isinstance(length, Mapping) else None)
        if (
            steps is None
            and isinstance(length, Mapping)
            and length.get("tokens")
            and self.recipe.get("tokens_per_step")
        ):
            steps = math.ceil(int(length["tokens"]) / int(self.recipe["tokens_per_step"]))
        return int(steps) if steps else None


def write_run_report(
    run: Path, out: Path | None = None, *, pack: Path | None = None, db: str | None = None, codec: str = "embedded"
) -> Path:
    """Write the page of a run folder to `out`, by default `report.html` in it.

    With `pack` and `db`, or those of the launch that the run is a stage of, it is the listening panel as well (see
    `vaak.evaluate.write_panel`, which says what is refused). Raises `BadInput` for a folder that is no run, or that has neither
    metrics nor an evaluation, and for a file that cannot be written.
    """
    out = out if out is not None else run / PAGE
    if out.is_dir():
        raise BadInput(f"{out} is a folder; name the file of the page")
    if not run.is_dir():
        raise BadInput(f"{run} is not there; name the folder of a run or of a launch")
    launch = launch_of(run)
    evaluated = pack is not None or db is not None or (launch is not None and (launch / "results.db").is_file())
    if not evaluated and not (run / "metrics.jsonl").is_file():
        if not any((run / name).exists() for name in ("checkpoints", "recipe.yaml")):
            raise BadInput(
                f"{run} is neither a run, it has no metrics.jsonl, nor a launch, it has no project.yaml; name one of these"
            )
        raise BadInput(
            f"{run} has no metrics.jsonl, so there are no curves; for its evaluations name its gold pack with --pack and its "
            "results with --db"
        )
    sections = _sections(run, out.resolve().parent)
    if evaluated:
        return write_panel(run, out, pack=pack, db=db, codec=codec, beside=sections)
    page = Page(f"Run {run.resolve().name}", "What it was trained on, how it went, and where its time goes.")
    if mixture := mixture_parts(run):
        sections["Mixture: wanted, planned and realised"] = mixture
    for title, parts in sections.items():
        page.section(title, *parts)
    try:
        return page.write(out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({error.strerror}); name another file for the page") from error


def _sections(run: Path, page_folder: Path) -> Sections:
    """What the run's own folder says, under the titles of the page; nothing of what is not there."""
    metrics = run / "metrics.jsonl"
    curves = read_curves(metrics) if metrics.is_file() else Curves()
    one = RunPage(run, page_folder, _recipe(run), curves)
    found: Sections = {"The run": _header(one)}
    if curves.rows:
        found |= alignment_parts(curves) if one.aligned else _training(curves)
        found["Optimisation"] = _optimisation(curves)
        found["Speed"] = _speed(curves)
    found |= {
        "Where the time goes": profile_parts(run, page_folder, _profiled(one)),
        "Skipped steps": _skipped(one),
        "Checkpoints of the run": _checkpoints(one),
        "Recipe": _recipe_text(run),
    }
    return {title: parts for title, parts in found.items() if parts}


def _recipe(run: Path) -> Mapping[str, Any]:
    try:
        tree = yaml.safe_load((run / "recipe.yaml").read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return tree if isinstance(tree, Mapping) else {}


def _profiled(one: RunPage) -> bool | None:
    return None if one.aligned or not one.recipe else bool(one.recipe.get("profile"))


def _header(one: RunPage) -> list[Markup | str]:
    """The run in large figures, and what it comes from."""
    curves, recipe = one.curves, one.recipe
    last, done = curves.last, (one.folder / "DONE.json").is_file()
    words = "it has reached its end" if done else f"of {one.steps:,}" if one.steps else ""
    cards = [KeyFigure("steps", f"{curves.last_step:,}", words)]
    for name, label in (("reward", "reward"), ("loss", "loss"), ("val/loss", "validation loss")):
        if (value := last.get(name)) is not None:
            first, now = curves.curve(name).end_means(0.02)
            note = f"mean of the last 2%: {now:.4f}; of the first: {first:.4f}"
            cards.append(KeyFigure(label, f"{value:.4f}" if math.isfinite(value) else "not finite", note))
    if last.get("tokens"):
        hours = f"{last['audio_hours']:,.1f} hours of audio" if last.get("audio_hours") else ""
        cards.append(KeyFigure("tokens", _short(last["tokens"]), hours))
    if last.get("time"):
        per_step = int(recipe.get("tokens_per_step") or 0)
        spent = step_seconds(curves, per_step)
        note = f"{spent / last['time']:.1%} of it in steps" if spent else ""
        cards.append(KeyFigure("time", duration(last["time"]), note))
        if spent and last.get("tokens"):
            cards.append(KeyFigure("speed in steps", f"{last['tokens'] / spent:,.0f} tokens/s"))
    if (skipped := last.get("skipped")) is not None:
        share = skipped / max(1, curves.last_step)
        cards.append(
            KeyFigure("skipped steps", f"{skipped:,.0f}", f"{share:.3%} of all", share <= 0.001 or skipped < 3)
        )
    said = [
        ("recipe", f"{recipe.get('name', '–')}, {recipe.get('kind', '–')}"),
        ("weights from", str(recipe.get("parent") or _base(recipe))),
        ("corpora", ", ".join(map(str, recipe.get("corpora") or [])) or "–"),
        *_ids(one.folder),
        ("codec", str(recipe.get("codec", "–"))),
    ]
    return [key_figures(cards), table(said, ["", ""], caption="What it comes from", sortable=False)]


def _base(recipe: Mapping[str, Any]) -> str:
    model = recipe.get("model")
    return str(model.get("path") or "random weights") if isinstance(model, Mapping) else "–"


def _ids(folder: Path) -> list[tuple[str, str]]:
    """Hashes that say what data it was: the plan's fingerprint, and, of a stage of a launch, its corpora."""
    found = []
    for name, key, label in (("plan/plan.json", "fingerprint", "plan"), ("inputs.json", "corpora", "corpus ids")):
        try:
            value = read_json(folder / name)[key]
        except (BadInput, OSError, KeyError, TypeError, ValueError):
            continue
        found.append((label, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found


def _short(tokens: float) -> str:
    for size, word in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if tokens >= size:
            return f"{tokens / size:.2f} {word}"
    return f"{tokens:,.0f}"


def _training(curves: Curves) -> Sections:
    """The losses, whole and by what a target is of."""
    along = [Stretch(curves)]
    kinds = {"loss": "all", "loss/audio": "audio", "loss/text": "text"}
    parts: list[Markup | str] = [chart(along, kinds, "Training loss", ylabel=_NATS, smooth=15)]
    cut = []
    for by, names in (("stream", {}), ("language", LANGUAGE_NAMES), ("source", {})):
        every = family(curves, f"loss/{by}/", names)
        shown = dict(list(every.items())[:_MOST_CURVES])
        cut += [f"{len(every) - len(shown)} more by {by} are in the table below."] if len(every) > len(shown) else []
        parts.append(chart(along, shown, f"Training loss by {by}", ylabel=_NATS, smooth=15))
    every = {name: name for name in curves.names("loss")}
    parts += [*cut, details("Each loss: its ends and its extremes", extremes_table(curves, every, "Losses, nats"))]
    found: Sections = {"Losses": [part for part in parts if part]}
    if validation := _validation(curves, along):
        found["Validation"] = validation
    return found


def _validation(curves: Curves, along: list[Stretch]) -> list[Markup | str]:
    kinds = {"val/loss": "all", "val/audio": "audio", "val/text": "text"}
    parts: list[Markup | str] = [chart(along, kinds, "Validation loss", ylabel=_NATS)]
    for by, names in (("stream", {}), ("language", LANGUAGE_NAMES)):
        parts.append(chart(along, family(curves, f"val/{by}/", names), f"Validation loss by {by}", ylabel=_NATS))
    return [part for part in parts if part]


def _optimisation(curves: Curves) -> list[Markup | str]:
    along, names = [Stretch(curves)], {"grad_norm": "gradient norm"}
    skipped = {"skipped": "skipped", "nonfinite": "not finite", "spikes": "spikes"}
    parts = [
        chart(along, names, "Gradient norm", log_y=True, smooth=15, width=560),
        chart(along, {"lr": "rate"}, "Learning rate", width=560),
    ]
    if curves.last.get("skipped"):
        parts.append(chart(along, skipped, "Skipped steps so far", width=560))
    return [grid(*(part for part in parts if part), min_width_rem=26)]


def _speed(curves: Curves) -> list[Markup | str]:
    along = [Stretch(curves)]
    shares = {"data_wait": "waiting for data", "padding": "padding"}
    parts = [
        chart(along, {"tokens_per_s": "tokens/s"}, "Tokens per second", smooth=9, width=560),
        chart(along, {"step_s": "step"}, "Time of a step", ylabel="s", smooth=9, width=560),
        chart(along, shares, "Share of time and of positions", smooth=9, width=560),
        chart(along, {"memory_gb": "GB"}, "GPU memory, the most so far", ylabel="GB", width=560),
    ]
    return [grid(*(part for part in parts if part), min_width_rem=26)]


def _skipped(one: RunPage) -> list[Markup | str]:
    """The steps that changed nothing, each with the file that has its rows."""
    folder = one.folder / "skipped"
    files = sorted(folder.glob("step-*.json"), reverse=True) if folder.is_dir() else []
    if not files:
        count = one.curves.last.get("skipped")
        return ["None."] if count == 0 else []
    rows = []
    for path in files[:_MOST_ROWS]:
        try:
            found = read_json(path)
            data = found["rows"]
            rows.append((found["step"], found["fault"], found["grad_norm"], found["limit"], found["loss"],
                         f"{data[0]['row']:,} – {data[-1]['row']:,}", link(path, one.page_folder, path.name)))  # fmt: skip
        except (BadInput, OSError, KeyError, IndexError, TypeError, ValueError):
            rows.append((path.stem, "cannot be read", None, None, None, None, link(path, one.page_folder, path.name)))
    columns = ["step", "fault", "gradient", "limit", "loss", "rows", "file"]
    more = [f"The newest {len(rows):,} of {len(files):,}."] if len(files) > len(rows) else []
    return [*more, table(rows, columns, caption="Steps that changed nothing, the newest first")]


def _checkpoints(one: RunPage) -> list[Markup | str]:
    found = list_checkpoints(one.folder)
    if not found:
        return [alarm("note", "no checkpoint yet")] if one.curves.rows else []
    loss = one.curves.curve("val/loss")
    rows = []
    for checkpoint in reversed(found[-_MOST_ROWS:]):
        kind = "incomplete" if not checkpoint.complete else "full" if checkpoint.full else "model only"
        at = np.flatnonzero(loss.steps == checkpoint.step) if loss.exact else []
        measured = float(loss.mean[at[0]]) if len(at) else None
        identity = checkpoint.id.rsplit("/", 1)[-1][:12] if checkpoint.id else "–"
        where = link(checkpoint.path, one.page_folder, checkpoint.path.name)
        rows.append((checkpoint.step, kind, measured, identity, where))
    more = [f"The newest {len(rows):,} of {len(found):,}."] if len(found) > len(rows) else []
    listed = table(rows, ["step", "kind", "validation loss", "hash", "folder"], caption="Checkpoints, the newest first")
    return [*more, details(f"{len(found):,} checkpoints", listed, open=len(rows) <= 20)]


def _recipe_text(run: Path) -> list[Markup | str]:
    try:
        text = (run / "recipe.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [details("recipe.yaml, as resolved", Markup("<pre>{}</pre>").format(text))]
