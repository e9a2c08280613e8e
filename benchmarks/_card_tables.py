"""The card's sums over utterances, as a table on a terminal and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from _card_measure import ROUND_TRIP, Measured, Speed
from rich.console import Console
from rich.table import Table

from vaak.codec.codebook import CodebookUse
from vaak.score.error_rate import Counts, bootstrap_interval, total

COLUMNS = ("sound", "n", "WER Whisper", "WER pocketsphinx", "DNSMOS", "log-mel dB", "below 3.6 kHz", "similarity")


@dataclass(frozen=True)
class Sum:
    """Many items in one condition: word errors as sums, log-mel distances over all frames, the rest means over items."""

    n: int
    words: dict[str, list[Counts]]
    dnsmos: float
    log_mel: float
    log_mel_narrow: float
    similarity: float

    def rate(self, kind: str) -> float:
        """Word errors by words; NaN where no trusted recogniser heard anything."""
        return total(self.words[kind]).rate if self.words.get(kind) else math.nan

    def rate_in_words(self, kind: str) -> str:
        if not self.words.get(kind):
            return "–"
        low, high = bootstrap_interval(self.words[kind])
        return f"{short(self.rate(kind))} [{short(low)}, {short(high)}]"


def summed(measured: Sequence[Measured]) -> Sum:
    kinds = {kind for one in measured for kind in one.words}
    words = {kind: [one.words[kind] for one in measured if kind in one.words] for kind in kinds}
    seconds = [one.seconds for one in measured]
    return Sum(
        len(measured),
        words,
        _mean([one.dnsmos for one in measured]),
        _mean([one.log_mel for one in measured], seconds),
        _mean([one.log_mel_narrow for one in measured], seconds),
        _mean([one.similarity for one in measured]),
    )


def _mean(values: Sequence[float | None], weights: Sequence[float] | None = None) -> float:
    """Of those that are there and finite; NaN without any."""
    array = np.array([math.nan if value is None else value for value in values])
    there = np.isfinite(array)
    if not there.any():
        return math.nan
    return float(np.average(array[there], weights=None if weights is None else np.array(weights)[there]))


def short(value: float, digits: int = 2) -> str:
    """.05, 1.09, – for NaN."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


@dataclass(frozen=True)
class Grouped:
    """A table: `rows` are cells, `starts` says which row begins a group, `left` how many columns are words."""

    title: str
    first: str
    rows: list[tuple[str, ...]]
    starts: list[bool]
    columns: tuple[str, ...] = COLUMNS
    left: int = 2


def by_voice(one: Measured) -> str:
    held_out = "" if one.item.seen else ", held out"
    return f"{one.item.voice} ({one.item.engine}{held_out})"


def by_language(one: Measured) -> str:
    return one.item.language


def everything(one: Measured) -> str:
    return "all"


def grouped(title: str, first: str, measured: Sequence[Measured], group: Callable[[Measured], str]) -> Grouped:
    """One row for each group in each condition, in the order in which they are met."""
    cells: dict[str, dict[str, list[Measured]]] = {}
    for one in measured:
        cells.setdefault(group(one), {}).setdefault(one.condition, []).append(one)
    rows, starts = [], []
    for name, conditions in cells.items():
        for number, (condition, some) in enumerate(conditions.items()):
            s = summed(some)
            figures = (short(s.dnsmos), short(s.log_mel, 1), short(s.log_mel_narrow, 1), short(s.similarity))
            words = (s.rate_in_words("whisper"), s.rate_in_words("pocketsphinx"))
            rows.append((name if number == 0 else "", condition, str(s.n), *words, *figures))
            starts.append(number == 0)
    return Grouped(title, first, rows, starts)


def print_grouped(tables: Sequence[Grouped]) -> None:
    console = Console(highlight=False)
    # Where no terminal says how wide it is, nothing is folded.
    console = console if console.is_terminal else Console(highlight=False, width=160)
    for one in tables:
        table = Table(title=one.title, title_justify="left")
        for number, name in enumerate((one.first, *one.columns)):
            table.add_column(name, justify="left" if number < one.left else "right")
        for number, row in enumerate(one.rows):
            table.add_row(*row, end_section=number + 1 < len(one.rows) and one.starts[number + 1])
        console.print(table)


def facts(use: CodebookUse, tokens_per_second: int, took: dict[str, Speed], delays: dict[str, float]) -> list[str]:
    """What the card says in lines: codebook, bits and time."""
    lines = [
        f"codebook: {use.used:,} of {use.size:,} entries ({use.share:.0%}) in {use.codes:,} codes; "
        f"entropy {use.entropy:.2f} bits a code, perplexity {use.perplexity:,.0f}",
        f"bits per second: {tokens_per_second * math.log2(use.size):,.0f} written plainly, "
        f"{tokens_per_second * use.entropy:,.0f} at that entropy",
    ]
    for name, speed in took.items():
        process = "" if name == ROUND_TRIP else ", with the start of its process"
        lines.append(
            f"time of one thread for a second of audio, {'this codec' if name == ROUND_TRIP else name}: "
            f"{speed.encode:.4f} s to encode, {speed.decode:.4f} s to decode{process}"
        )
    late = ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in delays.items())
    return [*lines, f"delay, taken out: {late}"]


def markdown(title: str, lines: Sequence[str], tables: Sequence[Grouped]) -> str:
    out = [f"# {title}", "", *(f"- {line}" for line in lines)]
    for one in tables:
        out += ["", f"## {one.title}", "", "| " + " | ".join((one.first, *one.columns)) + " |"]
        out += ["| --- " * one.left + "| ---: " * (len(one.columns) + 1 - one.left) + "|"]
        out += ["| " + " | ".join(row) + " |" for row in one.rows]
    return "\n".join(out) + "\n"
