"""When to save, and what to keep: dense early, sparse late, milestones for good, of the rest the last few."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vaak.checkpoint.folder import (
    COMPLETE,
    MODEL_ONLY,
    TRAINING,
    Checkpoint,
    announce_model_only,
    list_checkpoints,
    make_model_only,
    remove_checkpoint,
    step_name,
)
from vaak.checkpoint.leases import LeaseWatch
from vaak.storage.files import write_bytes
from vaak.storage.locks import lock_file, unlock


class Policy(Protocol):
    """What a recipe's checkpoint settings say.

    intervals: (up to this step, every so many steps) in rising order; the last one also holds beyond its end.
    model_only_every: models alone are saved at multiples of it, where no full checkpoint is due (None: none are).
    milestones: checkpoints at multiples of it are never removed (None: there are none).
    keep_last_full: how many of the newest full ones are kept whole, milestones among them or not.
    keep_last_model_only: how many more are kept as models alone.
    """

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def model_only_every(self) -> int | None: ...
    @property
    def milestones(self) -> int | None: ...
    @property
    def keep_last_full(self) -> int: ...
    @property
    def keep_last_model_only(self) -> int: ...


def due(policy: Policy, step: int) -> bool:
    """Whether a full checkpoint is saved after step `step` (the last step of a stage always is, besides)."""
    return step > 0 and step % cadence(policy, step) == 0


def cadence(policy: Policy, step: int) -> int:
    """After every how many steps a full checkpoint is saved, at this step."""
    return next((every for end, every in policy.intervals if step <= end), policy.intervals[-1][1])


def next_due(policy: Policy, step: int) -> int:
    """The first step after `step` at which a full checkpoint is due."""
    after = step
    for end, every in policy.intervals:
        following = (after // every + 1) * every
        if following <= end:
            return following
        after = max(after, end)
    return (after // policy.intervals[-1][1] + 1) * policy.intervals[-1][1]


def model_due(policy: Policy, step: int) -> bool:
    """Whether a model alone is saved after this step."""
    every = policy.model_only_every
    return every is not None and step > 0 and step % every == 0 and not due(policy, step)


def milestone(policy: Policy, step: int) -> bool:
    """Whether the checkpoint of this step stays for good."""
    return policy.milestones is not None and step > 0 and step % policy.milestones == 0


@dataclass(frozen=True)
class Pruned:
    """What retention did: removed whole; left as models alone; held by a lease (step name to holder) though not kept."""

    removed: list[Checkpoint]
    model_only: list[Checkpoint]
    held: dict[str, str]


def prune(run: str | Path, policy: Policy, keep: Collection[int] = (), leases: LeaseWatch | None = None) -> Pruned:
    """Remove what the policy does not keep, and the remains of unfinished saves.

    `keep` names further steps to spare. Never removed, whatever the policy says: the newest complete checkpoint, the newest
    full one, milestones, the model of step 0, and what somebody holds a lease on, such as the parent of a running stage. An unfinished folder goes
    only once a newer one is complete. `leases` should be the same from call to call, or no lease ever expires. Only one process
    prunes a run at a time: who calls this holds the run's lock.
    """
    leases = leases or LeaseWatch(run)
    found = list_checkpoints(run)
    complete = [one for one in found if one.complete]
    if not complete:
        return Pruned([], [], {})
    whole, models = kept(complete, policy, keep)
    held = leases.held()
    done = Pruned([], [], {})
    for one in found:
        name = step_name(one.step)
        if not one.complete:
            if one.step < complete[-1].step and name not in held:
                remove_checkpoint(one.path)
                done.removed.append(one)
        elif one.step in whole or (one.step in models and not one.full):
            _finish_removal(one)
        elif name in held:
            done.held[name] = held[name]
        elif one.step in models:
            if (holder := _make_model_only_unless_held(one, leases)) is None:
                done.model_only.append(one)
            else:
                done.held[name] = holder
        elif (holder := _remove_unless_held(one, leases)) is None:
            done.removed.append(one)
        else:
            done.held[name] = holder
    return done


def prune_unless_trained(run: Path, policy: Policy, keep: Collection[int]) -> list[Checkpoint]:
    """Prune a run's folder if nobody trains in it now; the checkpoints that were removed."""
    lock = lock_file(run / ".lock", exclusive=True, wait=False, create=True)
    if lock is None:
        return []
    try:
        return prune(run, policy, keep, LeaseWatch(run)).removed
    finally:
        unlock(lock)


class Kept(Protocol):
    """A complete checkpoint, wherever it is."""

    @property
    def step(self) -> int: ...
    @property
    def full(self) -> bool: ...


def kept(complete: Sequence[Kept], policy: Policy, keep: Collection[int] = ()) -> tuple[set[int], set[int]]:
    """Steps that stay as they are, and steps of which the model stays, of at least one complete checkpoint in order."""
    full = [one.step for one in complete if one.full]
    whole = {one.step for one in complete if one.step in keep or milestone(policy, one.step)}
    whole |= set(full[-max(policy.keep_last_full, 1) :])
    rest = [one.step for one in complete if one.step not in whole]
    models = set(rest[max(len(rest) - policy.keep_last_model_only, 0) :]) | {complete[-1].step}
    # Only an alignment saves a step 0, the model as it came: the others are compared with it to the end.
    models |= {0} & set(rest)
    return whole, models


def _remove_unless_held(one: Checkpoint, leases: LeaseWatch) -> str | None:
    """Remove a checkpoint, or put its mark back and return the holder if a lease came in the same moment.

    A reader takes a lease and then looks for the mark; we take the mark and then look for leases: one sees the other.
    """
    mark = (one.path / COMPLETE).read_bytes()
    (one.path / COMPLETE).unlink()
    holder = leases.held().get(step_name(one.step))
    if holder is not None:
        write_bytes(one.path / COMPLETE, mark)
        return holder
    remove_checkpoint(one.path)
    return None


def _make_model_only_unless_held(one: Checkpoint, leases: LeaseWatch) -> str | None:
    """Likewise: what is going to be taken away is said first, and taken back for a reader that has come meanwhile."""
    announce_model_only(one.path)
    holder = leases.held().get(step_name(one.step))
    if holder is not None:
        (one.path / MODEL_ONLY).unlink()
        return holder
    make_model_only(one.path)
    return None


def _finish_removal(one: Checkpoint) -> None:
    """A kill may have left some of what was to go."""
    if (one.path / MODEL_ONLY).exists() and (one.path / TRAINING).exists():
        with suppress(FileNotFoundError):
            make_model_only(one.path)
