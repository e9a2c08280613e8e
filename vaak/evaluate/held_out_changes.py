"""Whether a run gets better at pleasing its judges and worse for others: one checkpoint against another, item by item.

The first evaluated checkpoint of an aligned run, which saves its step 0, against its newest, on the items that both have.
It is an alarm where the reward rises and a held-out judge falls. The reward rises where the 95% interval of the paired
difference lies above zero. A judge falls where its difference is beyond its margin, and the interval of the difference all
on that side of zero. Simulated on forty items of about ten words and without any change, the mean alone passes a margin of
.02 in 27 of 100 runs, and both conditions hold in 1 or 2.

Silence is no flat voice and no bad sound: judges of sound compare items with speech in both, and how often nothing was said
is a figure of its own, which the word error rate counts already. One item has at most as many errors as it has words, as in
the reward: what a recogniser makes up in one item would else move the rate of all by more than its margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vaak.evaluate.outbox import Entry
from vaak.evaluate.panel_figures import EVERY, MEDIANS, evaluations_of
from vaak.evaluate.recognition import ALL_COUNTED, COUNTED, HELD_OUT_COUNTED, counts_of, held_out_figure, trusted_with
from vaak.evaluate.rewards import reward_rows
from vaak.evaluate.store import Result, Results
from vaak.languages import LANGUAGES
from vaak.score.reward_settings import RewardSettings
from vaak.score.sanity import MIN_SPEECH_SHARE

# Fewer items in common than this say nothing of a language, or of all.
LEAST_ITEMS = 16
# What a tracker is told of a comparison, 1.0 or 0.0; an entry with it is of two checkpoints.
ALARM = "evaluate/held_out/alarm"
_DRAWS, _SEED, _LEVEL = 1000, 0, 0.95
# The metric of silences, told from the rows and kept nowhere: 1.0 for an item in which nothing was said.
_SILENT = "silent"


@dataclass(frozen=True)
class Judge:
    """How far a held-out figure may change: `margin` in its own unit, or as a share of what it was (`relative`). worse: +1
    where more is worse, -1 where less is, 0 where both are."""

    metric: str
    name: str
    margin: float
    worse: int
    relative: bool = False


JUDGES = (
    Judge("held_out_wer", "word error rate of the held-out recogniser", 0.02, +1),
    Judge("held_out_cer", "error rate of written units of the held-out recogniser", 0.02, +1),
    Judge("plcmos", "PLCMOS", 0.10, -1),
    Judge("utmos", "UTMOS", 0.10, -1),
    Judge("f0_spread", "spread of the pitch", 0.10, -1, relative=True),
    Judge("speaking_rate", "speaking rate", 0.10, 0, relative=True),
)
# The others listen to sound, and have a figure for silence too that says nothing of speech.
_OF_SOUND = {judge.metric for judge in JUDGES} - HELD_OUT_COUNTED.keys()


@dataclass(frozen=True)
class Change:
    """A figure `before` and `after` on the same `items`; `change` is their difference, of a relative judge its share of
    `before`, with its 95% interval `low` to `high`."""

    before: float
    after: float
    change: float
    low: float
    high: float
    items: int


@dataclass(frozen=True)
class Comparison:
    """What changed in a language (`EVERY`: in all together) between the checkpoints of two steps. silent: the share of items
    in which nothing was said; it has no margin."""

    language: str
    first: int
    newest: int
    newest_id: str
    reward: Change
    silent: Change
    judges: dict[Judge, Change]

    @property
    def rises(self) -> bool:
        """Whether the reward rises beyond doubt."""
        return self.reward.low > 0

    @property
    def fallen(self) -> list[Judge]:
        """Judges that fall beyond their margins and beyond doubt."""
        return [judge for judge, change in self.judges.items() if is_beyond(judge, change)]

    @property
    def is_alarm(self) -> bool:
        return self.rises and bool(self.fallen)


def is_beyond(judge: Judge, change: Change) -> bool:
    """Whether a change for the worse is larger than the judge's margin and its interval holds nothing but change for the worse."""
    worse = (judge.worse,) if judge.worse else (+1, -1)
    return any(
        side * change.change > judge.margin + 1e-9 and min(side * change.low, side * change.high) > 0 for side in worse
    )


