"""Faults planted in a corpus of 20,000 samples over twelve languages: are they found, how fast, in how much memory?

The corpus and its faults are those of the tests (tests/audit/planted.py, tests/audit/planted_imports.py). Times are without the
samples that are decoded to be listened to, in interpreters of their own, from opening the corpus to the written page. "Chance of
missing": the share of seeds whose draw of 10,000 has none of a fault's samples, beside what the report says for such a fault.
Prints one line per figure: `python benchmarks/audit.py [--json PATH] [--samples N]`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from _audit_run import audited
from codec import Figure, at_least, at_most

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.audit.clean import clean_draft
from tests.audit.planted import Planted, build_planted, write
from tests.audit.planted_imports import set_aside, write_source
from vaak.audit import AuditReport
from vaak.audit.chance import RATES, chance_of_missing
from vaak.audit.sampling import draw
from vaak.corpus import Corpus

SEEDS = 2000
# So many times the samples make an audit long beside the start of a process.
LONGER = 3


def measured(corpus: Path, pack: Path | None, processes: int | None) -> dict[str, Any]:
    """Seconds, mebibytes and report of one audit in an interpreter of its own."""
    script = Path(__file__).with_name("_audit_run.py")
    command = [sys.executable, str(script), str(corpus), str(pack or "-"), str(processes or "-")]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def found_figures(planted: Planted, report: AuditReport, folder: Path) -> list[Figure]:
    evidence = {check.name: set(check.evidence) for check in report.checks}
    kinds = sum(ids <= evidence[check] for check, ids in planted.truth.values())
    examined = sum(stratum.examined for stratum in report.strata)
    flagged = len(set().union(*evidence.values()) - planted.ids) / (examined - len(planted.ids))
    source = write_source(folder / "source", 600)
    aside = set_aside(source, folder / "import")
    named = sum(aside.get(row) == name for name, row in source.truth.values())
    return [
        at_least("samples examined", examined, 20_000, "the goal's 20,000 over twelve languages"),
        at_least("kinds of faults found at every planted sample", kinds, len(planted.truth), "kinds planted"),
        at_least(
            "kinds set aside by import with their row", named, len(source.truth), "kinds planted in what is imported"
        ),
        at_most("clean samples flagged", 100 * flagged, 0.2, "the goal's 0.2%", "%"),
    ]


def time_figures(folder: Path, samples: int) -> list[Figure]:
    first = measured(folder / "planted", folder / "pack", None)
    longer = clean_draft(LONGER * samples, 5)
    n = len(longer.samples)
    write(folder / "longer", longer)
    del longer
    alone, both = (measured(folder / "longer", None, processes) for processes in (1, 2))
    # What two cores would take that do nothing else: the clock also shows who else uses them.
    busiest = both["own_cpu"] + both["workers_cpu"] / 2
    clock = f"by the clock, beside whatever else ran: {alone['seconds']:.1f} s and {both['seconds']:.1f} s"
    return [
        at_most("seconds on two cores, nothing decoded", first["seconds"], 120, "a user's two minutes", "s"),
        at_most("peak memory", first["mebibytes"], 1024, "a small machine", "MiB"),
        at_most(f"peak memory, {n:,} samples", alone["mebibytes"], 1024, "a small machine", "MiB"),
        at_least(
            f"two processes, {n:,} samples, in seconds of a core", alone["own_cpu"] / busiest, 1.3, f"one; {clock}", "×"
        ),
        at_least(
            "reports of one and two processes are equal", float(alone["report"] == both["report"]), 1.0, "every value"
        ),
    ]


def chance_figures(corpus: Corpus) -> list[Figure]:
    """The stated chance against that of many draws, each of a fault at other places."""
    total = sum(group.n_samples for group in corpus.groups.values())
    half, random = total // 2, np.random.default_rng(0)
    sizes = [group.n_samples for group in corpus.groups.values()]
    starts = np.cumsum([0, *sizes[:-1]])
    figures = []
    missed = dict.fromkeys(RATES, 0)
    for seed in range(SEEDS):
        examined = np.zeros(total, bool)
        for start, (_, rows) in zip(starts, draw(corpus, half, seed), strict=True):
            examined[start + rows] = True
        for rate in RATES:
            faulty = random.choice(total, max(1, int(np.ceil(rate * total - 1e-9))), replace=False)
            missed[rate] += not examined[faulty].any()
    for rate in RATES:
        stated, seen = chance_of_missing(total, half, rate), missed[rate] / SEEDS
        error = (stated * (1 - stated) / SEEDS) ** 0.5
        fault = f"a fault in {100 * rate:g}% of {total:,}, {half:,} examined"
        name = f"chance of missing {fault}: stated {stated:.4f}, seen {seen:.4f}, apart"
        figures.append(at_most(name, abs(stated - seen), 3 * error + 1e-9, f"three standard errors of {SEEDS:,} draws"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = build_planted(folder, given.samples)
        report = audited(folder / "planted", folder / "pack", 1)
        figures = (
            found_figures(planted, report, folder)
            + time_figures(folder, given.samples)
            + chance_figures(planted.corpus)
        )
    if given.json:
        given.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
