"""Figures over steps: the same items at every checkpoint, the same interval as elsewhere, nothing of two versions mixed."""

from __future__ import annotations

import numpy as np
import pytest

from vaak.evaluate import open_results
from vaak.evaluate.panel_figures import EVERY, Evaluation, Figures, Point, evaluations_of, summed
from vaak.evaluate.recognition import ORIGINAL
from vaak.evaluate.reference import WRONG_TEXT
from vaak.evaluate.store import Result
from vaak.score.error_rate import Counts, bootstrap_interval, total

GENERATED = "+t0.7-k0-p1"


def evaluation(step: int, level: str = "quick", finished_at: str = "") -> Evaluation:
    return Evaluation(f"run/{step}/x", step, level, 1, 1.0, finished_at or f"2026-01-01T00:00:{step:02d}")


def row(subject, metric, item, value, language="en", version="1" + GENERATED, detail=None) -> Result:
    return Result(subject, "pack", metric, version, language, item, value, detail or {})


def wer(subject, item, wrong, language="en", version="1+asr@1" + GENERATED) -> Result:
    return row(subject, "wer", item, wrong / 10, language, version, {"sub": wrong, "dele": 0, "ins": 0, "ref": 10})


@pytest.fixture
def db(tmp_path):
    results = open_results(tmp_path / "r.db")
    yield results
    results.close()


def test_intervals_are_those_of_the_error_rate_and_of_a_plain_bootstrap():
    rng = np.random.default_rng(5)
    edits = [Counts(sub=int(rng.integers(0, 9)), ref=int(rng.integers(5, 20))) for _ in range(30)]
    centre, low, high = summed("wer", [[Point(0.0, one.errors, one.ref) for one in edits]] * 2)
    assert centre == pytest.approx([total(edits).rate] * 2)
    assert (low[1], high[1]) == pytest.approx(bootstrap_interval(edits))

    values = rng.normal(size=(40, 30))
    picks = np.random.default_rng(0).integers(0, 30, size=(1000, 30))
    for metric, middle in (("dnsmos", np.mean), ("duration_ratio", np.median)):
        centre, low, high = summed(metric, [[Point(value) for value in one] for one in values])
        for at in (0, 39):
            wanted = np.quantile(middle(values[at][picks], axis=1), [0.025, 0.975])
            assert centre[at] == pytest.approx(middle(values[at])) and (low[at], high[at]) == pytest.approx(wanted)


def test_one_item_has_no_interval():
    centre, low, high = summed("dnsmos", [[Point(3.0)]])
    assert centre[0] == 3.0 and np.isnan(low[0]) and np.isnan(high[0])


def test_a_quick_and_a_full_evaluation_compare_on_the_items_of_the_quick_one(db):
    db.write([row("run/1/x", "stopped", "a", 0.0), row("run/1/x", "stopped", "b", 1.0)])
    db.write([row("run/2/x", "stopped", item, 1.0) for item in "ab"])
    db.write([row("run/2/x", "stopped", item, 0.0) for item in "cdefgh"])
    curve = Figures(db, "pack", "codec", [evaluation(1), evaluation(2, "full")]).curve("stopped", "en")
    assert curve is not None and curve.items == ("a", "b")
    assert curve.steps.tolist() == [1, 2] and curve.values.tolist() == [0.5, 1.0]


def test_figures_of_another_version_are_left_out_and_named(db):
    db.write([wer("run/1/x", "a", 9, version="1+old@1" + GENERATED), row("run/1/x", "stopped", "a", 1.0)])
    db.write([wer("run/2/x", "a", 1), row("run/2/x", "stopped", "a", 1.0)])
    db.write([wer(ORIGINAL, item, 0, version="1+asr@1") for item in "abcd"])
    db.write([wer(ORIGINAL, item, 9, version="1+old@1") for item in "abcd"])
    figures = Figures(db, "pack", "codec", [evaluation(1), evaluation(2)])
    curve = figures.curve("wer", "en")
    assert curve is not None and curve.steps.tolist() == [2] and curve.references == {"original": 0.0}
    assert [one.step for one in figures.elsewhere("wer")] == [1] and figures.elsewhere("stopped") == []


def test_a_recogniser_that_is_not_trusted_decides_nothing(db):
    for language, wrong in (("en", 1), ("hi", 6)):
        db.write([wer(ORIGINAL, language + item, wrong, language, "1+asr@1") for item in "abcd"])
        db.write([wer(WRONG_TEXT, language + item, 10, language, "1+asr@1") for item in "abcd"])
        db.write([wer("run/1/x", language + item, 2, language) for item in "abcd"])
    figures = Figures(db, "pack", "codec", [evaluation(1)])
    english, hindi, every = (figures.curve("wer", code) for code in ("en", "hi", EVERY))
    assert english is not None and english.trusted and english.references == {"original": 0.1, "wrong text": 1.0}
    assert hindi is not None and not hindi.trusted
    assert every is not None and len(every.items) == 4  # those of English alone


def test_a_proxy_is_counted(db):
    made_of = {"a": "recording", "b": "decoded codes (a proxy)"}
    db.write([row("run/1/x", "similarity", item, 0.5, detail={"reference": of}) for item, of in made_of.items()])
    curve = Figures(db, "pack", "codec", [evaluation(1)]).curve("similarity", "en")
    assert curve is not None and curve.proxies == 1 and len(curve.items) == 2


def test_the_runs_own_checkpoint_wins_a_step_and_full_wins_quick():
    def done(identity, level="quick", at="1"):
        return {"checkpoint_id": identity, "level": level, "items": 1, "seconds": 1.0, "finished_at": at}

    finished = [
        done("run/10/mine", "full", "1"), done("run/10/other", at="3"), done("run/20/a", at="1"), done("run/20/b", at="2"),
        done("run/10/mine", "quick", "2"), done("else/10/x"), done(ORIGINAL),
    ]  # fmt: skip
    found, left = evaluations_of(finished, "run", ["run/10/mine"])
    assert [(one.checkpoint_id, one.level) for one in found] == [("run/10/mine", "full"), ("run/20/b", "quick")]
    assert left == ["run/10/other", "run/20/a"]
