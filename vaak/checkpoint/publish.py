"""The publisher: follows a run in a process of its own and sends full checkpoints to storage and milestones to the Hub.

What waits, failed or is done stands on disk (vaak/checkpoint/outbox.py), so an outage, a kill or a restart loses nothing and sends
nothing twice. Nothing that fails reaches the training or ends the publisher.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from vaak.checkpoint.folder import COMPLETE, Checkpoint, list_checkpoints
from vaak.checkpoint.leases import LeaseWatch, lease
from vaak.checkpoint.outbox import (
    PUBLISHED,
    SUPERSEDED,
    WAITING,
    Kind,
    Record,
    now,
    publish_folder,
    read_records,
    write_record,
)
from vaak.checkpoint.policy import Policy, kept, milestone
from vaak.checkpoint.remote import prune_remote, publish_checkpoint, split_address
from vaak.errors import BadInput
from vaak.storage.locks import lock_file, unlock
from vaak.storage.objects import ObjectChanged, StorageFailed, open_objects
from vaak.storage.transfer import Progress, Stopped

# So many full checkpoints, besides milestones, are kept from removal while they wait.
MOST_WAITING = 3

_DONE = "DONE.json"
_PROGRESS_SECONDS = 30.0
_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

# What was measured of the checkpoint with this id, as markdown, or None while it is not evaluated.
Notes = Callable[[str], str | None]


class SendMilestone(Protocol):
    """Sends a checkpoint's model to a repository of the Hub; where it is now."""

    def __call__(self, folder: Path, repo_id: str, *, notes: str | None, work_folder: Path) -> str: ...


@dataclass(frozen=True)
class Pace:
    """Seconds. poll: between looks at the run. first, most: the pause after a failure that may pass by itself, doubled from time
    to time, of which chance takes up to a half. rarely: before another try of what needs a person. evaluation: how long
    after it was complete a milestone waits for its notes."""

    poll: float = 5.0
    first: float = 2.0
    most: float = 600.0
    rarely: float = 1800.0
    evaluation: float = 6 * 3600.0


@dataclass(frozen=True)
class PublishedRun:
    """What one call published and what was superseded before it could be; what waits still."""

    published: list[Record]
    superseded: list[Record]
    waiting: list[Record]


def publish_run(
    run: str | Path,
    *,
    to: str | None = None,
    hub: str | None = None,
    policy: Policy,
    notes: Notes | None = None,
    follow: bool = False,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
    send_milestone: SendMilestone | None = None,
    pace: Pace = Pace(),
) -> PublishedRun:
    """Send the full checkpoints of a run to the address `to` and its milestones to the repository `hub`, newest first.

    After each upload the address is pruned by the policy. A milestone waits for its `notes`. Without `follow` everything
    that waits is tried once; with it, until the run is done and nothing waits, or soon after `stop` turns true.
    Raises `BadInput` for a run that is not there, for no target or one that cannot be, and while another process publishes
    the run; what fails later is said, and tried again.
    """
    run = Path(run)
    if not run.is_dir():
        raise BadInput(f"{run} is no folder of a run; correct it, or start the training first")
    if to is None and hub is None:
        raise BadInput(f"{run} has nowhere to be published to; name --to s3://bucket/prefix, --hub owner/name, or both")
    with _only_one(run):
        publisher = _Publisher(run, policy, stop, say, pace)
        if to is not None:
            open_objects(to, create=True)
            if split_address(to)[1] is not None:
                raise BadInput(f"{to} is the address of a checkpoint; name the one of its run")
            publisher.to_storage(to.rstrip("/"))
        if hub is not None:
            publisher.to_hub(hub, notes, send_milestone or _send_milestone)
        try:
            publisher.work(follow)
        finally:
            publisher.held.hold(set())
        return publisher.report()


def _send_milestone(folder: Path, repo_id: str, *, notes: str | None, work_folder: Path) -> str:
    from vaak.checkpoint.milestones import publish_milestone

    return publish_milestone(folder, repo_id, notes=notes, work_folder=work_folder)


@dataclass
class _Lane:
    """The way to one target. resume_at: of its clock, after a failure; parked: checkpoints that need a person, until when."""

    kind: Kind
    target: str
    records: dict[str, Record]
    send: Callable[[Checkpoint], Record]
    ready: Callable[[Checkpoint], bool] = lambda _: True
    failures: int = 0
    resume_at: float = 0.0
    parked: dict[str, float] = field(default_factory=dict)

    def waiting(self) -> list[Record]:
        """Newest first."""
        found = [one for one in self.records.values() if one.state == WAITING]
        return sorted(found, key=lambda one: one.step, reverse=True)


