"""The publisher: follows a run in a process of its own and sends full checkpoints to storage and milestones to the Hub.

What waits, failed or is done stands on disk (vaak/checkpoint/outbox.py), so an outage, a kill or a restart loses nothing and sends
nothing twice. Nothing that fails reaches the training or ends the publisher.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vaak.checkpoint.destination import Destination, Reduced
from vaak.checkpoint.folder import COMPLETE, Checkpoint, list_checkpoints
from vaak.checkpoint.lanes import Held, Lane, sentence_of
from vaak.checkpoint.outbox import (
    PUBLISHED,
    SUPERSEDED,
    WAITING,
    Kind,
    Record,
    again,
    now,
    only_publisher,
    publish_folder,
    read_records,
    write_record,
)
from vaak.checkpoint.policy import Policy, kept, milestone, prune_unless_trained
from vaak.checkpoint.publish_figures import PublishFigures
from vaak.checkpoint.remote import split_address
from vaak.errors import BadInput
from vaak.storage.objects import ObjectChanged, StorageFailed, open_objects
from vaak.storage.transfer import Progress, Stopped
from vaak.track import Tracker

# So many full checkpoints, besides milestones, are kept from removal while they wait.
MOST_WAITING = 3

_DONE = "DONE.json"
_PROGRESS_SECONDS = 30.0

# What was measured of the checkpoint with this id, as markdown, or None while it is not evaluated.
Notes = Callable[[str], str | None]


class SendMilestone(Protocol):
    """Sends a checkpoint's model to a repository of the Hub; where it is now."""

    def __call__(self, folder: Path, repo_id: str, *, notes: str | None, work_folder: Path) -> str: ...


@dataclass(frozen=True)
class Pace:
    """Seconds. poll: between looks at the run. first, most: the pause after a failure that may pass by itself, doubled from time
    to time, of which chance takes up to a half. rarely: before another try of what needs a person. compare: between looks at
    the address. evaluation: how long after it was complete a milestone waits for its notes."""

    poll: float = 5.0
    first: float = 2.0
    most: float = 600.0
    rarely: float = 1800.0
    compare: float = 900.0
    evaluation: float = 6 * 3600.0


@dataclass(frozen=True)
class PublishedRun:
    """What one call published and what was superseded before it could be; what waits still.

    unseen: why it is not known whether more should wait, one sentence, or nothing.
    """

    published: list[Record]
    superseded: list[Record]
    waiting: list[Record]
    unseen: str = ""


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
    tracker: Tracker | None = None,
) -> PublishedRun:
    """Send the full checkpoints of a run to the address `to` and its milestones to the repository `hub`, newest first.

    After each upload the address is pruned by the policy, which removes there what the training went back before, and keeps
    what the folder keeps; what was published and is gone from there is sent again. A milestone waits for its `notes`.
    Without `follow` everything that waits is tried once, as long as its service answers; with it, until the run is done and
    nothing waits, or soon after `stop` turns true. Of a run that is done the folder is pruned in the end, unless somebody
    trains in it. Raises `BadInput` for a run that is not there, for no target or one that cannot be, and while another
    process publishes the run; what fails later is said, and tried again. tracker: told how it stands (`vaak.checkpoint.metrics`).
    """
    run = Path(run)
    if not run.is_dir():
        raise BadInput(f"{run} is no folder of a run; correct it, or start the training first")
    if to is None and hub is None:
        raise BadInput(f"{run} has nowhere to be published to; name --to s3://bucket/prefix, --hub owner/name, or both")
    with only_publisher(run):
        publisher = _Publisher(run, policy, stop, say, pace, PublishFigures(tracker))
        if to is not None:
            open_objects(to, create=True)
            if split_address(to)[1] is not None:
                raise BadInput(f"{to} is the address of a checkpoint; name the one of its run")
            publisher.to_storage(to.rstrip("/"))
        if hub is not None:
            publisher.to_hub(hub, notes, send_milestone or _send_milestone)
        try:
            publisher.work(follow)
            publisher.finish()
        finally:
            publisher.held.hold(set())
        return publisher.report()


