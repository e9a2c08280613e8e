"""A tracker in a process of its own: what it is told, how its failures come back, and that nothing waits for it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time

import pytest

from vaak.track import Sound, read_jsonl
from vaak.track.apart import TrackerApart
from vaak.track.queued import QueuedTracker, Untold


def opened(path, **given) -> TrackerApart:
    return TrackerApart(f"jsonl:{path}", **{"run": "one", "job": "train", "folder": path.parent, "say": print, **given})


def test_rows_tables_and_references_arrive_as_they_were_told(tmp_path):
    tracker = opened(tmp_path / "m.jsonl")
    tracker.log({"loss": 2.5, "note": "पहला"}, 1)
    tracker.log_many([({"loss": math.nan}, 2), ({"loss": math.inf}, 3)])
    tracker.log_table("sounds", [{"item": "a", "errors": None, "sound": Sound("a.mp3", bytes(100_000))}], 3)
    tracker.log_reference("checkpoint", "file:///runs/one", 3, {"full": True})
    tracker.close()
    first, second, *rest = read_jsonl(tmp_path / "m.jsonl")
    assert first == {"step": 1, "loss": 2.5, "note": "पहला"} and math.isnan(second["loss"])
    assert rest == [
        {"step": 3, "loss": math.inf},
        {"step": 3, "sounds": [{"item": "a", "errors": None, "sound": "a.mp3"}]},
        {"step": 3, "reference/checkpoint": {"address": "file:///runs/one", "full": True}},
    ]


def test_the_row_that_was_not_taken_is_named(tmp_path):
    tracker = opened(tmp_path / "m.jsonl")
    with pytest.raises(Untold, match="not JSON serializable") as caught:
        tracker.log_many([({"loss": 1.0}, 1), ({"loss": 1j}, 2), ({"loss": 3.0}, 3)])
    assert caught.value.taken == 1
    with pytest.raises(Untold, match="no number, text or list") as caught:
        tracker.log_many([({"loss": 2.0}, 2), ({"loss": object()}, 3)])
    assert caught.value.taken == 1
    tracker.close()
    assert [row["step"] for row in read_jsonl(tmp_path / "m.jsonl")] == [1, 2]


def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(Untold, match="IsADirectoryError"):
        opened(tmp_path)


def test_a_process_that_dies_is_an_error_and_the_queue_before_it_starts_another(tmp_path):
    made: list[TrackerApart] = []
    lines: list[str] = []

    def open_one() -> TrackerApart:
        made.append(opened(tmp_path / "m.jsonl"))
        return made[-1]

    tracker = QueuedTracker("mine", open_one, lines.append)
    tracker.log({"loss": 1.0}, 1)
    end = time.monotonic() + 60
    while not (tmp_path / "m.jsonl").exists() or not read_jsonl(tmp_path / "m.jsonl"):
        assert time.monotonic() < end
        time.sleep(0.02)
    made[0]._process.kill()
    for step in range(2, 12):
        tracker.log({"loss": 1.0}, step)
    while len(made) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    tracker.close()
    rows = [row["step"] for row in read_jsonl(tmp_path / "m.jsonl")]
    assert rows == list(range(1, 12)) and tracker.dropped == 0
    assert "its process has ended (-9)" in lines[0]


def test_what_asks_a_run_to_stop_is_not_its_and_the_end_of_the_run_is_its_end(tmp_path):
    program = f"""
import os, signal, time
from vaak.track.apart import TrackerApart
tracker = TrackerApart("jsonl:{tmp_path}/m.jsonl", run="one", job="train", folder="{tmp_path}", say=print)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
    os.kill(tracker._process.pid, number)
tracker.log({{"loss": 1.0}}, 1)
print(tracker._process.pid, flush=True)
time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    child = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 30
    while _lives(child):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert [row["step"] for row in read_jsonl(tmp_path / "m.jsonl")] == [1]


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
