"""trackio in a process of its own: it reads TRACKIO_DIR once, and may lie in a folder beside the environment's packages."""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Where `make setup` puts it, since its pillow is not that of the environment (requirements-trackio.txt).
BESIDE = Path(sys.prefix) / "trackio"
_INSTALLED = importlib.util.find_spec("trackio") is not None or (BESIDE / "trackio").is_dir()
needs_trackio = pytest.mark.skipif(
    not _INSTALLED,
    reason=f"trackio is not installed: pip install --no-deps --target {BESIDE} -r requirements-trackio.txt",
)


def in_child(module: str, function: str, home: Path, *arguments: str, **environment: str) -> str:
    """Call a function of a test module with trackio's data in `home`, without an account; what it printed."""
    program = f"import {module}; {module}.{function}(*{arguments!r})"
    search = os.pathsep.join([str(BESIDE), *filter(None, sys.path)])
    known = {"PYTHONPATH": search, "TRACKIO_DIR": str(home), "HOME": str(home), "HF_HUB_OFFLINE": "1"}
    child = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | known | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def rows_of(home: Path, project: str) -> list[tuple[str, int, dict[str, Any]]]:
    """(run, step, values) of every row in trackio's database, in the order in which they were written."""
    with sqlite3.connect(home / f"{project}.db") as database:
        found = database.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    return [(run, step, json.loads(values)) for run, step, values in found]
