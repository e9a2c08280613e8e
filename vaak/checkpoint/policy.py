"""When to save, and what to keep: dense early, sparse late, milestones for good, of the rest the last few."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vaak.checkpoint.folder import Checkpoint, list_checkpoints, remove_checkpoint


@dataclass(frozen=True)
class Policy:
    """intervals: (up to step, every so many steps) in rising order; the last interval also holds beyond its end.
    milestone_every: complete checkpoints at its multiples are never removed (None: no milestones).
    keep_last: how many complete ones are kept besides.
    """

    intervals: tuple[tuple[int, int], ...] = ((10_000, 1_000), (50_000, 5_000), (100_000, 10_000))
    milestone_every: int | None = 50_000
    keep_last: int = 5

    def due(self, step: int) -> bool:
        """Whether a checkpoint is saved after this step."""
        every = next((every for end, every in self.intervals if step <= end), self.intervals[-1][1])
        return step > 0 and step % every == 0

    def milestone(self, step: int) -> bool:
        return self.milestone_every is not None and step > 0 and step % self.milestone_every == 0


def prune(run: str | Path, policy: Policy, keep: Collection[int] = ()) -> list[Checkpoint]:
    """Remove what the policy does not keep, and the remains of unfinished saves; returns what was removed.

    `keep` names further steps to spare, such as the parent of a running stage. The newest complete checkpoint is
    never removed, whatever the policy says, and an unfinished folder only once a newer one is complete.
    """
    found = list_checkpoints(run)
    complete = [one for one in found if one.complete]
    if not complete:
        return []
    newest = complete[-1].step
    last = {one.step for one in complete[-max(policy.keep_last, 1) :]}
    removed = []
    for one in found:
        if one.complete:
            if one.step in last or one.step in keep or policy.milestone(one.step):
                continue
        elif one.step >= newest:
            continue
        remove_checkpoint(one.path)
        removed.append(one)
    return removed
