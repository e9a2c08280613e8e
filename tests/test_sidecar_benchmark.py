"""The benchmarks of the sidecar: how windows are set against each other, and that scoring's speed is printed for each metric."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks._windows import Window, interval, ratios

ROOT = Path(__file__).parents[1]


def test_a_window_is_set_against_the_two_around_it_and_its_first_step_counts_for_neither():
    seconds = [1.0, 2.4, 1.4, 1.5, 1.0]  # a machine that slows down and recovers
    windows = [Window(bool(number % 2), [9.0, one, one]) for number, one in enumerate(seconds)]
    assert ratios(windows) == pytest.approx([2.4 / 1.2, 1.5 / 1.2])
    assert windows[1].step == 2.4 and windows[1].counted == [2.4, 2.4]


def test_a_machine_that_grows_slower_evenly_makes_no_ratio():
    windows = [Window(bool(number % 2), [0.0, 1 + 0.1 * number]) for number in range(9)]
    assert ratios(windows) == pytest.approx([1, 1, 1, 1])


def test_the_interval_holds_the_mean_and_is_narrow_where_all_agree():
    values = np.array([1.01, 1.03, 0.99, 1.02, 1.04])
    low, high = interval(values)
    assert low < values.mean() < high and low >= 0.99 and high <= 1.04
    assert interval(np.full(4, 1.02)) == pytest.approx((1.02, 1.02))


@pytest.mark.slow
def test_the_scoring_benchmark_prints_all_that_it_promises(tmp_path):
    """Four sentences, whose figures say little."""
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed (pip install vaak[asr])")
    command = [sys.executable, "benchmarks/scoring.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    always = {"scoring, recognition", "scoring, dnsmos", "scoring, similarity", "scoring, sanity"}
    assert always <= set(figures) and list(figures)[-1] == "scoring, all metrics"
    assert all(figure["value"] > 0 and "one core" in figure["against"] for figure in figures.values())


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a sidecar beside a training needs two cores")
def test_the_sidecar_benchmark_trains_and_scores_in_turn(tmp_path):
    """Two short windows, whose figures say little."""
    command = [sys.executable, "benchmarks/sidecar_beside.py", "--small", "--json", str(tmp_path / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    out = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert out.returncode in (0, 1), out.stderr
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_text())}
    assert list(figures) == ["sidecar beside, time of a step", "sidecar beside, share of its core"]
    assert all(figure["value"] > 0 for figure in figures.values())
    assert not list(tmp_path.glob("beside-*"))
