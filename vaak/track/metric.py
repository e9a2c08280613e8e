"""What a number is that a run logs: each room defines its own beside the code that measures them, and pages, exporters and
`docs/metrics.md` read them here.

A name of a family has placeholders in braces: `loss/language/{language}` is `loss/language/hi` in a row. Prometheus has it as
`vaak_loss_language{language="hi"}`: the parts joined by `_`, a placeholder as a label, and in the name where the part before it
is not its own name (`reward/{part}` is `vaak_reward_part`); a counter ends in `_total`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Process = Literal["trainer", "loader", "checkpointer", "aligner", "sidecar", "publisher", "trackers"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Metric:
    """One number, or a family of them. meaning: the formula in words, and where it comes from; worry: when to look at it.
    measured_by: the part of a process that knows it. counter: it only grows while a process lives."""

    name: str
    unit: str
    meaning: str
    worry: str = ""
    measured_by: Process = "trainer"
    counter: bool = False

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Its placeholders, in order."""
        return tuple(_PLACEHOLDER.findall(self.name))

    @cached_property
    def exported(self) -> str:
        """Its name for Prometheus."""
        parts: list[str] = []
        for part in self.name.split("/"):
            found = _PLACEHOLDER.fullmatch(part)
            if found is None:
                parts.append(re.sub(r"\W", "_", part))
            elif parts[-1] != found[1]:
                parts.append(found[1])
        return "_".join(["vaak", *parts]) + ("_total" if self.counter else "")

    def values_of(self, name: str) -> dict[str, str] | None:
        """The placeholders' values in a name that a row has, or None where it is no name of this metric."""
        found = self._pattern.fullmatch(name)
        return None if found is None else found.groupdict()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A placeholder takes one part of a name; the last of a name all that is left, since a source may have a `/`."""
        parts = _PLACEHOLDER.split(self.name)
        text = re.escape(parts[0])
        for index in range(1, len(parts), 2):
            takes = ".+" if index + 2 >= len(parts) and not parts[index + 1] else "[^/]+"
            text += f"(?P<{parts[index]}>{takes})" + re.escape(parts[index + 1])
        return re.compile(text, re.DOTALL)


def metric_of(name: str, metrics: Iterable[Metric]) -> tuple[Metric, dict[str, str]] | None:
    """The metric whose name a row's name is, and its labels. Of several the one that spells most of it by itself: a whole name
    goes before a family's, and `reward/{part}/language/{language}` before `reward/{part}`."""
    found = [(metric, labels) for metric in metrics if (labels := metric.values_of(name)) is not None]
    return min(found, key=lambda one: sum(map(len, one[1].values())), default=None)
