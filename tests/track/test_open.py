"""A tracker by its name: what is unknown or not installed is refused before anything else is done."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import vaak.demo
from vaak.errors import BadInput
from vaak.evaluate.told_to import told_to
from vaak.launch.project import load_project
from vaak.track import Sound, chosen_trackers, default_trackers, opened_trackers, read_jsonl, tracker_opener


def test_all_runs_share_one_jsonl_file_and_a_sound_is_its_name(tmp_path):
    opened = tracker_opener(f"jsonl:{tmp_path / 'e.jsonl'}", job="evaluate", folder=tmp_path)
    opened("a").log({"evaluate/step": 10}, 10)
    opened("b").log_table("evaluate/sounds", [{"item": "x", "sound": Sound("x.mp3", b"1")}], 5)
    opened("a").close()
    assert read_jsonl(tmp_path / "e.jsonl") == [
        {"step": 10, "evaluate/step": 10},
        {"step": 5, "evaluate/sounds": [{"item": "x", "sound": "x.mp3"}]},
    ]


@pytest.mark.parametrize("choice", ["", "wandbx", "jsonl", "jsonl:", "tensorboard:here"])
def test_an_unknown_tracker_is_refused_with_the_known_ones(choice, tmp_path):
    with pytest.raises(BadInput, match="use wandb, wandb:PROJECT"):
        tracker_opener(choice, job="evaluate", folder=tmp_path)


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_that_is_not_installed_is_refused_with_the_command_that_installs_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=rf"pip install 'vaak\[{name}\]'"):
        tracker_opener(name, job="evaluate", folder=tmp_path)


def test_several_are_named_and_opened_each_with_its_own_queue(tmp_path):
    choices = [f"jsonl:{tmp_path / 'a.jsonl'}", f"jsonl:{tmp_path / 'b.jsonl'}"]
    with opened_trackers(choices, run="sft", job="train", folder=tmp_path) as tracker:
        tracker.log({"loss": 2.0}, 1)
    assert tracker.dropped == {"jsonl": 0, "jsonl-2": 0}
    assert read_jsonl(tmp_path / "a.jsonl") == read_jsonl(tmp_path / "b.jsonl") == [{"step": 1, "loss": 2.0}]


def test_an_unknown_one_among_several_is_refused_before_any_is_opened(tmp_path):
    with (
        pytest.raises(BadInput, match="'tensorboard' is unknown"),
        opened_trackers([f"jsonl:{tmp_path / 'a.jsonl'}", "tensorboard"], run="sft", job="train", folder=tmp_path),
    ):
        pass
    assert not (tmp_path / "a.jsonl").exists()


def test_a_run_s_own_log_is_refused_for_it_has_every_row_already(tmp_path):
    choice = f"jsonl:{tmp_path}/sft/../sft/metrics.jsonl"
    with (
        pytest.raises(BadInput, match="is the run's own log, which has every row already; name another file"),
        opened_trackers([choice], run="sft", job="train", folder=tmp_path / "sft"),
    ):
        pass
    with pytest.raises(BadInput, match="is the run's own log"):
        told_to([choice], tmp_path, print, ["s3://bucket/one", tmp_path / "sft"])


def test_what_cannot_be_opened_is_said_and_not_raised(tmp_path):
    lines: list[str] = []
    with opened_trackers([f"jsonl:{tmp_path}"], run="sft", job="train", folder=tmp_path, say=lines.append) as tracker:
        tracker.log({"loss": 2.0}, 1)
    assert tracker.dropped == {"jsonl": 1}
    assert "cannot be opened (IsADirectoryError" in lines[0] and f"vaak replay {tmp_path} --track jsonl:" in lines[1]


def test_none_is_nobody_and_stands_alone():
    assert chosen_trackers(None, ("trackio",)) == ("trackio",) and chosen_trackers([], ("trackio",)) == ("trackio",)
    assert chosen_trackers("none", ("trackio",)) == () and chosen_trackers(["none"]) == ()
    assert chosen_trackers(["wandb", "trackio", "wandb"]) == ("wandb", "trackio")
    with pytest.raises(BadInput, match="'none' stands beside wandb"):
        chosen_trackers(["none", "wandb"])


def test_a_training_tells_trackio_by_itself_where_that_is_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert default_trackers() == ()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "trackio" or None)
    assert default_trackers() == ("trackio",)


def test_the_example_tells_nobody():
    project = load_project(Path(vaak.demo.__file__).parent / "project.yaml")
    assert project.trackers == ()
