"""A file system of a few megabytes that a command may fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def on_small_disk(disk: Path, size: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command while the folder `disk` is a file system of `size` ("6m"), which nobody else sees and which goes
    with the command. Skips the test where none can be mounted."""
    disk.mkdir(exist_ok=True)
    mount = f"mount -t tmpfs -o size={size} none {disk}"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "sh", "-c", mount]).returncode:
        pytest.skip("no file system can be mounted here without more rights")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {command}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
