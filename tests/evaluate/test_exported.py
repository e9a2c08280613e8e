"""What a sidecar exports of the runs that it follows: how far behind it is, and the figures of the newest evaluation."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.evaluate.small_pack import add_checkpoint
from tests.track.defined import undefined
from tests.track.test_prometheus_exporter import free_port, scraped, series
from vaak.evaluate import open_results
from vaak.evaluate.exported import ExportedRuns
from vaak.evaluate.following import follow
from vaak.evaluate.jobs import Job
from vaak.evaluate.metrics import EVALUATION, FIGURES, SIDECAR
from vaak.evaluate.outbox import Entry, put_entries
from vaak.evaluate.places import open_places
from vaak.evaluate.told_to import told_to
from vaak.evaluate.turns import Stopped
from vaak.storage.files import write_json
from vaak.track import JsonlTracker, read_jsonl
from vaak.track.metric import metric_of


class Shown:
    """An exporter that keeps every row."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.closed = False

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self.rows.append({**values, "step": step})

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        raise AssertionError("an exporter has no tables")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def shown() -> dict[str, Shown]:
    return {}


@pytest.fixture
def run(tmp_path):
    """Steps 5 and 10 of a run that is done, and what tells a sidecar to end with them."""
    for step in (5, 10):
        add_checkpoint(tmp_path / "one", step, seed=step)
    write_json(tmp_path / "one" / "DONE.json", {})
    (tmp_path / "stop").write_text("")
    return tmp_path / "one"


@pytest.fixture
def options(tmp_path, codec, asr, shown):
    def exporter(name: str) -> Shown:
        return shown.setdefault(name, Shown())

    return {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr, "exporter": exporter, "say": lambda line: None}


