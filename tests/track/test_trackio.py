"""trackio: rows at the step they were told at, in any order, each once; sounds as files beside the database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.track.trackio_process import in_child, needs_trackio, rows_of
from vaak.errors import BadInput
from vaak.track import Sound, tracker_opener

pytestmark = needs_trackio
HERE = "tests.track.test_trackio"
ROWS = [
    {"item": "en-0", "errors": None, "sound": None},
    {"item": "en-1", "errors": 0.25, "sound": Sound("en-1.mp3", b"not really an MP3")},
]


def _tell() -> None:
    tracker = tracker_opener("trackio:mine", job="evaluate", folder=".", say=print)("sft")
    for step in (10, 5, 7, 5):  # the last one is told twice
        tracker.log({"evaluate/step": step, "evaluate/quick/stop_rate": 1 / step}, step)
        tracker.log_table("evaluate/sounds", ROWS, step)
    tracker.close()


def test_rows_keep_their_steps_and_a_row_told_twice_is_there_once(tmp_path):
    assert in_child(HERE, "_tell", tmp_path) == ""
    rows = rows_of(tmp_path, "mine")
    figures = [row for row in rows if "evaluate/sounds" not in row[2]]
    assert [(run, step, values["evaluate/step"]) for run, step, values in figures] == [
        ("sft", 10, 10),
        ("sft", 5, 5),
        ("sft", 7, 7),
    ]
    assert [values["evaluate/quick/stop_rate"] for _, _, values in figures] == [0.1, 0.2, 1 / 7]
    assert len(rows) == 6


def test_a_table_names_its_sounds_and_each_is_a_player_beside_it(tmp_path):
    in_child(HERE, "_tell", tmp_path)
    _, step, values = rows_of(tmp_path, "mine")[1]
    table, player = values["evaluate/sounds"], values["evaluate/sounds/en-1"]
    assert step == 10 and table["_type"] == "trackio.table" and player["_type"] == "trackio.audio"
    assert table["_value"] == [
        {"item": "en-0", "errors": None, "sound": None},
        {"item": "en-1", "errors": 0.25, "sound": "evaluate/sounds/en-1"},
    ]
    assert (tmp_path / "media" / player["file_path"]).read_bytes() == b"not really an MP3"
    assert sum(path.is_file() for path in (tmp_path / "media").rglob("*")) == 3  # one for each step


def _read_back() -> None:
    """trackio's own reader, which its page uses."""
    from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

    logs = SQLiteStorage.get_logs("mine", "sft")
    print([row["step"] for row in logs if "evaluate/quick/stop_rate" in row], SQLiteStorage.get_runs("mine"))


def test_trackio_itself_finds_the_run_and_its_rows(tmp_path):
    in_child(HERE, "_tell", tmp_path)
    assert in_child(HERE, "_read_back", tmp_path).startswith("[10, 5, 7] ['sft']")


def _tell_runs(*folders: str) -> None:
    for folder in folders:
        run = Path(folder)
        opener = tracker_opener("trackio:mine", job="train", folder=run, runs={run.name: run}, say=print)
        for step in (1, 2):
            opener(run.name).log({"checkpoint/step": step}, step)  # continued, it is opened again
    from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

    found = SQLiteStorage.get_run_records("mine")
    print([(one["name"], SQLiteStorage.get_log_count("mine", run_id=one["id"])) for one in found])


def test_two_runs_of_one_name_are_two_curves_and_a_continued_one_is_one(tmp_path):
    first, second = tmp_path / "monday" / "pt-s1", tmp_path / "tuesday" / "pt-s1"
    for folder in (first, second):
        folder.mkdir(parents=True)
    told = in_child(HERE, "_tell_runs", tmp_path / "home", str(first), str(second), str(first))
    assert told.strip() == "[('pt-s1', 2), ('pt-s1', 2)]"  # what the first one told again is there once
    ids = [(folder / "run-id").read_text() for folder in (first, second)]
    assert ids[0] != ids[1] and [path.name for path in first.iterdir()] == ["run-id"]
    shutil.rmtree(first)
    first.mkdir()
    told = in_child(HERE, "_tell_runs", tmp_path / "home", str(first))
    assert told.strip() == "[('pt-s1', 2), ('pt-s1', 2), ('pt-s1', 2)]"  # begun anew, it is another run


def test_a_run_that_was_not_begun_gets_no_folder(tmp_path):
    told = in_child(HERE, "_tell_runs", tmp_path / "home", str(tmp_path / "away"))
    assert told.strip() == "[('away', 2)]" and not (tmp_path / "away").exists()


def _refused() -> None:
    with pytest.raises(BadInput, match="network disk"):
        tracker_opener("trackio", job="evaluate", folder=".")("sft")
    with pytest.raises(BadInput, match="another name"):
        tracker_opener("trackio:registry-x", job="evaluate", folder=".")("sft")


def test_a_network_disk_and_a_name_that_trackio_keeps_for_itself_are_refused(tmp_path):
    in_child(HERE, "_refused", tmp_path, TRACKIO_STORAGE_MODE="jsonl")


def _unwritable() -> None:
    tracker = tracker_opener("trackio", job="evaluate", folder=".")("sft")
    with pytest.raises(Exception, match=r"database|directory|Permission"):
        tracker.log({"evaluate/step": 1}, 1)


def test_what_cannot_be_written_is_an_error_and_not_a_warning(tmp_path):
    Path(tmp_path / "vaak.db").mkdir()  # a database that cannot be opened, whoever tries
    in_child(HERE, "_unwritable", tmp_path)
