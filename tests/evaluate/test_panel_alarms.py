"""Alarms: each limit, the checkpoint, the language and the items; nothing where nothing is broken."""

from __future__ import annotations

from tests.evaluate.test_panel_figures import db, evaluation, row  # noqa: F401  (db is a fixture)
from vaak.evaluate.panel_alarms import alarm_parts, find_alarms
from vaak.evaluate.panel_figures import Figures


def test_each_broken_limit_names_its_checkpoint_language_and_items(db):  # noqa: F811
    good = {"stopped": 1.0, "loop_share": 0.0, "silence_share": 0.3, "crashed": 0.0}
    bad = {"stopped": 0.0, "loop_share": 0.5, "silence_share": 1.0, "crashed": 1.0}
    for step, items in ((1, {"a": bad, "b": bad}), (2, {"a": good, "b": good, "c": bad})):
        for item, values in items.items():
            language = "hi" if item == "c" else "en"
            db.write([row(f"run/{step}/x", name, item, value, language) for name, value in values.items()])
    alarms = find_alarms(Figures(db, "pack", "codec", [evaluation(1), evaluation(2)]))
    of_newest = [(one.what.split()[0], one.language, one.items) for one in alarms if one.step == 2]
    assert of_newest == [(what, "hi", ("c",)) for what in ("crashed", "stop", "share", "share")]
    assert {one.items for one in alarms if one.step == 1} == {("a", "b")}

    said = "".join(alarm_parts(alarms, 2, [3, 1000], ["the references are not measured"]))
    assert "step 2: stop rate below 0.99 in 1 language: Hindi 0.000 (c)" in said
    assert "2 complete checkpoints have no finished evaluation on this pack: step 3, step 1,000" in said
    assert "the references are not measured" in said and "Limits that older checkpoints broke: 4" in said


def test_pauses_are_not_silence_and_a_good_checkpoint_says_so(db):  # noqa: F811
    db.write([row("run/1/x", "silence_share", item, 0.4) for item in "ab"])
    alarms = find_alarms(Figures(db, "pack", "codec", [evaluation(1)]))
    assert alarms == [] and "breaks no limit" in "".join(alarm_parts(alarms, 1, [], []))


def test_many_items_are_named_shortly_and_counted(db):  # noqa: F811
    db.write([row("run/1/x", "stopped", f"item-{n:02}", 0.0) for n in range(20)])
    [alarm] = find_alarms(Figures(db, "pack", "codec", [evaluation(1)]))
    said = "".join(alarm_parts([alarm], 1, list(range(100, 2100, 100)), []))
    assert len(alarm.items) == 20 and "item-07 and 12 more" in said
    assert "step 800, … 4 more …, step 1,300" in said


def test_a_run_without_evaluations_is_no_good_run():
    assert "no checkpoint of this run has been evaluated" in "".join(alarm_parts([], None, [100], []))
