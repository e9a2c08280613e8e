"""The listening panel of a run: one page with its checkpoints to hear, their figures over steps, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from vaak.checkpoint import Checkpoint, list_checkpoints
from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.evaluate.aligned import aligned_of, recipe_text
from vaak.evaluate.checkpoint import check_pack_codec
from vaak.evaluate.held_out_changes import Comparison, alarms_of, compare_run
from vaak.evaluate.panel_alarms import Alarm, alarm_parts, find_alarms
from vaak.evaluate.panel_curves import curve_parts
from vaak.evaluate.panel_figures import EVERY, Evaluation, Figures, evaluations_of
from vaak.evaluate.panel_held_out import held_out_alarms, held_out_parts
from vaak.evaluate.panel_run import audit_parts, gate_alarms, launch_of, mixture_parts
from vaak.evaluate.panel_sounds import Panel, listening_parts, to_hear
from vaak.evaluate.store import Results, open_results
from vaak.page import KeyFigure, Page, details, key_figures, table
from vaak.score.reward_settings import RewardSettings

# No panel is larger; what its curves and tables leave of this is for sound.
LARGEST_BYTES = 24_000_000
_FRAME_BYTES = 100_000  # of the page around its sections: styles, script, headings


@dataclass(frozen=True)
class _Run:
    """A run as its folder and the database have it."""

    folder: Path
    name: str  # what the ids of its checkpoints begin with
    complete: list[Checkpoint]
    figures: Figures
    compared: list[Comparison]  # of an aligned run, its first checkpoint with its newest
    unclear: list[str]  # ids of other checkpoints with the same run name and step

    @property
    def missing(self) -> list[int]:
        done = {one.checkpoint_id for one in self.figures.evaluations}
        return [one.step for one in self.complete if one.id not in done]


def write_panel(
    run: str | Path,
    out: str | Path,
    *,
    pack: str | Path | None = None,
    db: str | Path | None = None,
    codec: Codec | str = "embedded",
    beside: Mapping[str, Sequence[Markup | str]] | None = None,
) -> Path:
    """Write the listening panel of a run folder to the file `out`; it is at most `LARGEST_BYTES` large.

    beside: what else is known of the run, sections that come after what is heard. `pack` and `db` are by default those of the launch that the run is a stage of. Raises `BadInput` for a folder that is
    no run, a pack or database that is not there, a database that knows other packs only, another codec than the pack's, or
    a file that cannot be written.
    """
    folder = _run_folder(Path(run))
    if Path(out).is_dir():
        raise BadInput(f"{out} is a folder; name the file of the page")
    launch = launch_of(folder)
    pack, db = _given(folder, launch, pack, db)
    gold = open_pack(pack)
    codec = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(gold, codec)
    results = open_results(db)
    try:
        page = _page(_opened(folder, results, gold, codec, db), gold, codec, results.folder, launch, beside or {})
    finally:
        results.close()
    try:
        return page.write(out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({error.strerror}); name another file for the page") from error


def _run_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not there; name the folder of a run or of a launch")
    if not any((folder / name).exists() for name in ("checkpoints", "recipe.yaml", "metrics.jsonl")):
        raise BadInput(
            f"{folder} is neither a run, it has no checkpoints, nor a launch, it has no project.yaml; name one of these"
        )
    return folder


def _given(
    folder: Path, launch: Path | None, pack: str | Path | None, db: str | Path | None
) -> tuple[str | Path, str | Path]:
    if launch is not None:
        pack, db = pack or launch / "pack", db or launch / "results.db"
    if pack is None or db is None:
        raise BadInput(f"{folder} is no stage of a launch; name its gold pack with --pack and its results with --db")
    if "://" not in str(db) and not Path(db).is_file():
        raise BadInput(f"{db} is not there; name the results database that the sidecar writes")
    return pack, db


def _opened(folder: Path, results: Results, pack: GoldPack, codec: Codec, db: str | Path) -> _Run:
    finished = results.finished(pack.id)
    if not finished:
        others = sorted({row["pack_id"][:16] for row in results.finished()})
        if others:
            raise BadInput(
                f"{db} has nothing of pack {pack.id[:16]}, only of {', '.join(others)}; name that one's folder"
            )
    complete = [one for one in list_checkpoints(folder) if one.complete]
    name = complete[-1].id.rsplit("/", 2)[0] if complete else folder.resolve().name
    evaluations, unclear = evaluations_of(finished, name, [one.id for one in complete])
    aligned = aligned_of(recipe_text(folder))
    reward = RewardSettings() if aligned is None else aligned.reward
    figures = Figures(results, pack.id, codec.hash, evaluations, reward)
    # Of an alignment alone: a training that begins with noise changes everything, and was made for no reward.
    compared = compare_run(results, pack.id, name, reward) if aligned is not None and reward is not None else []
    return _Run(folder, name, complete, figures, compared, unclear)


def _page(
    run: _Run,
    pack: GoldPack,
    codec: Codec,
    results_folder: Path,
    launch: Path | None,
    beside: Mapping[str, Sequence[Markup | str]],
) -> Page:
    figures = run.figures
    alarms = find_alarms(figures)
    newest = figures.evaluations[-1] if figures.evaluations else None
    heard = to_hear(figures.evaluations)
    sections: dict[str, Sequence[Markup | str]] = {
        "Alarms": [
            *held_out_alarms(run.compared),
            *alarm_parts(alarms, newest.step if newest else None, run.missing, _about_evaluations(run)),
        ],
        "Reward and held-out judges": held_out_parts(run.compared),
        "Curves": curve_parts(figures),
        "Checkpoints": [_checkpoint_table(figures, heard, alarms)] if newest else [],
        **beside,
        "Mixture: wanted, planned and realised": mixture_parts(run.folder),
        "Audit": audit_parts(launch) if launch else [],
        "Where this comes from": [_provenance(run, pack, codec)],
    }
    used = sum(len(part.encode()) for parts in sections.values() for part in parts)
    panel = Panel(pack, codec, results_folder, figures, heard)
    listen = listening_parts(panel, LARGEST_BYTES - used - _FRAME_BYTES)
    page = Page(f"Listening panel: {run.name}", "Its checkpoints over the steps of one run: heard, measured, compared.")
    page.section("In short", _in_short(run, newest, alarms), *(gate_alarms(launch) if launch else []))
    page.section("Alarms", *sections.pop("Alarms"))
    page.section("Listen", *listen)
    for title, parts in sections.items():
        if parts:
            page.section(title, *parts)
    return page


def _in_short(run: _Run, newest: Evaluation | None, alarms: Sequence[Alarm]) -> Markup:
    figures = run.figures
    cards = [
        KeyFigure(
            "checkpoints evaluated",
            f"{len(figures.evaluations):,}",
            f"{len(run.complete):,} complete in the run's folder, {len(run.missing):,} of them not evaluated",
        )
    ]
    if newest is not None:
        now = sum(one.step == newest.step for one in alarms)
        cards.append(KeyFigure("newest step", f"{newest.step:,}", f"{newest.level} evaluation, {newest.items} items"))
        cards.append(KeyFigure("alarms of the newest", f"{now:,}", f"{len(alarms):,} of all checkpoints", now == 0))
    if run.compared:
        one = run.compared[0]
        worse = len({judge for each in alarms_of(run.compared) for judge in each.fallen})
        note = f"step {one.first:,} against step {one.newest:,}; {worse} held-out judges got worse while it rises"
        good = worse == 0 if one.rises or worse else None
        cards.append(KeyFigure("reward", f"{one.reward.before:.3f} → {one.reward.after:.3f}", note, good))
    for metric, name in (("wer", "word error rate"), ("stopped", "stopped by itself")):
        curve = figures.curve(metric, EVERY)
        if curve is not None and newest is not None and curve.steps[-1] == newest.step:
            sure = f"{curve.low[-1]:.2f} – {curve.high[-1]:.2f}, " if len(curve.items) > 1 else ""
            beside = "".join(f"; {one} {value:.2f}" for one, value in curve.references.items())
            cards.append(KeyFigure(name, f"{curve.values[-1]:.3f}", f"{sure}{len(curve.items)} items{beside}"))
    return key_figures(cards)


def _about_evaluations(run: _Run) -> list[str]:
    """What is wrong with the evaluations themselves, a sentence each."""
    figures, said = run.figures, []
    if run.unclear:
        said.append(
            f"{len(run.unclear):,} evaluated checkpoints have the run's name and the step of another one and are left out: "
            "the run was begun anew, or another of its name shares this database"
        )
    for metric in figures.metrics:
        lacking = figures.elsewhere(metric)
        if lacking:
            steps = ", ".join(f"{one.step:,}" for one in lacking[:8]) + (" and more" if len(lacking) > 8 else "")
            said.append(
                f"{metric} was not measured as {figures.versions[metric]} at step {steps}: no point on its curves"
            )
    if (
        figures.evaluations
        and not figures.reference("original", "dnsmos")
        and not figures.reference("round trip", "dnsmos")
    ):
        said.append("the references of this pack are not measured: no figure has a scale, and no recogniser is trusted")
    return said


def _checkpoint_table(figures: Figures, heard: Sequence[Evaluation], alarms: Sequence[Alarm]) -> Markup:
    count: dict[int, int] = {}
    for one in alarms:
        count[one.step] = count.get(one.step, 0) + 1
    rows = [
        (one.step, one.level, one.items, count.get(one.step, 0), one in heard, round(one.seconds), one.finished_at)
        for one in reversed(figures.evaluations)
    ]
    columns = ["step", "level", "items", "alarms", "heard here", "seconds", "finished"]
    evaluated = table(rows, columns, caption="Evaluated checkpoints, the newest first")
    return details(f"All {len(rows):,} evaluated checkpoints", evaluated, open=len(rows) <= 20)


def _provenance(run: _Run, pack: GoldPack, codec: Codec) -> Markup:
    rows = list(run.figures.versions.items())
    return details(
        "Run, pack, codec, and the version of each metric",
        f"Run: {run.name}. Gold pack: {pack.id}, {len(pack.prompts)} prompts. Codec: {codec.name}, {codec.hash}.",
        f"This page is at most {LARGEST_BYTES / 1e6:.0f} MB large.",
        table(rows, ["metric", "version"], caption="Metrics and the versions that are shown", sortable=False),
    )
