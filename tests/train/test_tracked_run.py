"""A tiny run as W&B and trackio have it: every number of metrics.jsonl, validation, sounds, checkpoints; and beside trackers that fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.page.browser import browser
from tests.small_disk import on_small_disk
from tests.track.trackio_process import BESIDE, in_child, needs_trackio, rows_of
from tests.track.wandb_files import history, offline_runs, own_axes, records, tables
from tests.train.toy_stage import make_recipe
from tests.train.tracked_run import numbers, same, tracked_run
from vaak.checkpoint import list_checkpoints
from vaak.recipe import save_recipe
from vaak.track import QueuedTracker, fan_out, opened_trackers, queued, read_jsonl
from vaak.train.loop import train

E1 = {"loss", "loss/audio", "loss/text", "grad_norm", "lr", "tokens_per_s", "audio_s_per_s", "data_wait", "padding",
      "skipped", "nonfinite", "loss/source/studio", "loss/language/hi", "val/loss", "val/language/en"}  # fmt: skip


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_DIR", "WANDB_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"MODE": "offline", "ERROR_REPORTING": "false", "CACHE_DIR": "w", "CONFIG_DIR": "w"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value if value in ("offline", "false") else str(tmp_path / value))


@pytest.mark.slow
def test_wandb_has_every_number_of_metrics_jsonl_the_sounds_and_where_the_checkpoints_lie(toy, tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'vaak[wandb]'")
    tracked_run(toy, tmp_path / "run", "wandb")
    [run] = offline_runs(tmp_path / "run")
    told = [row for row in history(run) if "evaluate/sounds/_type" not in row]
    rows = numbers(tmp_path / "run")
    assert len(told) == len(rows) >= 14 and all(same(one, row) for one, row in zip(told, rows, strict=True))
    assert {name for row in told for name in row} >= E1
    axes = own_axes(run)
    assert axes["loss"] == axes["loss/*"] == "step" and axes["val/*"] == "val/step"
    artifacts = [one.artifact for one in records(run) if one.WhichOneof("record_type") == "artifact"]
    saved = [one for one in artifacts if one.type == "checkpoint"]
    assert [sorted(one.aliases) for one in saved] == [["latest", f"step-{step}"] for step in (5, 10, 12)]
    final = list_checkpoints(tmp_path / "run")[-1].path
    assert all(one.ref.startswith(final.as_uri()) and not one.local_path for one in saved[-1].manifest.contents)
    [(table, files)] = tables(run)
    assert table["columns"] == ["item", "errors", "sound"] and table["data"][0] == ["en-0", None, None]
    assert files[table["data"][1][2]["path"]].read_bytes() == b"not really an MP3"


@needs_trackio
@pytest.mark.slow
def test_trackio_has_every_number_of_metrics_jsonl_and_its_page_shows_the_curves(toy, tmp_path):
    home = tmp_path / "trackio"
    in_child("tests.train.tracked_run", "tracked_run", home, str(toy), str(tmp_path / "run"), "trackio:mine")
    told = [(step, values) for _, step, values in rows_of(home, "mine")]
    rows = numbers(tmp_path / "run")
    sounds = [values for step, values in told if "evaluate/sounds" in values]
    figures = [values | {"step": step} for step, values in told if "evaluate/sounds" not in values]
    assert len(figures) == len(rows) and all(same(one, row) for one, row in zip(figures, rows, strict=True))
    assert {name for row in figures for name in row} >= E1
    assert len(sounds) == 1 and sounds[0]["evaluate/sounds/en-1"]["_type"] == "trackio.audio"
    _page_shows_curves(home)


# Charts with a coloured line in them.
_CURVES = """
return [...document.querySelectorAll(".vega-embed canvas")].filter(canvas => {
  const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let coloured = 0;
  for (let i = 0; i < dots.length; i += 4)
    if (dots[i + 3] > 128 && Math.max(dots[i], dots[i + 1], dots[i + 2]) - Math.min(dots[i], dots[i + 1], dots[i + 2]) > 30) coloured++;
  return coloured > 300;
}).length
"""


def _page_shows_curves(home: Path) -> None:
    program = (
        "import trackio, time; trackio.show(project='mine', open_browser=False, block_thread=False); time.sleep(300)"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    search = os.pathsep.join([str(BESIDE), *filter(None, sys.path)])
    own = {"PYTHONPATH": search, "TRACKIO_DIR": str(home), "HOME": str(home), "HF_HUB_OFFLINE": "1",
           "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}  # fmt: skip
    log = home / "page.log"
    with log.open("wb") as out:
        page = subprocess.Popen([sys.executable, "-c", program], env=os.environ | own, stdout=out, stderr=out)
    try:
        with browser() as driver:
            driver.get(_address(page, log))
            end = time.monotonic() + 60
            while driver.execute_script(_CURVES) < 4:  # as many as fit on the screen are drawn
                assert time.monotonic() < end, driver.execute_script("return document.body.innerText")
                time.sleep(0.5)
            text = driver.execute_script("return document.body.innerText")
            assert {"grad_norm", "loss", "val", "language"} <= set(text.replace("(", "\n").replace(" ", "").split("\n"))
    finally:
        page.kill()
        page.wait()


def _address(page: subprocess.Popen, log: Path) -> str:
    """Where the page says that it is."""
    end = time.monotonic() + 120
    while "http://127.0.0.1" not in log.read_text():
        assert page.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.2)
    text = log.read_text()
    return "http://127.0.0.1" + text.split("http://127.0.0.1", 1)[1].split()[0].rstrip(".,")


class Failing:
    """A tracker that fails in the way that its name says."""

    def __init__(self, how: str) -> None:
        self.how, self.taken = how, 0

    def log(self, values, step) -> None:
        if self.how == "exceptions":
            raise ConnectionError("refused")
        if self.how == "a full disk":
            with open("/dev/full", "wb", buffering=0) as file:
                file.write(b"a row")
        time.sleep(10)
        self.taken += 1

    def log_reference(self, name, address, step, metadata) -> None:
        self.log(metadata, step)

    def log_table(self, name, rows, step) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError  # it is not the run's


@pytest.mark.parametrize("how", ["exceptions", "a full disk", "10 s of latency"])
def test_beside_a_tracker_that_fails_a_run_goes_on_and_counts_what_was_missed(toy, tmp_path, monkeypatch, how):
    monkeypatch.setattr(queued, "CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(queued, "_GATHER_SECONDS", 0.01)
    failing, lines = Failing(how), []
    queue = QueuedTracker("mine", lambda: failing, lines.append, owned=False)
    train(make_recipe(toy), tmp_path / "run", tracker=queue, say=lambda line: None)
    queue.close()
    rows = read_jsonl(tmp_path / "run" / "metrics.jsonl")
    assert (tmp_path / "run" / "DONE.json").exists() and sum("loss" in row for row in rows) == 12
    assert failing.taken + queue.dropped == len(rows)
    assert f"missed {queue.dropped} rows" in lines[-1]


@pytest.mark.slow
def test_a_wandb_that_cannot_be_reached_neither_stops_nor_holds_up_a_run(toy, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'vaak[wandb]'")
    monkeypatch.setattr(fan_out, "CLOSE_SECONDS", 120.0)
    key = "0123456789abcdef" * 3
    for name, value in {"MODE": "online", "BASE_URL": "http://127.0.0.1:9", "API_KEY": key}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    lines: list[str] = []
    run = tmp_path / "run"
    with opened_trackers(["wandb"], run="run", job="train", folder=run, say=lines.append) as tracker:
        train(make_recipe(toy), run, tracker=tracker, say=lambda line: None)
        assert sum("loss" in row for row in read_jsonl(run / "metrics.jsonl")) == 12  # whether it is open yet or not
    assert tracker.dropped == {"wandb": 0}
    [kept] = offline_runs(run)
    assert sum("loss" in row for row in history(kept)) == 12
    assert any("offline" in line and "wandb sync" in line for line in lines) and not any(key in line for line in lines)


# Tells a JSONL file and trackio's database in a small file system of its own, which is full from the third row on.
FULL = """
import sys
from pathlib import Path
from vaak.track import opened_trackers, queued

