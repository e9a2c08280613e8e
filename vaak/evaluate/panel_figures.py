"""Figures of a run's checkpoints over steps: every metric per language on the same items, with intervals and references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vaak.evaluate.recognition import (
    ALL_COUNTED,
    COUNTED,
    HELD_OUT_COUNTED,
    ORIGINAL,
    counts_of,
    recogniser_of,
    trusted_languages,
    trusted_with,
)
from vaak.evaluate.reference import WRONG_TEXT, round_trip_id
from vaak.evaluate.rewards import reward_rows
from vaak.evaluate.store import Result, Results, newest_versions
from vaak.score.reward_settings import RewardSettings

# Draws of the bootstrap, and its seed: those of `vaak.score.error_rate.bootstrap_interval`, so that figures agree.
_DRAWS, _SEED, _LEVEL = 1000, 0, 0.95
# Checkpoints whose medians are drawn at once: it bounds the memory.
_AT_ONCE = 32
# The order in which a page shows them; a metric that is not here comes after.
METRICS = (
    "wer", "cer", "code_point_cer", "wrong_script", "stopped", "truncated", "duration_ratio", "loop_share", "repeat_rate",
    "ngram_repetition", "silence_share", "voice_share", "dnsmos", "utmos", "similarity", "reward", "held_out_wer",
    "held_out_cer", "plcmos", "f0_spread", "speaking_rate", "crashed", "invalid_rate", "copied", "level_db",
)  # fmt: skip
# Metrics whose figure over items is the median; of an error rate it is that of summed counts, of all else the mean.
MEDIANS = ("duration_ratio", "speaking_rate")
EVERY = "all"  # in place of a language: the items of all of them together


@dataclass(frozen=True)
class Evaluation:
    """A checkpoint whose evaluation is finished. `level` is "full" if one of its evaluations was."""

    checkpoint_id: str
    step: int
    level: str
    items: int
    seconds: float
    finished_at: str


@dataclass(frozen=True, slots=True)
class Point:
    """One metric of one item: its value; of an error rate its edits, what they are over (`words`: of wer the reference's),
    and of wer what was heard; whether a proxy stood in."""

    value: float
    errors: int = 0
    words: int = 0
    heard: str = ""
    proxy: bool = False


Points = dict[str, Point]  # by item


@dataclass(frozen=True)
class Curve:
    """A metric over steps, at every checkpoint over the same items.

    `values`, `low`, `high` are float64 [n] at `steps` int64 [n]; the 95% interval is NaN for a single item. `proxies` is
    how many of the items have a figure against decoded codes instead of a recording. `references` maps the name of what
    no model said to its figure over those of the items that it has.
    """

    metric: str
    language: str
    steps: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    items: tuple[str, ...]
    proxies: int
    references: dict[str, float]
    trusted: bool


def evaluations_of(finished: Sequence[dict], run: str, on_disk: Iterable[str]) -> tuple[list[Evaluation], list[str]]:
    """(the run's finished evaluations by step, ids left out because another checkpoint has their step).

    `finished` is `Results.finished`, `run` the name that ids begin with, `on_disk` the ids that the run folder holds: of
    two with one step these are the run's, else the one that was evaluated last.
    """
    known = set(on_disk)
    found: dict[str, Evaluation] = {}
    for row in finished:
        name, step, _ = row["checkpoint_id"].rsplit("/", 2) if row["checkpoint_id"].count("/") > 1 else ("", "", "")
        if name != run or not step.isdigit():
            continue
        before = found.get(row["checkpoint_id"])
        if before is None or row["level"] == "full" or before.level != "full":
            found[row["checkpoint_id"]] = Evaluation(
                row["checkpoint_id"], int(step), row["level"], row["items"], row["seconds"], row["finished_at"]
            )
    by_step: dict[int, Evaluation] = {}
    for one in sorted(found.values(), key=lambda one: (one.checkpoint_id in known, one.finished_at)):
        by_step[one.step] = one
    kept = {one.checkpoint_id for one in by_step.values()}
    return [by_step[step] for step in sorted(by_step)], sorted(found.keys() - kept)


class Figures:
    """The rows of a run's evaluations and of the pack's references, read once and kept as numbers.

    `versions` names the version of each metric that is shown: the one written last in the newest evaluation that has it.
    With `reward` there is a metric "reward" of the items that have one, told by these settings.
    """

    def __init__(
        self,
        results: Results,
        pack_id: str,
        codec_hash: str,
        evaluations: Sequence[Evaluation],
        reward: RewardSettings | None = None,
    ) -> None:
        self.pack_id, self.evaluations = pack_id, list(evaluations)
        # One indexed query for each checkpoint: the work grows with their number, the memory holds one's rows.
        self._of: dict[str, dict[tuple[str, str], dict[str, Points]]] = {}
        self.versions: dict[str, str] = {}
        for one in sorted(self.evaluations, key=lambda one: one.finished_at):
            rows = results.read(one.checkpoint_id, pack_id)
            if reward is not None:
                current = newest_versions(rows)
                rows += reward_rows(current, trusted_with(results, current, COUNTED), reward)
            self.versions |= {row.metric: row.metric_version for row in rows}
            self._of[one.checkpoint_id] = _grouped(rows)
        subjects = {"original": ORIGINAL, "round trip": round_trip_id(codec_hash), "wrong text": WRONG_TEXT}
        self._references = {name: _grouped(results.read(subject, pack_id)) for name, subject in subjects.items()}
        self.trusted, self.held_out_trusted = (
            trusted_languages(results, pack_id, recogniser_of(self.versions[metric]))
            if metric in self.versions
            else frozenset()
            for metric in ("wer", "held_out_wer")
        )

    def points(self, checkpoint_id: str, metric: str) -> dict[str, Points]:
        """Language -> item -> point of one checkpoint, in the version that is shown."""
        return self._of[checkpoint_id].get((metric, self.versions.get(metric, "")), {})

    def reference(self, name: str, metric: str) -> dict[str, Points]:
        """The same of "original", "round trip" or "wrong text"."""
        return self._references[name].get((metric, self._plain(metric)), {})

    @cached_property
    def metrics(self) -> list[str]:
        known = [metric for metric in METRICS if metric in self.versions]
        return known + sorted(self.versions.keys() - set(METRICS))

    @cached_property
    def languages(self) -> list[str]:
        return sorted({code for of in self._of.values() for points in of.values() for code in points})

    def elsewhere(self, metric: str) -> list[Evaluation]:
        """Evaluations without a figure of this metric in the version that is shown."""
        return [one for one in self.evaluations if not self.points(one.checkpoint_id, metric)]

    def curve(self, metric: str, language: str) -> Curve | None:
        """One metric in one language (`EVERY`: all items together; of an error rate those of trusted languages), or None without items."""
        chosen = [(one.step, self._points_in(one.checkpoint_id, metric, language)) for one in self.evaluations]
        chosen = [(step, points) for step, points in chosen if points]
        if not chosen:
            return None
        # What was measured at every checkpoint: a quick and a full evaluation compare on these alone.
        common = set(chosen[0][1]).intersection(*(points for _, points in chosen[1:]))
        items = tuple(item for item in chosen[0][1] if item in common)
        if not items:
            return None
        table = [[points[item] for item in items] for _, points in chosen]
        values, low, high = summed(metric, table)
        proxies = max(sum(point.proxy for point in row) for row in table)
        references = {}
        for name in self._references:
            there = _in(self.reference(name, metric), language)
            row = [there[item] for item in items if item in there]
            if row:
                references[name] = float(_centre(metric, [row])[0])
        steps = np.array([step for step, _ in chosen], np.int64)
        decides = metric not in ALL_COUNTED or language == EVERY or language in self._trusted_of(metric)
        return Curve(metric, language, steps, values, low, high, items, proxies, references, decides)

    def _points_in(self, checkpoint_id: str, metric: str, language: str) -> Points:
        points = self.points(checkpoint_id, metric)
        if language == EVERY and metric in ALL_COUNTED:
            points = {code: one for code, one in points.items() if code in self._trusted_of(metric)}
        return _in(points, language)

    def _trusted_of(self, metric: str) -> frozenset[str]:
        return self.held_out_trusted if metric in HELD_OUT_COUNTED else self.trusted

    def _plain(self, metric: str) -> str:
        """The version under which references have a metric: that of generated speech without its sampling."""
        version = self.versions.get(metric, "")
        known = {v for of in self._references.values() for m, v in of if m == metric}
        return max((v for v in known if version == v or version.startswith(v + "+")), key=len, default="")


def summed(metric: str, table: Sequence[Sequence[Point]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(figure, low, high) of each row of points, float64 [n]: rows are checkpoints, columns one and the same items.

    The percentile bootstrap over items (Bisani and Ney 2004), with the same draws for every checkpoint. A rate is of
    summed counts, `MEDIANS` are medians, all else means. One item has no interval: NaN.
    """
    centre = _centre(metric, table)
    count = len(table[0])
    if count < 2:
        return centre, np.full(len(table), np.nan), np.full(len(table), np.nan)
    picks = np.random.default_rng(_SEED).integers(0, count, size=(_DRAWS, count))
    if metric in MEDIANS:
        values = _values(table)
        parts = [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
        drawn = np.concatenate([np.median(part[:, picks], axis=2) for part in parts])
    else:
        times = np.zeros((_DRAWS, count))  # how often each draw has each item
        np.add.at(times, (np.arange(_DRAWS)[:, None], picks), 1)
        if metric in ALL_COUNTED:
            errors, words = _edits(table)
            drawn = (errors @ times.T) / np.maximum(words @ times.T, 1)
        else:
            drawn = _values(table) @ times.T / count
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=1)
    return centre, low, high


def _centre(metric: str, table: Sequence[Sequence[Point]]) -> np.ndarray:
    if metric in ALL_COUNTED:
        errors, words = _edits(table)
        return errors.sum(1) / np.maximum(words.sum(1), 1)
    return np.median(_values(table), axis=1) if metric in MEDIANS else _values(table).mean(1)


def _values(table: Sequence[Sequence[Point]]) -> np.ndarray:
    return np.array([[point.value for point in row] for row in table], np.float64)


def _edits(table: Sequence[Sequence[Point]]) -> tuple[np.ndarray, np.ndarray]:
    errors = np.array([[point.errors for point in row] for row in table], np.float64)
    return errors, np.array([[point.words for point in row] for row in table], np.float64)


def _in(points: dict[str, Points], language: str) -> Points:
    if language != EVERY:
        return points.get(language, {})
    return {item: point for one in points.values() for item, point in one.items()}


def _grouped(rows: Iterable[Result]) -> dict[tuple[str, str], dict[str, Points]]:
    """(metric, version) -> language -> item -> point."""
    found: dict[tuple[str, str], dict[str, Points]] = {}
    for row in rows:
        of = found.setdefault((row.metric, row.metric_version), {}).setdefault(row.language, {})
        of[row.item] = _point(row)
    return found


def _point(row: Result) -> Point:
    if row.metric in ALL_COUNTED:
        counts = counts_of(row)
        return Point(row.value, counts.errors, counts.ref, str(row.detail.get("heard", "")))
    return Point(row.value, proxy="proxy" in str(row.detail.get("reference", "")))
