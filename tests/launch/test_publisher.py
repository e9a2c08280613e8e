"""A launch with storage: a process beside each stage sends its checkpoints, and a step at the end sends what is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import close_session

import vaak.launch.publisher as publisher_module
from tests.launch.test_tampered import again, project_in, steps_of
from tests.storage.hub import TOKEN, LocalHub
from tests.track.test_prometheus_exporter import free_port
from vaak.checkpoint import list_remote
from vaak.checkpoint.ended import ended_with
from vaak.errors import BadInput
from vaak.launch.order import order
from vaak.launch.project import load_project
from vaak.launch.publisher import Publisher, milestones_step, notes_of, publish_step, targets_of
from vaak.launch.walk import Launch, Step, walk


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A toy launch that publishes to a folder by its address."""
    data = tmp_path / "data"
    data.mkdir()
    path = project_in(data)
    tree = yaml.safe_load(path.read_text()) | {"storage": {"checkpoints": f"file://{tmp_path / 'bucket'}/runs/"}}
    path.write_text(yaml.safe_dump(tree))
    return again(path, tmp_path / "out")


def published(launch: Launch, tmp_path: Path, stage: str) -> list[int]:
    return [one.step for one in list_remote(f"file://{tmp_path / 'bucket'}/runs/{stage}") if one.complete]


def until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_every_stage_has_its_own_place_and_the_step_sends_what_is_left(launch: Launch, tmp_path: Path) -> None:
    stages = {stage.name: targets_of(launch, stage) for stage in launch.project.stages}
    assert stages["one"] == {"to": f"file://{tmp_path / 'bucket'}/runs/one"}
    publisher = Publisher(launch)
    walk(launch, [*steps_of(launch), publish_step(publisher)])
    record = launch.ledger.newest("publish")
    assert record is not None and record.status == "done"
    assert (record.evidence["sent"], record.evidence["waiting"], record.evidence["errors"]) == (2, 0, [])
    assert published(launch, tmp_path, "one") == published(launch, tmp_path, "two") == [3]
    # Whoever evaluates elsewhere knows from this which one is the last.
    assert ended_with(f"file://{tmp_path / 'bucket'}/runs/two") == launch.evidence("two")["checkpoint"]


def test_the_process_beside_a_stage_waits_for_it_sends_it_and_ends(launch: Launch, tmp_path: Path) -> None:
    walk(launch, steps_of(launch)[:2])
    publisher = Publisher(launch)
    publisher.start(launch.project.stages[0])
    assert publisher.process is not None
    walk(launch, steps_of(launch)[:3])
    assert publisher.process.wait(timeout=60) == 0, (launch.out / "publisher.log").read_text()
    assert published(launch, tmp_path, "one") == [3]


def test_a_project_that_is_tracked_by_prometheus_has_its_publisher_export_too(tmp_path: Path, launch: Launch) -> None:
    port = free_port()
    project = launch.project.model_copy(update={"track": f"prometheus:{port - 2}"})
    publisher = Publisher(replace(launch, project=project))
    walk(launch, steps_of(launch)[:2])
    publisher.start(launch.project.stages[0])
    assert publisher.process is not None and f"prometheus:{port - 2}" in publisher.process.args  # pyright: ignore
    walk(launch, steps_of(launch)[:3])
    assert publisher.process.wait(timeout=60) == 0
    assert f"figures are exported at http://127.0.0.1:{port}/metrics" in (launch.out / "publisher.log").read_text()


def test_it_ends_with_the_launch_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time, os\n"
        "child = subprocess.Popen([sys.executable, '-m', 'vaak.launch.publisher', sys.argv[1], '--to', 'file:///tmp/x',"
        " '--parent', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(
        lambda: (
            not Path(f"/proc/{child}").exists()
            or "Z" in Path(f"/proc/{child}/status").read_text().split("State:")[1][:4]
        )
    )


def test_what_could_not_be_sent_is_said_and_the_next_launch_sends_it(launch: Launch, tmp_path: Path) -> None:
    walk(launch, steps_of(launch))
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "runs").write_text("a file where a folder has to be")
    publish = publish_step(Publisher(launch))
    with pytest.raises(BadInput, match="cannot be made a folder"):
        walk(launch, [*steps_of(launch), publish])
    (tmp_path / "bucket" / "runs").unlink()
    fresh = again(tmp_path / "data" / "project.yaml", tmp_path / "out")
    walk(fresh, [*steps_of(fresh), publish_step(Publisher(fresh))])
    assert published(fresh, tmp_path, "two") == [3]