def _send_milestone(folder: Path, repo_id: str, *, notes: str | None, work_folder: Path) -> str:
    from vaak.checkpoint.milestones import publish_milestone

    return publish_milestone(folder, repo_id, notes=notes, work_folder=work_folder)


class _Publisher:
    def __init__(
        self,
        run: Path,
        policy: Policy,
        stop: Callable[[], bool],
        say: Callable[[str], None],
        pace: Pace,
        figures: PublishFigures,
    ) -> None:
        self.figures = figures
        self.run, self.policy, self.stop, self.pace = run, policy, stop, pace
        self.held = Held(run, lambda line: self.say(line, once=True))
        self._say = say
        self._said: set[str] = set()
        self._lanes: list[Lane] = []
        self._ended: list[Record] = []
        self._there: Destination | None = None
        self._unread, self._follow = "", False

    def say(self, sentence: str, once: bool = False) -> None:
        if not (once and sentence in self._said):
            self._say(sentence)
        if once:
            self._said.add(sentence)

    def to_storage(self, url: str) -> None:
        self._there = there = Destination(url, self.policy, self.say)
        records = self._recorded("full", url)

        def send(one: Checkpoint) -> Record:
            return there.send(one, records[one.id], self._progress(one.step))

        lane = Lane("full", url, records, send, after=lambda: self._prune(lane, there))
        self._lanes.append(lane)

    def to_hub(self, repo_id: str, notes: Notes | None, send_milestone: SendMilestone) -> None:
        texts: dict[str, str | None] = {}

        def ready(one: Checkpoint) -> bool:
            if notes is None:
                return True
            try:
                texts[one.id] = notes(one.id)
            except Exception as error:
                self.say(f"step {one.step}: its evaluation cannot be read ({sentence_of(error)})", once=True)
            return texts.get(one.id) is not None or _age(one) >= self.pace.evaluation

        def send(one: Checkpoint) -> Record:
            work = publish_folder(self.run) / "work"
            where = send_milestone(one.path, repo_id, notes=texts.get(one.id), work_folder=work)
            return replace(self._lane("milestone").records[one.id], where=where)

        self._lanes.append(Lane("milestone", repo_id, self._recorded("milestone", repo_id), send, ready))

    def work(self, follow: bool) -> None:
        self._follow = follow
        while not self.stop():
            ended, complete = False, {}
            try:
                ended = (self.run / _DONE).exists()  # looked at first: a checkpoint that came before it is still seen
                complete = self._look(ended)
                self._unread = ""
            except (BadInput, OSError) as error:
                self._unread = f"{self.run} cannot be read ({sentence_of(error)})"
                self.say(self._unread, once=True)
            job = self._next(complete, follow)
            self.figures.tell(self._lanes)
            if job is not None:
                self._send(*job)
            elif not follow or (ended and not self._unseen() and not any(lane.waiting() for lane in self._lanes)):
                return
            else:
                until = time.monotonic() + self.pace.poll
                while not self.stop() and time.monotonic() < until:
                    time.sleep(min(self.pace.poll, 0.2))

    def finish(self) -> None:
        """Retention has the last word: what a wait or a lease of ours kept stood outside of the policy."""
        for lane in self._lanes:
            if lane.sent and not lane.waiting() and not self.stop():
                lane.after()
        self.held.hold(set())
        waiting = {one.step for lane in self._lanes for one in lane.waiting()}
        try:
            if (self.run / _DONE).exists():
                if self._there is not None and not self._lane("full").waiting() and not self._unseen():
                    self._there.tell_end(self.run)
                for one in prune_unless_trained(self.run, self.policy, waiting):
                    self.say(f"step {one.step}: removed from {self.run}, as its recipe says")
        except (BadInput, OSError) as error:
            self.say(f"{self.run} could not be pruned ({sentence_of(error)})")

    def report(self) -> PublishedRun:
        published = [one for one in self._ended if one.state == PUBLISHED]
        superseded = [one for one in self._ended if one.state == SUPERSEDED]
        waiting = [one for lane in self._lanes for one in lane.waiting()]
        return PublishedRun(published, superseded, waiting, self._unseen())

    def _unseen(self) -> str:
        return self._unread or (self._there.unseen if self._there is not None else "")

    def _look(self, ended: bool) -> dict[str, Checkpoint]:
        """Queue what is new, give up what is gone, and hold what waits; the run's complete checkpoints by id."""
        complete = self._complete()
        if self.held.hold(self._queued(complete, ended)):
            complete = self._complete()  # retention may have been quicker than our leases
            self.held.hold(self._queued(complete, ended))
        return {one.id: one for one in complete}

    def _complete(self) -> list[Checkpoint]:
        return [one for one in list_checkpoints(self.run) if one.complete]

    def _queued(self, complete: list[Checkpoint], ended: bool) -> set[int]:
        """Bring all records up to date; the steps that are to be held."""
        stays = kept(complete, self.policy)[0] if complete else set()
        for lane in self._lanes:
            self._compare(lane, {one.id for one in complete if one.full and one.step in stays})
        return {step for lane in self._lanes for step in self._queue(lane, complete, stays, ended)}

    def _compare(self, lane: Lane, stays: set[str]) -> None:
        """Queue again what was published, should be there, and is not."""
        if self._there is None or lane.kind != "full" or time.monotonic() < lane.resume_at:
            return
        sent = [one for one in lane.records.values() if one.state == PUBLISHED and one.checkpoint in stays]
        for record in self._there.gone(sent, self.pace.compare, self.pace.most):
            self._write(lane, again(record))
            self.say(f"step {record.step}: is not whole at {lane.target} any more, so it is sent again")

    def _queue(self, lane: Lane, complete: list[Checkpoint], stays: set[int], ended: bool) -> set[int]:
        """Bring a lane's records up to date; the steps of it that are to be held."""
        if lane.kind == "full":
            wanted = {one.id for one in complete if one.full}
        else:
            last = complete[-1:] if ended else []
            wanted = {one.id for one in [*last, *complete] if one in last or milestone(self.policy, one.step)}
        for one in complete:
            record = lane.records.get(one.id)
            if one.id in wanted and record is None:
                self._write(lane, Record(lane.kind, lane.target, one.id, one.step, WAITING, now()))
            elif one.id in wanted and record is not None and record.state == SUPERSEDED and one.step in stays:
                self._write(lane, again(record))
        hold, few = set(), MOST_WAITING
        sent = {one.step for one in lane.records.values() if one.state == PUBLISHED}
        sent = {step for step in sent if complete and step <= complete[-1].step}  # above, the training went back
        for record in lane.waiting():
            good = lane.kind == "milestone" or milestone(self.policy, record.step)
            newer = [step for step in sent if step > record.step]
            if record.checkpoint not in wanted:
                self._supersede(
                    lane, record, "it was removed, made a model alone or trained again before it was published"
                )
            elif good or record.step in stays or (few > 0 and len(newer) < max(self.policy.keep_last_full, 1)):
                if good or few > 0:
                    hold.add(record.step)
                    few -= not good
            else:
                self._supersede(lane, record, "newer ones came, and the policy does not keep it")
        return hold

    def _next(self, complete: dict[str, Checkpoint], follow: bool) -> tuple[Lane, Checkpoint] | None:
        for lane in self._lanes:
            one = lane.next(complete, again=follow)
            if one is not None:
                return lane, one
        return None

    def _send(self, lane: Lane, one: Checkpoint) -> None:
        # The other target comes first the next time.
        self._lanes.sort(key=lambda other: other is lane)
        began = time.monotonic()
        lane.tried.add(one.id)
        try:
            done = lane.send(one)
        except Stopped:
            return
        except Reduced:
            self._supersede(lane, lane.records[one.id], "retention left its model alone before all of it was sent")
            return
        except Exception as error:
            self._failed(lane, one, error)
            return
        lane.failures, lane.away, lane.sent = 0, False, True
        done = replace(done, state=PUBLISHED, error="", seconds=round(time.monotonic() - began, 1), ended=now())
        self._write(lane, done)
        self.figures.sent(done)
        self._ended.append(done)
        size = f"{done.files} files, {done.bytes / 1e6:,.1f} MB, " if done.files else ""
        self.say(f"step {one.step}: published to {done.where} ({size}{done.seconds:,.0f} s)")
        lane.after()

    def _failed(self, lane: Lane, one: Checkpoint, error: Exception) -> None:
        with suppress(BadInput, OSError):
            if not any(other.id == one.id for other in self._complete()):
                return  # it was removed meanwhile, and the next look says so
        if self._there is not None:
            self._there.look_soon()
        self.figures.failed()
        sentence = sentence_of(error)
        record = lane.records[one.id]
        self._write(lane, replace(record, attempts=record.attempts + 1, error=sentence))
        if isinstance(error, BadInput) and not isinstance(error, StorageFailed | ObjectChanged):
            lane.parked[one.id] = time.monotonic() + self.pace.rarely
            self.say(f"step {one.step}: not published to {lane.target}: {sentence}", once=True)
            return
        pause = min(self.pace.most, self.pace.first * 2 ** min(lane.failures, 30)) * random.uniform(0.5, 1)
        lane.failures += 1
        lane.away = isinstance(error, StorageFailed)
        lane.resume_at = time.monotonic() + pause
        then = f"again in {pause:,.0f} s" if self._follow else "publish again and it continues"
        self.say(f"step {one.step}: not published to {lane.target} yet ({sentence}); {then}")

    def _supersede(self, lane: Lane, record: Record, why: str) -> None:
        record = replace(record, state=SUPERSEDED, error=why, ended=now())
        self._write(lane, record)
        self._ended.append(record)
        self.say(f"step {record.step}: superseded, not published to {lane.target}: {why}")

    def _prune(self, lane: Lane, there: Destination) -> None:
        try:
            there.prune(self._complete(), [one.step for one in lane.waiting()])
        except (BadInput, OSError) as error:
            self.say(f"{there.url} could not be pruned ({sentence_of(error)})", once=True)

    def _progress(self, step: int) -> Progress:
        told = time.monotonic()

        def progress(done: float, total: float, unit: str) -> None:
            nonlocal told
            self.figures.tell(self._lanes, now=False)
            if self.stop():
                raise Stopped
            if time.monotonic() - told >= _PROGRESS_SECONDS:
                told = time.monotonic()
                self.say(f"step {step}: {done:,.0f} of {total:,.0f} {unit}")

        return progress

    def _lane(self, kind: Kind) -> Lane:
        return next(lane for lane in self._lanes if lane.kind == kind)

    def _recorded(self, kind: Kind, target: str) -> dict[str, Record]:
        return {one.checkpoint: one for one in read_records(self.run) if (one.kind, one.target) == (kind, target)}

    def _write(self, lane: Lane, record: Record) -> None:
        """Without its file a record lives as long as the process; a checkpoint sent again then finds itself there."""
        lane.records[record.checkpoint] = record
        try:
            write_record(self.run, record)
        except OSError as error:
            self.say(f"{publish_folder(self.run)} cannot be written ({sentence_of(error)})", once=True)


def _age(one: Checkpoint) -> float:
    """Seconds since a checkpoint was complete."""
    try:
        return time.time() - (one.path / COMPLETE).stat().st_mtime
    except OSError:
        return 0.0
