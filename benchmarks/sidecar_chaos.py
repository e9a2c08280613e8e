"""Four sidecars that share 200 jobs of 64 items while 15% of their claims crash, some stand still, and the server crashes once.

On a real PostgreSQL on loopback, where that is installed, and on SQLite. What an item costs is a stand-in (a hash); the
database, jobs, leases, loop and outbox are the real ones. The short version is tests/evaluate/test_chaos.py.
`python benchmarks/sidecar_chaos.py [--json PATH] [--jobs N] [--items N] [--processes N] [--on sqlite|postgresql]`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.evaluate.chaos import Found, Plan, run_chaos
from tests.evaluate.postgres import running_postgres, why_no_postgres


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--on", choices=("sqlite", "postgresql"), action="append", help="only on these")
    arguments = parser.parse_args()
    plan = Plan(arguments.jobs, arguments.items, arguments.processes)
    figures = []
    for kind in arguments.on or ("postgresql", "sqlite"):
        if kind == "postgresql" and why_no_postgres():
            print(f"postgresql: {why_no_postgres()}; only SQLite is tried")
            continue
        figures += measured(kind, plan, chaos(kind, plan))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2))
    return 0 if all(figure["holds"] for figure in figures) else 1


def chaos(kind: str, plan: Plan) -> Found:
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        if kind == "sqlite":
            return run_chaos(plan, str(folder / "results.db"), folder)
        with running_postgres() as server:
            return run_chaos(plan, server.url, folder, server.restart)


def measured(kind: str, plan: Plan, found: Found) -> list[dict]:
    """The figures, each printed as one line."""
    rows = [
        ("results there", found.results, "=", found.wanted, "items of all jobs"),
        ("results there twice", found.results_twice, "=", 0, "exactly once"),
        ("results that are right", found.right, "=", found.wanted, "what the item must give"),
        ("writes after a later claim's", found.late_writes, "=", 0, "the fence"),
        ("jobs done", found.jobs_done, "=", plan.jobs, "all jobs"),
        ("entries in the outbox", found.entries, "=", found.wanted, "one with each result"),
        ("entries told to the tracker", found.told, "=", found.wanted, "each at least once"),
        ("told out of order within a job", found.out_of_order, "=", 0, "the order of writing"),
        ("claims", found.claims, "≥", plan.jobs, "one a job without faults"),
        (
            "hard crashes",
            found.crashes,
            "≥",
            plan.jobs * plan.crash_share / 2,
            "half of the share of claims that was meant",
        ),
        ("of these inside a transaction", found.crashes_in_a_transaction, "≥", 1, "results written, outbox not"),
        ("stalls past the lease", found.stalls, "≥", 1, "heartbeat and all"),
        ("late writes refused", found.refused, "≥", 1, "a stall whose job another took"),
        ("entries told again", found.told_again, "≤", 32 * found.crashes, "a batch for each crash"),
    ]
    if kind == "postgresql":
        rows.append(("crashes of the server", found.restarts, "=", 1, "recovered from its log"))
    rows.append(("wall time", round(found.seconds, 1), "≤", 1100, "the benchmarks' limit"))
    figures = []
    for what, value, sign, want, against in rows:
        holds = {"=": value == want, "≥": value >= want, "≤": value <= want}[sign]
        name, unit = f"{kind}, {what}", "s" if what == "wall time" else ""
        print(
            f"{name} {value:g} {unit} (want {sign} {want:g}, against {against}): {'met' if holds else 'NOT MET'}",
            flush=True,
        )
        row = {
            "name": name,
            "value": value,
            "unit": unit,
            "want": f"{sign} {want:g}",
            "holds": holds,
            "against": against,
        }
        figures.append(row)
    return figures


if __name__ == "__main__":
    sys.exit(main())
