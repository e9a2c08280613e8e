"""A recipe that says something impossible of the reward is refused with what is wrong."""

import pytest
from pydantic import ValidationError

from vaak.score.reward_settings import Curve, Gates, RewardSettings


def test_settings_come_back_from_a_recipe_as_they_went():
    settings = RewardSettings(content=0.5, similarity=0.2, quality=0.3, untrusted="lose", gates=Gates(most_copied=0.9))
    assert RewardSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "given,words",
    [
        ({"content": 0.5}, "sum to 1.1"),
        ({"content": 0.4, "similarity": 0.3, "quality": 0.29}, "sum to 0.99"),
        ({"content": -0.1, "similarity": 0.6, "quality": 0.5}, "greater than or equal to 0"),
        ({"content": float("nan")}, "finite"),
        ({"content": 1, "similarity": 0, "quality": 0}, "say untrusted: lose"),
        ({"likelihood": 1.1}, "less than or equal to 1"),
        ({"untrusted": "zero"}, "'renormalise' or 'lose'"),
        ({"weight": 1}, "Extra inputs are not permitted"),
        ({"gates": {"least_length_ratio": 2.0, "most_length_ratio": 2.0}}, "2 is not below most_length_ratio 2"),
        ({"gates": {"least_level_db": 3}}, "less than or equal to 0"),
        ({"gates": {"most_loops": 0.3}}, "Extra inputs are not permitted"),
        ({"quality_curve": {"points": [[1, 0], [5, 2]]}}, "less than or equal to 1"),
    ],
)
def test_what_makes_no_reward_is_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        RewardSettings.model_validate(given)


@pytest.mark.parametrize(
    "points,words",
    [
        ((), "two or more"),
        (((0.0, 1.0),), "two or more"),
        (((0.0, 1.0), (0.0, 0.5)), "two or more that rise"),
        (((1.0, 1.0), (0.0, 0.5)), "two or more that rise"),
        (((0.0, 0.0), (1.0, 1.0), (2.0, 0.5)), "only rise or only fall"),
    ],
)
def test_a_curve_is_a_function_that_goes_one_way(points, words):
    with pytest.raises(ValidationError, match=words):
        Curve(points=points)


def test_all_weight_on_content_is_allowed_where_the_untrusted_lose_it():
    assert RewardSettings(content=1, similarity=0, quality=0, untrusted="lose").content == 1


def test_weights_that_sum_to_one_but_for_rounding_are_taken():
    assert RewardSettings(content=0.1, similarity=0.2, quality=0.7).quality == 0.7


def test_nothing_can_be_changed_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        RewardSettings().content = 0.9  # pyright: ignore[reportAttributeAccessIssue]
