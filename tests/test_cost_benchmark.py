"""The benchmark of estimated memory, in its small form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_cost_benchmark_prints_all_that_it_promises(tmp_path):
    root = Path(__file__).parents[1]
    command = [sys.executable, "benchmarks/cost.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    assert all(line.endswith((": met", ": NOT MET")) for line in out.stdout.splitlines())
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    for name in ("above", "below"):
        assert figures[f"cost.memory, tied, nothing again, AdamW, fp32, {name}"]["holds"]
    assert figures["cost.1.7B, loss off its closed form"]["holds"] and figures["cost.1.7B, memory to trace it"]["holds"]
