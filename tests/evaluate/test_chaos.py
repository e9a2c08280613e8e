"""Sidecars that share a database while they crash, stand still and lose it: every result is there exactly once.

`benchmarks/sidecar_chaos.py` is the same at length.
"""

import pytest

from tests.evaluate.chaos import Plan, run_chaos
from tests.evaluate.postgres import running_postgres, why_no_postgres

# Fates hang on the seed: with this one jobs crash between items and inside a transaction, and stand still.
PLAN = Plan(jobs=12, items=8, processes=3, crash_share=0.3, stall_share=0.2, lease_seconds=1.0, seed=5)


def check(found) -> None:
    assert (found.results, found.results_twice, found.right) == (found.wanted, 0, found.wanted)
    assert found.late_writes == 0
    assert (found.entries, found.told, found.out_of_order) == (found.wanted, found.wanted, 0)
    assert found.jobs_done == PLAN.jobs
    assert found.crashes > found.crashes_in_a_transaction > 0 and found.stalls > 0
    assert found.claims > PLAN.jobs


@pytest.mark.slow
def test_every_result_exactly_once_on_sqlite(tmp_path):
    check(run_chaos(PLAN, str(tmp_path / "r.db"), tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(bool(why_no_postgres()), reason=why_no_postgres())
def test_every_result_exactly_once_on_postgres_through_a_restart(tmp_path):
    with running_postgres() as server:
        found = run_chaos(PLAN, server.url, tmp_path, server.restart)
    check(found)
    assert found.restarts == 1
