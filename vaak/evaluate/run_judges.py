"""Which judges hear which of the runs that a sidecar follows: the held-out ones hear aligned runs, or all where it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from vaak.checkpoint.claim import run_of
from vaak.evaluate.checkpoint import instruments
from vaak.evaluate.held_out import HeldOut, held_out_of, open_held_out
from vaak.evaluate.jobs import Job
from vaak.evaluate.places import Place
from vaak.score.asr import Asr


class RunJudges:
    """The instruments of each run. A recogniser is opened when the first run needs it; what is said of a run is said once."""

    def __init__(self, asr: Asr, every_run: bool, threads: int, say: Callable[[str], None]) -> None:
        self._asr, self._every_run, self._threads, self._say = asr, every_run, threads, say
        self._said: set[str] = set()

    @cached_property
    def _second(self) -> Asr | None:
        second = open_held_out(self._asr, threads=self._threads)
        self._say(
            f"held-out judges: {second.name if second else 'no second recogniser'}, PLCMOS, pitch and speaking rate"
        )
        return second

    def groups(self, places: Sequence[Place]) -> dict[str, list[Place]]:
        """The runs at these places by the name of their instruments (`vaak.evaluate.checkpoint.instruments`)."""
        found: dict[str, list[Place]] = {}
        for place in places:
            found.setdefault(instruments(self._asr, self._of_run(place)), []).append(place)
        return found

    def of(self, job: Job, places: Sequence[Place]) -> HeldOut | None:
        """The held-out judges of a job, whose instruments it was offered with; None where it has none."""
        if job.instruments == instruments(self._asr):
            return None
        mine = [place for place in places if run_of(job.checkpoint_id) in place.run_names()]
        for place in mine or places:  # the scale is of no run: any that has these instruments will do
            held_out = self._of_run(place)
            if job.instruments == instruments(self._asr, held_out):
                return held_out
        return HeldOut(self._second)

    def _of_run(self, place: Place) -> HeldOut | None:
        aligned = place.aligned()
        return held_out_of(aligned, self._second, self._say_once) if aligned or self._every_run else None

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
