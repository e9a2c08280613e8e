"""What a page says of an aligned run: its reward beside the judges that it is not made of, and where the two part."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from vaak.evaluate.held_out_changes import Change, Comparison, Judge, alarms_of, change_of, margin_words, words_of
from vaak.evaluate.panel_figures import EVERY
from vaak.languages import LANGUAGES
from vaak.page import Cell, alarm, table

_COLUMNS = ["languages", "figure", "items", "before", "after", "change", "95% interval", "margin", "verdict"]


def held_out_alarms(compared: Sequence[Comparison]) -> list[Markup]:
    """A line for all languages, or one of them, in which the reward rises and a held-out judge falls."""
    return [alarm("error", words_of(one), "Reward up, others down") for one in alarms_of(compared)]


def held_out_parts(compared: Sequence[Comparison]) -> list[Markup | str]:
    """The first checkpoint against the newest, judge by judge; an empty list without such a comparison."""
    if not compared:
        return []
    one = compared[0]
    said: list[Markup | str] = [
        f"Step {one.first:,}, the first that held-out judges heard, against step {one.newest:,}, on the items of both. A judge "
        "gets worse where it changes by more than its margin, and the 95% interval of the paired change (a bootstrap over "
        "items) holds nothing but change for the worse. With few items a change may be missed. An item counts at most as many "
        "errors as it has words; figures of sound are of items with speech in both checkpoints."
    ]
    if not alarms_of(compared):
        rise = (
            "the reward rises and no held-out judge gets worse"
            if one.rises
            else "the reward does not rise beyond doubt"
        )
        said.append(alarm("good" if one.rises else "note", f"in all languages together {rise}"))
    return [*said, table(_rows(compared), _COLUMNS, caption="The reward and the judges that it is not made of")]


def _rows(compared: Sequence[Comparison]) -> list[tuple[str | int | Cell, ...]]:
    rows: list[tuple[str | int | Cell, ...]] = []
    for one in compared:
        where = "all" if one.language == EVERY else LANGUAGES[one.language].name
        rows.append((where, "reward", *_numbers(one.reward, None), "–", "rises" if one.rises else "not beyond doubt"))
        rows.append((where, "items in which nothing was said", *_numbers(one.silent, None), "–", "–"))
        for judge, change in one.judges.items():
            verdict = "gets worse" if judge in one.fallen else "holds"
            rows.append((where, judge.name, *_numbers(change, judge), margin_words(judge), verdict))
    return rows


def _numbers(change: Change, judge: Judge | None) -> tuple[int | Cell | str, ...]:
    by, low, high = change_of(judge, change)
    return (
        change.items,
        Cell(change.before, f"{change.before:.3f}"),
        Cell(change.after, f"{change.after:.3f}"),
        Cell(change.change, by),
        f"{low} to {high}",
    )