queued._GATHER_SECONDS = 0.01
disk = Path(sys.argv[1])
lines = []
with opened_trackers([f"jsonl:{disk}/m.jsonl"], run="run", job="train", folder=disk, say=lines.append) as tracker:
    tracker.log({"loss": 1.0}, 1)
    while not (disk / "m.jsonl").exists() or not (disk / "m.jsonl").read_bytes():
        pass
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
    for step in range(2, 402):
        tracker.log({"loss": 1.0, "text": "a" * 4096}, step)
rows = (disk / "m.jsonl").read_text().count(chr(10))
print(rows + tracker.dropped["jsonl"], tracker.dropped["jsonl"] > 390)
print(*lines, sep=chr(10))
"""


def test_a_disk_that_is_full_costs_a_tracker_rows_that_are_counted_to_the_last(tmp_path):
    (tmp_path / "script.py").write_text(FULL)
    done = on_small_disk(tmp_path / "disk", "1m", f"{sys.executable} {tmp_path}/script.py {tmp_path}/disk")
    first, *said = done.stdout.splitlines()
    assert first == "401 True", (done.stdout, done.stderr)
    assert ["No space left on device" in line for line in said] == [True, False] and "vaak replay" in said[-1]


def test_the_command_tells_the_trackers_that_are_named(toy, tmp_path):
    save_recipe(make_recipe(toy, length={"steps": 2}, pack=None), tmp_path / "toy.yaml")
    command = [
        sys.executable,
        "-m",
        "vaak.cli.main",
        "train",
        str(tmp_path / "toy.yaml"),
        "--out",
        str(tmp_path / "run"),
    ]
    command += [part for name in ("a", "b") for part in ("--track", f"jsonl:{tmp_path / name}.jsonl")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = read_jsonl(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2]
    assert sorted(map(str, rows)) == sorted(map(str, read_jsonl(tmp_path / "a.jsonl")))
    assert read_jsonl(tmp_path / "a.jsonl") == read_jsonl(tmp_path / "b.jsonl")
