"""What the sidecar found of a run that is still trained: a sentence for its screen, cheap enough to ask for every minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaak.evaluate import Results, newest_versions, open_results
from vaak.evaluate.database import is_address

# Metrics of which a mean says something at a glance, and their words.
_SHOWN = {"stopped": "stopped by itself {:.0%}", "dnsmos": "DNSMOS {:.2f}", "similarity": "similarity {:.2f}"}


class NewestEvaluation:
    """Called with the step that the run is at, it says which is the newest checkpoint of `run` that was evaluated, in full where it
    was, and some means of the newest versions of their metrics; "" before there is one. Steps beyond are of an earlier run."""

    def __init__(self, db: str, run: str) -> None:
        self.db, self.run = db, run
        self._said: tuple[dict[str, Any], str] = ({}, "")

    def __call__(self, until: int) -> str:
        if not is_address(self.db) and not Path(self.db).is_file():
            return ""
        results = open_results(self.db)
        try:
            return self._newest(results, until)
        finally:
            results.close()

    def _newest(self, results: Results, until: int) -> str:
        steps = ((one, _step_of(one["checkpoint_id"], self.run)) for one in results.finished())
        found = [(one, step) for one, step in steps if step is not None and step <= until]
        if not found:
            return ""
        # Of one step and level the evaluation that was finished last: newer instruments, or the run did the step again.
        newest, step = max(reversed(found), key=lambda one: (one[1], one[0]["level"] == "full"))
        if self._said[0] != newest:
            values: dict[str, list[float]] = {name: [] for name in _SHOWN}
            for row in newest_versions(results.read(newest["checkpoint_id"], newest["pack_id"])):
                if row.metric in values:
                    values[row.metric].append(row.value)
            words = [_SHOWN[name].format(sum(of) / len(of)) for name, of in values.items() if of]
            self._said = newest, f"step {step:,} ({newest['level']}): {', '.join(words) or 'nothing measured'}"
        return self._said[1]


def _step_of(checkpoint_id: str, run: str) -> int | None:
    """The step of a checkpoint of this run, RUN/STEP/HASH; None for what is none of it."""
    name, step = [*checkpoint_id.rsplit("/", 2), ""][:2]
    return int(step) if name == run and step.isdigit() else None
