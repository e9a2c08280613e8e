"""The sums of a voice over its sentences: words of English, sanity and sound of each language, cloned voices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from _card_measure import ORIGINAL, ROUND_TRIP
from _card_tables import Grouped, short
from _voice_measure import GENERATED, WRONG_TEXT, Cloned, Measured

from vaak.evaluate.items import is_cloned
from vaak.score.error_rate import bootstrap_interval, total
from vaak.score.sanity import duration_ratio, loop_share, repeat_rate, stop_rate

# The words of a good voice: at most half more errors than the codec makes, and five words in a hundred.
FACTOR, SLACK = 1.5, 0.05
# A natural pace: how long generated speech is, beside its recording.
PACE = (0.8, 1.25)
CONDITIONS = (ORIGINAL, ROUND_TRIP, GENERATED, WRONG_TEXT)
_SOUNDS = ("n", "mel-DTW dB", "round trip's", "wrong text's", "way to wrong", "similarity", "round trip's", "ratio")
_SPEECH = ("n", "stopped", "repeats", "recording's", "in loops", "silence", "round trip's", "length", "0.8–1.25")

Groups = dict[str, list[Measured]]


def is_strange(one: Measured) -> bool:
    """Whether training never heard the voice."""
    return not one.sentence.prompt.seen_voice


def english_groups(measured: Sequence[Measured]) -> Groups:
    """Who is summed together: voices that training heard, by source, by rare words, by voice; the others by themselves."""
    english = [one for one in measured if one.words]
    heard = [one for one in english if not is_strange(one)]
    groups: Groups = {"heard voices": heard}
    groups |= _by(heard, lambda one: f"source {one.sentence.source}")
    rare = _by([one for one in heard if one.sentence.rare is not None], _rareness)
    groups |= rare if len(rare) > 1 else {}
    groups |= _by(heard, lambda one: f"voice {one.sentence.prompt.speaker}")
    groups |= _by(
        [one for one in english if is_strange(one)], lambda one: f"{one.sentence.prompt.speaker}, {_kind(one)}"
    )
    return {name: some for name, some in groups.items() if some}


def language_groups(measured: Sequence[Measured]) -> Groups:
    """By language, voices that training never heard by themselves behind it."""
    return _by(sorted(measured, key=is_strange), _language_and_kind, order=[one.language for one in measured])


def _language_and_kind(one: Measured) -> str:
    return f"{one.language}, {_kind(one)}" if is_strange(one) else one.language


def _kind(one: Measured) -> str:
    return "cloned" if is_cloned(one.sentence.prompt) else "never heard"


def _rareness(one: Measured) -> str:
    return "with held-out words" if one.sentence.rare else "without held-out words"


def _by(measured: Sequence[Measured], name: Callable[[Measured], str], order: Sequence[str] = ()) -> Groups:
    """Groups in the order in which they are met, or in which the first word of their names stands in `order`."""
    groups: Groups = {}
    for one in measured:
        groups.setdefault(name(one), []).append(one)
    if not order:
        return groups
    return dict(sorted(groups.items(), key=lambda item: order.index(item[0].split(",")[0])))


def rate(measured: Sequence[Measured], condition: str) -> float:
    """Word errors by words in one condition; NaN where nothing was heard in it."""
    counts = [one.words[condition] for one in measured if condition in one.words]
    return total(counts).rate if counts else math.nan


def limit(measured: Sequence[Measured]) -> float:
    return FACTOR * rate(measured, ROUND_TRIP) + SLACK


def words_table(groups: Groups) -> Grouped:
    """WER with its interval by group and sound, and whether what was generated keeps its limit."""
    rows, starts = [], []
    for name, some in groups.items():
        there = [condition for condition in CONDITIONS if any(condition in one.words for one in some)]
        for number, condition in enumerate(there):
            counts = [one.words[condition] for one in some if condition in one.words]
            low, high = bootstrap_interval(counts)
            summed = total(counts)
            held = ("", "")
            if condition == GENERATED:
                held = (short(limit(some)), "yes" if summed.rate <= limit(some) else "no")
            interval = f"[{short(low)}, {short(high)}]"
            rows.append(
                (name if number == 0 else "", condition, str(len(counts)), str(summed.ref), short(summed.rate), interval, *held)
            )  # fmt: skip
            starts.append(number == 0)
    columns = ("sound", "n", "words", "WER", "95% interval", "limit", "kept")
    return Grouped("English words", "sentences", rows, starts, columns)


def speech_table(groups: Groups) -> Grouped:
    """Stops, repeats, silence and pace; every sentence counts, those that say nothing too."""
    rows = []
    for name, some in groups.items():
        ratios = pace(some)
        rows.append(
            (
                name,
                str(len(some)),
                percent(stop_rate([one.spoken.stopped for one in some])),
                percent(mean([repeat_rate(one.spoken.codes) for one in some])),
                percent(mean([repeat_rate(_reference(one)) for one in some])),
                percent(mean([loop_share(one.spoken.codes) for one in some])),
                *(percent(mean([one.silence[condition] for one in some])) for condition in (GENERATED, ROUND_TRIP)),
                short(float(np.median(ratios)) if ratios else math.nan),
                percent(in_pace(some)),
            )
        )
    return Grouped("Speech", "sentences", rows, [False] * len(rows), _SPEECH, 1)


def sound_table(groups: Groups) -> Grouped:
    """Mel-DTW distance and voice similarity to the recordings that ship."""
    rows = []
    for name, some in groups.items():
        some = [one for one in some if one.mel_dtw]
        if not some:
            continue
        ours, codec, wrong = (distance(some, condition) for condition in (GENERATED, ROUND_TRIP, WRONG_TEXT))
        alike, most = alikeness(some, GENERATED), alikeness(some, ROUND_TRIP)
        way = percent((ours - codec) / (wrong - codec)) if wrong > codec else "–"
        distances = (short(ours, 1), short(codec, 1), short(wrong, 1), way)
        rows.append((name, str(len(some)), *distances, short(alike), short(most), short(ratio(alike, most))))
    return Grouped("Sound, where the recording ships", "sentences", rows, [False] * len(rows), _SOUNDS, 1)


def cloned_table(cloned: Sequence[Cloned]) -> Grouped:
    rows = []
    for one in cloned:
        figures = [
            short(mean(side[condition])) for condition in (GENERATED, ROUND_TRIP) for side in (one.own, one.nearest)
        ]
        rows.append(
            (f"{one.speaker} ({one.language})", str(len(one.own[GENERATED])), *figures, one.name, percent(nearer(one)))
        )
    columns = (
        "n",
        "generated, to it",
        "to the nearest heard",
        "round trip, to it",
        "to the nearest heard",
        "which",
        "nearer to it",
    )
    return Grouped("Cloned voices", "voice", rows, [False] * len(rows), columns, 1)


def pace(measured: Sequence[Measured]) -> list[float]:
    """Generated over recorded length of every sentence whose recording has one."""
    return [duration_ratio(*one.codes) for one in measured if one.codes[1]]


def in_pace(measured: Sequence[Measured]) -> float:
    return mean([float(PACE[0] <= value <= PACE[1]) for value in pace(measured)])


def distance(measured: Sequence[Measured], condition: str) -> float:
    """Mean mel-DTW distance in dB to the recordings; NaN without any."""
    return mean([one.mel_dtw[condition] for one in measured if condition in one.mel_dtw])


def alikeness(measured: Sequence[Measured], condition: str) -> float:
    return mean([one.similarity[condition] for one in measured if condition in one.similarity])


def nearer(one: Cloned) -> float:
    """Share of cloned sentences that are nearer to their own voice than to any voice of training."""
    return mean([float(a > b) for a, b in zip(one.own[GENERATED], one.nearest[GENERATED], strict=True)])


def ratio(value: float, most: float) -> float:
    return value / most if most else math.nan


def mean(values: Sequence[float]) -> float:
    """Of those that are numbers (a recording without sound has no distance); NaN without any."""
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


def percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}"


def _reference(one: Measured) -> np.ndarray:
    codes = one.sentence.prompt.reference_codes
    return np.zeros(0, np.uint16) if codes is None else codes
