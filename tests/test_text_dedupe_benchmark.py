"""The benchmark of near duplicates, in a small form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rensa", reason="near duplicates need the extra `text` (rensa)")


@pytest.mark.slow
def test_the_dedupe_benchmark_prints_all_that_it_promises_and_leaves_nothing(tmp_path):
    root, scratch = Path(__file__).parents[1], tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "benchmarks/text_dedupe.py", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(scratch)}
    sizes = ["--copies", "5", "--scale", "20000"]
    out = subprocess.run([*command, *sizes], cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    assert all(line.endswith((": met", ": NOT MET")) for line in out.stdout.splitlines())
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    for start in ("recall of 2% edits, ml", "false merges of documents that share no", "seconds of a core a million"):
        assert sum(name.startswith(start) for name in figures) == 1
    assert list(scratch.iterdir()) == []
