"""What the sidecar found last of a run that is still trained: a sentence for its screen, cheap enough to ask for every minute."""

from __future__ import annotations

from pathlib import Path

from vaak.evaluate import Results, open_results
from vaak.evaluate.database import is_address

# Metrics of which a mean says something at a glance, and their words.
_SHOWN = {"stopped": "stopped by itself {:.0%}", "dnsmos": "DNSMOS {:.2f}", "similarity": "similarity {:.2f}"}


class NewestEvaluation:
    """Called, it says which checkpoint of `run` was evaluated last in a results database, and some means; "" before there is one."""

    def __init__(self, db: str, run: str) -> None:
        self.db, self.run = db, run
        self._said: tuple[str, str] = ("", "")

    def __call__(self) -> str:
        if not is_address(self.db) and not Path(self.db).is_file():
            return ""
        results = open_results(self.db)
        try:
            return self._newest(results)
        finally:
            results.close()

    def _newest(self, results: Results) -> str:
        found = [one for one in results.finished() if one["checkpoint_id"].rsplit("/", 2)[0] == self.run]
        if not found:
            return ""
        newest = found[-1]
        identity = newest["checkpoint_id"]
        if self._said[0] != identity + newest["level"]:
            values: dict[str, list[float]] = {name: [] for name in _SHOWN}
            for row in results.read(identity, newest["pack_id"]):
                if row.metric in values:
                    values[row.metric].append(row.value)
            words = [_SHOWN[name].format(sum(of) / len(of)) for name, of in values.items() if of]
            step = int(identity.split("/")[-2])
            self._said = (
                identity + newest["level"],
                f"step {step:,} ({newest['level']}): {', '.join(words) or 'nothing measured'}",
            )
        return self._said[1]
