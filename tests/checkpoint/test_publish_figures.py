"""What a publisher exports: what waits and for how long, what it has sent, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.checkpoint.remote_runs import Kept, done, save
from tests.checkpoint.test_publish import Hub
from tests.track.defined import occurring, undefined
from tests.track.test_prometheus_exporter import free_port, scraped, series
from vaak.checkpoint.metrics import PUBLISHING
from vaak.checkpoint.outbox import read_records, write_record
from vaak.checkpoint.publish import publish_run
from vaak.checkpoint.publish_figures import publish_exporter
from vaak.errors import BadInput
from vaak.storage.objects import StorageFailed

POLICY = Kept(milestones=30, keep_last_full=2, keep_last_model_only=0)


class Shown:
    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self.rows.append({**values, "step": step})

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None: ...

    def close(self) -> None: ...


def quiet(line: str) -> None:
    pass


@pytest.fixture
def run(tmp_path, model):
    for step in (10, 20, 30):
        save(tmp_path / "run", step, model)
    done(tmp_path / "run")
    return tmp_path / "run"


def test_it_is_seen_how_what_waits_is_sent(run, tmp_path):
    shown = Shown()
    sent = publish_run(run, to=f"file://{tmp_path}/there", hub="me/one", policy=POLICY, say=quiet, send_milestone=Hub(),
                       tracker=shown)  # fmt: skip
    first, last = shown.rows[0], shown.rows[-1]
    assert (first["publish/waiting"], first["publish/published"], first["step"]) == (4, 0, 30)  # 10, 20, and 30 to both
    assert "publish/step" not in first and 0 <= first["publish/oldest_s"] < 60
    assert (last["publish/waiting"], last["publish/oldest_s"], last["publish/published"]) == (0, 0.0, 3)
    assert last["publish/step"] == 30 and last["publish/failed"] == 0
    assert last["publish/bytes"] == sum(record.bytes for record in sent.published) > 1000
    assert undefined(shown.rows, PUBLISHING) == set()
    assert occurring(shown.rows, PUBLISHING) == {metric.name for metric in PUBLISHING}


def test_what_fails_is_counted_and_grows_old(run):
    hub = Hub(StorageFailed("the Hub is away"))
    shown = Shown()
    publish_run(run, hub="me/one", policy=POLICY, say=quiet, send_milestone=hub, tracker=shown)
    assert (shown.rows[-1]["publish/waiting"], shown.rows[-1]["publish/failed"]) == (1, 1)
    [record] = read_records(run)
    since = (datetime.now(UTC) - timedelta(hours=7)).isoformat(timespec="seconds")
    write_record(run, replace(record, since=since))
    publish_run(run, hub="me/one", policy=POLICY, say=quiet, send_milestone=hub, tracker=(later := Shown()))
    assert later.rows[0]["publish/oldest_s"] == pytest.approx(7 * 3600, abs=60)
    assert later.rows[-1]["publish/published"] == 1 and later.rows[-1]["publish/failed"] == 0  # of its own process


def test_a_milestone_that_has_no_evaluation_yet_waits_without_growing_old(run):
    [shown, notes] = Shown(), {}
    publish_run(run, hub="me/one", policy=POLICY, notes=notes.get, say=quiet, send_milestone=Hub(), tracker=shown)
    assert (shown.rows[-1]["publish/waiting"], shown.rows[-1]["publish/oldest_s"]) == (1, 0.0)


def test_it_is_read_over_http_two_ports_above_the_trainers(run, tmp_path):
    port, hub = free_port(), Hub()
    with publish_exporter([f"prometheus:{port - 2}"], run, quiet) as tracker:
        publish_run(run, hub="me/one", policy=POLICY, say=quiet, send_milestone=hub, tracker=tracker)
        found = scraped(port)
    assert found[series("vaak_publish_published_total", run="run")] == 1
    assert found[series("vaak_publish_step", run="run")] == found[series("vaak_step", run="run")] == 30
    assert found[series("vaak_undefined_names", run="run")] == 0


def test_without_the_word_there_is_none_and_a_tracker_of_curves_is_refused(run):
    with publish_exporter([], run, quiet) as tracker:
        assert tracker is None
    refused = "a publisher has nothing to tell the tracker 'wandb:mine', only how it stands; use prometheus or prometheus:PORT"
    with pytest.raises(BadInput, match=refused), publish_exporter(["prometheus", "wandb:mine"], run, quiet):
        pass
