"""The benchmark of trackers: how blocks are set against each other, and that it prints all that it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAILING = ("exceptions", "a full disk", "10 s of latency", "W&B out of reach")


@pytest.mark.slow
def test_the_tracking_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    """A few short blocks, whose figures say little; that no row is missed and none is uncounted is true of any."""
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'vaak[wandb]'")
    command = [sys.executable, "benchmarks/tracking.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    assert list(figures) == [
        "tracking, processor time, share of a step of 20 ms", "tracking, time of a step", "tracking, rows missed",
        *(f"tracking, {how}, {what}" for how in FAILING for what in ("processor time, share of a step of 20 ms", "time of a step", "rows unaccounted for", "seconds to close it")),
    ]  # fmt: skip
    assert figures["tracking, rows missed"]["value"] == 0
    assert all(figures[f"tracking, {how}, rows unaccounted for"]["value"] == 0 for how in FAILING)
