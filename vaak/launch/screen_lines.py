"""What stands on the screen of a run, line by line, in the width and height that there are: the least needed goes first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from vaak.launch.run_figures import RunFigures, direction, duration, sparkline

# A wider terminal has longer courses, up to here; further right nothing is looked for.
_WIDEST = 150
_THREE, _TWO = 106, 62
_LABEL, _VALUE, _GAP = 13, 9, 3
_PARTS = 6
_SKIPPED = {"nonfinite": "not finite", "spikes": "far above the gradients before"}


@dataclass(frozen=True)
class Field:
    """A figure with its name; course: how it went, None where that says nothing."""

    label: str
    value: str
    style: str = ""
    course: Sequence[float] | None = None


@dataclass(frozen=True)
class _Line:
    """rank: the larger, the sooner it is left out."""

    rank: int
    text: Text


def screen_lines(figures: RunFigures, title: str, width: int, height: int, evaluated: str = "", note: str = "") -> Text:
    """The screen, at most `height` lines of at most `width` columns. evaluated, note: sentences of whoever runs it."""
    width = max(20, min(width, _WIDEST))
    grid = _grid(figures, width)
    lines = [
        _Line(2, _apart(Text(title, style="bold"), Text(f"{duration(figures.elapsed_s)} elapsed", "dim"), width)),
        _Line(0, _bar(figures, width)),
        *([_Line(90, Text(""))] if grid else []),
        *(_Line(4 + number, row) for number, row in enumerate(grid)),
        _Line(91, Text("")),
        *(
            _Line(rank, _sentence(label, words, style, width))
            for rank, label, words, style in _sentences(figures, evaluated, note)
        ),
    ]
    kept = sorted(sorted(range(len(lines)), key=lambda at: lines[at].rank)[: max(1, height)])
    return Text("\n").join(_cut(lines[at].text, width) for at in kept)


def plain_line(figures: RunFigures, what: str, note: str = "") -> str:
    """The key figures as a line for a log."""
    left, main = figures.seconds_until(figures.steps or None), main_figures(figures)
    words = [f"{what} {figures.step:,}/{figures.steps:,}"]
    words += [note] if note else []
    words += [f"{one.label.strip()} {one.value}" for one in main[: 1 + _PARTS]]
    speed = figures.number("tokens_per_s")
    words += [f"{speed:,.0f} tokens/s"] if speed else []
    words += [f"{duration(left)} left"] if left is not None else []
    words += [f"{one.label} {one.value}" for one in _optimisation(figures) if one.label != "lr"]
    return "; ".join([", ".join(words), *(f"{label}: {said}" for _, label, said, _ in _sentences(figures, "", ""))])


def main_figures(figures: RunFigures) -> list[Field]:
    """What the run is for: losses of a training, rewards of an alignment."""
    number = figures.number
    if number("reward") is not None or number("dropped") is not None:
        parts = [
            name for name in figures.values if name.startswith("reward/") and "/language/" not in name
        ]  # content, similarity, quality; or chosen and rejected
        names = ["reward", *parts[:_PARTS], "kl", "gated", "dropped"]
    elif number("preferred") is not None or number("margin") is not None:
        names = ["loss", "preferred", "margin", "reward/chosen", "reward/rejected"]
    else:
        names = ["loss", "loss/audio", "loss/text"]
    found = [(name, value) for name in names if (value := number(name)) is not None]
    return [
        Field(
            ("  " if "/" in name else "") + name.rsplit("/", 1)[-1],
            f"{value:.4f}" if math.isfinite(value) else "not finite",
            "" if math.isfinite(value) else "bold red",
            figures.course(name),
        )
        for name, value in found
    ]


def _speed(figures: RunFigures) -> list[Field]:
    number, found = figures.number, []
    if (speed := number("tokens_per_s")) is not None:
        found.append(Field("tokens/s", f"{speed:,.0f}"))
    elif (step := number("step_s")) is not None:
        found.append(Field("step", f"{step:.2f} s"))
    if (hours := number("audio_hours")) is not None:
        found.append(Field("audio seen", f"{hours:,.{0 if hours >= 1000 else 1 if hours >= 10 else 3}f} h"))
    if (waited := number("data_wait")) is not None:
        found.append(Field("data wait", f"{waited:.1%}", "yellow" if waited > 0.1 else ""))
    if (padding := number("padding")) is not None:
        found.append(Field("fill", f"{1 - padding:.1%}"))
    if (memory := number("memory_gb")) is not None:
        found.append(Field("GPU memory", f"{memory:.1f} GB"))
    return found


def _optimisation(figures: RunFigures) -> list[Field]:
    number, found = figures.number, []
    if (rate := number("lr")) is not None:
        found.append(Field("lr", f"{rate:.2e}"))
    if (norm := number("grad_norm")) is not None:
        found.append(Field("gradient", f"{norm:.3g}", "" if math.isfinite(norm) else "bold red"))
    if (skipped := number("skipped")) is not None:
        found.append(
            Field("skipped", f"{skipped:.0f}", "bold red" if number("nonfinite") else "yellow" if skipped else "")
        )
    return found


def _grid(figures: RunFigures, width: int) -> list[Text]:
    """The figures beside each other in as many columns as fit."""
    main, speed, optimisation = main_figures(figures), _speed(figures), _optimisation(figures)
    if width >= _THREE:
        columns = [main, speed, optimisation]
    elif width >= _TWO:
        # About as long as each other.
        columns = [main, speed + optimisation] if len(main) > len(speed) else [main + optimisation, speed]
    else:
        columns = [main + optimisation + speed]
    columns = [column for column in columns if column]
    right = _LABEL + _VALUE + (14 if width >= _THREE else 2)
    first = width - (right + _GAP) * (len(columns) - 1)
    rows = []
    for at in range(max(map(len, columns), default=0)):
        row = Text()
        for number, column in enumerate(columns):
            if at < len(column):
                cell = _field(column[at], first if number == 0 else right)
            else:
                cell = Text(" " * (first if number == 0 else right))
            row.append(" " * _GAP if number else "").append_text(cell)
        rows.append(row)
    return rows


def _field(one: Field, width: int) -> Text:
    text = Text.assemble((one.label.ljust(_LABEL), "dim"), (one.value.rjust(_VALUE), one.style or "bold"))
    if one.course:
        arrow = direction(one.course)
        bars = sparkline(one.course, min(width - len(text) - 4, 60))
        text.append("  ").append(bars, "cyan").append(f" {arrow}" if arrow and bars else "")
    text.truncate(width, overflow="ellipsis", pad=True)
    return text


def _bar(figures: RunFigures, width: int) -> Text:
    """How far it is, and how long it takes from here."""
    left = figures.seconds_until(figures.steps or None)
    share = figures.step / figures.steps if figures.steps else 0.0
    before = f"step {figures.step:,} of {figures.steps:,}  " if figures.steps else f"step {figures.step:,}  "
    after = f"  {share:.1%}" + (f"  {duration(left)} left" if left is not None else "")
    room = width - len(before) - len(after)
    done = round(min(1.0, share) * max(0, room))
    if room < 4:
        return Text(f"{before.strip()}{after}")
    return Text.assemble((before, "bold"), ("━" * done, "green"), ("─" * (room - done), "dim"), after)


def _sentences(figures: RunFigures, evaluated: str, note: str) -> list[tuple[int, str, str, str]]:
    """(rank, label, words, style) of what is said below the figures."""
    found = []
    if figures.quiet_s:
        found.append((1, "waits", f"the last step ended {duration(figures.quiet_s)} ago", "bold red"))
    if note:
        found.append((1, "now", note, "yellow"))
    for name, count in figures.untold.items():
        words = f"{name} missed {count:,} rows; metrics.jsonl has them (vaak replay)"
        found.append((3, "not told", words, "yellow"))
    parts = [(figures.number(name), words) for name, words in _SKIPPED.items()]
    if any(count for count, _ in parts):
        words = ", ".join(f"{count:.0f} {words}" for count, words in parts if count)
        found.append((3, "skipped", f"{words}; the run's skipped/ has each", "yellow"))
    if words := _checkpoints(figures):
        found.append((20, "checkpoint", words, ""))
    if failed := figures.number("checkpoint/failed"):
        found.append((3, "not saved", f"{failed:.0f} checkpoints failed or were left out", "bold red"))
    if figures.validation is not None:
        step, row = figures.validation
        losses = [
            f"{name.split('/')[1]} {row[name]:.4f}" for name in ("val/loss", "val/audio", "val/text") if name in row
        ]
        found.append((21, "validation", f"step {step:,}: {', '.join(losses)}", ""))
    if evaluated:
        found.append((22, "evaluated", evaluated, ""))
    return found


def _checkpoints(figures: RunFigures) -> str:
    number, words = figures.number, []
    last, following = number("checkpoint/step"), number("checkpoint/next")
    if last is not None:
        words.append(f"step {last:,.0f}")
    if following is not None and following > figures.step:
        away = figures.seconds_until(following)
        words.append(
            f"the next at step {following:,.0f}" + (f", in about {duration(away)}" if away is not None else "")
        )
    return "; ".join(words)


def _sentence(label: str, words: str, style: str, width: int) -> Text:
    return _cut(Text.assemble((label.ljust(_LABEL), "dim"), (words, style)), width)


def _apart(left: Text, right: Text, width: int) -> Text:
    """One at each edge, the left one cut where there is no room for both."""
    left = _cut(left, max(1, width - right.cell_len - 2))
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right)


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text
