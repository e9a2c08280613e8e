"""The house rules that a reader relies on: sizes, floors, a test folder per room, nothing of one machine in any file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 400, 60

# Split so that this file does not name what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.$}~/-])/(?:wo" r"rk|fa" r"rm|ho" r"me/\w+|ro" r"ot|tm" r"p)/")
TEXT_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".json", ".j2", ".sh", ".cfg", ""}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files that git tracks; outside a checkout (an unpacked archive), all but those of the virtual environment."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode == 0:
        paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    else:
        paths = (
            path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        )
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]


def rooms() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "vaak").glob("*/__init__.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_long():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_function_is_long():
    long = {}
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{name(path)}:{node.lineno} {node.name}"] = length
    assert long == {}


def test_every_room_has_its_tests():
    without = [room for room in rooms() if not list((ROOT / "tests" / room).rglob("test_*.py"))]
    assert without == []


def test_no_room_is_called_by_a_word_that_fits_everything():
    vague = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [name(path) for path in python_files() if vague & {path.stem, *path.relative_to(ROOT).parts}] == []


def test_every_room_has_a_floor():
    tomllib = pytest.importorskip("tomllib")
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    placed = {part.strip() for layer in contract["layers"] for part in layer.split("|")}
    assert {f"vaak.{room}" for room in rooms()} <= placed


def test_imports_go_down():
    pytest.importorskip("importlinter", reason="import-linter is not installed (pip install vaak[dev])")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_no_file_holds_a_path_of_one_machine():
    found = []
    for path in tracked_files():
        if path.suffix in TEXT_SUFFIXES and path.stat().st_size < 2_000_000:
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name(path)}: {match[0]}" for match in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_nothing_is_unpickled():
    """SPEC: loading data or a checkpoint executes no code."""
    unsafe = re.compile(r"\b(?:pickle|joblib|dill)\.loads?\(|allow_pickle=True|yaml\.(?:unsafe_)?load\(|torch\.load\(")
    lines = {
        f"{name(path)}: {match[0]}"
        for path in python_files()
        if path.is_relative_to(ROOT / "vaak")
        for match in unsafe.finditer(path.read_text(encoding="utf-8"))
    }
    assert lines == set()
