"""A process that outlives the launch that started it, and that the next launch finds again by a lock.

`python -m vaak.launch.detached LOCK COMMAND ...` takes the lock, writes its number into it, and becomes the command. The lock is
held by the open file, so it goes with the process, however that ends, and two starts at once cannot both get it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vaak.storage.locks import lock_file, unlock

# Left with by a start that found another one under way.
ALREADY_RUNNING = 75
_PATIENCE_SECONDS = 30.0
# Whoever looks whether the lock is held holds it for an instant.
_TRIES, _BETWEEN_SECONDS = 20, 0.05


def start(lock: Path, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command behind a lock, in a session of its own; what it prints is added to `log`. Returns once it holds the lock
    or has ended."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "vaak.launch.detached", str(lock), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    end = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and running(lock) != process.pid and time.monotonic() < end:
        time.sleep(0.02)
    return process


def running(lock: Path) -> int | None:
    """The number of the process that holds a lock, or None."""
    handle = lock_file(lock, exclusive=False, wait=False)
    if handle is not None:
        unlock(handle)
        return None
    try:
        return int(lock.read_text() or 0) or None
    except (FileNotFoundError, ValueError):
        return None


def main(arguments: Sequence[str]) -> int:
    """Becomes the command, or returns `ALREADY_RUNNING`."""
    lock, command = Path(arguments[0]), list(arguments[1:])
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if not left:
                return ALREADY_RUNNING
            time.sleep(_BETWEEN_SECONDS)
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    os.set_inheritable(handle, True)  # what it becomes holds the lock; children that close their files do not
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