def compare_run(
    results: Results, pack_id: str, run: str, settings: RewardSettings, also: dict | None = None
) -> list[Comparison]:
    """The first against the newest checkpoint of `run` (what ids begin with) that held-out judges heard on this pack: all
    items together, then each language with enough of them if there are several; empty without two such checkpoints or without `LEAST_ITEMS`.

    also: a row of `Results.finished` that is about to be written.
    """
    finished = [*results.finished(pack_id), *([also] if also else [])]
    evaluations, _ = evaluations_of(finished, run, [])
    first = _heard(results, pack_id, [one.checkpoint_id for one in evaluations])
    newest = _heard(results, pack_id, [one.checkpoint_id for one in reversed(evaluations)])
    if not first or not newest or first[0].checkpoint_id == newest[0].checkpoint_id:
        return []
    steps = {one.checkpoint_id: one.step for one in evaluations}
    pair = _of_one_version(first, newest)
    # Of the newest: what the first was not measured with yet leaves its items out, and does not change what the reward is.
    trusted = trusted_with(results, pair[1], COUNTED)
    believed = trusted_with(results, pair[1], HELD_OUT_COUNTED)
    before, after = (
        _table([*reward_rows(rows, trusted, settings), *_silent_rows(rows), *rows], believed) for rows in pair
    )
    languages = sorted({row.language for row in pair[0]})
    found = (
        _compared(language, before, after, steps[first[0].checkpoint_id], steps[newest[0].checkpoint_id], newest[0])
        for language in [EVERY, *(languages if len(languages) > 1 else [])]
    )
    return [one for one in found if one is not None]


