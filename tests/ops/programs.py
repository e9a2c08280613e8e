"""Real programs on free ports of the loopback, started by a test and ended with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 30
_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "amtool": "prometheus-alertmanager",
}


def missing(*programs: str) -> str:
    """Which of them are not installed and what has them, or nothing."""
    lacking = [name for name in programs if shutil.which(name) is None]
    return (
        f"{', '.join(lacking)} not installed (Debian: {' '.join(_PACKAGES[name] for name in lacking)})"
        if lacking
        else ""
    )


def free_ports(count: int = 1) -> int:
    """The first of so many ports in a row that nobody has now."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
        with suppress(OSError, OverflowError):
            taken = []
            try:
                for offset in range(count):
                    taken.append(socket.socket())
                    taken[-1].bind(("127.0.0.1", port + offset))
                return port
            finally:
                for one in taken:
                    one.close()
    raise RuntimeError(f"no {count} free ports in a row")


def text_at(url: str, within: float = START_SECONDS) -> str:
    """What an address answers, once it does."""
    end = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@contextmanager
def started(command: Sequence[str], *, folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """A process and all its children while the block runs, and the file with what it prints."""
    said = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
    with said.open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment, start_new_session=True
        )
    try:
        yield said
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


@contextmanager
def running(command: Sequence[str], *with_port: str) -> Iterator[int]:
    """A program whose further arguments name its port; the block begins when it answers there."""
    port = free_ports()
    with (
        tempfile.TemporaryDirectory() as folder,
        started([*command, *(one.format(port=port) for one in with_port)], folder=Path(folder)),
    ):
        text_at(f"http://127.0.0.1:{port}/metrics")
        yield port
