"""The exporter, read as Prometheus reads it: over HTTP, by prometheus-client's own parser."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families

from tests.train.toy_stage import make_corpus, make_recipe, saves_waited_for
from vaak.errors import BadInput
from vaak.track import read_jsonl
from vaak.track.jsonl import REFERENCE
from vaak.track.metric import Metric, metric_of
from vaak.track.prometheus_exporter import PrometheusTracker, exporter_choices, exporter_opener, exporter_port
from vaak.train.loop import train
from vaak.train.metrics import TRAINING

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def text_of(port: int, host: str = "127.0.0.1") -> str:
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def scraped(port: int) -> Series:
    families = text_string_to_metric_families(text_of(port))
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def read_at(port: int, step: int) -> Series:
    """What is there once the run "one" has told this step; a tracker may be told from a thread."""
    end = time.monotonic() + 30
    while (found := scraped(port)).get(series("vaak_step", run="one")) != step and time.monotonic() < end:
        time.sleep(0.01)
    return found


def series(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def tracker(port) -> Iterator[PrometheusTracker]:
    opened = PrometheusTracker("one", job="train", metrics=TRAINING, port=port, say=lambda line: None)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 12 steps that is read after its eighth, from the progress that a person sees: (its rows, what was read, the port)."""
    torch.set_num_threads(1)
    toy, found, port = make_corpus(tmp_path_factory.mktemp("toy")), [], free_port()
    folder = tmp_path_factory.mktemp("runs") / "one"
    tracker = PrometheusTracker("one", job="train", metrics=TRAINING, port=port, say=lambda line: None)

    def look(step: int, steps: int, words: str) -> None:
        if step == 8:
            found.append(read_at(port, 8))

    with saves_waited_for():
        train(make_recipe(toy), folder, tracker=tracker, on_step=look, say=lambda line: None)
    tracker.close()
    return read_jsonl(folder / "metrics.jsonl"), found[0], port


def test_a_run_that_trains_is_read_with_every_number_of_its_newest_rows(run):
    rows, found, _ = run
    newest: dict[str, float] = {}
    for row in rows:
        if row["step"] <= 8:
            newest |= {name: value for name, value in row.items() if name != "step" and not name.startswith(REFERENCE)}
    assert {"checkpoint/step", "audio_hours", "val/loss", "loss/language/hi"} <= newest.keys()
    for name, value in newest.items():
        defined = metric_of(name, TRAINING)
        assert defined is not None
        assert found[series(defined[0].exported, run="one", **defined[1])] == pytest.approx(value)
    assert found[series("vaak_step", run="one")] == 8 and found[series("vaak_checkpoint_step", run="one")] == 5
    assert found[series("vaak_undefined_names", run="one")] == 0
    assert found[series("vaak_run_info", run="one", job="train", version=version("vaak"))] == 1
    assert found[series("process_resident_memory_bytes")] > 1e7
    assert not any(name.startswith("python_gc") for name, _ in found)


def test_when_the_run_has_ended_nobody_listens_any_more(run):
    with pytest.raises(urllib.error.URLError):
        text_of(run[2])


def test_what_is_no_number_is_exported_as_what_it_is(tracker, port):
    tracker.log({"loss": math.nan, "grad_norm": math.inf, "lr": -math.inf, "tokens": np.int64(7)}, 3)
    tracker.log({"padding": torch.tensor(0.25), "time": np.float32(1.5), "val/loss": "a word", "val/text": None}, 3)
    found = scraped(port)
    assert math.isnan(found[series("vaak_loss", run="one")])
    assert found[series("vaak_grad_norm", run="one")] == math.inf == -found[series("vaak_lr", run="one")]
    assert found[series("vaak_padding", run="one")] == 0.25 and found[series("vaak_time", run="one")] == 1.5
    assert series("vaak_val_loss", run="one") not in found and series("vaak_val_text", run="one") not in found


@pytest.mark.parametrize("text", ["हिन्दी भाषा", 'a "quoted" \\ name', "two\nlines", "a/b/c", "தமிழ்"])
def test_any_text_is_a_label(port, text):
    tracker = PrometheusTracker(text, job="train", metrics=TRAINING, port=port, say=lambda line: None)
    tracker.log({f"loss/source/{text}": 2.0}, 1)
    assert scraped(port)[series("vaak_loss_source", run=text, source=text)] == 2.0
    tracker.close()


def test_bytes_of_a_folders_name_that_are_no_text_do_not_end_the_reading(port):
    tracker = PrometheusTracker("run-\udcff", job="train", metrics=TRAINING, port=port, say=lambda line: None)
    tracker.log({"loss": 2.0}, 1)
    assert scraped(port)[series("vaak_loss", run="run-?")] == 2.0
    tracker.close()


def test_numbers_under_names_that_nobody_defines_are_counted_and_not_exported(tracker, port):
    tracker.log({"loss": 1.0, "mood": 2.0, "luck": 3.0, "words": "text"}, 1)
    found = scraped(port)
    assert found[series("vaak_undefined_names", run="one")] == 2
    assert not any("mood" in name or "luck" in name for name, _ in found)


