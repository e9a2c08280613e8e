"""Faults planted in a corpus of 20,000 samples over twelve languages: are they found, how fast, in how much memory?

The corpus and its faults are those of the tests (tests/audit/planted.py, tests/audit/planted_imports.py). Times are without the
samples that are decoded to be listened to, in interpreters of their own, from opening the corpus to the written page. "Chance of
missing": the share of seeds whose draw of 10,000 has none of a fault's samples, beside what the report says for such a fault.
Prints one line per figure: `python benchmarks/audit.py [--json PATH] [--samples N]`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from codec import Figure, at_least, at_most

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.audit.clean import ToneCodec, clean_draft, tokenizer
from tests.audit.planted import Planted, build_planted, write
from tests.audit.planted_imports import set_aside, write_source
from vaak.audit import AuditReport, audit_corpus
from vaak.audit.chance import RATES, chance_of_missing
from vaak.audit.sampling import draw
from vaak.corpus import Corpus, open_corpus
from vaak.corpus.pack import open_pack

SEEDS = 2000
# So many times the samples make an audit long beside the start of a process.
LONGER = 3


def audited(corpus: Path, pack: Path | None, processes: int | None) -> AuditReport:
    """An audit of everything, from opening the corpus to the page."""
    opened, gold = open_corpus(corpus), open_pack(pack) if pack else None
    report = audit_corpus(
        opened, ToneCodec(), samples=10**9, tokenizer=tokenizer(), decode_per_language=0, pack=gold, processes=processes
    )
    report.write_html(corpus.with_suffix(".html"))
    return report


def timed(corpus: Path, pack: Path | None, processes: int | None, answer: Connection) -> None:
    """Seconds, mebibytes of this process and of its largest worker, and the report, to `answer`."""
    tokenizer()  # made for the corpus: no part of an audit
    start = time.perf_counter()
    report = audited(corpus, pack, processes)
    seconds = time.perf_counter() - start
    own, workers = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    answer.send((seconds, own, workers, json.dumps(report.to_dict())))


def measured(corpus: Path, pack: Path | None, processes: int | None) -> tuple[float, float, float, str]:
    """What `timed` finds in an interpreter of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=timed, args=(corpus, pack, processes, theirs))
    child.start()
    theirs.close()
    found = ours.recv()
    child.join()
    return found


def found_figures(planted: Planted, report: AuditReport, folder: Path) -> list[Figure]:
    evidence = {check.name: set(check.evidence) for check in report.checks}
    kinds = sum(ids <= evidence[check] for check, ids in planted.truth.values())
    examined = sum(stratum.examined for stratum in report.strata)
    flagged = len(set().union(*evidence.values()) - planted.ids) / (examined - len(planted.ids))
    source = write_source(folder / "source", 600)
    aside = set_aside(source, folder / "import")
    named = sum(aside.get(row) == name for name, row in source.truth.values())
    return [
        at_least("samples examined", examined, 20_000, "the issue's 20,000 over twelve languages"),
        at_least("kinds of faults found at every planted sample", kinds, len(planted.truth), "kinds planted"),
        at_least(
            "kinds set aside by import with their row", named, len(source.truth), "kinds planted in what is imported"
        ),
        at_most("clean samples flagged", 100 * flagged, 0.2, "the issue's 0.2%", "%"),
    ]


def time_figures(folder: Path, samples: int) -> list[Figure]:
    seconds, own, _, _ = measured(folder / "planted", folder / "pack", None)
    longer = clean_draft(LONGER * samples, 5)
    n = len(longer.samples)
    write(folder / "longer", longer)
    del longer
    rounds = [[measured(folder / "longer", None, processes) for processes in (1, 2)] for _ in range(2)]
    one, two = (statistics.median(sides[at][0] for sides in rounds) for at in (0, 1))
    same = all(alone[3] == both[3] for alone, both in rounds)
    memory = max(max(both[1], both[2]) for _, both in rounds)
    return [
        at_most("seconds on two cores, nothing decoded", seconds, 120, "a user's two minutes", "s"),
        at_most("peak memory", own, 1024, "a small machine", "MiB"),
        at_least(f"two processes, {n:,} samples", one / two, 1.3, f"one process, {one:.1f} s", "×"),
        at_most(f"peak memory of the larger of these, {n:,} samples", memory, 1024, "a small machine", "MiB"),
        at_least("reports of one and two processes are equal", float(same), 1.0, "every byte of --json"),
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
