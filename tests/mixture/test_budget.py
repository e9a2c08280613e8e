"""Budgets: shares that add up, caps and floors that hold, and a sentence for everything that gives way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.languages import LANGUAGES
from vaak.mixture.budget import (
    constraints_of,
    language_shares,
    least_slack,
    source_language_shares,
    waterfill,
)
from vaak.mixture.settings import LanguageRule, RestRule

REST = [code for code in LANGUAGES if code not in ("en", "hi")]
SFT = LanguageRule(caps={"en": 0.55}, fixed={"hi": 0.15}, rest=RestRule(share=0.30, floor=0.02))
SOURCES = {"wild": 0.65, "hifi": 0.20, "custom": 0.10, "anchor": 0.05}
tokens = st.floats(1e3, 1e12)


def sft_table(amount):
    """Four sources as in the specification: `hifi` is English alone, `anchor` is everything but English."""
    table = {("wild", code): amount[code] for code in LANGUAGES}
    table |= {("custom", code): amount[code] / 10 for code in LANGUAGES}
    table |= {("anchor", code): amount[code] / 100 for code in LANGUAGES if code != "en"}
    return table | {("hifi", "en"): amount["en"]}


def total(shares, place, name):
    return sum(share for key, share in shares.items() if key[place] == name)


@given(st.lists(st.tuples(tokens, st.floats(0, 0.1), st.floats(0.1, 1)), min_size=1, max_size=12), st.floats(0, 1))
def test_waterfill_meets_bounds_and_total(vessels, position):
    weights, lower, upper = (np.array(column) for column in zip(*vessels, strict=True))
    wanted = lower.sum() + position * (upper.sum() - lower.sum())
    filled = waterfill(weights, lower, upper, wanted)
    assert abs(filled.sum() - wanted) < 1e-6
    assert (filled >= lower - 1e-9).all() and (filled <= upper + 1e-9).all()


def test_the_audio_pool_of_the_specification():
    hours = dict.fromkeys(LANGUAGES, 10_000.0) | {
        "en": 600_000.0,
        "hi": 90_000.0,
        "bn": 40_000.0,
        "or": 100.0,
        "as": 50.0,
    }
    shares, notes = language_shares(hours, LanguageRule(), "raw")
    assert shares["en"] == pytest.approx(0.45) and shares["hi"] == pytest.approx(0.15) and notes == []
    assert sum(shares[code] for code in REST) == pytest.approx(0.40)
    assert shares["or"] == pytest.approx(0.02) and shares["as"] == pytest.approx(0.02)
    assert shares["bn"] / shares["ta"] == pytest.approx(2.0)  # sqrt(40,000 / 10,000)


@given(
    st.fixed_dictionaries({code: tokens for code in LANGUAGES}), st.sets(st.sampled_from(list(LANGUAGES)), max_size=11)
)
def test_shares_always_add_up_and_breaking_a_rule_is_always_named(amount, missing):
    present = {code: amount[code] for code in LANGUAGES if code not in missing}
    shares, notes = language_shares(present, LanguageRule(), "raw")
    assert sum(shares.values()) == pytest.approx(1.0) and set(shares) == set(present)
    if shares.get("en", 0) > 0.45 + 1e-6:
        assert any("the cap of 45.0% for en gives way" in note for note in notes)
    for code in set(REST) & set(present):
        assert shares[code] >= 0.02 - 1e-9 or any("the floor gives way" in note for note in notes)
    for code in {"en", "hi"} & missing:
        assert any(f"no {code} data" in note for note in notes)


def test_a_missing_language_leaves_its_share_to_the_rest_and_the_cap_holds():
    shares, notes = language_shares(dict.fromkeys(["en", "bn", "ta"], 1.0), LanguageRule(), "raw")
    assert shares == pytest.approx({"en": 0.45, "bn": 0.275, "ta": 0.275})
    assert notes == ["raw: no hi data; its 15.0% go to the other languages"]


@given(st.fixed_dictionaries({code: st.floats(1e6, 1e9) for code in LANGUAGES}))
@settings(max_examples=5)
def test_sources_and_languages_are_met_together(amount):
    shares, notes = source_language_shares(sft_table(amount), SOURCES, SFT, "paired")
    assert notes == [] and sum(shares.values()) == pytest.approx(1.0)
    for source, share in SOURCES.items():
        assert total(shares, 0, source) == pytest.approx(share, abs=1e-5)
    assert total(shares, 1, "en") <= 0.55 + 1e-5 and total(shares, 1, "hi") == pytest.approx(0.15, abs=1e-5)
    assert all(total(shares, 1, code) >= 0.02 - 1e-5 for code in REST)


def test_a_table_on_which_the_solver_fails_is_solved_in_other_units():
    tokens = (323565583, 132818013, 694182642, 1e6, 1e7, 181460759, 224737034, 589884993, 620563105, 680477940, 822370940,
              976102433)  # fmt: skip
    amount = {code: float(n) for code, n in zip(LANGUAGES, tokens, strict=True)}
    shares, notes = source_language_shares(sft_table(amount), SOURCES, SFT, "paired")
    assert notes == [] and total(shares, 1, "hi") == pytest.approx(0.15, abs=1e-5)
    assert all(total(shares, 1, code) >= 0.02 - 1e-5 for code in REST)


def test_without_pressure_the_shares_are_those_of_the_data():
    table = {("a", "en"): 30.0, ("a", "ta"): 10.0, ("b", "en"): 5.0, ("b", "ta"): 15.0}
    free = LanguageRule(caps={"en": 1.0}, fixed={}, rest=RestRule(share=0.0))
    shares, _ = source_language_shares(table, {"a": 0.5, "b": 0.5}, free, "paired")
    assert shares == pytest.approx(
        {("a", "en"): 0.375, ("a", "ta"): 0.125, ("b", "en"): 0.125, ("b", "ta"): 0.375}, abs=1e-5
    )


def test_a_source_without_data_leaves_its_share_to_the_others():
    table = {key: value for key, value in sft_table(dict.fromkeys(LANGUAGES, 1e8)).items() if key[0] != "custom"}
    shares, notes = source_language_shares(table, SOURCES, SFT, "paired")
    assert notes == ["paired: no custom data fits; its 10.0% go to the other sources"]
    assert total(shares, 0, "wild") == pytest.approx(0.65 / 0.9, abs=1e-5)


def test_conflicting_demands_name_what_gives_way_and_the_rest_holds():
    table = sft_table(dict.fromkeys(LANGUAGES, 1e8))
    shares, notes = source_language_shares(
        table, {"wild": 0.2, "hifi": 0.65, "custom": 0.1, "anchor": 0.05}, SFT, "paired"
    )
    assert any("the share of source hifi, 65.0%, gives way to 55.00%" in note for note in notes)
    assert total(shares, 1, "en") <= 0.55 + 1e-4 and total(shares, 1, "hi") == pytest.approx(0.15, abs=1e-4)
    assert sum(shares.values()) == pytest.approx(1.0)


@given(st.fixed_dictionaries({code: st.floats(1e6, 1e9) for code in LANGUAGES}), st.floats(0, 1))
@settings(max_examples=4)
def test_an_infeasible_table_always_names_a_slack(amount, extra):
    sources = {
        "wild": 0.3 * (1 - extra),
        "hifi": 0.6 + 0.4 * extra,
        "custom": 0.05 * (1 - extra),
        "anchor": 0.05 * (1 - extra),
    }
    _, notes = source_language_shares(sft_table(amount), sources, SFT, "paired")
    assert any("gives way to" in note for note in notes)


LIMITED = LanguageRule(epoch_limit=4.0)


@given(st.fixed_dictionaries({code: st.floats(1e5, 1e10) for code in LANGUAGES}), st.floats(1e7, 1e11))
def test_no_rule_is_broken_without_a_note_and_no_language_passed_too_often(amount, wanted):
    shares, notes = language_shares(amount, LIMITED, "raw", wanted)
    assert sum(shares.values()) == pytest.approx(1.0) and min(shares.values()) > 0
    said = " | ".join(notes)
    if any(shares[code] * wanted > 4.0 * amount[code] * (1 + 1e-6) for code in LANGUAGES):
        assert "the limit of 4 epochs gives way to" in said
    if shares["hi"] < 0.15 - 1e-5:
        assert "the fixed share of 15.0% for hi gives way" in said
    assert shares["en"] <= 0.45 + 1e-5 and shares["hi"] <= 0.15 + 1e-5
    for code in REST:
        assert shares[code] >= 0.02 - 1e-5 or f"the floor of 2.0% for {code} gives way" in said


@given(st.fixed_dictionaries({code: st.floats(1e5, 1e10) for code in LANGUAGES}))
def test_a_limit_that_nothing_reaches_changes_nothing(amount):
    free, limited = (language_shares(amount, rule, "raw", 1e5) for rule in (LanguageRule(), LIMITED))
    assert limited == free


def test_too_little_data_for_the_limit_raises_it_for_all_alike():
    """All data four times is 40% of what is wanted: ten passes of each are needed, and caps still hold."""
    shares, notes = language_shares({"en": 4.5, "hi": 1.5, "bn": 2.0, "ta": 2.0}, LIMITED, "raw", 100.0)
    assert shares == pytest.approx({"en": 0.45, "hi": 0.15, "bn": 0.2, "ta": 0.2}, abs=1e-6)
    assert notes == [
        "raw: the limit of 4 epochs gives way to 10.00: so often passed, all data is 40.0% of the stream, and caps and "
        "fixed shares let in no more of it"
    ]


def test_what_the_rest_cannot_take_goes_to_capped_languages():
    shares, notes = language_shares({"en": 100.0, "hi": 100.0, "ta": 1.0}, LIMITED, "raw", 100.0)
    # Tamil four times is 4%, Hindi is fixed, English is capped: 64% are not enough, and the limit gives way for Tamil.
    assert shares["ta"] == pytest.approx(0.40, abs=1e-5) and "the limit of 4 epochs gives way to 40.00" in notes[0]
    roomy = LanguageRule(caps={"en": 0.90}, epoch_limit=4.0)
    shares, notes = language_shares({"en": 100.0, "hi": 100.0, "ta": 1.0}, roomy, "raw", 100.0)
    assert shares == pytest.approx({"en": 0.81, "hi": 0.15, "ta": 0.04})
    assert notes == ["raw: the rest's share of 40.0% gives way to 4.00%: more would pass it more than 4 times"]


def test_where_nobody_takes_the_rest_others_grow_within_their_epochs():
    shares, notes = language_shares({"en": 1e9, "hi": 1.0}, LIMITED, "raw", 1e6)
    assert shares == pytest.approx({"en": 1 - 4e-6, "hi": 4e-6}, abs=1e-9)
    assert any("the fixed share of 15.0% for hi gives way to 0.00%" in note for note in notes)
    assert any("the cap of 45.0% for en gives way to 100.0%: nothing else has data" in note for note in notes)
    shares, notes = language_shares({"en": 1.0}, LIMITED, "raw", 100.0)
    assert shares == {"en": 1.0} and any("the limit of 4 epochs gives way to 100.00" in note for note in notes)


def test_a_cap_of_nothing_leaves_a_language_out():
    rule = LanguageRule(caps={"en": 0.0, "ta": 0.5}, fixed={"hi": 0.1}, rest=RestRule(share=0.4))
    shares, _ = language_shares(dict.fromkeys(["en", "ta", "hi", "bn"], 1.0), rule, "raw")
    assert shares == pytest.approx({"bn": 0.4, "hi": 0.1, "ta": 0.5})


def test_with_sources_too_floors_and_fixed_shares_give_way_before_the_limit():
    table = {("a", "en"): 1e9, ("a", "hi"): 1e3, ("a", "ta"): 1e9, ("a", "bn"): 1e3}
    shares, notes = source_language_shares(table, {"a": 1.0}, LIMITED, "raw", 1e8)
    assert shares["a", "hi"] <= 4e3 / 1e8 + 1e-5 and shares["a", "bn"] <= 4e3 / 1e8 + 1e-5
    assert any("the fixed share of hi" in note for note in notes) and any("the floor of bn" in note for note in notes)


@given(st.fixed_dictionaries({code: st.floats(1e6, 1e9) for code in LANGUAGES}), st.floats(1e8, 1e10))
@settings(max_examples=5)
def test_sources_and_languages_are_met_within_the_limit_of_each_cell(amount, wanted):
    rule = SFT.model_copy(update={"epoch_limit": 4.0})
    table = sft_table(amount)
    shares, notes = source_language_shares(table, SOURCES, rule, "paired", wanted)
    assert sum(shares.values()) == pytest.approx(1.0)
    for (source, code), share in shares.items():
        if share > 4.0 * table[source, code] / wanted + 1e-5:
            assert any(f"the limit of 4 epochs for {source} {code}" in note for note in notes)


@given(
    st.fixed_dictionaries({code: st.floats(1e6, 1e9) for code in LANGUAGES}),
    st.dictionaries(st.sampled_from(list(LANGUAGES)), st.floats(1.0, 100.0)),
    st.floats(1e8, 1e11),
)
@settings(max_examples=10)
def test_more_data_never_makes_more_give_way(amount, growth, wanted):
    """The objective is what gives way, weighed: it can only fall when a language gets more data."""
    rule = SFT.model_copy(update={"epoch_limit": 4.0})
    more = {code: tokens * growth.get(code, 1.0) for code, tokens in amount.items()}

    def gives_way(amounts):
        constraints, _ = constraints_of(sft_table(amounts), SOURCES, rule, "paired", wanted)
        return sum(
            constraint.price * slack for constraint, slack in zip(constraints, least_slack(constraints), strict=True)
        )

    assert gives_way(more) <= gives_way(amount) + 1e-5