def alarms_of(compared: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons that are alarms: of all languages together, and of each in which a judge falls that does not there."""
    said: set[Judge] = set()
    found = []
    for one in compared:
        if one.is_alarm and not said.issuperset(one.fallen):
            found.append(one)
            said |= set(one.fallen) if one.language == EVERY else set()
    return found


def words_of(one: Comparison) -> str:
    """An alarm as a sentence."""
    where = "all languages" if one.language == EVERY else LANGUAGES[one.language].name
    falls = "; ".join(f"{judge.name} {change_words(judge, one.judges[judge])}" for judge in one.fallen)
    reward = f"{one.reward.before:.3f} → {one.reward.after:.3f}"
    silences = f"; nothing was said in {one.silent.before:.1%} → {one.silent.after:.1%} of the items"
    silences = silences if one.silent.before or one.silent.after else ""
    return (
        f"step {one.newest:,} against step {one.first:,}, {where}, {one.reward.items} items: the reward rises ({reward}) while "
        f"judges that it is not made of get worse: {falls}{silences}. The model may please its judges and speak worse; listen "
        "before it goes on"
    )


def change_words(judge: Judge, change: Change) -> str:
    """A change with its interval and margin."""
    by, low, high = change_of(judge, change)
    return f"{change.before:.3f} → {change.after:.3f} ({by}, {low} to {high}, margin {margin_words(judge)})"


def change_of(judge: Judge | None, change: Change) -> tuple[str, str, str]:
    """A change and the ends of its interval as words; of a relative judge in percent. None: of the reward."""
    numbers = (change.change, change.low, change.high)
    by, low, high = (f"{one:+.1%}" if judge is not None and judge.relative else f"{one:+.3f}" for one in numbers)
    return by, low, high


def margin_words(judge: Judge) -> str:
    sign = {+1: "+", -1: "-", 0: "±"}[judge.worse]
    return f"{sign}{judge.margin:.0%}" if judge.relative else f"{sign}{judge.margin:.2f}"


def change_entries(comparisons: Sequence[Comparison], pack_id: str, instruments: str) -> list[Entry]:
    """What trackers are told at the step of the newest checkpoint: whether there is an alarm, the alarms in words, and each
    change in all items together. One entry for each pair of checkpoints; none without a comparison."""
    if not comparisons:
        return []
    alarms = [words_of(one) for one in alarms_of(comparisons)]
    newest = comparisons[0]
    values: dict[str, float | str] = {"evaluate/step": newest.newest, "evaluate/checkpoint": newest.newest_id}
    values |= {"evaluate/held_out/first_step": newest.first, ALARM: float(bool(alarms))}
    values |= {"evaluate/held_out/alarm_text": " · ".join(alarms)} if alarms else {}
    for one in comparisons:
        if one.language == EVERY:
            values["evaluate/held_out/change/reward"] = one.reward.change
            values["evaluate/held_out/change/silent"] = one.silent.change
            values |= {f"evaluate/held_out/change/{judge.metric}": was.change for judge, was in one.judges.items()}
    key = f"{newest.newest_id} against {newest.first} {pack_id} {instruments} {newest.reward.items}"
    return [Entry(key, newest.newest, values)]


def _heard(results: Results, pack_id: str, identities: Sequence[str]) -> list[Result]:
    """Rows of the first of these checkpoints that held-out judges heard."""
    for identity in identities:
        rows = results.read(identity, pack_id)
        if any(row.metric == "f0_spread" for row in rows):
            return rows
    return []


def _of_one_version(first: Sequence[Result], newest: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """The rows of both in the version of each metric that the newest was measured with last."""
    version = {row.metric: row.metric_version for row in newest}
    kept = [[row for row in rows if version.get(row.metric) == row.metric_version] for rows in (first, newest)]
    return kept[0], kept[1]


def _silent_rows(rows: Sequence[Result]) -> list[Result]:
    return [
        replace(row, metric=_SILENT, value=float(row.value > 1 - MIN_SPEECH_SHARE), detail={})
        for row in rows
        if row.metric == "silence_share"
    ]


_Table = dict[str, dict[str, Result]]  # metric -> item -> row


def _table(rows: Sequence[Result], believed: frozenset[str]) -> _Table:
    """Without what a held-out recogniser heard in a language in which it is not trusted."""
    table: _Table = {}
    for row in rows:
        if row.metric not in HELD_OUT_COUNTED or row.language in believed:
            table.setdefault(row.metric, {})[row.item] = row
    return table


def _compared(
    language: str, before: _Table, after: _Table, first: int, newest: int, of_newest: Result
) -> Comparison | None:
    def change(metric: str, relative: bool = False) -> Change | None:
        pair = [table.get(metric, {}) for table in (before, after)]
        items = [item for item, row in pair[0].items() if item in pair[1] and language in (EVERY, row.language)]
        # A language's own error rate is over its own units: those of English in words, of Indic ones in written units.
        if metric in HELD_OUT_COUNTED:
            items = [item for item in items if metric == held_out_figure(pair[0][item].language)]
        elif metric in _OF_SOUND:
            items = [item for item in items if all(_speaks(table, item) for table in (before, after))]
        if len(items) < LEAST_ITEMS:
            return None
        return _change(metric, [[rows[item] for item in items] for rows in pair], relative)

    reward, silent = change("reward"), change(_SILENT)
    if reward is None or silent is None:
        return None
    judged = {judge: change(judge.metric, judge.relative) for judge in JUDGES}
    judges = {judge: one for judge, one in judged.items() if one is not None}
    return Comparison(language, first, newest, of_newest.checkpoint_id, reward, silent, judges)


def _speaks(table: _Table, item: str) -> bool:
    row = table[_SILENT].get(item)
    return row is not None and not row.value


def _change(metric: str, pair: Sequence[Sequence[Result]], relative: bool) -> Change:
    """The paired percentile bootstrap: every draw has the same items of both checkpoints."""
    count = len(pair[0])
    picks = np.random.default_rng(_SEED).integers(0, count, size=(_DRAWS, count))
    everything = np.arange(count)[None]
    (before, after), (drawn_before, drawn_after) = (
        [_centres(metric, rows, which) for rows in pair] for which in (everything, picks)
    )

    def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return (other - one) / np.maximum(one, 1e-9) if relative else other - one

    low, high = np.quantile(difference(drawn_before, drawn_after), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    by = float(difference(before, after)[0])
    return Change(float(before[0]), float(after[0]), by, float(low), float(high), count)


def _centres(metric: str, rows: Sequence[Result], picks: np.ndarray) -> np.ndarray:
    """The figure of each draw of items: picks int[draws, n] to float64[draws]; a rate of summed counts (no
    item has more errors than units), a median or a mean."""
    if metric in ALL_COUNTED:
        counts = [counts_of(row) for row in rows]
        errors, units = np.array([(min(one.errors, one.ref), one.ref) for one in counts], np.float64).T
        return errors[picks].sum(1) / np.maximum(units[picks].sum(1), 1)
    values = np.array([row.value for row in rows], np.float64)[picks]
    return np.median(values, axis=1) if metric in MEDIANS else values.mean(1)
