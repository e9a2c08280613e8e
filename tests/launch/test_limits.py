"""A figure against its limit, and against the one that ships: what holds, what is looser, what passes only so."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from vaak.launch.limits import Judged, failures, judged_of, loosened_words

FIGURES = st.floats(0, 10, allow_nan=False)


def test_a_figure_at_its_limit_holds_and_beyond_it_does_not() -> None:
    assert Judged("loss", 0.01, 0.01, 0.01).holds
    assert not Judged("loss", math.nextafter(0.01, 1), 0.01, 0.01).holds
    assert Judged("share", 0.99, 0.99, 0.99, most=False).holds
    assert not Judged("share", math.nextafter(0.99, 0), 0.99, 0.99, most=False).holds


def test_what_was_not_measured_holds_and_what_is_not_a_number_does_not() -> None:
    assert Judged("mass", None, 1.0, 1.0).holds
    assert not Judged("held-out loss", math.nan, 1.02, 1.02).holds
    assert not Judged("share", math.nan, 0.99, 0.99, most=False).holds


@given(FIGURES, FIGURES, FIGURES, st.booleans())
def test_a_figure_passes_only_by_loosening_if_the_limit_is_looser_and_it_lies_between(
    found, limit, shipped, most
) -> None:
    one = Judged("figure", found, limit, shipped, most)
    between = shipped < found <= limit if most else limit <= found < shipped
    assert one.only_by_loosening == between
    if one.only_by_loosening:
        assert one.loosened and one.holds


@given(FIGURES, FIGURES, st.booleans())
def test_the_shipped_limit_is_never_loosened(found, limit, most) -> None:
    assert not loosened_words([Judged("figure", found, limit, limit, most)])


def test_a_record_keeps_its_limits_also_those_that_json_has_no_word_for() -> None:
    judged = [Judged("a", 0.5, 1.0, 1.0), Judged("b", None, 2.0, 1.0, most=False), Judged("c", math.inf, 1.0, 1.0)]
    kept = json.loads(json.dumps({"limits": [one.to_dict() for one in judged]}, allow_nan=False))
    assert judged_of(kept) == judged
    assert failures(judged_of(kept)) == "c inf, wanted at most 1"


def test_a_loosened_limit_is_said_with_what_it_let_through() -> None:
    judged = [Judged("loss", 3.2, 5.0, 0.01), Judged("loss", 0.005, 5.0, 0.01), Judged("loss", 0.005, 0.001, 0.01)]
    assert loosened_words(judged) == [
        "limit of loss loosened from 0.01 to 5; found 3.2, which the shipped limit would have stopped",
        "limit of loss loosened from 0.01 to 5; found 0.005",
    ]
