"""Curves of a log of any length: exact while they are short, and thinned so that no spike and no NaN is lost."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest

from vaak.errors import BadInput
from vaak.track import JsonlTracker, iter_jsonl, read_jsonl
from vaak.track.curves import MOST_PARTS, Curves, read_curves


def curves_of(rows) -> Curves:
    curves = Curves()
    curves.add(rows)
    return curves


def test_a_short_run_is_kept_to_the_step():
    curves = curves_of({"step": step, "loss": 10.0 - step} for step in range(5, 9))
    loss = curves.curve("loss")
    assert loss.exact and loss.steps.tolist() == [5, 6, 7, 8] and loss.mean.tolist() == [5, 4, 3, 2]
    assert loss.low.tolist() == loss.high.tolist() == loss.mean.tolist()
    assert (curves.first["loss"], curves.last["loss"], curves.last_step) == (5.0, 2.0, 8)
    assert "lr" not in curves and len(curves.curve("lr").mean) == 0


def test_of_a_long_run_every_part_has_its_mean_and_its_extremes():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 1, 100_000)
    values[54_321] = 99.0
    curves = curves_of({"step": step, "loss": float(value)} for step, value in enumerate(values, 1))
    loss = curves.curve("loss")
    assert MOST_PARTS / 2 <= len(loss.mean) <= MOST_PARTS and not loss.exact
    assert loss.count.sum() == 100_000 and loss.high.max() == 99.0 and loss.low.min() == values.min()
    assert np.average(loss.mean, weights=loss.count) == pytest.approx(values.mean())
    at = int(np.argmax(loss.high))
    assert abs(loss.steps[at] - 54_322) <= 128
    width = 128  # 100,000 steps in 1024 parts, in powers of two
    assert loss.mean[10] == pytest.approx(values[10 * width : 11 * width].mean())


def test_the_means_of_the_ends_are_those_of_a_tenth():
    exact = curves_of({"step": step, "loss": float(step)} for step in range(1, 101)).curve("loss")
    assert exact.end_means() == (5.5, 95.5)
    long = curves_of({"step": step, "loss": float(step)} for step in range(1, 20_001)).curve("loss")
    assert long.end_means() == pytest.approx((1000.5, 19000.5), abs=32)


def test_what_is_not_finite_is_counted_and_has_no_part_in_a_mean():
    rows = [{"step": step, "loss": math.nan if step in (3, 4) else 1.0} for step in range(1, 9)]
    loss = curves_of([*rows, {"step": 9, "loss": math.inf}]).curve("loss")
    assert loss.broken == 3 and loss.broken_at == (3, 4, 9)
    assert loss.steps.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert np.isnan(loss.mean).tolist() == [False, False, True, True, False, False, False, False, True]
    thin = curves_of({"step": step, "x": math.nan if step % 2 else 2.0} for step in range(1, 5001)).curve("x")
    assert thin.broken == 2500 and set(thin.mean.tolist()) == {2.0} and len(thin.broken_at) == 8


def test_rows_of_several_kinds_stand_beside_each_other_and_texts_are_passed_over():
    rows = [
        {"step": 1, "loss": 3.0, "note": "begun", "lr": 1},
        {"step": 1, "val/loss": 2.5},
        {"step": 2, "loss": 2.0, "lr": 1, "table": [{"a": 1}], "flag": True},
        {"loss": 1.0, "step": 3},  # other names, another order
    ]
    curves = curves_of(rows)
    assert curves.names() == ["loss", "lr", "val/loss"] and curves.names("val/") == ["val/loss"]
    assert curves.curve("loss").mean.tolist() == [3.0, 2.0, 1.0] and curves.curve("val/loss").steps.tolist() == [1]
    assert curves.last == {"loss": 1.0, "lr": 1.0, "val/loss": 2.5} and curves.rows == 4


def test_memory_does_not_grow_with_the_steps():
    def rows(count):
        return ({"step": step, "loss": 1.0, "lr": 2.0} for step in range(count))

    peaks = []
    for count in (10_000, 80_000):
        tracemalloc.start()
        curves_of(rows(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_log_is_read_row_by_row_and_its_damage_named_when_it_is_reached(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with JsonlTracker(path) as tracker:
        tracker.log({"loss": math.nan, "note": 'a "NaN" in a text'}, 1)
        tracker.log({"loss": [1.0, math.inf]}, 2)
    rows = iter_jsonl(path)
    first = next(rows)
    assert math.isnan(first["loss"]) and first["note"] == 'a "NaN" in a text'
    with path.open("a") as file:
        file.write('{"step": 3, "loss": NaN}\nnonsense\n')
    assert next(rows)["loss"] == [1.0, math.inf] and math.isnan(next(rows)["loss"])
    with pytest.raises(BadInput, match="line 4 is not a JSON object"):
        next(rows)
    path.write_text(json.dumps({"step": 1, "loss": 2.0}) + '\n{"step": 2, "lo')
    assert list(iter_jsonl(path)) == read_jsonl(path) == [{"step": 1, "loss": 2.0}]
    with pytest.raises(BadInput, match="does not exist"):
        iter_jsonl(tmp_path / "none.jsonl")
    assert read_curves(path).last == {"loss": 2.0}
