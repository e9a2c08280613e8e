"""What stays of a run's checkpoints: milestones for good, of the others the last few."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from vaak.checkpoint.folder import Checkpoint, list_checkpoints, remove_checkpoint


class Retention(Protocol):
    """The part of a recipe's checkpoint settings that pruning asks."""

    @property
    def keep_last_full(self) -> int: ...

    def milestone(self, step: int) -> bool: ...


def prune(run: str | Path, policy: Retention, keep: Collection[int] = ()) -> list[Checkpoint]:
    """Remove what the policy does not keep, and the remains of unfinished saves; returns what was removed.

    `keep` names further steps to spare, such as the parent of a running stage. The newest complete checkpoint is
    never removed, whatever the policy says, and an unfinished folder only once a newer one is complete.
    """
    found = list_checkpoints(run)
    complete = [one for one in found if one.complete]
    if not complete:
        return []
    newest = complete[-1].step
    last = {one.step for one in complete[-max(policy.keep_last_full, 1) :]}
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
