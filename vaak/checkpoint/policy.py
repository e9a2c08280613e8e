"""When to save, and what to keep: dense early, sparse late, milestones for good, of the rest the last few."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from vaak.checkpoint.folder import Checkpoint, list_checkpoints, remove_checkpoint


class Policy(Protocol):
    """What a recipe's checkpoint settings say.

    intervals: (up to this step, every so many steps) in rising order; the last one also holds beyond its end.
    milestones: checkpoints at multiples of it are never removed (None: there are none).
    keep_last_full: how many others are kept.
    """

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def milestones(self) -> int | None: ...
    @property
    def keep_last_full(self) -> int: ...


def due(policy: Policy, step: int) -> bool:
    """Whether a checkpoint is saved after step `step` (the last step of a stage always is, besides)."""
    every = next((every for end, every in policy.intervals if step <= end), policy.intervals[-1][1])
    return step > 0 and step % every == 0


def milestone(policy: Policy, step: int) -> bool:
    """Whether the checkpoint of this step stays for good."""
    return policy.milestones is not None and step > 0 and step % policy.milestones == 0


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
    last = {one.step for one in complete[-max(policy.keep_last_full, 1) :]}
    removed = []
    for one in found:
        if one.complete:
            if one.step in last or one.step in keep or milestone(policy, one.step):
                continue
        elif one.step >= newest:
            continue
        remove_checkpoint(one.path)
        removed.append(one)
    return removed
