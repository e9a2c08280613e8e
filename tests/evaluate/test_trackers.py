"""Trackers of runs: figures and sounds of each finished evaluation, what fails is said once and loses nothing."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import soundfile

from tests.evaluate.evaluated import results
from tests.evaluate.small_pack import AsrDouble
from vaak.evaluate import drain_outbox, item_results, reference_scores, start_sidecar, tracker_sounds
from vaak.evaluate.generations import generations_folder
from vaak.evaluate.items import items_of
from vaak.evaluate.trackers import RunTrackers
from vaak.track import Sound, read_jsonl, tracker_opener

__all__ = ["results"]  # a fixture

COLUMNS = ["item", "language", "kind", "text", "heard", "errors", "DNSMOS", "similarity", "stopped", "sound"]


class Listener:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.values: list[tuple[int, Mapping[str, Any]]] = []
        self.tables: list[tuple[int, Sequence[Mapping[str, Any]]]] = []
        self.closed = 0

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self.values.append((step, values))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        assert name == "evaluate/sounds"
        self.tables.append((step, rows))

    def close(self) -> None:
        self.closed += 1


def test_each_run_has_a_tracker_and_each_evaluation_its_figures_and_the_same_sounds(results, pack, codec):
    opened: dict[str, Listener] = {}

    def open_one(run: str) -> Listener:
        assert run not in opened
        return opened.setdefault(run, Listener())

    told = RunTrackers(open_one, results, pack, codec, print)
    told.tell()
    told.close()
    assert [step for step, _ in opened["a"].values] == [step for step, _ in opened["a"].tables] == [10, 5]
    assert [step for step, _ in opened["b"].values] == [5] and opened["b"].closed == 1
    [(_, newer), (_, older)] = opened["a"].tables
    assert [row["item"] for row in newer] == [row["item"] for row in older]
    assert [list(row) for row in newer] == [COLUMNS] * len(newer)
    of = [row["language"] for row in newer]
    assert all(1 <= of.count(language) <= 2 for language in ("en", "hi", "ta"))
    assert {row["kind"] for row in newer} >= {"cross_lingual"}


def test_a_row_says_what_the_database_says_and_plays_what_was_generated(results, pack, codec, tmp_path):
    listener = Listener()
    RunTrackers(lambda run: listener, results, pack, codec, print).tell()
    [(_, rows), *_] = listener.tables
    identity = listener.values[0][1]["evaluate/checkpoint"]
    items = item_results(results, identity, pack.id)
    for row in rows:
        item = items[row["item"]]
        assert (row["DNSMOS"], row["stopped"]) == (item["dnsmos"], bool(item["stopped"]))
        assert (row["similarity"], row["heard"]) == (item.get("similarity"), item.get("heard"))
        if row["sound"] is None:
            continue
        (tmp_path / row["sound"].name).write_bytes(row["sound"].data)
        codes = tracker_sounds.load_generation(generations_folder(results.folder, identity, pack.id), _of(pack, row))
        assert codes is not None
        wave, rate = soundfile.read(tmp_path / row["sound"].name)
        assert abs(len(wave) / rate - len(codes.codes) / 50) < 0.2
    assert any(isinstance(row["sound"], Sound) for row in rows)


def _of(pack, row):
    return next(prompt for prompt in pack.prompts if prompt.item == row["item"])


def test_errors_stand_only_where_the_recogniser_is_trusted(results, pack, codec):
    [identity, *_] = [row["checkpoint_id"] for row in results.finished()]
    assert {row["errors"] for row in tracker_sounds.sound_table(results, pack, codec, identity)} == {None}
    reference_scores(pack, codec, AsrDouble(pack), results)  # it hears the originals without an error
    rows = tracker_sounds.sound_table(results, pack, codec, identity)
    items = item_results(results, identity, pack.id)
    assert [row["errors"] for row in rows] == [
        items[row["item"]]["wer"] if row["language"] == "en" else None for row in rows
    ]


def test_sounds_are_bounded_in_number_and_bytes(results, pack, codec, monkeypatch):
    [identity, *_] = [row["checkpoint_id"] for row in results.finished()]
    chosen = tracker_sounds.heard_prompts(pack)
    assert {prompt.item for prompt in chosen} <= {prompt.item for prompt in items_of(pack, "quick")}
    sounds = [row["sound"] for row in tracker_sounds.sound_table(results, pack, codec, identity)]
    monkeypatch.setattr(tracker_sounds, "MOST_BYTES", sum(len(sound.data) for sound in sounds if sound) - 1)
    fewer = [row["sound"] for row in tracker_sounds.sound_table(results, pack, codec, identity)]
    assert sum(sound is not None for sound in fewer) == sum(sound is not None for sound in sounds) - 1


def test_without_the_generations_the_figures_are_told_and_the_missing_table_is_said_once(results, pack, codec):
    shutil.rmtree(results.folder / "generations")
    listener, lines = Listener(), []
    RunTrackers(lambda run: listener, results, pack, codec, lines.append).tell()
    assert len(listener.values) == 3 and listener.tables == []
    [line] = lines
    assert "no sounds for a/10/" in line and "of this machine" in line


def test_a_table_that_fails_does_not_have_its_figures_told_again(results, pack, codec):
    class Deaf(Listener):
        def log_table(self, name, rows, step):
            raise ValueError("no tables here")

    listener, lines = Deaf(), []
    told = RunTrackers(lambda run: listener, results, pack, codec, lines.append)
    told.tell()
    told.close()
    assert len(listener.values) == 3
    assert ["no tables here" in line for line in lines] == [True]


def test_a_tracker_that_fails_is_said_once_and_gets_everything_later(results, pack, codec):
    class Away(Listener):
        here = False

        def log(self, values, step):
            if not self.here:
                raise OSError("no network")
            super().log(values, step)

    listener, lines = Away(), []
    told = RunTrackers(lambda run: listener, results, pack, codec, lines.append)
    for _ in range(3):
        told._told[""].again_at = 0.0
        told.tell()
    assert ["no network" in line for line in lines] == [True]
    listener.here = True
    told.close()
    assert [step for step, _ in listener.values] == [10, 5, 5]
    assert lines[1:] == ["the tracker takes figures again"] and listener.closed == 1


def test_of_several_trackers_one_that_fails_keeps_none_from_being_told_and_none_is_told_twice(results, pack, codec):
    class Away(Listener):
        here = False

        def log(self, values, step):
            if not self.here:
                raise OSError("no network")
            super().log(values, step)

    away, here, lines = Away(), Listener(), []
    told = RunTrackers({"wandb": lambda run: away, "jsonl": lambda run: here}, results, pack, codec, lines.append)
    for _ in range(3):
        told._told["wandb"].again_at = 0.0
        told.tell()
    assert [step for step, _ in here.values] == [10, 5, 5] and away.values == []
    assert len(here.tables) == 3
    assert drain_outbox(results.database, lambda entry: False) == 0  # they wait for the one that is away
    away.here = True
    told.close()
    assert [step for step, _ in away.values] == [10, 5, 5] and len(away.tables) == 3
    assert [step for step, _ in here.values] == [10, 5, 5] and len(here.tables) == 3
    assert ["wandb" in line for line in lines] == [True, True]
    assert drain_outbox(results.database, lambda entry: pytest.fail("told already")) == 0


def test_who_is_asked_to_stop_leaves_the_rest_for_the_next_start(results, pack, codec):
    listener = Listener()
    answers = iter([False, True, True])
    told = RunTrackers(lambda run: listener, results, pack, codec, print, stop=lambda: next(answers))
    told.tell()
    told.close()
    assert len(listener.values) == 1
    assert drain_outbox(results.database, lambda entry: None) == 2


def test_a_jsonl_tracker_takes_names_in_place_of_sounds(results, pack, codec, tmp_path):
    told = RunTrackers(
        tracker_opener(f"jsonl:{tmp_path / 'e.jsonl'}", job="", folder=tmp_path), results, pack, codec, print
    )
    told.close()
    rows = read_jsonl(tmp_path / "e.jsonl")
    assert ["evaluate/sounds" in row for row in rows] == [False, True] * 3
    names = {cells["sound"] for cells in rows[1]["evaluate/sounds"]} - {None}
    assert names and all(name.endswith((".mp3", ".ogg", ".wav")) for name in names)


def test_a_sidecar_process_takes_the_tracker_by_name_and_refuses_an_unknown_one_before_it_works(tmp_path, pack):
    process = start_sidecar(
        [tmp_path], pack.folder, tmp_path / "r.db", stop_file=tmp_path / "stop", track="tensorboard"
    )
    assert process.wait(120) == 2
    assert "tracker 'tensorboard' is unknown; use wandb" in (tmp_path / "sidecar.log").read_text()