class _Held:
    """The leases that the publisher holds on checkpoints of the run's folder."""

    def __init__(self, run: Path, say: Callable[[str], None]) -> None:
        self._run, self._say = run, say
        self._leases: dict[int, ExitStack] = {}

    def hold(self, steps: set[int]) -> None:
        """Hold these and no others."""
        for step in set(self._leases) - steps:
            self._leases.pop(step).close()
        for step in steps - set(self._leases):
            stack = ExitStack()
            try:
                stack.enter_context(lease(self._run, step, "publish"))
                self._leases[step] = stack
            except (BadInput, OSError) as error:
                self._say(f"step {step} could not be kept from removal ({_sentence(error)})")


class _Publisher:
    def __init__(
        self, run: Path, policy: Policy, stop: Callable[[], bool], say: Callable[[str], None], pace: Pace
    ) -> None:
        self.run, self.policy, self.stop, self.pace = run, policy, stop, pace
        self.held = _Held(run, self.say)
        self._say = say
        self._said: set[str] = set()
        self._lanes: list[_Lane] = []
        self._ended: list[Record] = []

    def say(self, sentence: str, once: bool = False) -> None:
        if not (once and sentence in self._said):
            self._say(sentence)
        if once:
            self._said.add(sentence)

    def to_storage(self, url: str) -> None:
        watch = LeaseWatch(url)

        def send(one: Checkpoint) -> Record:
            done = publish_checkpoint(one.path, url, self._progress(one.step))
            self._prune(url, watch)
            return replace(self._lane("full").records[one.id], where=done.url, files=done.files, bytes=done.bytes)

        self._lanes.append(_Lane("full", url, self._recorded("full", url), send))

    def to_hub(self, repo_id: str, notes: Notes | None, send_milestone: SendMilestone) -> None:
        texts: dict[str, str | None] = {}

        def ready(one: Checkpoint) -> bool:
            if notes is None:
                return True
            try:
                texts[one.id] = notes(one.id)
            except Exception as error:
                self.say(f"step {one.step}: its evaluation cannot be read ({_sentence(error)})", once=True)
            return texts.get(one.id) is not None or _age(one) >= self.pace.evaluation

        def send(one: Checkpoint) -> Record:
            work = publish_folder(self.run) / "work"
            where = send_milestone(one.path, repo_id, notes=texts.get(one.id), work_folder=work)
            return replace(self._lane("milestone").records[one.id], where=where)

        self._lanes.append(_Lane("milestone", repo_id, self._recorded("milestone", repo_id), send, ready))

    def work(self, follow: bool) -> None:
        while not self.stop():
            ended, complete = False, {}
            try:
                ended = (self.run / _DONE).exists()  # looked at first: a checkpoint that came before it is still seen
                complete = self._look(ended)
            except OSError as error:
                self.say(f"{self.run} cannot be read ({_sentence(error)})", once=True)
            job = self._next(complete)
            if job is not None:
                self._send(*job)
            elif not follow or (ended and not any(lane.waiting() for lane in self._lanes)):
                return
            else:
                until = time.monotonic() + self.pace.poll
                while not self.stop() and time.monotonic() < until:
                    time.sleep(min(self.pace.poll, 0.2))

    def report(self) -> PublishedRun:
        published = [one for one in self._ended if one.state == PUBLISHED]
        superseded = [one for one in self._ended if one.state == SUPERSEDED]
        return PublishedRun(published, superseded, [one for lane in self._lanes for one in lane.waiting()])

    def _look(self, ended: bool) -> dict[str, Checkpoint]:
        """Queue what is new, give up what is gone, and hold what waits; the run's complete checkpoints by id."""
        complete = [one for one in list_checkpoints(self.run) if one.complete]
        hold: set[int] = set()
        stays = kept(complete, self.policy)[0] if complete else set()
        for lane in self._lanes:
            hold |= self._queue(lane, complete, stays, ended)
        self.held.hold(hold)
        return {one.id: one for one in complete}

    def _queue(self, lane: _Lane, complete: list[Checkpoint], stays: set[int], ended: bool) -> set[int]:
        """Bring a lane's records up to date; the steps of it that are to be held."""
        if lane.kind == "full":
            wanted = {one.id for one in complete if one.full}
        else:
            last = complete[-1:] if ended else []
            wanted = {one.id for one in [*last, *complete] if one in last or milestone(self.policy, one.step)}
        for one in complete:
            record = lane.records.get(one.id)
            if one.id in wanted and (record is None or (record.state == SUPERSEDED and one.step in stays)):
                self._write(lane, Record(lane.kind, lane.target, one.id, one.step, WAITING, now()))
        hold, few = set(), MOST_WAITING
        for record in lane.waiting():
            good = lane.kind == "milestone" or milestone(self.policy, record.step)
            newer = [one for one in lane.records.values() if one.state == PUBLISHED and one.step > record.step]
            if record.checkpoint not in wanted:
                self._supersede(lane, record, "it was removed or trained again before it was published")
            elif good or record.step in stays or (few > 0 and len(newer) < max(self.policy.keep_last_full, 1)):
                if good or few > 0:
                    hold.add(record.step)
                    few -= not good
            else:
                self._supersede(lane, record, "newer ones came, and the policy does not keep it")
        return hold

    def _next(self, complete: dict[str, Checkpoint]) -> tuple[_Lane, Checkpoint] | None:
        clock = time.monotonic()
        for lane in self._lanes:
            for record in lane.waiting() if clock >= lane.resume_at else []:
                one = complete.get(record.checkpoint)
                if one is not None and clock >= lane.parked.get(one.id, 0.0) and lane.ready(one):
                    return lane, one
        return None

    def _send(self, lane: _Lane, one: Checkpoint) -> None:
        # The other target comes first the next time.
        self._lanes.sort(key=lambda other: other is lane)
        began = time.monotonic()
        try:
            done = lane.send(one)
        except Stopped:
            return
        except Exception as error:
            self._failed(lane, one, error)
            return
        lane.failures = 0
        done = replace(done, state=PUBLISHED, error="", seconds=round(time.monotonic() - began, 1), ended=now())
        self._write(lane, done)
        self._ended.append(done)
        size = f"{done.files} files, {done.bytes / 1e6:,.1f} MB, " if done.files else ""
        self.say(f"step {one.step}: published to {done.where} ({size}{done.seconds:,.0f} s)")

    def _failed(self, lane: _Lane, one: Checkpoint, error: Exception) -> None:
        with suppress(OSError):
            if not any(other.id == one.id for other in list_checkpoints(self.run)):
                return  # it was removed meanwhile, and the next look says so
        sentence = _sentence(error)
        record = lane.records[one.id]
        self._write(lane, replace(record, attempts=record.attempts + 1, error=sentence))
        if isinstance(error, BadInput) and not isinstance(error, StorageFailed | ObjectChanged):
            lane.parked[one.id] = time.monotonic() + self.pace.rarely
            self.say(f"step {one.step}: not published to {lane.target}: {sentence}", once=True)
            return
        pause = min(self.pace.most, self.pace.first * 2 ** min(lane.failures, 30)) * random.uniform(0.5, 1)
        lane.failures += 1
        lane.resume_at = time.monotonic() + pause
        self.say(f"step {one.step}: not published to {lane.target} yet ({sentence}); again in {pause:,.0f} s")

    def _supersede(self, lane: _Lane, record: Record, why: str) -> None:
        record = replace(record, state=SUPERSEDED, error=why, ended=now())
        self._write(lane, record)
        self._ended.append(record)
        self.say(f"step {record.step}: superseded, not published to {lane.target}: {why}")

    def _prune(self, url: str, watch: LeaseWatch) -> None:
        waiting = [one.step for one in self._lane("full").waiting()]
        try:
            done = prune_remote(url, self.policy, watch, waiting)
        except (BadInput, OSError) as error:
            self.say(f"{url} could not be pruned ({_sentence(error)})", once=True)
            return
        for one in done.removed:
            self.say(f"step {one.step}: removed from {url}")
        for step, holder in done.held.items():
            self.say(f"{step} stays at {url} while {holder} holds it", once=True)

    def _progress(self, step: int) -> Progress:
        told = time.monotonic()

        def progress(done: float, total: float, unit: str) -> None:
            nonlocal told
            if self.stop():
                raise Stopped
            if time.monotonic() - told >= _PROGRESS_SECONDS:
                told = time.monotonic()
                self.say(f"step {step}: {done:,.0f} of {total:,.0f} {unit}")

        return progress

    def _lane(self, kind: Kind) -> _Lane:
        return next(lane for lane in self._lanes if lane.kind == kind)

    def _recorded(self, kind: Kind, target: str) -> dict[str, Record]:
        return {one.checkpoint: one for one in read_records(self.run) if (one.kind, one.target) == (kind, target)}

    def _write(self, lane: _Lane, record: Record) -> None:
        """Without its file a record lives as long as the process; a checkpoint sent again then finds itself there."""
        lane.records[record.checkpoint] = record
        try:
            write_record(self.run, record)
        except OSError as error:
            self.say(f"{publish_folder(self.run)} cannot be written ({_sentence(error)})", once=True)


@contextmanager
def _only_one(run: Path) -> Iterator[None]:
    """A lock that ends with the process that holds it, however it ends."""
    folder = publish_folder(run)
    try:
        folder.mkdir(exist_ok=True)
        lock = lock_file(folder / "lock", exclusive=True, wait=False, create=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written ({error.strerror}); correct that, then publish again") from error
    if lock is None:
        raise BadInput(f"{run} is being published by another process; stop that one first")
    try:
        yield
    finally:
        unlock(lock)


def _age(one: Checkpoint) -> float:
    """Seconds since a checkpoint was complete."""
    try:
        return time.time() - (one.path / COMPLETE).stat().st_mtime
    except OSError:
        return 0.0


def _sentence(error: Exception) -> str:
    """What to tell of a failure. Errors of other libraries may hold whole requests: of those only the kind."""
    text = type(error).__name__
    if isinstance(error, BadInput):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    for value in filter(None, map(os.environ.get, _SECRETS)):
        text = text.replace(value, "…")
    return " ".join(text.split())[:500]
