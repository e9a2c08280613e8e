"""A tracker by its name: what is unknown or not installed is refused before anything else is done."""

from __future__ import annotations

import importlib.util

import pytest

from vaak.errors import BadInput
from vaak.track import Sound, read_jsonl, tracker_opener


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
