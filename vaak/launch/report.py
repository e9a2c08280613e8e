"""The page at the end of a launch: what came out, what went in, and the evidence of each gate. Written any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from vaak.codec import open_codec
from vaak.corpus.pack import open_pack
from vaak.evaluate.panel_run import MASS_TOLERANCE, audit_parts, gate_alarms
from vaak.launch import report_speech, report_training
from vaak.launch.ledger import Ledger
from vaak.launch.limits import Judged, judged_of
from vaak.launch.project import Project
from vaak.launch.report_speech import Speech
from vaak.launch.report_training import StageRun
from vaak.page import Cell, KeyFigure, Page, details, key_figures, table

# Share of generations that should end by themselves; below it the page says that it does not hold.
STOP_RATE = 0.95


def write_report(project: Project, out: Path, ledger: Ledger) -> Path:
    """Write `index.html` from what the launch folder holds now; parts that are not there yet are left out."""
    runs = report_training.stage_runs(project, out)
    speech = _speech(project, out, ledger)
    page = Page(
        f"Vaak: {project.name}", "A speech language model, from frozen codes to sound, and the evidence on the way."
    )
    page.section("In short", _key_figures(speech, runs), *gate_alarms(out))
    if speech is not None:
        page.section(
            "Listen",
            "Held-out sentences. Round trip is the original through the codec: what the model could say at best.",
            report_speech.listening(speech),
        )
        page.section("Scores", *report_speech.english_table(speech), report_speech.language_table(speech))
        page.add(report_speech.UNTRUSTED, report_speech.kind_table(speech))
        page.add(report_speech.followed_table(speech, [run.folder for run in runs]))
    if runs:
        page.section("Training", report_training.stage_table(runs), *report_training.curves(runs))
        page.add(details("Each loss at the two ends of its stage", report_training.loss_table(runs)))
        page.section("Where the time goes", *report_training.profiles(runs, out))
        page.section(
            "Mixture: wanted and realised",
            "Shares of target tokens: in pretraining every token but the first of a document, in SFT the codes and their "
            "marks. Prompt text is counted beside them.",
            *report_training.mixture(runs),
        )
    if (out / "audit.json").exists():
        page.section("Audit", *_audit(out))
    page.section("Gates and time", _gates(ledger), _limits(ledger), *_provenance(project, ledger))
    return page.write(out / "index.html")


def _speech(project: Project, out: Path, ledger: Ledger) -> Speech | None:
    final = ledger.good(project.evaluate.final)
    if final is None or not (out / "pack" / "MANIFEST.json").exists():
        return None
    db = project.evaluate.db or str(out / "results.db")
    return report_speech.open_speech(
        db, open_pack(out / "pack"), open_codec(project.codec), final.evidence["checkpoint"]
    )


def _key_figures(speech: Speech | None, runs: list[StageRun]) -> Markup:
    figures = []
    if speech is not None:
        english = speech.english
        for name in ("generated", "round trip", "original", "wrong text"):
            if name in english:
                rate = english[name]
                note = f"{rate.low:.2f} – {rate.high:.2f}, {rate.items} held-out sentences"
                figures.append(KeyFigure(f"English WER, {name}", f"{rate.rate:.2f}", note))
        stop = speech.figures["all"].get("stop_rate")
        if stop is not None:
            figures.append(KeyFigure("stops by itself", f"{stop:.1%}", f"wanted ≥ {STOP_RATE:.0%}", stop >= STOP_RATE))
    worst = report_training.worst_mass(runs)
    if worst is not None:
        good = worst <= MASS_TOLERANCE
        figures.append(KeyFigure("furthest share of the mixture", f"{worst:.2f} points", "wanted ≤ 1 point", good))
    if runs:
        tokens = sum(run.tokens for run in runs)
        minutes = sum(run.seconds for run in runs) / 60
        figures.append(KeyFigure("training", f"{tokens / 1e6:.2f} M tokens", f"{minutes:.1f} minutes in steps"))
    return key_figures(figures)


def _audit(out: Path) -> list[Any]:
    pages = sorted(out.glob("audit*.html"))
    links = Markup(" · ").join(Markup('<a href="{}">{}</a>').format(page.name, page.name) for page in pages)
    words = Markup("<p>The whole audit, with histograms and players, lies beside this page: {}.</p>").format(links)
    return [*audit_parts(out), words]


def _gates(ledger: Ledger) -> Markup:
    rows, seen = [], []
    for record in ledger.records:
        if record.step not in seen:
            seen.append(record.step)
    for step in seen:
        newest = next(r for r in reversed(ledger.records) if r.step == step)
        began = sum(r.step == step and r.status == "began" for r in ledger.records)
        seconds = ledger.seconds(step)
        rows.append(
            (step, newest.status, began, Cell(seconds, f"{seconds:.0f} s"), newest.inputs[:12], _told(newest.evidence))
        )
    columns = ["step", "outcome", "times begun", "time", "inputs", "evidence"]
    return table(rows, columns, caption="The launch order, from the ledger", sortable=False)


def _limits(ledger: Ledger) -> Markup:
    """Every limit of the newest judgement of each gate; one that the project loosened is red."""
    rows = []
    for step in dict.fromkeys(record.step for record in ledger.records):
        record = next((r for r in reversed(ledger.records) if r.step == step and "limits" in r.evidence), None)
        for one in judged_of(record.evidence) if record is not None else ():
            words = f"at {'most' if one.most else 'least'} {one.limit:g}"
            if one.loosened:
                red = Markup('<span class="verdict bad">{}, loosened from {:g}</span>')
                words = red.format(words, one.shipped)
            rows.append(
                (step, one.name, "not measured" if one.found is None else f"{one.found:.4g}", words, _verdict(one))
            )
    caption = "What the gates found, and their limits"
    return table(rows, ["gate", "figure", "found", "limit", "outcome"], caption=caption, sortable=False)


def _verdict(one: Judged) -> Markup:
    if not one.holds:
        return Markup('<span class="verdict bad">✗ does not hold</span>')
    if one.only_by_loosening:
        return Markup('<span class="verdict bad">holds only because its limit was loosened</span>')
    return Markup('<span class="verdict good">✓ holds</span>')


def _told(evidence: dict[str, Any]) -> str:
    """Scalars of a record's evidence in one line; what is long stands in the ledger."""
    short = {key: value for key, value in evidence.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{key} {_shown(value)}" for key, value in short.items())


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 48 else text[:45] + "…"


def _provenance(project: Project, ledger: Ledger) -> list[Any]:
    freeze = ledger.newest("freeze", "done")
    corpora = list(freeze.evidence["corpora"]) if freeze else []
    pack = ledger.good("pack")
    codec = open_codec(project.codec)
    words = [
        f"Corpora: {', '.join(corpora) or 'not verified yet'}.",
        f"Gold pack: {pack.evidence['pack'] if pack else 'not frozen yet'}.",
        f"Codec: {codec.name}, {codec.hash}. Seed: {project.seed}.",
    ]
    return [details("Where this comes from", *words)]
