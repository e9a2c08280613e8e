"""The reward at every edge: each point of each curve, each gate from both sides, and figures that are none."""

import math
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.score.reward import GATES, Figures, gate_of, reward_of, worth
from vaak.score.reward_settings import Curve, Gates, RewardSettings

SETTINGS = RewardSettings()
GOOD = Figures(
    stopped=True, truncated=False, codes=100, reference_codes=100, invalid_rate=0.0, loop_share=0.0, silence_share=0.1,
    level_db=-15.0, copied=0.0, crashed=False, errors=0.2, likelihood=-1.0, similarity=0.85, quality=3.0,
)  # fmt: skip
CURVES = {
    "errors": ("content", SETTINGS.content_curve),
    "similarity": ("similarity", SETTINGS.similarity_curve),
    "quality": ("quality", SETTINGS.quality_curve),
}
TINY = 1e-6


def total(**figures) -> float:
    return reward_of(replace(GOOD, **figures), True, SETTINGS).total


def test_the_total_is_the_weighted_sum_of_the_worths():
    settings = RewardSettings(
        content_curve=Curve(points=((0, 1), (1, 0))),
        similarity_curve=Curve(points=((0, 0), (1, 1))),
        quality_curve=Curve(points=((1, 0), (5, 1))),
    )
    reward = reward_of(GOOD, True, settings)
    assert reward.parts == pytest.approx({"content": 0.8, "similarity": 0.85, "quality": 0.5})
    assert reward.total == pytest.approx(0.4 * 0.8 + 0.3 * 0.85 + 0.3 * 0.5)
    assert reward.gate == ""


@pytest.mark.parametrize("name", CURVES)
def test_at_each_point_of_a_curve_the_part_has_its_worth_and_beyond_the_ends_it_stays(name):
    part, curve = CURVES[name]
    for figure, expected in curve.points:
        assert reward_of(replace(GOOD, **{name: figure}), True, SETTINGS).parts[part] == pytest.approx(expected)
    (first, first_worth), (last, last_worth) = curve.points[0], curve.points[-1]
    assert worth(curve, first - 100) == first_worth and worth(curve, last + 100) == last_worth


@pytest.mark.parametrize("name", CURVES)
def test_between_two_points_a_curve_is_straight(name):
    _, curve = CURVES[name]
    for (low, low_worth), (high, high_worth) in pairwise(curve.points):
        assert worth(curve, (low + high) / 2) == pytest.approx((low_worth + high_worth) / 2)


@pytest.mark.parametrize("name,low,high", [("errors", 0.1, 1.0), ("similarity", 0.75, 0.95), ("quality", 2.0, 3.6)])
def test_where_a_small_model_lives_every_hundredth_of_the_range_changes_the_reward(name, low, high):
    values = [total(**{name: low + (high - low) * step / 100}) for step in range(101)]
    rising = [after - before for before, after in pairwise(values)]
    assert all(step < 0 for step in rising) if name == "errors" else all(step > 0 for step in rising)
    assert abs(values[-1] - values[0]) > 0.1


# What falls to a gate: its name, a figure at the limit, which passes, and one just beyond it.
LIMITS = [
    ("invalid", "invalid_rate", SETTINGS.gates.most_invalid, SETTINGS.gates.most_invalid + TINY),
    ("short", "codes", 50, 49),
    ("long", "codes", 200, 201),
    ("loop", "loop_share", SETTINGS.gates.most_loop_share, SETTINGS.gates.most_loop_share + TINY),
    ("silent", "silence_share", SETTINGS.gates.most_silence, SETTINGS.gates.most_silence + TINY),
    ("quiet", "level_db", SETTINGS.gates.least_level_db, SETTINGS.gates.least_level_db - TINY),
    ("copied", "copied", SETTINGS.gates.most_copied, SETTINGS.gates.most_copied + TINY),
    ("crashed", "crashed", False, True),
    ("truncated", "truncated", False, True),
    ("endless", "stopped", True, False),
    ("empty", "codes", 100, 0),
]
AT_HALF_AND_TWICE = RewardSettings(gates=Gates(least_length_ratio=0.5, most_length_ratio=2.0))


