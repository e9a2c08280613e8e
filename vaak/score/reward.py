"""The composite reward of one generated sample, from figures that others measured: gates, then a weighted sum of worths.

Pure functions of numbers: no sound, no network, no state. A sample that falls to a gate has total 0.0 and no parts. Any
other has content, similarity and quality, each in [0, 1] by its curve, and their weighted sum. A figure that is missing
or not finite is an error and never a score: whoever measured it has failed, not the sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vaak.score.reward_settings import Curve, RewardSettings

# In the order in which they are looked at: the name that a gated sample has is the first of these.
GATES = ("crashed", "empty", "invalid", "truncated", "endless", "short", "long", "loop", "silent", "quiet", "copied")


@dataclass(frozen=True)
class Figures:
    """What was measured of one sample; None: not measured, or not asked for.

    stopped: it ended with the stop token. truncated: the limit cut it off. codes, reference_codes: lengths of the sample and
    of the recording of its prompt. invalid_rate, loop_share, silence_share: as in `vaak.score.sanity`, in [0, 1].
    level_db, copied: `vaak.score.reward_gates`. crashed: its codes gave no sound. Of a crashed sample the figures of
    sound may be anything.
    errors: error rate in the first figure of its language, 0 or more. likelihood: mean log-probability of a token of the text
    under the recogniser, nats. similarity: cosine with the prompt's voice. quality: DNSMOS overall, 1 to 5.
    """

    stopped: bool
    truncated: bool
    codes: int
    reference_codes: int | None
    invalid_rate: float
    loop_share: float
    silence_share: float
    level_db: float
    copied: float
    crashed: bool
    errors: float | None = None
    likelihood: float | None = None
    similarity: float | None = None
    quality: float | None = None


@dataclass(frozen=True)
class Reward:
    """total: in [0, 1]. parts: content, similarity, quality, each in [0, 1], those that count. gate: one of `GATES`, or "" for none."""

    total: float
    parts: dict[str, float]
    gate: str


def worth(curve: Curve, figure: float) -> float:
    """What `figure` is worth on `curve`: in [0, 1], straight lines between its points and flat outside them."""
    figures, worths = zip(*curve.points, strict=True)
    return float(np.interp(figure, figures, worths))


def gate_of(figures: Figures, settings: RewardSettings) -> str:
    """The first of `GATES` that a sample falls to, or "". Looks at nothing that a network measured.

    Raises `ValueError` for a figure that is not finite where the gates before it let the sample pass.
    """
    gates = settings.gates
    if figures.crashed:
        return "crashed"
    if figures.codes == 0:
        return "empty"
    if _finite(figures.invalid_rate, "invalid_rate") > gates.most_invalid:
        return "invalid"
    if figures.truncated:
        return "truncated"
    if not figures.stopped:
        return "endless"
    if figures.reference_codes:
        ratio = figures.codes / figures.reference_codes
        if not gates.least_length_ratio <= ratio <= gates.most_length_ratio:
            return "short" if ratio < gates.least_length_ratio else "long"
    if _finite(figures.loop_share, "loop_share") > gates.most_loop_share:
        return "loop"
    if _finite(figures.silence_share, "silence_share") > gates.most_silence:
        return "silent"
    if _finite(figures.level_db, "level_db") < gates.least_level_db:
        return "quiet"
    return "copied" if _finite(figures.copied, "copied") > gates.most_copied else ""


def reward_of(figures: Figures, trusted: bool, settings: RewardSettings) -> Reward:
    """Gates first, then the weighted sum of the parts. `trusted`: the recogniser is, in the language of the sample.

    A part without weight, and content where the recogniser is untrusted, needs no figure. Raises `ValueError` for a figure
    that counts and is missing, not finite, or no error rate.
    """
    gate = gate_of(figures, settings)
    if gate:
        return Reward(0.0, {}, gate)
    weights = _weights(trusted, settings)
    parts = {name: _part(name, figures, settings) for name in weights}
    return Reward(min(1.0, sum(weight * parts[name] for name, weight in weights.items())), parts, "")


def _weights(trusted: bool, settings: RewardSettings) -> dict[str, float]:
    """Weight of each part that counts."""
    weights = {"content": settings.content if trusted else 0.0}
    weights |= {"similarity": settings.similarity, "quality": settings.quality}
    if not trusted and settings.untrusted == "renormalise":
        rest = settings.similarity + settings.quality
        weights = {name: weight / rest for name, weight in weights.items()}
    return {name: weight for name, weight in weights.items() if weight > 0}


def _part(name: str, figures: Figures, settings: RewardSettings) -> float:
    if name == "similarity":
        return worth(settings.similarity_curve, _finite(figures.similarity, name))
    if name == "quality":
        return worth(settings.quality_curve, _finite(figures.quality, name))
    content, share = 0.0, settings.likelihood
    if share < 1:
        errors = _finite(figures.errors, "errors")
        if errors < 0:
            raise ValueError(f"errors is {errors}; an error rate is 0 or more")
        content += (1 - share) * worth(settings.content_curve, errors)
    if share > 0:
        content += share * worth(settings.likelihood_curve, _finite(figures.likelihood, "likelihood"))
    return content


def _finite(figure: float | None, name: str) -> float:
    if figure is None or not math.isfinite(figure):
        raise ValueError(f"{name} is {figure}; a figure that counts is a finite number, else its judge has failed")
    return figure
