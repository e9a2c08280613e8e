"""What a run's folder, and the launch that it belongs to, say beside its evaluations: mixture and audit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vaak.checkpoint import list_checkpoints, load_state
from vaak.errors import BadInput
from vaak.languages import LANGUAGES
from vaak.mixture import Plan, RealisedMass, load_plan
from vaak.page import Cell, alarm, details, table
from vaak.storage.files import read_json

# Realised mass further than this from the wanted one, in percentage points, is called out on a page.
MASS_TOLERANCE = 1.0
_FIELDS = ("stream", "source", "language")
STREAM_NAMES = {"raw": "raw audio", "paired": "paired", "text": "text"}


def launch_of(run: Path) -> Path | None:
    """The folder of the launch that a run is a stage of, or None."""
    launch = run.resolve().parent.parent
    return launch if run.resolve().parent.name == "stages" and (launch / "project.yaml").is_file() else None


def served_mass(run: Path) -> tuple[RealisedMass, int] | None:
    """(target tokens served, step) as the newest complete checkpoint has them, or None."""
    for one in reversed(list_checkpoints(run)):
        if one.complete and "mass" in (state := load_state(one.path)):
            return RealisedMass.from_state(state["mass"]), one.step
    return None


def mixture_parts(run: Path) -> list[Markup | str]:
    """The mixture of a run as wanted, planned and realised; an empty list for a run without a plan."""
    if not (run / "plan" / "plan.json").exists():
        return []
    plan, served = load_plan(run / "plan"), served_mass(run)
    mass = served[0] if served else None
    parts: list[Markup | str] = []
    if served is None:
        parts.append(alarm("note", "no complete checkpoint says yet what was served: only wanted and planned shares"))
    else:
        worst = furthest(plan, served[0])
        level = "good" if worst <= MASS_TOLERANCE else "warning"
        words = f"the furthest share is {worst:.2f} percentage points from the wanted one"
        parts.append(alarm(level, f"at step {served[1]:,}, {words}"))
    parts.append(mixture_table(plan, mass, "Shares of target tokens, prompt text not counted"))
    notes = list(plan.notes or ["Nothing gave way."])
    if mass is not None:
        padding = f"padding {mass.padding_ratio:.2%}"
        notes.append(f"Prompt tokens beside the targets: {sum(mass.prompts.values()):,}; {padding}.")
    return [*parts, details("What gave way, and prompt tokens", *notes)]


def furthest(plan: Plan, mass: RealisedMass) -> float:
    """The largest distance of a realised share from the wanted one, in percentage points."""
    pairs = [pair for by in _FIELDS for pair in mass.beside(plan, by).values()]
    return max((abs(got - want) * 100 for want, got in pairs), default=0.0)


def mixture_table(plan: Plan, mass: RealisedMass | None, caption: str) -> Markup:
    """A row for each stream, source and language: wanted, planned and realised share, the difference, epochs."""
    rows = []
    for by in _FIELDS:
        served = mass.shares(by) if mass else {}
        epochs = mass.epochs(plan, by) if mass else {}
        for name, (wanted, planned) in plan.shares(by).items():
            shown = _name(by, name)
            if mass is None:
                rows.append((shown, _share(wanted), _share(planned), None, None, None))
                continue
            got = served.get(name, 0.0)
            passed = epochs.get(name, 0.0)
            apart = Cell(got - wanted, f"{100 * (got - wanted):+.2f}")
            rows.append((shown, _share(wanted), _share(planned), _share(got), apart, Cell(passed, f"{passed:.2f}")))
    columns = ["share of target tokens", "wanted", "planned", "realised", "points", "epochs"]
    return table(rows, columns, caption=caption)


def _name(by: str, name: str) -> str:
    if by == "language":
        return f"language {LANGUAGES[name].name}" if name in LANGUAGES else f"language {name}"
    return f"stream {STREAM_NAMES.get(name, name)}" if by == "stream" else f"source {name}"


def _share(value: float) -> Cell:
    return Cell(value, f"{value:.2%}")


def audit_parts(launch: Path) -> Sequence[Markup]:
    """The audit of a launch: how many checks hold, and each of them; nothing where there was no audit."""
    if not (launch / "audit.json").exists():
        return []
    report: dict[str, Any] = read_json(launch / "audit.json")
    failed = [check for check in report["checks"] if not check["passed"]]
    level = "good" if not failed else "error" if any(c["severity"] == "error" for c in failed) else "warning"
    words = f"{len(report['checks']) - len(failed)} of {len(report['checks'])} checks hold over {report['examined']:,} samples"
    rows = [
        (c["name"], c["severity"], c["verdict"], c["examined"], len(c["evidence"]), c["detail"])
        for c in report["checks"]
    ]
    columns = ["check", "severity", "verdict", "examined", "at fault", "detail"]
    return [alarm(level, words), table(rows, columns, caption="Checks of the corpus")]


def gate_alarms(launch: Path) -> list[Markup]:
    """What a launch went on in spite of, and what does not hold now, in red."""
    return [alarm("error", words, word) for word, words in in_spite_of(launch)]


def in_spite_of(launch: Path) -> list[tuple[str, str]]:
    """(Overridden, Loosened or Failed, a sentence) for every gate that was overridden, every limit that was made looser, and what
    does not hold now; from the ledger of a launch."""
    records, found = _ledger(launch), []
    newest = {record["step"]: record for record in records}
    for one in records:
        if one["status"] == "overridden":
            later = "; later it held" if newest[one["step"]]["status"] == "done" else ""
            words = f"the gate '{one['step']}' ({one['evidence'].get('failure')}), because: {one['because']}{later}"
            found.append(("Overridden", words))
    judged = {record["step"]: record["evidence"] for record in records if "limits" in record["evidence"]}
    for step, evidence in judged.items():  # as last judged, also while the step is done again
        found += [("Loosened", f"the gate '{step}': {words}") for words in evidence.get("loosened", [])]
    for step, record in newest.items():
        if record["status"] in ("failed", "changed"):
            found.append(("Failed", f"the gate '{step}' ({record['evidence'].get('failure')})"))
    return list(dict.fromkeys(found))


def _ledger(launch: Path) -> list[dict[str, Any]]:
    """The records of a launch, without a last line that a crash tore. Raises `BadInput` if another line is none."""
    path = launch / "ledger.jsonl"
    if not path.exists():
        return []
    raw = path.read_bytes()
    records = []
    for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].splitlines(), 1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise BadInput(f"{path}: line {number} is no ledger record; restore the file") from error
    return records
