"""An alarm where the reward rises and a held-out judge falls beyond its margin: at the margins, from both sides."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.test_rewards import GOOD, rows
from vaak.evaluate import open_results
from vaak.evaluate.held_out_changes import (
    ALARM,
    JUDGES,
    LEAST_ITEMS,
    alarms_of,
    change_entries,
    compare_run,
    words_of,
)
from vaak.evaluate.panel_figures import EVERY
from vaak.evaluate.recognition import ORIGINAL
from vaak.evaluate.store import Result
from vaak.score.reward_settings import RewardSettings

SETTINGS = RewardSettings()
ITEMS = 40
OTHERS = {"plcmos": 4.0, "utmos": 3.5, "f0_spread": 2.0, "speaking_rate": 14.0}
SILENCE = {"silence_share": 1.0, "level_db": -120.0, "wer": 1.0, "cer": 1.0, "dnsmos": 1.0, "plcmos": 1.0, "utmos": 1.0,
           "f0_spread": 0.0, "speaking_rate": 0.0}  # fmt: skip
OF = {judge.metric: judge for judge in JUDGES}


@pytest.fixture
def db(tmp_path):
    results = open_results(tmp_path / "r.db")
    yield results
    results.close()


def counted(metric, errors, item, checkpoint, language="en", asr="tiny@2") -> Result:
    detail = {"sub": errors, "dele": 0, "ins": 0, "ref": 50}
    return Result(checkpoint, "pack", metric, f"1+{asr}", language, item, errors / 50, detail)


def evaluated(db, step, values, *, errors=10, items=ITEMS, language="en", spread=0.0, name="i"):
    """An evaluation of `items` items with these figures, each of which strays by `spread` of itself."""
    rng = np.random.default_rng(7)
    for number in range(items):
        strays = 1 + spread * float(rng.standard_normal())
        own = GOOD | OTHERS | values
        of_sound = {metric: value * strays if metric in OTHERS else value for metric, value in own.items()}
        heard_item(db, step, f"{name}-{number}", of_sound, errors, language)
    db.finish(identity_of(step), "pack", "quick", "abc", items, 1.0)


def identity_of(step) -> str:
    return f"run/{step}/{step:064x}"


def heard_item(db, step, item, values, errors=10, language="en"):
    """The rows of one item."""
    identity = identity_of(step)
    db.write([row for row in rows(values, item, language, identity) if row.metric not in ("wer", "cer")])
    heard = [
        counted(metric, round(50 * values[metric]), item, identity, language, "base@1") for metric in ("wer", "cer")
    ]
    db.write([*heard, *(counted(f"held_out_{metric}", errors, item, identity, language) for metric in ("wer", "cer"))])


def with_silences(db, step, values, silent):
    """An evaluation in which nothing was said in the last `silent` of the items."""
    evaluated(db, step, values, items=ITEMS - silent)
    for number in range(ITEMS - silent, ITEMS):
        heard_item(db, step, f"i-{number}", GOOD | SILENCE, errors=50)


def trust(db, *recognisers, languages=("en",)):
    for asr, metric in (("base@1", "{}"), ("tiny@2", "held_out_{}")):
        if asr in recognisers:
            for language in languages:
                first = metric.format("wer" if language == "en" else "cer")
                db.write([counted(first, 1, f"o{n}", ORIGINAL, language, asr) for n in range(4)])


def compared(db, language=EVERY):
    return {one.language: one for one in compare_run(db, "pack", "run", SETTINGS)}.get(language)


RISEN = {"dnsmos": 3.4}


def test_reward_up_and_nothing_down_is_no_alarm(db):
    trust(db, "base@1", "tiny@2")
    evaluated(db, 0, {})
    evaluated(db, 20, RISEN)
    one = compared(db)
    assert one is not None and one.rises and one.fallen == [] and not one.is_alarm
    assert (one.first, one.newest, one.reward.items) == (0, 20, ITEMS)
    assert {judge.metric for judge in one.judges} == OF.keys() - {"held_out_cer"}  # English is judged by its words
    [entry] = change_entries([one], "pack", "abc")
    assert entry.step == 20 and entry.values[ALARM] == 0.0 and "evaluate/held_out/alarm_text" not in entry.values


def fallen_to(metric: str, times: float) -> dict[str, float]:
    """The figures of `OTHERS` with one that is worse by so many margins."""
    judge, before = OF[metric], OTHERS[metric]
    by = times * judge.margin * (before if judge.relative else 1)
    return {metric: before - by}


@pytest.mark.parametrize("metric", list(OTHERS))
def test_a_judge_that_falls_is_an_alarm_beyond_its_margin_and_not_within(tmp_path, metric):
    for times, alarms in (
        (0.9, False),
        (1.1, True),
        (-1.1, metric == "speaking_rate"),
    ):  # speech that rushes is no better
        db = open_results(tmp_path / f"{times}.db")
        evaluated(db, 0, {}, spread=0.02)
        evaluated(db, 20, RISEN | fallen_to(metric, times), spread=0.02)
        one = compared(db)
        assert one is not None and one.rises
        assert one.is_alarm == alarms and [judge.metric for judge in one.fallen] == ([metric] if alarms else [])
        db.close()


@pytest.mark.parametrize(("errors", "alarms"), [(10, False), (11, False), (12, True), (8, False)])
def test_errors_of_the_held_out_recogniser_are_an_alarm_from_two_in_a_hundred_on(db, errors, alarms):
    """Of 50 words each one more is .02, which is the margin itself, and no more than it."""
    trust(db, "tiny@2")
    evaluated(db, 0, {}, errors=10)
    evaluated(db, 20, RISEN, errors=errors)
    one = compared(db)
    assert one is not None and one.is_alarm == alarms
    assert one.judges[OF["held_out_wer"]].change == pytest.approx((errors - 10) / 50)


def test_errors_of_a_recogniser_that_is_not_trusted_say_nothing(db):
    trust(db, "base@1")
    evaluated(db, 0, {}, errors=0)
    evaluated(db, 20, RISEN, errors=50)
    one = compared(db)
    assert one is not None and not one.is_alarm and OF["held_out_wer"] not in one.judges


@pytest.mark.parametrize(("before", "after"), [(10, 190), (190, 10)])
def test_what_a_recogniser_makes_up_in_one_item_counts_as_all_of_its_words_and_no_more(db, before, after):
    """190 errors in one of 40 items of 50 words would alone be .09, four margins and a half."""
    trust(db, "tiny@2")
    for step, values, errors in ((0, {}, before), (20, RISEN, after)):
        heard_item(db, step, "i-0", GOOD | OTHERS | values, errors)
        evaluated(db, step, values)  # what is there already stays
    one = compared(db)
    assert one is not None
    assert one.judges[OF["held_out_wer"]].change == pytest.approx((min(after, 50) - min(before, 50)) / (50 * ITEMS))


@pytest.mark.parametrize(("before", "after"), [(8, 0), (0, 8), (8, 8)])
def test_silences_are_a_figure_of_their_own_and_no_flat_or_slow_or_bad_speech(db, before, after):
    """Sound is compared where something was said in both: a repaired silence is no livelier pitch, a new one no flatter."""
    trust(db, "tiny@2")
    with_silences(db, 0, {}, before)
    with_silences(db, 20, RISEN, after)
    one = compared(db)
    assert one is not None
    assert (one.silent.before, one.silent.after, one.silent.items) == (before / ITEMS, after / ITEMS, ITEMS)
    of_sound = [one.judges[OF[metric]] for metric in OTHERS]
    assert [(was.change, was.items) for was in of_sound] == [(0.0, ITEMS - 8)] * len(OTHERS)
    words = one.judges[OF["held_out_wer"]]  # there they count: 40 words more of 50
    assert words.items == ITEMS and words.change == pytest.approx(0.8 * (after - before) / ITEMS)
    [entry] = change_entries([one], "pack", "abc")
    assert entry.values["evaluate/held_out/change/silent"] == one.silent.change


def test_an_alarm_says_how_often_nothing_was_said(db):
    with_silences(db, 0, {}, 2)
    with_silences(db, 20, RISEN | {"f0_spread": 1.0}, 1)
    one = compared(db)
    assert one is not None and one.is_alarm
    assert "margin -10%); nothing was said in 5.0% → 2.5% of the items. The model may" in words_of(one)


def test_without_a_rise_of_the_reward_a_fall_is_no_alarm(db):
    for step, values in ((0, {}), (20, {"plcmos": 2.0}), (40, {"plcmos": 2.0, "dnsmos": 2.5})):
        evaluated(db, step, values)
        one = compared(db)
        if step:
            assert one is not None and [judge.metric for judge in one.fallen] == ["plcmos"]
            assert not one.rises and not one.is_alarm


def test_a_fall_that_chance_explains_is_no_alarm_whatever_its_mean(db):
    """One item in forty falls by ten margins and more: the mean is beyond the margin, and so is no draw of items surely."""
    evaluated(db, 0, {})
    evaluated(db, 20, RISEN, items=ITEMS - 1)
    identity = f"run/20/{20:064x}"
    last = rows(GOOD | OTHERS | RISEN | {"plcmos": -1.0}, f"i-{ITEMS - 1}", "en", identity)
    db.write([row for row in last if row.metric not in ("wer", "cer")])
    db.write([counted("wer", 10, f"i-{ITEMS - 1}", identity, asr="base@1")])
    one = compared(db)
    assert one is not None and one.judges[OF["plcmos"]].change < -0.1 and one.rises
    assert one.judges[OF["plcmos"]].high >= 0 and not one.is_alarm


def test_only_items_of_both_count_and_too_few_are_no_comparison(db):
    evaluated(db, 0, {}, items=LEAST_ITEMS)
    evaluated(db, 20, RISEN | {"f0_spread": 1.0}, items=ITEMS)
    one = compared(db)
    assert one is not None and one.reward.items == LEAST_ITEMS and one.is_alarm
    assert alarms_of(compare_run(db, "pack", "run", SETTINGS)) == [
        one
    ]  # English alone says nothing more than all together
    few = open_results(db.folder / "few.db")
    evaluated(few, 0, {}, items=LEAST_ITEMS - 1)
    evaluated(few, 20, RISEN | {"f0_spread": 1.0}, items=ITEMS)
    assert compare_run(few, "pack", "run", SETTINGS) == []


def test_it_is_the_first_against_the_newest_whatever_came_between_and_in_whatever_order(db):
    evaluated(db, 40, RISEN)
    assert compare_run(db, "pack", "run", SETTINGS) == []  # nothing to hold it against yet
    evaluated(db, 20, {"f0_spread": 0.1})
    evaluated(db, 0, {})
    one = compared(db)
    assert one is not None and (one.first, one.newest, one.is_alarm) == (0, 40, False)


def test_what_was_not_heard_by_held_out_judges_is_passed_over(db):
    plain = f"run/0/{0:064x}"
    db.write([row for row in rows(GOOD, "i-0", "en", plain) if row.metric not in ("level_db", "copied")])
    db.finish(plain, "pack", "quick", "abc", 1, 1.0)
    evaluated(db, 10, {})
    evaluated(db, 20, RISEN)
    one = compared(db)
    assert one is not None and (one.first, one.newest) == (10, 20)


def test_a_language_that_collapses_behind_the_others_is_named(db):
    for step, english, hindi in ((0, {}, {}), (20, RISEN, RISEN | {"f0_spread": 1.0})):
        evaluated(db, step, english, items=4 * ITEMS)
        evaluated(db, step, hindi, items=LEAST_ITEMS, language="hi", name="h")
    found = {one.language: one for one in compare_run(db, "pack", "run", SETTINGS)}
    assert found.keys() == {EVERY, "en", "hi"}
    assert not found[EVERY].is_alarm and not found["en"].is_alarm and found["hi"].is_alarm
    assert alarms_of(list(found.values())) == [found["hi"]]
    said = words_of(found["hi"])
    assert said.startswith("step 20 against step 0, Hindi, 16 items: the reward rises (")
    assert "spread of the pitch 2.000 → 1.000 (-50.0%, -50.0% to -50.0%, margin -10%)" in said
    [entry] = change_entries(list(found.values()), "pack", "abc")
    assert entry.values[ALARM] == 1.0 and said in str(entry.values["evaluate/held_out/alarm_text"])
    assert entry.values["evaluate/held_out/change/reward"] > 0


def test_figures_of_two_versions_are_never_compared(db):
    evaluated(db, 0, {})
    evaluated(db, 20, RISEN)
    identity = f"run/20/{20:064x}"
    db.write(row for n in range(ITEMS) for row in rows({"plcmos": 1.0}, f"i-{n}", "en", identity, version="2"))
    one = compared(db)
    assert one is not None and OF["plcmos"] not in one.judges and not one.is_alarm
