"""W&B: steps that go backwards, tables with sounds, offline where there is no key or no network, and no secret in any file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.track.wandb_files import history, offline_runs, own_axes, records, tables
from vaak.track import Sound, tracker_opener
from vaak.track.tracker import log_reference

pytest.importorskip("wandb", reason="wandb is not installed: pip install 'vaak[wandb]'")

KEY = "0123456789abcdef" * 3  # nobody's
ROWS = [
    {"item": "en-0", "errors": None, "stopped": False, "sound": None},
    {"item": "en-1", "errors": 0.25, "stopped": True, "sound": Sound("en-1.mp3", b"not really an MP3")},
]


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_DIR", "WANDB_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "w"))


def _run_of(folder):
    [run] = offline_runs(folder)
    return run


def test_rows_are_kept_in_the_order_they_came_over_a_step_of_their_own(tmp_path):
    lines = []
    tracker = tracker_opener("wandb:mine", job="evaluate", folder=tmp_path, say=lines.append)("sft")
    for step in (10, 5, 7):
        tracker.log({"evaluate/quick/stop_rate": 1 / step, "evaluate/checkpoint": f"sft/{step}/x"}, step)
    tracker.log({"loss": 2.5}, 3)
    tracker.close()
    rows = history(_run_of(tmp_path))
    assert [(row.get("evaluate/step"), row["step"], row["_step"]) for row in rows] == [
        (10, 10, 0),
        (5, 5, 1),
        (7, 7, 2),
        (None, 3, 3),
    ]
    assert [row.get("evaluate/quick/stop_rate") for row in rows] == [0.1, 0.2, 1 / 7, None]
    wanted = {"evaluate/step": "", "evaluate/*": "evaluate/step", "step": "", "loss": "step"}
    assert wanted.items() <= own_axes(_run_of(tmp_path)).items()
    [run] = [record.run for record in records(_run_of(tmp_path)) if record.WhichOneof("record_type") == "run"]
    assert (run.project, run.display_name, run.run_group, run.job_type) == ("mine", "sft", "sft", "evaluate")
    assert len(lines) == 1 and "offline" in lines[0] and f"wandb sync {_run_of(tmp_path)}" in lines[0]


def test_each_family_is_plotted_over_its_own_steps_and_the_training_s_over_step(tmp_path):
    tracker = tracker_opener("wandb", job="train", folder=tmp_path, say=print)("sft")
    tracker.log({"loss": 2.0, "loss/language/hi": 2.5}, 7)
    tracker.log({"val/loss": 2.2, "checkpoint/step": 5, "checkpoint/failed": 0}, 7)
    tracker.log({"sidecar/waiting": 1, "publish/step": 5}, 6)
    tracker.close()
    axes = own_axes(_run_of(tmp_path))
    assert {name: axis for name, axis in axes.items() if axis} == {
        "loss": "step",
        "loss/*": "step",
        "val/*": "val/step",
        "evaluate/*": "evaluate/step",
        "checkpoint/*": "checkpoint/at_step",
        "sidecar/*": "sidecar/step",
        "publish/*": "publish/at_step",
    }
    _, second, third = history(_run_of(tmp_path))
    assert (second["val/step"], second["checkpoint/at_step"], second["checkpoint/step"]) == (7, 7, 5)
    assert (third["sidecar/step"], third["publish/at_step"], third["publish/step"]) == (6, 6, 5)


def test_a_checkpoint_is_an_artifact_that_names_its_files_and_holds_none_of_them(tmp_path):
    folder = tmp_path / "one run" / "checkpoints" / "step-00000005"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "shard.safetensors").write_bytes(bytes(100_000))
    (folder / "COMPLETE.json").write_text("{}")
    tracker = tracker_opener("wandb", job="train", folder=tmp_path, say=print)("one run")
    log_reference(tracker, "checkpoint", folder.as_uri(), 5, {"id": "one run/5/abc", "full": True})
    log_reference(tracker, "checkpoint", "s3://bucket/runs/one/step-00000005", 5, {})
    log_reference(tracker, "checkpoint", (tmp_path / "removed since").as_uri(), 4, {})  # is not told
    tracker.close()
    found = [one.artifact for one in records(_run_of(tmp_path)) if one.WhichOneof("record_type") == "artifact"]
    assert [(one.name, one.type, sorted(one.aliases)) for one in found] == [
        ("one-run-checkpoint", "checkpoint", ["latest", "step-5"])
    ] * 2
    assert json.loads(found[0].metadata) == {"id": "one run/5/abc", "full": True}
    files = {one.path: one for one in found[0].manifest.contents}
    assert {one.ref for one in files.values()} == {
        (folder / name).as_uri() for name in ("COMPLETE.json", "model/shard.safetensors")
    }
    assert all(not one.local_path for one in files.values())
    assert [one.ref for one in found[1].manifest.contents] == ["s3://bucket/runs/one/step-00000005"]
    stored = sum(path.stat().st_size for path in (tmp_path / "wandb").rglob("*") if path.is_file())
    assert stored < 50_000


def test_a_table_has_its_sounds_as_files_beside_the_run(tmp_path):
    tracker = tracker_opener("wandb", job="evaluate", folder=tmp_path, say=print)("sft")
    tracker.log_table("evaluate/sounds", ROWS, 10)
    tracker.log_table("evaluate/sounds", ROWS, 5)
    tracker.close()
    run = _run_of(tmp_path)
    assert [row["evaluate/step"] for row in history(run)] == [10, 5]
    assert [row["evaluate/sounds/_type"] for row in history(run)] == ["table-file"] * 2
    [(first, files), _] = tables(run)
    assert first["columns"] == ["item", "errors", "stopped", "sound"]
    assert [row[:3] for row in first["data"]] == [["en-0", None, False], ["en-1", 0.25, True]]
    assert first["data"][0][3] is None
    sound = first["data"][1][3]
    assert sound["_type"] == "audio-file"
    assert files[sound["path"]].read_bytes() == b"not really an MP3"
    assert files[sound["path"]].is_relative_to(tmp_path)


def _killed_after_telling(folder: str) -> None:
    """What the child of the next test runs."""
    tracker = tracker_opener("wandb", job="evaluate", folder=folder, say=print)("sft")
    tracker.log({"evaluate/quick/stop_rate": 1.0}, 10)
    os.kill(os.getpid(), signal.SIGKILL)


def _online_if_it_can(folder: str) -> None:
    from vaak.track import wandb_tracker

    wandb_tracker._INIT_SECONDS = 2.0
    lines = []
    tracker = tracker_opener("wandb", job="evaluate", folder=folder, say=lines.append)("sft")
    tracker.log({"evaluate/quick/stop_rate": 1.0}, 10)
    tracker.close()
    print(lines)


def _child(function: str, folder, **environment: str) -> subprocess.CompletedProcess:
    """Run one of these functions with a command line that holds a password."""
    program = f"from tests.track import test_wandb; test_wandb.{function}({str(folder)!r})"
    command = [sys.executable, "-c", program, "--db", "postgresql+psycopg://vaak:hunter2@host/vaak"]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, env=os.environ | paths | environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_who_is_killed_right_after_telling_has_told(tmp_path):
    assert _child("_killed_after_telling", tmp_path).returncode == -signal.SIGKILL
    [run] = (tmp_path / "wandb").glob("offline-run-*")  # which has no end
    until = time.monotonic() + 60
    while time.monotonic() < until and not history(run):
        time.sleep(0.1)
    assert [row["evaluate/step"] for row in history(run)] == [10]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["", KEY, "short-but-secret"])
def test_without_a_key_or_a_network_it_goes_offline_and_no_file_or_message_has_a_secret(tmp_path, key):
    ended = _child(
        "_online_if_it_can",
        tmp_path,
        WANDB_MODE="online",
        WANDB_BASE_URL="http://127.0.0.1:9",
        HOME=str(tmp_path),
        NETRC=str(tmp_path / "none"),
        **({"WANDB_API_KEY": key} if key else {}),
    )
    assert ended.returncode == 0, ended.stderr
    why = {"": "there is no key", KEY: "CommError", "short-but-secret": "AuthenticationError"}[key]
    assert why in ended.stdout and "wandb sync" in ended.stdout
    assert [row["evaluate/step"] for row in history(_run_of(tmp_path))] == [10]
    told = ended.stdout.encode() + ended.stderr.encode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for content in (told, *(path.read_bytes() for path in files)):
        assert b"hunter2" not in content and not (key and key.encode() in content)
