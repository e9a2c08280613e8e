"""Tables that sort by a click on a heading and read well aloud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vaak.page.axis import number


@dataclass(frozen=True)
class Cell:
    """A number that is shown in other words: sorted by `value`, shown as `text`, e.g. `Cell(0.82, "82.0%")`."""

    value: float
    text: str


def table(
    rows: Iterable[Sequence[object]], columns: Sequence[str], *, caption: str = "", sortable: bool = True
) -> Markup:
    """Rows of strings, numbers, `Cell`, `Markup` (a player, say) or None (shown as –). The first column names the row.

    Raises `ValueError` if a row has another number of cells than there are columns.
    """
    cells = [[_cell(value) for value in _checked(row, len(columns))] for row in rows]
    numeric = [
        any(row[at][1] is not None for row in cells)
        and all(row[at][1] is not None or row[at][0] == "–" for row in cells)
        for at in range(len(columns))
    ]
    heads = [
        Markup('<th scope="col"{}>{}</th>').format(
            Markup(' class="number"') if numeric[at] else "",
            Markup('<button type="button">{}</button>').format(name) if sortable else name,
        )
        for at, name in enumerate(columns)
    ]
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table{}>{}'
        "<thead><tr>{}</tr></thead><tbody>\n{}\n</tbody></table></div>"
    ).format(
        caption or "Table",
        Markup(' class="sortable"') if sortable else "",
        Markup("<caption>{}</caption>").format(caption) if caption else "",
        Markup("").join(heads),
        Markup("\n").join(_row(row, numeric) for row in cells),
    )


def _checked(row: Sequence[object], width: int) -> Sequence[object]:
    if len(row) != width:
        raise ValueError(f"a row has {len(row)} cells where the table has {width} columns: {row!r}")
    return row


def _row(cells: Sequence[tuple[str, str | None]], numeric: Sequence[bool]) -> Markup:
    # Joined from escaped strings: a page with hundreds of long tables spends its time here, and `Markup.format` costs ten
    # times as much a cell.
    html = []
    for at, (text, sort) in enumerate(cells):
        tag = 'th scope="row"' if at == 0 else "td"
        attributes = ' class="number"' if numeric[at] else ""
        if sort is not None:
            attributes += f' data-sort="{escape(sort)}"'
        html.append(f"<{tag}{attributes}>{escape(text)}</{tag[:2]}>")
    return Markup(f"<tr>{''.join(html)}</tr>")


def _cell(value: object) -> tuple[str, str | None]:
    """(what is shown, the number that it sorts by or None)."""
    if value is None:
        return "–", None
    if isinstance(value, Cell):
        return value.text, repr(float(value.value))
    if isinstance(value, bool):
        return ("yes" if value else "no"), None
    if hasattr(value, "item"):  # a scalar of numpy
        value = value.item()  # type: ignore[attr-defined]
    if isinstance(value, int | float):
        return number(value), repr(value) if value == value else None
    return value if isinstance(value, Markup) else str(value), None
