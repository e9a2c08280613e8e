"""Where followed checkpoints lie: in the folder of a run, or at the address that it is published to (`s3://bucket/run`).

Both are looked at in the same way: which checkpoints are complete, whether one is gone, and a folder to open one from. What
is at an address is fetched for that, one at a time, and removed again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from vaak.checkpoint import CheckpointGone, find_model, lease, list_checkpoints, list_remote, verify_checkpoint
from vaak.checkpoint.claim import run_of
from vaak.checkpoint.ended import ended_with
from vaak.checkpoint.folder import COMPLETE, step_name
from vaak.checkpoint.remote import split_address, step_address
from vaak.errors import BadInput
from vaak.evaluate.aligned import RECIPE, Aligned, aligned_of, recipe_text
from vaak.evaluate.fetched import fetched
from vaak.evaluate.turns import Stopped
from vaak.evaluate.working import Postponed
from vaak.score.reward_settings import RewardSettings
from vaak.storage.objects import ObjectMissing, StorageFailed, open_objects, read_object

# Seconds between two looks at an address: each costs a request and one for every checkpoint there.
LOOK_SECONDS = 30.0
# What a checkpoint is called everywhere: run, step and the hash of its manifest.
_ID = re.compile(r".+/\d+/[0-9a-f]{64}")
Opened = Callable[[], AbstractContextManager[Path]]
_STEP = re.compile(r"step-\d+$")
_MOST_RECIPE = 1 << 20
_DONE = "DONE.json"
_GONE = "removed by the run's retention before it was evaluated"


@dataclass(frozen=True)
class Seen:
    """A complete checkpoint. names: by which a full evaluation of it may be asked for; last: of a run that is finished.

    completed_at: seconds since 1970. place: its folder, absolute, or its address.
    """

    id: str
    step: int
    completed_at: float
    place: str
    names: frozenset[str]
    last: bool


class RunFolder:
    """A run in a folder, which may not exist yet."""

    def __init__(self, run: Path) -> None:
        self.run, self.name = run, run.resolve().name

    def complete(self, ending: bool) -> list[Seen]:
        """Its complete checkpoints by step."""
        found = [one for one in list_checkpoints(self.run) if one.complete]
        ended = (self.run / _DONE).exists()
        seen = []
        for one in found:
            names = {one.id, one.path.name, str(one.path), str(one.path.resolve())}
            last = ended and one is found[-1]
            if last:
                names |= {self.run.name, str(self.run)}
            try:
                completed_at = (one.path / COMPLETE).stat().st_mtime
            except OSError:  # removed by the run's retention since it was listed
                continue
            seen.append(Seen(one.id, one.step, completed_at, str(one.path.resolve()), frozenset(names), last))
        return seen

    def run_names(self) -> set[str]:
        """What the ids of its checkpoints may begin with."""
        return {self.name, *(run_of(one.id) for one in list_checkpoints(self.run) if one.complete)}

    def aligned(self) -> Aligned | None:
        """What its recipe says of an alignment; None for a training, or while there is no recipe."""
        return aligned_of(recipe_text(self.run))

    def holds(self, place: str) -> bool:
        """Whether the place of a checkpoint is in this run."""
        return "://" not in place and Path(place).parent.parent == self.run.resolve()

    def is_gone(self, place: str) -> bool:
        """Whether the checkpoint of a place in it was removed. A run that is away as a whole has lost nothing."""
        return self.run.resolve().is_dir() and _is_gone(Path(place))

    @contextmanager
    def opened(self, identity: str, place: str, stop: Callable[[], bool]) -> Iterator[Path]:
        """The folder of a checkpoint, verified, under a lease. Raises `BadInput` if it is damaged, `CheckpointGone` if it was
        removed before or while it was read."""
        path = Path(place)
        with ExitStack() as held:
            with suppress(BadInput, OSError):  # on a disk that only the training may write it goes without
                held.enter_context(lease(path.parents[1], step_of(identity) or 0, "sidecar"))
            try:
                _trust(path)
                yield path
            except Stopped:
                raise
            except Exception:
                if _is_gone(path):
                    raise CheckpointGone(_GONE) from None
                _trust(path)
                raise


class RunAddress:
    """A run at an address. Between two looks the earlier one counts, unless something is to be decided for good."""

    def __init__(self, url: str, results_folder: Path, say: Callable[[str], None]) -> None:
        """Raises `BadInput` for an address of another kind, or one that refuses or does not answer now."""
        self.url, step = split_address(url)
        if step is not None:
            raise BadInput(f"{url} is the address of a checkpoint; name the one of its run")
        self.name = self.url.rpartition("/")[2]
        self._folder, self._say = results_folder, say
        self._seen: list[Seen] = []
        self._recipe: bytes | None = None
        self._ended: str | None = None  # with which checkpoint, once the run has said so
        self._away, self._look_at = False, 0.0
        self._look(must=True)

    def complete(self, ending: bool) -> list[Seen]:
        """Its complete checkpoints by step; none while it does not answer. The last is that of a finished run if the run says so
        at its address, and with `ending` in any case; what cannot be looked at is raised then: nobody will look again."""
        if ending or time.monotonic() >= self._look_at:
            self._look(must=ending)
        seen = [] if self._away else self._seen
        return [*seen[:-1], *(self._as_last(one) if ending or one.id == self._ended else one for one in seen[-1:])]

    def run_names(self) -> set[str]:
        """What the ids of its checkpoints may begin with."""
        return {self.name, *(run_of(one.id) for one in self._seen)}

    def aligned(self) -> Aligned | None:
        """The same by the recipe in its newest checkpoint, which is read once; None before there is one."""
        if self._recipe is None and self._seen:
            with suppress(BadInput):  # away: it is asked again
                self._recipe = recipe_at(self.url, self._seen[-1].step)
        return aligned_of(self._recipe)

    def holds(self, place: str) -> bool:
        """Whether the place of a checkpoint is at this address."""
        run, step = split_address(place)
        return run == self.url and step is not None

    def is_gone(self, place: str) -> bool:
        """Whether the checkpoint of a place at it was removed; an address that does not answer has lost nothing."""
        if any(one.place == place for one in self._seen):
            return False
        self._look(must=False)  # another sidecar may have seen it since we looked
        return not self._away and all(one.place != place for one in self._seen)

    @contextmanager
    def opened(self, identity: str, place: str, stop: Callable[[], bool]) -> Iterator[Path]:
        """The folder of a checkpoint's model, fetched and verified, and removed at the end. Raises as `fetched` does, and
        `Postponed` while the service is away."""
        step = split_address(place)[1] or 0
        try:
            with fetched(self.url, step, identity, self._folder, stop) as path:
                yield path
        except CheckpointGone:
            self._look_at = 0.0
            raise
        except StorageFailed as error:
            self._look(must=False)
            if self._away:
                raise Postponed(str(error)) from error
            raise

    def _look(self, must: bool) -> None:
        self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            found = list_remote(self.url)
            self._ended = ended_with(self.url)
        except BadInput as error:
            if must:
                raise
            if not self._away:
                self._say(f"{error}; it is looked at again")
            self._away = True
            return
        self._away = False
        self._seen = [
            Seen(one.id, one.step, one.completed_at, one.url, frozenset({one.id, step_name(one.step), one.url}), False)
            for one in found
            if one.complete
        ]

    def _as_last(self, one: Seen) -> Seen:
        names = one.names | {self.url, self.name, run_of(one.id)}
        return Seen(one.id, one.step, one.completed_at, one.place, names, True)


Place = RunFolder | RunAddress


def open_places(runs: Sequence[str | Path], results_folder: Path, say: Callable[[str], None]) -> list[Place]:
    """The runs to follow, folders first: where one is in both, its folder is nearer. Raises as `RunAddress` does."""
    addresses = [RunAddress(str(run), results_folder, say) for run in runs if is_address(run)]
    return [*(RunFolder(Path(run)) for run in runs if not is_address(run)), *addresses]


def is_address(run: str | Path) -> bool:
    return "://" in str(run)


def opened_at(
    places: Sequence[Place], identity: str, place: str, stop: Callable[[], bool]
) -> AbstractContextManager[Path]:
    """The folder of a checkpoint in one of these runs; of one that is in none, since it was removed, `CheckpointGone`."""
    return next((one.opened(identity, place, stop) for one in places if one.holds(place)), None) or removed(identity)


@contextmanager
def removed(identity: str) -> Iterator[Path]:
    """What stands for a checkpoint of which only the speech is kept."""
    raise CheckpointGone(f"{identity} is not there any more, and not all of its speech is kept here")
    yield Path()


def removed_from(places: Sequence[Place]) -> Callable[[str], str | None]:
    """Says of a place in one of these runs why its checkpoint is gone, or None."""

    def missing(place: str) -> str | None:
        return _GONE if any(one.holds(place) and one.is_gone(place) for one in places) else None

    return missing


def find_subject(checkpoint: str | Path, results_folder: Path, stop: Callable[[], bool]) -> tuple[str, Opened]:
    """(id, how to open it) of a checkpoint's folder or address, a run's for its newest, an export, or an id of its own.

    Raises `BadInput` if there is none.
    """
    if is_address(checkpoint):
        return _find_at_address(str(checkpoint), results_folder, stop)
    if _ID.fullmatch(str(checkpoint)) and not Path(checkpoint).exists():
        return str(checkpoint), lambda: removed(str(checkpoint))
    identity, folder = find_model(checkpoint)
    return identity, lambda: nullcontext(folder)


def _find_at_address(url: str, results_folder: Path, stop: Callable[[], bool]) -> tuple[str, Opened]:
    run, step = split_address(url)
    complete = [one for one in list_remote(run) if one.complete and step in (None, one.step)]
    if not complete:
        raise BadInput(f"{url} holds no complete checkpoint; publish one there, or correct the address")
    newest = complete[-1]
    return newest.id, lambda: fetched(run, newest.step, newest.id, results_folder, stop)


def step_of(identity: str) -> int | None:
    """The step in a checkpoint's id, `run/step/hash`; None for an export, which has none."""
    return int(identity.rsplit("/", 2)[1]) if _ID.fullmatch(identity) else None


