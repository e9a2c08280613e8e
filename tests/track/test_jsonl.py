"""The metrics log survives what a run goes through: death at any byte, resume, numbers that are no numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.errors import BadInput
from vaak.track import JsonlTracker, read_jsonl


def test_rows_come_back_as_they_were_logged(tmp_path):
    with JsonlTracker(tmp_path / "run" / "metrics.jsonl") as tracker:
        tracker.log({"loss": 7.25, "loss/language/hi": 7.5, "note": "पहला"}, step=1)
        tracker.log({"loss": np.float32(6.5), "skipped": np.int64(0), "lens": np.arange(2)}, step=2)
    assert read_jsonl(tmp_path / "run" / "metrics.jsonl") == [
        {"step": 1, "loss": 7.25, "loss/language/hi": 7.5, "note": "पहला"},
        {"step": 2, "loss": 6.5, "skipped": 0, "lens": [0, 1]},
    ]


def test_a_row_is_readable_as_soon_as_it_is_logged(tmp_path):
    tracker = JsonlTracker(tmp_path / "m.jsonl")
    tracker.log({"loss": 1.0}, step=1)
    assert len(read_jsonl(tmp_path / "m.jsonl")) == 1  # not closed yet
    tracker.close()


def test_nan_and_infinity_are_strict_json_in_the_file_and_floats_again_when_read(tmp_path):
    with JsonlTracker(tmp_path / "m.jsonl") as tracker:
        tracker.log({"loss": math.nan, "grad_norm": math.inf, "low": -math.inf}, step=3)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    json.loads((tmp_path / "m.jsonl").read_text(), parse_constant=refuse)
    (row,) = read_jsonl(tmp_path / "m.jsonl")
    assert math.isnan(row["loss"]) and row["grad_norm"] == math.inf and row["low"] == -math.inf


def test_resume_removes_the_rows_that_will_be_done_again(tmp_path):
    path = tmp_path / "m.jsonl"
    with JsonlTracker(path) as tracker:
        for step in range(1, 11):
            tracker.log({"loss": float(step)}, step)
        tracker.log({"val/loss": 2.0}, step=6)  # a late row of an early step stays
    with JsonlTracker(path, resume_step=6) as tracker:
        tracker.log({"loss": 70.0}, step=7)
    assert [row["step"] for row in read_jsonl(path)] == [1, 2, 3, 4, 5, 6, 6, 7]
    assert read_jsonl(path)[-1]["loss"] == 70.0
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]


@given(cut=st.integers(min_value=0, max_value=200), resume=st.none() | st.integers(0, 6))
def test_death_at_any_byte_costs_at_most_the_last_row(tmp_path_factory, cut, resume):
    path = tmp_path_factory.mktemp("log") / "m.jsonl"
    with JsonlTracker(path) as tracker:
        for step in range(1, 6):
            tracker.log({"loss": 1 / step, "text": "ध्वनि"}, step)
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    whole = path.read_bytes().count(b"\n")
    survivors = [row["step"] for row in read_jsonl(path)]
    # A row that only misses its newline is whole too.
    assert survivors in (list(range(1, whole + 1)), list(range(1, whole + 2)))
    with JsonlTracker(path, resume_step=resume) as tracker:
        tracker.log({"loss": 0.0}, step=99)
    kept = [step for step in survivors if resume is None or step <= resume]
    assert [row["step"] for row in read_jsonl(path)] == [*kept, 99]


def test_damage_before_the_last_line_is_named(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    with pytest.raises(BadInput, match=r"m\.jsonl line 2"):
        read_jsonl(path)
    with pytest.raises(BadInput, match="does not exist"):
        read_jsonl(tmp_path / "none.jsonl")