def test_without_storage_there_is_no_such_step(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    plain = again(project_in(data), tmp_path / "out")

    class Nobody:
        launch = plain

    steps: list[Step] = order(plain, Nobody(), Publisher(plain))  # pyright: ignore[reportArgumentType]
    assert "publish" not in [step.name for step in steps]
    publisher = Publisher(plain)
    publisher.start(plain.project.stages[0])
    assert publisher.process is None


@pytest.mark.parametrize(
    ("storage", "says"), [({"checkpoints": "bucket/runs"}, "give an address such as s3"), ({"chekpoints": "s3://b"}, "did you mean 'checkpoints'")]
)  # fmt: skip
def test_a_wrong_place_is_refused_with_the_project(tmp_path: Path, storage: dict, says: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = project_in(data)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"storage": storage}))
    with pytest.raises(BadInput, match=says):
        load_project(path)


def test_the_card_of_a_milestone_says_what_it_was_trained_in_spite_of(launch: Launch, monkeypatch) -> None:
    run = launch.out / "stages" / "one"
    run.mkdir(parents=True)
    (launch.out / "project.yaml").write_text("name: toy")
    monkeypatch.setattr(publisher_module, "evaluation_notes", lambda db, identity: "Stops by itself: 99%\n")
    assert notes_of(run, "results.db", "one/3/x") == "Stops by itself: 99%\n"
    launch.ledger.add("audit", "overridden", "x", {"failure": "audit: failed checks 1"}, "known: source x")
    launch.ledger.add(
        "overfit", "done", "x", {"limits": [], "loosened": ["limit of loss loosened from 0.01 to 5; found 3.2"]}
    )
    notes = notes_of(run, "results.db", "one/3/x")
    assert notes is not None and notes.startswith("Stops by itself: 99%")
    assert "- **Overridden:** the gate 'audit' (audit: failed checks 1), because: known: source x" in notes
    assert "- **Loosened:** the gate 'overfit': limit of loss loosened from 0.01 to 5; found 3.2" in notes
    monkeypatch.setattr(publisher_module, "evaluation_notes", lambda db, identity: None)
    assert notes_of(run, "results.db", "one/3/x") is None  # it waits for its evaluation


def test_an_address_of_another_run_is_refused_before_anything_is_trained(launch: Launch, tmp_path: Path) -> None:
    walk(launch, [*steps_of(launch), publish_step(Publisher(launch))])
    data = tmp_path / "data"
    fresh = again(data / "project.yaml", tmp_path / "other")
    walk(fresh, steps_of(fresh)[:2])
    with pytest.raises(BadInput, match=r"runs/one belongs to another run 'one', .*; choose another prefix"):
        Publisher(fresh).claim(fresh.project.stages[0])
    Publisher(launch).claim(launch.project.stages[0])  # its own
    (tmp_path / "bucket").rename(tmp_path / "away")
    Publisher(launch).claim(launch.project.stages[0])  # and it trains on while storage is away


def test_milestones_go_to_a_repository_of_each_stage_once_everything_is_evaluated(tmp_path: Path, monkeypatch) -> None:
    """Two stages of one launch end at the same step: in one repository one tag would stand for both."""
    data = tmp_path / "data"
    data.mkdir()
    path = project_in(data)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"storage": {"hub": "asha/toy"}}))
    launch = again(path, tmp_path / "out")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(publisher_module, "evaluation_notes", lambda db, identity: None)  # nobody evaluated them
    close_session()
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        walk(launch, [*steps_of(launch), milestones_step(Publisher(launch))])
        assert {name: set(one.tags) for name, one in hub.repositories.items()} == {
            "asha/toy-one": {"step-00000003"},
            "asha/toy-two": {"step-00000003"},
        }
    close_session()
    record = launch.ledger.newest("milestones")
    assert record is not None and (record.status, record.evidence["sent"]) == ("done", 2)
