"""A process that outlives its launch, holds a lock, and is found again by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vaak.launch import detached


def until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def sleeper(tmp_path: Path) -> subprocess.Popen:
    return detached.start(tmp_path / "lock", ["sleep", "60"], tmp_path / "log", os.environ)


def test_it_is_found_by_its_lock_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    assert detached.running(tmp_path / "lock") is None
    process = sleeper(tmp_path)
    try:
        assert detached.running(tmp_path / "lock") == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert detached.running(tmp_path / "lock") is None
    assert (tmp_path / "lock").read_text() == str(process.pid)  # stale, and believed by nobody


def test_of_many_starts_at_once_one_runs(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        started = list(pool.map(lambda _: sleeper(tmp_path), range(6)))
    try:
        until(lambda: sum(one.poll() is None for one in started) == 1)
        [alive] = [one for one in started if one.poll() is None]
        assert detached.running(tmp_path / "lock") == alive.pid
        assert {one.returncode for one in started if one is not alive} == {detached.ALREADY_RUNNING}
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_it_goes_on_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "from vaak.launch import detached\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "detached.start(folder / 'lock', ['sleep', '60'], folder / 'log', os.environ)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    launch = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert launch.returncode == -signal.SIGKILL
    number = detached.running(tmp_path / "lock")
    assert number is not None
    os.kill(number, signal.SIGKILL)
    until(lambda: detached.running(tmp_path / "lock") is None)


def test_what_it_prints_is_added_to_the_log(tmp_path: Path) -> None:
    for words in ("first", "second"):
        detached.start(tmp_path / "lock", ["echo", words], tmp_path / "log", os.environ).wait(timeout=60)
    assert (tmp_path / "log").read_text().split() == ["first", "second"]