@pytest.mark.parametrize("gate,name,allowed,beyond", LIMITS)
def test_a_gate_lets_its_limit_pass_and_nothing_beyond(gate, name, allowed, beyond):
    assert reward_of(replace(GOOD, **{name: allowed}), True, AT_HALF_AND_TWICE).gate == ""
    for trusted in (True, False):
        gated = reward_of(replace(GOOD, **{name: beyond}), trusted, AT_HALF_AND_TWICE)
        assert (gated.total, gated.parts, gated.gate) == (0.0, {}, gate)


def test_every_gate_has_a_case_here():
    assert {gate for gate, *_ in LIMITS} == set(GATES)


def test_the_first_gate_in_their_order_is_named():
    everything = {name: beyond for _, name, _, beyond in LIMITS}
    found = []
    for gate in GATES:
        found.append(gate_of(replace(GOOD, **everything), AT_HALF_AND_TWICE))
        name, allowed = next((name, allowed) for one, name, allowed, _ in LIMITS if one == gate)
        # Of the gates that look at the length the next one's figure takes the place of the one that passed.
        everything[name] = {"empty": 49, "short": 201}.get(gate, allowed)
    assert found == list(GATES)


def test_without_a_recording_there_is_no_length_to_compare_with():
    for recording in (None, 0):
        assert gate_of(replace(GOOD, codes=10_000, reference_codes=recording), SETTINGS) == ""


@pytest.mark.parametrize("name", ["invalid_rate", "loop_share", "silence_share", "level_db", "copied"])
@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_gate_never_decides_by_a_figure_that_is_none(name, figure):
    with pytest.raises(ValueError, match=name):
        gate_of(replace(GOOD, **{name: figure}), SETTINGS)


def test_of_a_crashed_sample_the_figures_of_sound_may_be_anything():
    crashed = replace(GOOD, crashed=True, silence_share=math.nan, level_db=math.nan, errors=None, quality=math.nan)
    assert reward_of(crashed, True, SETTINGS).gate == "crashed"


@pytest.mark.parametrize("name", ["errors", "similarity", "quality"])
@pytest.mark.parametrize("figure", [None, math.nan, math.inf, -math.inf])
def test_a_part_without_a_finite_figure_is_an_error_and_no_score(name, figure):
    with pytest.raises(ValueError, match=f"{name} is {figure}"):
        reward_of(replace(GOOD, **{name: figure}), True, SETTINGS)


def test_a_negative_error_rate_is_an_error():
    with pytest.raises(ValueError, match="error rate is 0 or more"):
        reward_of(replace(GOOD, errors=-0.1), True, SETTINGS)


def test_untrusted_the_rest_is_weighed_up_or_content_is_lost():
    unheard = replace(GOOD, errors=None, likelihood=None)
    parts = reward_of(unheard, False, SETTINGS).parts
    assert set(parts) == {"similarity", "quality"}
    rest = 0.3 * parts["similarity"] + 0.3 * parts["quality"]
    assert reward_of(unheard, False, SETTINGS).total == pytest.approx(rest / 0.6)
    assert reward_of(unheard, False, RewardSettings(untrusted="lose")).total == pytest.approx(rest)


@pytest.mark.parametrize("untrusted,best", [("renormalise", 1.0), ("lose", 0.6)])
def test_the_best_untrusted_total(untrusted, best):
    perfect = replace(GOOD, errors=None, similarity=1.0, quality=5.0)
    assert reward_of(perfect, False, RewardSettings(untrusted=untrusted)).total == pytest.approx(best)


def test_untrusted_the_error_rate_changes_nothing():
    assert reward_of(replace(GOOD, errors=5.0), False, SETTINGS) == reward_of(GOOD, False, SETTINGS)


def test_a_part_without_weight_needs_no_figure_and_is_not_reported():
    settings = RewardSettings(content=0.6, similarity=0.4, quality=0.0)
    reward = reward_of(replace(GOOD, quality=None), True, settings)
    assert set(reward.parts) == {"content", "similarity"}
    only = RewardSettings(content=1, similarity=0, quality=0, untrusted="lose")
    assert reward_of(replace(GOOD, similarity=None, quality=None), False, only).total == 0.0


