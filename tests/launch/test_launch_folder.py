"""The folder of a launch: what may be one, and what a launch that is refused leaves in it."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.launch.test_tampered import project_in
from vaak.errors import BadInput
from vaak.launch import launch_status, run_launch
from vaak.launch.walk import held


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A launch of its own would end at the audit: no recordings are decoded by the codec `toy`."""
    (tmp_path / "data").mkdir()
    return project_in(tmp_path / "data")


def test_a_file_is_no_folder_for_a_launch(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match=r"cannot be a launch's folder \(.*\); choose another --out"), held(out):
            pass


def test_the_project_that_a_launch_has_kept_continues_it(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="codec 'toy'"):
        run_launch(project, out)
    shutil.rmtree(out / "pack")
    kept = (out / "project.yaml").read_bytes()
    with pytest.raises(BadInput, match="codec 'toy'"):
        run_launch(out / "project.yaml", out)
    assert kept == project.read_bytes() == (out / "project.yaml").read_bytes()
    assert (out / "pack").exists()


def test_a_project_that_is_refused_does_not_replace_the_one_that_was_launched(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="codec 'toy'"):
        run_launch(project, out)
    before = project.read_text()
    project.write_text(before.replace("toy.yaml", "gone.yaml"))
    with pytest.raises(BadInput, match=r"gone\.yaml"):
        run_launch(project, out)
    assert (out / "project.yaml").read_text() == before
    assert launch_status(out).name == "toy"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to make any file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_in_one_sentence_and_nothing_kept_is_lost(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(project, out / "project.yaml")
    with files_of_at_most(100), pytest.raises(BadInput, match=r"the disk of .* is full; make room"):
        run_launch(project, out)
    assert (out / "project.yaml").read_bytes() == project.read_bytes()
