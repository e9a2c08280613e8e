"""The pieces that checks are made of, against plain ways to do the same."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.items import item
from vaak.audit.chance import RATES, chance_of_missing
from vaak.audit.codes import effective, longest_repeat, repeated_phrase
from vaak.audit.facts import alike, labels, same_text
from vaak.audit.finding import Finding
from vaak.audit.rates import robust_deviations
from vaak.audit.report import judge
from vaak.audit.sampling import Stratum, allocate
from vaak.languages import script_of


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4))
def test_the_longest_repeat_is_what_a_plain_search_finds(codes, longest_period):
    def repeats(start: int, stop: int, period: int) -> bool:
        return all(codes[at] == codes[at - period] for at in range(start + period, stop))

    wanted = max(
        (stop - start for start in range(len(codes)) for stop in range(start + 1, len(codes) + 1)
         for period in range(1, longest_period + 1) if stop - start > period and repeats(start, stop, period)),
        default=min(1, len(codes)),
    )  # fmt: skip
    assert longest_repeat(np.array(codes, np.uint16), longest_period)[0] == wanted


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 4), st.integers(0, 20))
def test_a_repeat_of_a_least_length_is_the_longest_one_or_none(codes, longest_period, least):
    longest = longest_repeat(np.array(codes, np.uint16), longest_period)
    found = longest_repeat(np.array(codes, np.uint16), longest_period, least)
    assert found[0] == longest[0] if longest[0] >= least else found[0] < least


@given(st.text(st.sampled_from("aZé१2।॥கஅমৰ ‍\u200c.ഠ"), max_size=30))
def test_the_scripts_of_an_item_are_those_of_its_text(text):
    found, wanted = item(text).scripts, script_of(text)
    assert found == wanted and list(found) == list(wanted)


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(2, 8), st.integers(1, 3))
def test_a_repeated_phrase_is_what_a_plain_search_finds(codes, length, short_period):
    def hums(phrase: list[int]) -> bool:
        return any(phrase[period:] == phrase[:-period] for period in range(1, short_period + 1))

    windows = [codes[start : start + length] for start in range(len(codes) - length + 1)]
    wanted = any(one == other and not hums(one) for one, other in itertools.combinations(windows, 2))
    found = repeated_phrase(np.array(codes, np.uint16), length, short_period)
    assert (found is not None) == wanted
    assert found is None or (found[0] < found[1] and windows[found[0]] == windows[found[1]])


@given(st.integers(0, 40), st.data())
def test_the_chance_of_missing_is_that_of_a_plain_count(samples, data):
    """C(N - K, n) of the C(N, n) possible draws have none of the K faulty ones."""
    examined, rate = data.draw(st.integers(0, samples)), data.draw(st.sampled_from([*RATES, 0.1, 0.3, 1.0]))
    faulty = min(samples, max(1, math.ceil(round(samples * rate, 9))))
    wanted = math.comb(samples - faulty, examined) / math.comb(samples, examined) if samples else 0.0
    assert chance_of_missing(samples, examined, rate) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("samples,examined,faulty", [(7, 3, 1), (8, 4, 2), (9, 2, 4)])
def test_the_chance_of_missing_is_that_of_every_draw_there_is(samples, examined, faulty):
    draws = list(itertools.combinations(range(samples), examined))
    missed = sum(all(one >= faulty for one in drawn) for drawn in draws)
    assert chance_of_missing(samples, examined, faulty / samples) == pytest.approx(missed / len(draws))


def test_half_of_a_corpus_misses_what_stands_in_two_of_its_samples_every_fourth_time():
    assert chance_of_missing(20_000, 10_000, 0.0001) == pytest.approx(0.25, abs=1e-4)
    assert chance_of_missing(20_000, 20_000, 0.0001) == 0.0
    assert chance_of_missing(10**8, 10_000, 0.0001) == pytest.approx(math.exp(-1), rel=1e-3)


def test_the_rarest_fault_that_a_sample_would_show():
    rule_of_three = Stratum("raw", "hi", "clean", 1000, 300).rarest_fault
    assert rule_of_three == pytest.approx(3 / 300, rel=0.01)
    assert Stratum("raw", "hi", "clean", 300, 300).rarest_fault == 0.0


def test_outliers_are_found_in_both_directions_whatever_their_number():
    random = np.random.default_rng(0)
    values = np.array([*np.exp(2.5 + 0.2 * random.standard_normal(200)), *([120.0] * 20), *([1.0] * 20)])
    deviations = robust_deviations(values, 0.05)
    assert (np.abs(deviations[:200]) < 5).all() and (np.abs(deviations[200:]) > 5).all()


def test_a_histogram_is_worth_as_many_codes_as_would_be_as_varied():
    assert effective(np.array([5, 5, 5, 5])) == pytest.approx(4)
    assert effective(np.array([8, 0, 0])) == pytest.approx(1)
    assert effective(np.array([2, 1, 1])) == pytest.approx(2**1.5)


def test_texts_are_the_same_but_for_case_points_and_spaces():
    assert same_text("Hello,  World!") == same_text("hello world")
    assert same_text("মেয়ে") == same_text("মে\u09afয়ে".replace("\u09afয়", "য়"))
    assert same_text("मेरी बेटी") != same_text("मारा बाटा")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=50))
def test_samples_are_alike_that_agree_in_every_column(pairs):
    numbers, letters = (np.array(column) for column in zip(*pairs, strict=True))
    label = labels(numbers, letters)
    assert all((label[i] == label[j]) == (pairs[i] == pairs[j]) for i in range(len(pairs)) for j in range(len(pairs)))
    members = [one.tolist() for one in alike(numbers, letters)]
    assert sorted(at for one in members for at in one) == list(range(len(pairs)))
    assert len(members) == len(set(pairs)) and all(one == sorted(one) for one in members)


@pytest.mark.parametrize("evidence,passed", [(0, True), (10, True), (11, False)])
def test_a_check_holds_up_to_its_share(evidence, passed):
    limit = {"severity": "error", "share": 0.01, "least_dbfs": -60}
    check = judge("audible", "Some.", limit, Finding(1000, tuple(str(k) for k in range(evidence))))
    assert check.passed is passed and check.verdict == ("holds" if passed else "fails")


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(0, 5000))
def test_allocation_uses_everything_and_favours_nobody(sizes, total):
    parts = allocate(sizes, total)
    assert sum(parts) == min(total, sum(sizes)) and all(part <= size for part, size in zip(parts, sizes, strict=True))
    open_parts = [part for part, size in zip(parts, sizes, strict=True) if part < size]
    assert not open_parts or max(parts) - min(open_parts) <= 1