def test_likelihood_takes_its_share_of_the_content_part():
    by_errors = reward_of(GOOD, True, SETTINGS).parts["content"]
    by_likelihood = reward_of(GOOD, True, RewardSettings(likelihood=1.0)).parts["content"]
    mixed = reward_of(GOOD, True, RewardSettings(likelihood=0.25)).parts["content"]
    assert mixed == pytest.approx(0.75 * by_errors + 0.25 * by_likelihood)
    assert by_likelihood == pytest.approx(worth(SETTINGS.likelihood_curve, -1.0))


def test_likelihood_is_asked_for_only_where_it_has_a_share():
    assert reward_of(replace(GOOD, likelihood=None), True, SETTINGS).total > 0
    with pytest.raises(ValueError, match="likelihood is None"):
        reward_of(replace(GOOD, likelihood=None), True, RewardSettings(likelihood=0.5))
    assert reward_of(replace(GOOD, errors=None), True, RewardSettings(likelihood=1.0)).total > 0


def test_the_recipe_moves_a_limit():
    loose = RewardSettings(gates=Gates(most_length_ratio=3.0))
    assert gate_of(replace(GOOD, codes=250), loose) == ""
    assert gate_of(replace(GOOD, codes=250), SETTINGS) == "long"


ERRORS = st.floats(0, 5)
SIMILARITIES = st.floats(0, 1)
QUALITIES = st.floats(1, 5)
WEIGHTS = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)


@st.composite
def all_settings(draw) -> RewardSettings:
    content, similarity, _ = (weight / sum(weights) for weights in [draw(WEIGHTS)] for weight in weights)
    untrusted = draw(st.sampled_from(["renormalise", "lose"]))
    quality = 1 - content - similarity
    likelihood = draw(st.floats(0, 1))
    return RewardSettings(content=content, similarity=similarity, quality=quality, likelihood=likelihood, untrusted=untrusted)  # fmt: skip


@given(ERRORS, st.floats(-50, 0), SIMILARITIES, QUALITIES, st.booleans(), all_settings())
def test_total_and_parts_are_between_0_and_1(errors, likelihood, similarity, quality, trusted, settings):
    figures = replace(GOOD, errors=errors, likelihood=likelihood, similarity=similarity, quality=quality)
    reward = reward_of(figures, trusted, settings)
    assert all(0 <= part <= 1 for part in [reward.total, *reward.parts.values()])


@given(st.sampled_from(["errors", "similarity", "quality"]), st.data(), st.booleans())
def test_a_better_figure_is_never_worth_less(name, data, trusted):
    figures = {"errors": ERRORS, "similarity": SIMILARITIES, "quality": QUALITIES}
    first, second = data.draw(figures[name]), data.draw(figures[name])
    worse, better = sorted((first, second), reverse=name == "errors")
    low, high = (reward_of(replace(GOOD, **{name: figure}), trusted, SETTINGS).total for figure in (worse, better))
    assert low <= high + 1e-12


@given(st.sampled_from(LIMITS), ERRORS, SIMILARITIES, QUALITIES, ERRORS, SIMILARITIES, QUALITIES, st.booleans())
def test_a_gated_sample_is_never_above_one_that_is_not(limit, e1, s1, q1, e2, s2, q2, trusted):
    _, name, _, beyond = limit
    gated = replace(GOOD, errors=e1, similarity=s1, quality=q1, **{name: beyond})
    passed = replace(GOOD, errors=e2, similarity=s2, quality=q2)
    assert reward_of(gated, trusted, AT_HALF_AND_TWICE).total <= reward_of(passed, trusted, AT_HALF_AND_TWICE).total


@given(st.sampled_from([field.name for field in fields(Figures)][-4:]), st.one_of(st.none(), st.floats()))
def test_no_gate_looks_at_what_a_network_measured(name, figure):
    assert gate_of(replace(GOOD, **{name: figure}), SETTINGS) == ""
