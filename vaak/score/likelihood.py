"""How probable a text is to a recogniser, given the sound: what an error rate cannot say, since that counts whole words.

Log-likelihoods are means over the tokens of the text, so that a long text is not worse than a short one, and never below
`LEAST`: a text that is impossible (a wave too short for it) is a bad figure, not a missing one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

# Nats a token. A guess among all 50,000 tokens of Whisper has -10.8.
LEAST = -20.0


class GivesLikelihood(Protocol):
    """A recogniser that says, in the languages `scored`, how probable a text is."""

    scored: frozenset[str]

    def likelihood(self, wave: np.ndarray, rate: int, language: str, text: str) -> float:
        """Mean log-probability of a token of `text` given `wave` (float32[T], `rate` Hz): nats, `LEAST` to 0.0.

        Raises `BadInput` for another language, or a text without a token.
        """
        ...


def scored_languages(recogniser: object) -> frozenset[str]:
    """The languages in which a recogniser gives likelihoods; none for one that is no `GivesLikelihood`."""
    return getattr(recogniser, "scored", frozenset())


def ctc_log_likelihood(log_probabilities: np.ndarray, text: str, pieces: Sequence[str]) -> tuple[float, int]:
    """(log-probability that CTC outputs `text`, fewest pieces that spell it): -inf where `text` cannot come out.

    log_probabilities: float[frames, n], natural, the last class is the blank; pieces: n - 1 or more strings. Summed over every
    path (Graves et al. 2006, forward variables) of every sequence of pieces that spells the text, for there are many and
    which one the recogniser learned stands in no file of it. A state is a piece at a place of the text, or the blank at a place.
    """
    arcs = [
        (start, start + len(piece), i)
        for start in range(len(text))
        for i, piece in enumerate(pieces[: log_probabilities.shape[1] - 1])
        if piece and text.startswith(piece, start)
    ]
    fewest = _fewest(arcs, len(text))
    if fewest is None:
        return -np.inf, 0
    starts, ends, classes = np.array(arcs, dtype=np.int64).reshape(-1, 3).T
    # From one arc to the next without a blank between: where one ends the other begins, and it is another piece.
    before, after = np.nonzero((ends[:, None] == starts[None, :]) & (classes[:, None] != classes[None, :]))
    blanks, spoken = np.full(len(text) + 1, -np.inf), np.full(len(arcs), -np.inf)
    blanks[0] = 0.0  # before the first frame nothing is said
    for frame in np.asarray(log_probabilities, np.float64):
        going = np.logaddexp(spoken, blanks[starts])
        np.logaddexp.at(going, after, spoken[before])
        np.logaddexp.at(blanks, ends, spoken)
        spoken, blanks = going + frame[classes], blanks + frame[-1]
    np.logaddexp.at(blanks, ends, spoken)
    return float(blanks[-1]), fewest


def _fewest(arcs: list[tuple[int, int, int]], length: int) -> int | None:
    """Fewest arcs from place 0 to `length`; None where there is no way."""
    steps = [0, *[None] * length]
    for start, end, _ in arcs:  # by their starts, so what leads to a start is known
        if steps[start] is not None and (steps[end] is None or steps[start] + 1 < steps[end]):
            steps[end] = steps[start] + 1
    return steps[length]
