"""Telling a run's metrics again: every row once, in order, tables too; trackio in parts, once however often it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.track.trackio_process import in_child, needs_trackio, rows_of
from tests.track.wandb_files import history, offline_runs
from vaak.errors import BadInput
from vaak.evaluate.told_to import told_to
from vaak.launch.replaying import replay_run
from vaak.track import JsonlTracker, opened_trackers, read_jsonl, replay

HERE = "tests.track.test_replay"


def make_run(folder: Path, steps: int = 30) -> Path:
    with JsonlTracker(folder / "sft" / "metrics.jsonl") as tracker:
        for step in range(1, steps + 1):
            tracker.log({"loss": 1 / step, "loss/language/hi": 2 / step}, step)
            if step % 10 == 0:
                tracker.log({"val/loss": 3 / step}, step)
                tracker.log({"checkpoint/step": step}, step)
    return folder / "sft"


def test_every_row_is_told_again_in_order(tmp_path):
    run = make_run(tmp_path)
    seen = []
    told = replay_run(run, [f"jsonl:{tmp_path / 'copy.jsonl'}"], on_step=lambda *done: seen.append(done))
    assert told == 36 and read_jsonl(tmp_path / "copy.jsonl") == read_jsonl(run / "metrics.jsonl")
    assert seen[-1] == (30, 30, "36 rows")


class Told:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.rows: list = []
        self.tables: list = []

    def log(self, values, step):
        self.rows.append((step, dict(values)))

    def log_table(self, name, rows, step):
        self.tables.append((name, step, rows))

    def close(self):
        pass


def test_a_table_is_told_as_one_and_a_stop_leaves_the_rest(tmp_path):
    with JsonlTracker(tmp_path / "m.jsonl") as tracker:
        tracker.log_table("sounds", [{"item": "en-0", "errors": 0.5}], 5)
        for step in range(6, 3000):
            tracker.log({"loss": 1.0}, step)
    told = Told()
    assert replay(tmp_path / "m.jsonl", [told], stop=lambda: bool(told.rows)) == 1000
    assert told.tables == [("sounds", 5, [{"item": "en-0", "errors": 0.5}])]
    assert told.rows[0] == (6, {"loss": 1.0}) and len(told.rows) == 999


def _to_trackio(run: str) -> None:
    replay_run(Path(run), ["trackio:mine"])
    replay_run(Path(run), ["trackio:mine"])


def _told_by_all_and_again(run: str) -> None:
    """The training, in a process of its own; the sidecar; and a replay."""
    with opened_trackers(["trackio:mine"], run="sft", job="train", folder=run) as tracker:
        for row in read_jsonl(Path(run) / "metrics.jsonl"):
            tracker.log(row, row.pop("step"))
    told = told_to(["trackio:mine"], Path(run).parent, print, [run, "s3://bucket/another"])["trackers"]
    told["trackio"]("sft").log({"evaluate/step": 30}, 30)
    replay_run(Path(run), ["trackio:mine"])
    from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

    print(SQLiteStorage.get_runs("mine"), SQLiteStorage.get_log_count("mine", "sft"))


@needs_trackio
def test_the_training_the_sidecar_and_a_replay_tell_trackio_of_one_run(tmp_path):
    run = make_run(tmp_path)
    told = in_child(HERE, "_told_by_all_and_again", tmp_path / "home", str(run))
    assert told.splitlines()[-1] == "['sft'] 37"


@needs_trackio
def test_trackio_has_each_row_once(tmp_path):
    run = make_run(tmp_path, 1200)
    in_child(HERE, "_to_trackio", tmp_path / "home", str(run))
    rows = rows_of(tmp_path / "home", "mine")
    wanted = [(row.pop("step"), row) for row in read_jsonl(run / "metrics.jsonl")]
    assert [(step, values) for _, step, values in rows] == wanted and {name for name, _, _ in rows} == {"sft"}


def test_wandb_has_every_row_with_its_step(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "w"))
    run = make_run(tmp_path)
    replay_run(run, ["wandb"], say=lambda _: None)
    [kept] = offline_runs(run)
    told = [row for row in history(kept) if "loss" in row]
    assert [row["step"] for row in told] == list(range(1, 31))


def test_who_cannot_be_told_of_the_past_is_refused(tmp_path):
    run = make_run(tmp_path)
    for choice, words in (
        ("prometheus", "only what is now"),
        ("prometheus:9100", "only what is now"),
        ("none", "tells nobody"),
        (f"jsonl:{run / 'metrics.jsonl'}", "is the file that is replayed"),
        ("tensorboard", "is unknown"),
    ):
        with pytest.raises(BadInput, match=words):
            replay_run(run, [choice])
    with pytest.raises(BadInput, match="has no metrics"):
        replay_run(tmp_path, ["trackio"])
