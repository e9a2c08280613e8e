"""The doors of a launch: what is refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaak.cli.main import main


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a command that ends with 2."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == 2 and len(said.splitlines()) == 1, said
    return said


def test_a_reason_without_a_gate_and_an_override_on_paper_are_refused(tmp_path: Path, capsys) -> None:
    project = str(tmp_path / "project.yaml")
    assert "name the gate" in refused(["launch", project, "--because", "known"], capsys)
    assert "judges nothing" in refused(
        ["launch", project, "--dry-run", "--override", "audit", "--because", "x"], capsys
    )
    assert "--json goes with --dry-run" in refused(["launch", project, "--json"], capsys)


def test_a_project_file_that_is_not_there_is_one_sentence(tmp_path: Path, capsys) -> None:
    for more in ([], ["--dry-run"]):
        said = refused(["launch", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out"), *more], capsys)
        assert "no.yaml: cannot be read as YAML" in said
    assert "is no launch" in refused(["launch", "status", "--out", str(tmp_path / "nothing")], capsys)
