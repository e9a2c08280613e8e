"""Where a launch stands, read from its files alone while it walks or lies still."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.launch.test_tampered import again, project_in, steps_of
from vaak.cli.main import main
from vaak.errors import BadInput
from vaak.launch.ledger import Ledger
from vaak.launch.progress import LastStep, last_row
from vaak.launch.status import LaunchStatus, StageProgress, launch_status
from vaak.launch.status_screen import duration, print_status
from vaak.launch.walk import held, walk
from vaak.track import JsonlTracker


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a launch that has done its first gates and one stage, and has overridden one."""
    data = tmp_path / "data"
    data.mkdir()
    launch = again(project_in(data), tmp_path / "out")
    walk(launch, steps_of(launch)[:3])
    (tmp_path / "out" / "project.yaml").write_text((data / "project.yaml").read_text())
    return tmp_path / "out"


def state_of(status: LaunchStatus) -> dict[str, str]:
    return {one.name: one.state for one in status.steps}


def test_it_says_what_is_done_what_is_next_and_touches_nothing(begun: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in begun.rglob("*")}
    status = launch_status(begun)
    assert state_of(status) == {
        "freeze": "done", "pack": "done", "audit": "to do", "judges": "to do", "overfit": "to do", "one": "done",
        "two": "to do", "evaluate": "to do", "report": "to do",
    }  # fmt: skip
    assert (
        status.process is None
        and status.next == f"run the same vaak launch with --out {begun} again; it goes on with 'audit'"
    )
    assert {path: path.stat().st_mtime_ns for path in begun.rglob("*")} == before


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_a_loss_that_is_no_number_is_shown_as_what_it_is(begun: Path, word: str, capsys) -> None:
    Ledger(begun / "ledger.jsonl").add("two", "began", "x")
    run = begun / "stages" / "two"
    with JsonlTracker(run / "metrics.jsonl") as tracker:
        tracker.log({"loss": float(word), "tokens": 2048, "tokens_per_s": 512.0}, 2)
    (run / "recipe.yaml").write_text((begun / "stages" / "one" / "recipe.yaml").read_text())  # of three steps
    assert LastStep(run).progress() == (2.0, 3.0, f"loss {float(word):.4f}, 512 tokens/s")
    print_status(launch_status(begun))
    assert f"loss {float(word):.4f}" in capsys.readouterr().out


def test_rows_that_are_none_are_passed_over(tmp_path: Path) -> None:
    rows = ['{"step": 1, "loss": 2.5}', "junk", '{"step": 2, "loss": null}', '{"step": "x", "loss": 1.0}', "3"]
    (tmp_path / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    assert last_row(tmp_path / "metrics.jsonl") == {"step": 1, "loss": 2.5}


def test_a_stage_that_is_trained_now_is_shown_with_its_pace(begun: Path) -> None:
    Ledger(begun / "ledger.jsonl").add("two", "began", "x")
    run = begun / "stages" / "two"
    run.mkdir()
    (run / "recipe.yaml").write_text((begun / "stages" / "one" / "recipe.yaml").read_text())
    row = {"step": 2, "loss": 3.5, "tokens": 2048, "tokens_per_s": 512.0}
    (run / "metrics.jsonl").write_text(json.dumps(row) + '\n{"step": 3, "lo')  # a line that is being written
    with held(begun):
        status = launch_status(begun)
    assert state_of(status)["two"] == "running" and status.process is not None
    assert status.stage is not None
    assert (status.stage.step, status.stage.steps, status.stage.loss, status.stage.eta_s) == (2, 3, 3.5, 2.0)
    assert launch_status(begun).steps[6].state == "interrupted"  # nobody holds the folder any more


def test_overrides_and_loosened_limits_stay_in_sight(begun: Path, capsys) -> None:
    ledger = Ledger(begun / "ledger.jsonl")
    ledger.add("audit", "overridden", "x", {"failure": "audit: two checks fail"}, "known")
    ledger.add("overfit", "done", "x", {"limits": [], "loosened": ["limit of loss loosened from 0.01 to 5; found 3.2"]})
    status = launch_status(begun)
    assert status.in_spite == [
        "Overridden: the gate 'audit' (audit: two checks fail), because: known",
        "Loosened: the gate 'overfit': limit of loss loosened from 0.01 to 5; found 3.2",
    ]
    print_status(status)
    assert "in spite of: Loosened: the gate 'overfit': limit of loss loosened" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_gate_that_failed_says_what_to_do(begun: Path) -> None:
    Ledger(begun / "ledger.jsonl").add("audit", "failed", "x", {"failure": "audit: failed checks 1; mend the corpus"})
    assert launch_status(begun).next == "audit: failed checks 1; mend the corpus; then run the same vaak launch again"


def test_it_fits_a_screen_and_says_when_a_training_stands_still(begun: Path, capsys) -> None:
    stage = StageProgress("pt-s1", 1200, 381470, 4.2, 250000.0, 7.9e5, 1000, 500.0, 3600.0, "77")
    found = launch_status(begun)
    print_status(LaunchStatus(found.name, found.folder, 1, found.steps, stage, [], found.next))
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 24
    words = " ".join(out.split())
    assert "9 d 3 h left" in words and "nothing written for 1 h 0 min" in words


def test_the_command_prints_the_same_as_json(begun: Path, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["launch", "status", "--out", str(begun), "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["name"] == "freeze"


def test_a_folder_that_is_no_launch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is no launch \(it has no project\.yaml\)"):
        launch_status(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90061, "1 d 1 h")]
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words