def aligned_at(checkpoint: str | Path) -> Aligned | None:
    """What the recipe of a checkpoint says of an alignment, that of its run where it has none of its own; of a run, too.

    None for a training, and where there is no recipe: of an export, or of an id whose checkpoint is gone.
    """
    if is_address(checkpoint):
        run, step = split_address(str(checkpoint))
        steps = [one.step for one in list_remote(run) if one.complete and step in (None, one.step)]
        return aligned_of(recipe_at(run, steps[-1])) if steps else None
    folder = Path(checkpoint)
    text = recipe_text(folder)
    return aligned_of(
        recipe_text(folder.resolve().parent.parent) if text is None and _STEP.match(folder.name) else text
    )


def reward_settings_of(checkpoint: str | Path) -> RewardSettings | None:
    """The reward that a checkpoint was aligned to, as its recipe has it; the default one of a training and an export, None
    where a recipe has one that cannot be read."""
    aligned = aligned_at(checkpoint)
    return RewardSettings() if aligned is None else aligned.reward


def recipe_at(url: str, step: int) -> bytes:
    """The recipe of a checkpoint at the address of a run; empty where it has none. Raises as `read_object` does."""
    try:
        return read_object(open_objects(step_address(url, step)), RECIPE, _MOST_RECIPE)
    except ObjectMissing:
        return b""


def _trust(path: Path) -> None:
    problems = verify_checkpoint(path)
    if problems:
        raise BadInput(problems[0])


def _is_gone(path: Path) -> bool:
    """Whether a checkpoint is not complete any more; a disk that does not answer has not lost it."""
    try:
        os.stat(path / COMPLETE)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
