"""What should make somebody look: sanity limits that a checkpoint breaks, per language with the items, and what was not evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vaak.evaluate.panel_figures import Figures, Point, Points
from vaak.languages import LANGUAGES
from vaak.page import Cell, alarm, details, table
from vaak.score.sanity import SILENT

# SPEC E3 in figures. Speech has pauses, so silence is counted in items: those that are silent for more than SILENT.
STOP_RATE, LOOP_SHARE, SILENT_ITEMS = 0.99, 0.01, 0.01
# A line names so many items, then how many more; a page lists so many alarms, then says how many older there are.
_NAMED, _LISTED = 8, 3000


@dataclass(frozen=True)
class Alarm:
    """A limit that a checkpoint breaks in a language: `what` is measured, its value and limit in words, the items at fault."""

    step: int
    language: str
    what: str
    value: float
    limit: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class _Check:
    metric: str
    what: str
    limit: str
    at_fault: Callable[[Point], bool]
    figure: Callable[[Sequence[Point]], float]
    holds: Callable[[float], bool]


def _mean(points: Sequence[Point]) -> float:
    return sum(point.value for point in points) / len(points)


def _silent(points: Sequence[Point]) -> float:
    return sum(point.value > SILENT for point in points) / len(points)


def _voiceless(points: Sequence[Point]) -> float:
    return sum(point.value < 1 - SILENT for point in points) / len(points)


_CHECKS = (
    _Check("crashed", "crashed", "above 0", lambda p: p.value > 0, _mean, lambda v: v == 0),
    _Check("stopped", "stop rate", f"below {STOP_RATE}", lambda p: p.value < 1, _mean, lambda v: v >= STOP_RATE),
    _Check(
        "loop_share",
        "share of codes in loops",
        f"above {LOOP_SHARE}",
        lambda p: p.value > LOOP_SHARE,
        _mean,
        lambda v: v <= LOOP_SHARE,
    ),
    _Check(
        "silence_share",
        f"share of items that are silent for more than {SILENT:.0%}",
        f"above {SILENT_ITEMS}",
        lambda p: p.value > SILENT,
        _silent,
        lambda v: v <= SILENT_ITEMS,
    ),
    _Check(
        "voice_share",
        f"share of items without a voice for more than {SILENT:.0%}",
        f"above {SILENT_ITEMS}",
        lambda p: p.value < 1 - SILENT,
        _voiceless,
        lambda v: v <= SILENT_ITEMS,
    ),
    _Check("invalid_rate", "share of ids that are no codes", "above 0", lambda p: p.value > 0, _mean, lambda v: v == 0),
)


def find_alarms(figures: Figures) -> list[Alarm]:
    """Every limit that an evaluated checkpoint breaks, over all items that it was measured on; the newest checkpoint first."""
    found = []
    for one in reversed(figures.evaluations):
        for check in _CHECKS:
            for language, points in sorted(figures.points(one.checkpoint_id, check.metric).items()):
                found += _judged(check, one.step, language, points)
    return found


def _judged(check: _Check, step: int, language: str, points: Points) -> list[Alarm]:
    value = check.figure(list(points.values()))
    if check.holds(value):
        return []
    items = tuple(item for item, point in points.items() if check.at_fault(point))
    return [Alarm(step, language, check.what, value, check.limit, items)]


def alarm_parts(
    alarms: Sequence[Alarm], newest: int | None, missing: Sequence[int], others: Sequence[str]
) -> list[Markup]:
    """The section: the newest checkpoint's alarms in full, those of older ones in a table.

    `newest` is the step of the newest evaluated checkpoint, None if there is none; `missing` are the steps of complete
    checkpoints without a finished evaluation; `others` are sentences about the evaluation itself.
    """
    parts = [alarm("warning", sentence) for sentence in others]
    if missing:
        parts.append(
            alarm(
                "warning",
                f"{len(missing):,} complete checkpoint{'s have' if len(missing) > 1 else ' has'} no finished evaluation on "
                f"this pack: {_steps(missing)}",
            )
        )
    now = [one for one in alarms if one.step == newest]
    before = [one for one in alarms if one.step != newest]
    parts += _of_newest(now)
    if newest is None:
        parts.append(
            alarm("note", "no checkpoint of this run has been evaluated on this pack, so nothing could break a limit")
        )
    elif not now:
        parts.append(
            alarm("good", f"the newest evaluated checkpoint, step {newest:,}, breaks no limit in any language")
        )
    if before:
        parts.append(details(f"Limits that older checkpoints broke: {len(before):,}", *_older(before)))
    return parts


def _of_newest(alarms: Sequence[Alarm]) -> list[Markup]:
    """A line for each limit: the checkpoint, and each language with its value and items."""
    by_limit: dict[tuple[str, str], list[Alarm]] = {}
    for one in alarms:
        by_limit.setdefault((one.what, one.limit), []).append(one)
    parts = []
    for (what, limit), broken in by_limit.items():
        count = len({one.language for one in broken})
        where = "; ".join(f"{LANGUAGES[one.language].name} {one.value:.3f} ({_named(one.items)})" for one in broken)
        words = f"step {broken[0].step:,}: {what} {limit} in {count} language{'s' if count > 1 else ''}: {where}"
        parts.append(alarm("error" if what == "crashed" else "warning", words))
    return parts


def _older(alarms: Sequence[Alarm]) -> list[Markup | str]:
    rows = [
        (
            one.step,
            LANGUAGES[one.language].name,
            one.what,
            Cell(one.value, f"{one.value:.3f}"),
            one.limit,
            len(one.items),
            _named(one.items),
        )
        for one in alarms[:_LISTED]
    ]
    columns = ["step", "language", "what", "value", "limit", "items at fault", "which"]
    left = len(alarms) - len(rows)
    said = [f"The {left:,} alarms of the oldest checkpoints among these are not listed."] if left else []
    return [table(rows, columns, caption="Broken limits, the newest checkpoint first"), *said]


def _named(items: Sequence[str]) -> str:
    more = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _steps(steps: Sequence[int]) -> str:
    words = [f"step {step:,}" for step in steps]
    more = len(words) - 2 * _NAMED
    return ", ".join(words) if more <= 0 else ", ".join([*words[:_NAMED], f"… {more:,} more …", *words[-_NAMED:]])