def state(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("waiting", "newest_step", "evaluated_step", "behind", "evaluated", "failed")
    return {name: row[f"sidecar/{name}"] for name in names if f"sidecar/{name}" in row}


def test_it_is_seen_how_a_sidecar_catches_up(run, pack, options, tmp_path, shown):
    follow([run, tmp_path / "later"], pack, tmp_path / "r.db", **options)
    one = shown["one"]
    assert state(one.rows[0]) == {"waiting": 2, "newest_step": 10, "behind": 10, "evaluated": 0, "failed": 0}
    states = [state(row) for row in one.rows]
    assert {"waiting": 1, "newest_step": 10, "evaluated_step": 10, "behind": 0, "evaluated": 1, "failed": 0} in states
    last = one.rows[-1]
    assert state(last) == {
        "waiting": 0,
        "newest_step": 10,
        "evaluated_step": 10,
        "behind": 0,
        "evaluated": 2,
        "failed": 0,
    }
    assert last["step"] == 10 and last["sidecar/seconds"] > 0 and one.closed
    # The figures are those of the newest checkpoint, though the older one was evaluated after it.
    assert last["evaluate/step"] == 10 and last["evaluate/checkpoint"].startswith("one/10/")
    assert 0 <= last["evaluate/quick/stop_rate/language/en"] <= 1
    assert state(shown["later"].rows[-1]) == {"waiting": 0, "evaluated": 0, "failed": 0}  # it has not begun


def test_a_sidecar_that_is_started_again_shows_the_same_and_takes_nothing_from_trackers(
    run, pack, options, tmp_path, shown
):
    def away(name: str):
        raise OSError("no network")

    follow([run], pack, tmp_path / "r.db", trackers=away, **options)
    before = shown.pop("one").rows[-1]
    assert before["sidecar/outbox"] == 2 and before["sidecar/evaluated"] == 2
    log = tmp_path / "told.jsonl"
    follow([run], pack, tmp_path / "r.db", trackers=lambda name: JsonlTracker(log), **options)
    again = shown.pop("one").rows[-1]
    assert again["sidecar/outbox"] == again["sidecar/evaluated"] == 0
    figures = {name: value for name, value in before.items() if name.startswith("evaluate/")}
    assert len(figures) > 20 and figures.items() <= again.items()
    assert [row["step"] for row in read_jsonl(log) if "evaluate/step" in row] == [10, 5]
    follow([run], pack, tmp_path / "r.db", **options)  # where no tracker is told, nothing waits for one
    assert "sidecar/outbox" not in shown["one"].rows[-1]


def test_a_checkpoint_that_fails_is_counted_and_waits_no_more(run, pack, options, tmp_path, shown):
    [weights] = (run / "checkpoints" / "step-00000010" / "model").iterdir()
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")
    follow([run], pack, tmp_path / "r.db", **options)
    last = state(shown["one"].rows[-1])
    assert last == {
        "waiting": 0,
        "newest_step": 10,
        "evaluated_step": 5,
        "behind": 5,
        "evaluated": 1,
        "failed": 2,
    }  # tries


def test_while_an_evaluation_goes_on_new_checkpoints_are_seen(run, pack, options, tmp_path, shown, monkeypatch):
    monkeypatch.setattr("vaak.evaluate.exported._LOOK_SECONDS", 0.0)
    hear, added = options["asr"].transcribe, []

    def hear_and_save(*arguments, **named):
        if not added and shown["one"].rows[-1].get("sidecar/evaluated_step") is None and options["asr"].calls > 10:
            added.append(add_checkpoint(run, 15, seed=15))
        return hear(*arguments, **named)

    monkeypatch.setattr(options["asr"], "transcribe", hear_and_save)
    follow([run], pack, tmp_path / "r.db", **options)
    behind = [row for row in shown["one"].rows if row.get("sidecar/newest_step") == 15]
    assert added and behind[0]["sidecar/behind"] >= 5 and state(shown["one"].rows[-1])["behind"] == 0


def test_every_number_of_a_sidecar_is_defined_and_every_figure_has_its_meaning(run, pack, options, tmp_path, shown):
    follow([run], pack, tmp_path / "r.db", full=["one"], held_out=True, **options)
    rows = shown["one"].rows
    assert undefined(rows, EVALUATION + SIDECAR) == set()
    found = {name: metric_of(name, EVALUATION) for row in rows for name in row if name.startswith("evaluate/")}
    figures = {one[1]["figure"] for one in found.values() if one is not None and "figure" in one[1]}
    assert figures <= {figure.name for figure in FIGURES}
    # Of a model that was trained, on a pack with recordings, with the instruments that are not installed here.
    assert {figure.name for figure in FIGURES} - figures <= {
        "utmos",
        "voice_share",
        "held_out_wer",
        "held_out_cer",
        "reward",
    }


def test_a_figure_that_the_newest_evaluation_has_not_is_no_number_any_more(tmp_path, pack, shown):
    results = open_results(tmp_path / "r.db")
    exported = ExportedRuns(lambda name: shown.setdefault(name, Shown()), open_places([tmp_path / "one"], tmp_path, print),
                            results, pack.id, tells=False)  # fmt: skip

    def told(step: int, **figures: float) -> None:
        values = {f"evaluate/quick/{name}": value for name, value in figures.items()}
        identity = f"one/{step}/{step:064x}"
        entry = Entry(f"{identity} {pack.id} quick x", step, {**values, "evaluate/checkpoint": identity})
        results.database.transact(lambda connection: put_entries(connection, results.database, [entry]))
        exported.tell([])

    told(10, wer=0.5, stop_rate=1.0)
    told(20, stop_rate=0.9)
    last = shown["one"].rows[-1]
    assert math.isnan(last["evaluate/quick/wer"]) and last["evaluate/quick/stop_rate"] == 0.9
    told(5, stop_rate=0.1)  # an older one, evaluated late
    assert shown["one"].rows[-1]["evaluate/quick/stop_rate"] == 0.9
    results.close()


def test_who_was_stopped_has_neither_evaluated_nor_failed(tmp_path, pack, shown):
    results = open_results(tmp_path / "r.db")
    exported = ExportedRuns(lambda name: shown.setdefault(name, Shown()), open_places([tmp_path / "one"], tmp_path, print),
                            results, pack.id, tells=False)  # fmt: skip
    job = Job(f"one/10/{10:064x}", pack.id, "quick", "x", 10)
    with pytest.raises(Stopped), exported.evaluation(job.checkpoint_id):
        raise Stopped
    exported.tell([job])
    assert state(shown["one"].rows[-1]) == {"waiting": 1, "newest_step": 10, "behind": 10, "evaluated": 0, "failed": 0}
    results.close()


def test_it_is_read_over_http_where_track_says_prometheus(run, pack, options, tmp_path):
    """The sidecar's port is the one after the trainer's; here it is read before it ends."""
    shutil.rmtree(run / "checkpoints" / "step-00000005")
    port, found, said = free_port(), [], []
    told = told_to([f"prometheus:{port - 1}"], tmp_path, said.append)
    assert not told["trackers"]

    class ReadAtItsEnd:
        def __init__(self, name: str) -> None:
            self.exporter = told["exporter"](name)
            self.log = self.exporter.log

        def close(self) -> None:
            found.append(scraped(port))
            self.exporter.close()

    follow([run], pack, tmp_path / "r.db", **(options | {"exporter": ReadAtItsEnd}))
    [last] = found
    assert last[series("vaak_sidecar_evaluated_total", run="one")] == 1
    assert last[series("vaak_evaluate_level_figure", run="one", level="quick", figure="items")] > 0
    assert last[series("vaak_undefined_names", run="one")] == 0
    assert said == [f"figures are exported at http://127.0.0.1:{port}/metrics"]
