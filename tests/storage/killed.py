"""Runs some Python in its own process and kills it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path


def killed(code: str, arguments: list[str], after: float) -> bool:
    """SIGKILL so many seconds after the code has printed `ready`; False if it was done by then."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    time.sleep(after)
    child.kill()
    left = child.wait(30)
    child.stdout.close()
    assert left in (0, -signal.SIGKILL)
    return left != 0
