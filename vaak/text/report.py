"""What a text build came to, for programs and for people: `report.json` and `report.html` beside the corpus.

The report is a dictionary of what the build counted:

- `corpus`: `name`, `folder`, `id`; `configuration`: as it was resolved; `seconds`, `documents_per_second`
- `sources`: a row for each source and language with `source`, `language`, `read`, `kept`, `tokens`, `characters` (of what was
  kept) and `dropped`, reason -> documents
- `lengths`: `Lengths.rows()`; `examples`: `Examples.rows()`
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vaak.languages import LANGUAGES
from vaak.page import (
    Bins,
    Cell,
    KeyFigure,
    Page,
    alarm,
    bar_chart,
    details,
    grid,
    histogram,
    in_language,
    key_figures,
    table,
    tabs,
)
from vaak.storage.files import write_json
from vaak.text.document import QUARANTINED, REASONS
from vaak.text.examples import KEPT, SHOWN_CHARACTERS

# A text may turn the reading order of the page around it, or hold what a browser shows as nothing; both are spelled out.
_INVISIBLE = {point: chr(0x2400 + point) for point in range(0x20) if point not in (0x09, 0x0A)} | {
    point: f"[U+{point:04X}]" for point in (0x7F, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.json` and `report.html` into `folder`, each whole or not at all."""
    write_json(folder / "report.json", report)
    report_page(report).write(folder / "report.html")


