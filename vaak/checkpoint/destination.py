"""What a publisher does at its address: it sends, sees what is gone from there, and keeps there what its run's folder keeps."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from vaak.checkpoint.ended import tell_end
from vaak.checkpoint.folder import Checkpoint
from vaak.checkpoint.lanes import Say, sentence_of
from vaak.checkpoint.leases import LeaseWatch
from vaak.checkpoint.outbox import Record
from vaak.checkpoint.policy import Policy, kept
from vaak.checkpoint.remote import RemoteCheckpoint, list_remote, prune_remote, publish_checkpoint
from vaak.errors import BadInput
from vaak.storage.transfer import Progress


class Reduced(Exception):
    """The model alone was sent of what was full when it was queued."""


class Destination:
    """One address of one run, for as long as its publisher runs. unseen: why it could not be looked at the last time."""

    def __init__(self, url: str, policy: Policy, say: Say) -> None:
        self.url, self.unseen = url, ""
        self._policy, self._say = policy, say
        self._watch = LeaseWatch(url)
        self._said: set[str] = set()
        self._brought: set[str] = set()  # ids that the run made since it publishes here
        self._look_at = 0.0

    def send(self, one: Checkpoint, record: Record, progress: Progress) -> Record:
        """Publish a full checkpoint. Raises `Reduced`, and what `publish_checkpoint` raises."""
        done = publish_checkpoint(one.path, self.url, progress)
        if not done.full:
            raise Reduced
        if done.fresh and not record.ended:
            self._brought.add(one.id)
        return replace(record, where=done.url, files=done.files, bytes=done.bytes)

    def look_soon(self) -> None:
        """Whoever broke an upload may have removed more."""
        self._look_at = 0.0

    def gone(self, sent: Sequence[Record], every: float, again: float) -> list[Record]:
        """What was sent and is not whole there any more, looked at every so many seconds, or `again` after that failed."""
        if not sent or time.monotonic() < self._look_at:
            return []
        try:
            there = {one.id for one in list_remote(self.url) if one.complete and one.full}
        except (BadInput, OSError) as error:
            self._look_at = time.monotonic() + again
            self.unseen = f"{self.url} could not be looked at ({sentence_of(error)})"
            self._once(self.unseen)
            return []
        self._look_at, self.unseen = time.monotonic() + every, ""
        return [one for one in sent if one.checkpoint not in there]

    def tell_end(self, run: Path) -> None:
        """Say at the address that the run has ended."""
        try:
            tell_end(run, self.url)
        except (BadInput, OSError, KeyError) as error:
            self._once(f"{self.url} could not be told that the run has ended ({sentence_of(error)})")

    def prune(self, complete: Sequence[Checkpoint], waiting: Collection[int]) -> None:
        """Retention there, but what the run's folder, where these are complete, keeps whole or wants to send stays.

        Steps above all of the run's own were abandoned, once the run has brought something new: it went back before them,
        and they would count as the newest for good.
        """
        ids = {one.id for one in complete}
        newest = complete[-1].step if ids & self._brought else None

        def abandoned(one: RemoteCheckpoint) -> bool:
            return newest is not None and one.step > newest and one.id not in ids

        keep = {*waiting, *(kept(complete, self._policy)[0] if complete else ())}
        try:
            done = prune_remote(self.url, self._policy, self._watch, keep, abandoned)
        except (BadInput, OSError) as error:
            self._once(f"{self.url} could not be pruned ({sentence_of(error)})")
            return
        for one in done.removed:
            why = ": the training went back before it and on without it" if one.complete and abandoned(one) else ""
            self._say(f"step {one.step}: removed from {self.url}{why}")
        for step, holder in done.held.items():
            self._once(f"{step} stays at {self.url} while {holder} holds it")

    def _once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)