def test_runs_of_one_process_share_a_server_that_ends_with_the_last(port):
    said = []
    one, two = (PrometheusTracker(run, job="evaluate", metrics=TRAINING, port=port, say=said.append) for run in "ab")
    one.log({"loss": 1.0}, 1)
    two.log({"loss": 2.0}, 5)
    found = scraped(port)
    assert (found[series("vaak_loss", run="a")], found[series("vaak_loss", run="b")]) == (1.0, 2.0)
    one.close()
    assert series("vaak_loss", run="a") not in scraped(port)
    two.close()
    with pytest.raises(urllib.error.URLError):
        text_of(port)
    assert said == [f"figures are exported at http://127.0.0.1:{port}/metrics"]


def test_two_that_tell_of_one_run_do_not_spoil_the_reading(port):
    """Prometheus takes nothing from a page that has a series twice."""
    both = [PrometheusTracker("a", job="train", metrics=TRAINING, port=port, say=lambda line: None) for _ in range(2)]
    for number, one in enumerate(both):
        one.log({"loss": float(number)}, 1)
    lines = [line for line in text_of(port).splitlines() if line.startswith("vaak_loss{")]
    assert lines == ['vaak_loss{run="a"} 1.0']
    for one in both:
        one.close()


def test_a_port_that_is_taken_is_said_and_stops_nothing(port):
    said = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        tracker = PrometheusTracker("one", job="train", metrics=TRAINING, port=port, say=said.append)
        tracker.log({"loss": 1.0}, 1)
        tracker.log_table("evaluate/sounds", [], 1)
        tracker.close()
    [line] = said
    assert f"127.0.0.1:{port} cannot be had" in line and "prometheus:9500" in line


def test_it_listens_where_the_variable_says(port, monkeypatch):
    monkeypatch.setenv("VAAK_METRICS_HOST", "127.0.0.2")
    tracker = PrometheusTracker("one", job="train", metrics=TRAINING, port=port, say=lambda line: None)
    assert "vaak_run_info" in text_of(port, "127.0.0.2")
    with pytest.raises(urllib.error.URLError):
        text_of(port)
    tracker.close()


def test_what_grows_is_a_counter_and_everything_else_a_gauge(tracker, port):
    tracker.log({"skipped": 3, "untold/wandb": 7, "loss": 1.0}, 1)
    kinds = {family.name: family.type for family in text_string_to_metric_families(text_of(port))}
    assert kinds["vaak_skipped"] == kinds["vaak_untold_tracker"] == "counter" and kinds["vaak_loss"] == "gauge"
    assert scraped(port)[series("vaak_untold_tracker_total", run="one", tracker="wandb")] == 7


def test_it_is_read_while_numbers_come(tracker, port):
    over, problems = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            try:
                text_of(port)
            except Exception as error:
                problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(3000):
        tracker.log({f"loss/source/{step % 500}": float(step), "loss": float(step)}, step)
    over.set()
    reader.join()
    assert problems == [] and scraped(port)[series("vaak_loss", run="one")] == 2999


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (make system)")
def test_promtool_can_read_it(tracker, port):
    tracker.log({"loss": math.nan, 'loss/source/"हिन्दी"\n\\': 1.0, "skipped": 2}, 1)
    found = subprocess.run(["promtool", "check", "metrics"], input=text_of(port), capture_output=True, text=True)
    assert "error while linting" not in found.stderr.lower() and "parsing" not in found.stderr.lower(), found.stderr


def test_a_choice_is_the_trainers_port_and_those_beside_it_take_the_next_ones():
    jobs = ("train", "align", "evaluate", "publish")
    assert [exporter_port("prometheus", job) for job in jobs] == [9471, 9471, 9472, 9473]
    assert [exporter_port("prometheus:9500", job) for job in jobs] == [9500, 9500, 9501, 9502]
    assert exporter_choices(["wandb", "prometheus:1", "jsonl:prometheus"]) == ["prometheus:1"]
    assert exporter_choices("prometheus") == ["prometheus"] and exporter_choices(None) == []


@pytest.mark.parametrize(
    "choice", ["prometheus:", "prometheus:x", "prometheus:0", "prometheus:65534", "prometheus:-1", "prometheus:٣"]
)
def test_what_is_no_port_is_refused(choice):
    with pytest.raises(BadInput, match="is no port; give a number from 1 to 65533, as in prometheus:9471"):
        exporter_port(choice, "train")


def test_a_process_has_one_exporter_or_none():
    metrics = (Metric("loss", "nats", "a loss"),)
    assert exporter_opener("wandb", job="train", metrics=metrics, say=print) is None
    with pytest.raises(BadInput, match="name one of them"):
        exporter_opener(["prometheus", "prometheus:9500"], job="train", metrics=metrics, say=print)