def miscounted(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each source and language in which `read` is not `kept` and all `dropped` together."""
    found = []
    for row in sources:
        dropped = sum(row["dropped"].values())
        if row["read"] != row["kept"] + dropped:
            found.append(
                f"{row['source']}, {_name(row['language'])}: {row['read']:,} read, but {row['kept']:,} kept and "
                f"{dropped:,} dropped ({row['read'] - row['kept'] - dropped:+,})"
            )
    return found


def report_page(report: Mapping[str, Any]) -> Page:
    """The page of a report, not yet written."""
    corpus, sources = report["corpus"], report["sources"]
    page = Page(f"Text corpus {corpus['name']}", f"Corpus {str(corpus['id'])[:12]} in {corpus['folder']}.")
    _totals(page, report)
    page.section("Sources", _kept_table(sources), _reason_table(sources))
    _languages(page, sources)
    _lengths(page, report["lengths"])
    _documents(page, report["examples"])
    _configuration(page, report["configuration"])
    return page


def _totals(page: Page, report: Mapping[str, Any]) -> None:
    sources = report["sources"]
    read, kept = sum(row["read"] for row in sources), sum(row["kept"] for row in sources)
    tokens, characters = sum(row["tokens"] for row in sources), sum(row["characters"] for row in sources)
    problems = miscounted(sources)
    dropped = sum(sum(row["dropped"].values()) for row in sources)
    page.add(
        key_figures(
            [
                KeyFigure("Documents read", f"{read:,}", f"{kept:,} kept and {dropped:,} dropped", good=not problems),
                KeyFigure("Kept", _percent(kept, read).text, f"{kept:,} documents"),
                KeyFigure("Tokens", f"{tokens:,}", f"{characters:,} characters"),
                KeyFigure(
                    "Languages",
                    f"{len({row['language'] for row in sources})}",
                    f"from {len({row['source'] for row in sources})} sources",
                ),
                KeyFigure("Speed", f"{report['documents_per_second']:,.0f}/s", f"{report['seconds']:,.0f} seconds"),
            ]
        )
    )
    for problem in problems:
        page.add(alarm("error", f"{problem}. Every document must be kept or have one reason; do not use this corpus."))
    if not problems:
        page.add(
            alarm("good", "every document that was read was kept or dropped for one reason: read = kept + dropped.")
        )


def _kept_table(sources: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [
        [
            row["source"],
            _name(row["language"]),
            row["read"],
            row["kept"],
            _percent(row["kept"], row["read"]),
            row["tokens"],
            row["characters"],
        ]
        for row in sources
    ]
    columns = ["Source", "Language", "Read", "Kept", "Kept share", "Tokens", "Characters"]
    return table(rows, columns, caption="What was kept, of each source and language")


def _reason_table(sources: Sequence[Mapping[str, Any]]) -> Markup:
    reasons = _in_order(reason for row in sources for reason in row["dropped"])
    rows = [
        [row["source"], _name(row["language"]), *(row["dropped"].get(reason, 0) for reason in reasons)]
        for row in sources
    ]
    return table(
        rows,
        ["Source", "Language", *(reason.capitalize() for reason in reasons)],
        caption="Documents dropped, by the first reason that held",
    )


def _languages(page: Page, sources: Sequence[Mapping[str, Any]]) -> None:
    tokens: Counter[str] = Counter()
    read: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = defaultdict(Counter)
    for row in sources:
        tokens[row["language"]] += row["tokens"]
        read[row["language"]] += row["read"]
        dropped[row["language"]].update(row["dropped"])
    codes = _by_table(read)
    bars = {_name(code): {"tokens": float(tokens[code])} for code in codes}
    page.section("Tokens by language", bar_chart(bars, "Tokens kept", form="{:,.0f}"))
    panels = {
        _name(code): bar_chart(
            {reason: {"share": dropped[code][reason] / read[code]} for reason in _in_order(dropped[code])},
            f"{_name(code)}: share of the {read[code]:,} documents read",
            form="{:.2%}",
        )
        for code in codes
        if dropped[code].total() and read[code]
    }
    if panels:
        page.section(
            "Why documents were dropped",
            f"Those dropped as {', '.join(QUARANTINED[:-1])} or {QUARANTINED[-1]} are kept aside with their scores.",
            tabs(panels, "Languages"),
        )


def _lengths(page: Page, lengths: Mapping[str, Any]) -> None:
    panels = {}
    for code in _by_table(lengths):
        characters, tokens = lengths[code]["characters"], lengths[code]["tokens"]
        panels[_name(code)] = grid(
            *(
                histogram(
                    Bins(tuple(measure["edges"]), tuple(measure[side])),
                    f"{side.capitalize()} documents",
                    unit,
                    note=f"{sum(measure[side]):,}",
                    log=True,
                )
                for measure, side, unit in (
                    (characters, "kept", "characters"),
                    (characters, "dropped", "characters"),
                    (tokens, "kept", "tokens"),
                )
            )
        )
    if panels:
        page.section(
            "Lengths",
            "Two bars an octave; the first holds everything shorter too, the last everything longer.",
            tabs(panels, "Languages"),
        )


def _documents(page: Page, examples: Sequence[Mapping[str, str]]) -> None:
    cards: dict[str, dict[str, list[Markup]]] = defaultdict(lambda: defaultdict(list))
    for one in examples:
        cards[one["language"]][one["reason"]].append(_card(one))
    panels = {
        _name(code): Markup("\n").join(
            details(f"{reason.capitalize()}: {len(cards[code][reason])}", grid(*cards[code][reason], min_width_rem=22))
            for reason in _in_order(cards[code])
        )
        for code in _by_table(cards)
    }
    if panels:
        page.section(
            "Documents to look at",
            f"Drawn at random for each language and reason, by their ids: their first {SHOWN_CHARACTERS} characters, the kept "
            "ones as they are in the corpus.",
            tabs(panels, "Languages"),
        )


def _card(one: Mapping[str, str]) -> Markup:
    detail = Markup('<p class="aside">{}</p>').format(_visible(one["detail"])) if one["detail"] else ""
    text = in_language(_visible(one["text"]), one["language"])
    return Markup(
        '<div class="card"><p class="aside" style="overflow-wrap:anywhere">{}: {}</p>{}'
        '<p style="white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate">{}</p></div>'
    ).format(one["source"], _visible(one["document_id"]), detail, text)


def _configuration(page: Page, configuration: Mapping[str, Any]) -> None:
    page.section("Configuration", table(_flat(configuration), ["Setting", "Value"], sortable=False))


def _flat(value: Any, path: str = "") -> list[list[str]]:
    """Settings in dotted names, each with its value in words."""
    if isinstance(value, Mapping) and value:
        return [row for key, one in value.items() for row in _flat(one, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        return [row for at, one in enumerate(value) for row in _flat(one, f"{path}[{at}]")]
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return [[path, "–" if value is None or words == "" else _visible(words)]]


def _visible(text: str) -> str:
    return text.translate(_INVISIBLE)


def _percent(part: int, whole: int) -> Cell:
    return Cell(part / whole, f"{part / whole:.1%}") if whole else Cell(0.0, "–")


def _name(language: str | None) -> str:
    return LANGUAGES[language].name if language in LANGUAGES else str(language or "no language")


def _by_table(codes: Iterable[str]) -> list[str]:
    """In the order of the table of languages, what is not in it behind."""
    order = list(LANGUAGES)
    return sorted(codes, key=lambda code: (order.index(code) if code in order else len(order), str(code)))


def _in_order(reasons: Iterable[str]) -> list[str]:
    """Each once: what was kept, then the reasons in the order of the steps, then any other."""
    order = [KEPT, *REASONS]
    return sorted(set(reasons), key=lambda one: (order.index(one) if one in order else len(order), one))
