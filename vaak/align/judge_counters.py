"""What became of all that was judged, in numbers that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class JudgeCounters:
    """Counts since the start. Every sample is in exactly one of `judged`, `gated` and `lost`.

    groups: those that were given; of these `dropped_groups` have no rewards, and `dead_groups` have rewards that are all equal.
    samples: in all groups. judged: passed the gates and have a reward. gated: gate -> samples at the bottom. lost: samples of
    dropped groups. failed: "judge: kind of failure" -> calls that ended so. hung: judge -> calls that were left behind, which
    `failed` has as well. decode_crashes: samples whose codes gave no sound, in dropped groups too.
    """

    groups: int = 0
    dropped_groups: int = 0
    dead_groups: int = 0
    samples: int = 0
    judged: int = 0
    lost: int = 0
    decode_crashes: int = 0
    gated: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    hung: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: JudgeCounters) -> JudgeCounters:
        sums = {}
        for one in fields(self):
            mine, its = getattr(self, one.name), getattr(other, one.name)
            sums[one.name] = mine + its if isinstance(mine, int) else dict(Counter(mine) + Counter(its))
        return JudgeCounters(**sums)

    def as_figures(self) -> dict[str, int]:
        """Flat, for a log: "groups", "gated/silent", "failed/asr: TimeoutError", ..."""
        flat = {}
        for one in fields(self):
            count = getattr(self, one.name)
            named = {one.name: count} if isinstance(count, int) else {f"{one.name}/{k}": n for k, n in count.items()}
            flat |= named
        return flat
