"""What a recipe says of the composite reward: weights, the curve that gives each figure its worth, and the gates."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vaak.score.sanity import LIMITS

Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Curve(_Frozen):
    """What a figure is worth: straight lines through `points` (figure, worth in [0, 1]), flat before the first and after the last."""

    points: tuple[tuple[float, Share], ...]

    @model_validator(mode="after")
    def _rises_along(self) -> Curve:
        figures = [figure for figure, _ in self.points]
        if len(figures) < 2 or any(after <= before for before, after in pairwise(figures)):
            raise ValueError(f"the figures {figures} of a curve are not two or more that rise; sort them, each once")
        worths = [worth for _, worth in self.points]
        if worths not in (sorted(worths), sorted(worths, reverse=True)):
            raise ValueError(f"the worths {worths} of a curve go up and down; let them only rise or only fall")
        return self


class Gates(_Frozen):
    """Least and most that a sample may have; beyond one of them it has the bottom of the reward. A limit itself is allowed.

    length ratio: its codes over those of the recording of the prompt. level: see `vaak.score.reward_gates.level_db`.
    copied: share of its codes that are the recording's own, `vaak.score.reward_gates.copied_share`: of 2,614 samples that the
    shipped model gave for sentences it was trained on, at temperatures 0 to 1, the most was .495.
    """

    most_invalid: Share = LIMITS["invalid_rate"][1]
    least_length_ratio: Ratio = 0.65
    most_length_ratio: Ratio = 1.6
    most_loop_share: Share = LIMITS["loop_share"][1]
    most_silence: Share = 1 - LIMITS["speech_share"][0]
    least_level_db: Annotated[float, Field(le=0)] = -35.0
    most_copied: Share = 0.6

    @model_validator(mode="after")
    def _leaves_room(self) -> Gates:
        if self.least_length_ratio >= self.most_length_ratio:
            raise ValueError(
                f"least_length_ratio {self.least_length_ratio:g} is not below most_length_ratio {self.most_length_ratio:g}"
            )
        return self


# Falls with the error rate, above 1 (more errors than the text has words) it stays at the bottom.
_CONTENT = Curve(points=((0.0, 1.0), (0.5, 0.4), (1.0, 0.0)))
_LIKELIHOOD = Curve(points=((-6.0, 0.0), (-2.0, 0.4), (0.0, 1.0)))
_SIMILARITY = Curve(points=((0.4, 0.0), (0.75, 0.2), (0.95, 1.0)))
_QUALITY = Curve(points=((1.0, 0.0), (2.0, 0.2), (3.6, 1.0)))


class RewardSettings(_Frozen):
    """Weights of the three parts (they sum to 1), the curves of their figures, and the gates before them.

    likelihood: share of the content part that the recogniser's log-likelihood of the text has instead of the error rate.
    untrusted: in a language whose recogniser is not trusted the content part does not count; the others are either weighed
        up so that they sum to 1 ("renormalise"), or keep their weights and the best total there is 1 - `content` ("lose").
    """

    content: Share = 0.4
    similarity: Share = 0.3
    quality: Share = 0.3
    likelihood: Share = 0.0
    content_curve: Curve = _CONTENT
    likelihood_curve: Curve = _LIKELIHOOD
    similarity_curve: Curve = _SIMILARITY
    quality_curve: Curve = _QUALITY
    untrusted: Literal["renormalise", "lose"] = "renormalise"
    gates: Gates = Gates()

    @model_validator(mode="after")
    def _sums_to_one(self) -> RewardSettings:
        sum_of_weights = math.fsum((self.content, self.similarity, self.quality))
        if not math.isclose(sum_of_weights, 1.0, abs_tol=1e-6):
            raise ValueError(
                f"content, similarity and quality sum to {sum_of_weights:g}; give three weights that sum to 1"
            )
        if self.untrusted == "renormalise" and self.similarity + self.quality == 0:
            raise ValueError(
                "without weight on similarity or quality nothing is left where the recogniser is untrusted; say untrusted: lose"
            )
        return self
