"""The outbox: every entry reaches the tracker at least once, in order, by one process at a time."""

import re
from pathlib import Path

import pytest

from vaak.evaluate import outbox
from vaak.evaluate.outbox import Entry, drain_outbox
from vaak.evaluate.store import open_results
from vaak.track import read_jsonl


@pytest.fixture
def results(db):
    opened = open_results(db)
    opened.write([], [Entry(f"c{number % 3} {number}", 10 - number, {"loss": number}) for number in range(5)])
    yield opened
    opened.close()


def test_entries_are_sent_in_order_each_once_at_their_own_step(results):
    results.write([], [Entry("c0 0", 99, {"loss": 99})])  # known already: the first one stays
    heard: list[Entry] = []
    assert drain_outbox(results.database, heard.append) == 5
    assert [(entry.step, entry.values["loss"]) for entry in heard] == [(10, 0), (9, 1), (8, 2), (7, 3), (6, 4)]
    assert drain_outbox(results.database, heard.append) == 0


def test_a_tracker_that_fails_gets_the_rest_later_and_nothing_twice(results):
    heard: list[Entry] = []

    def send(entry: Entry) -> None:
        if len(heard) == 2:
            raise OSError("no network")
        heard.append(entry)

    with pytest.raises(OSError, match="no network"):
        drain_outbox(results.database, send)
    assert drain_outbox(results.database, heard.append) == 3
    assert [entry.values["loss"] for entry in heard] == [0, 1, 2, 3, 4]


def test_an_entry_that_is_kept_does_not_keep_those_behind_it(results, monkeypatch):
    monkeypatch.setattr(outbox, "_BATCH", 2)
    heard: list[int] = []

    def send(entry: Entry) -> bool:
        heard.append(entry.values["loss"])
        return entry.values["loss"] in (1, 4)

    assert drain_outbox(results.database, send) == 2 and heard == [0, 1, 2, 3, 4]
    assert drain_outbox(results.database, lambda entry: heard.append(entry.values["loss"])) == 3
    assert heard[5:] == [0, 2, 3]


def test_who_dies_between_telling_and_noting_leaves_the_batch_to_be_told_again(results, monkeypatch):
    monkeypatch.setattr(outbox, "_TAKEN_SECONDS", 0.0)
    taken = results.database.transact(lambda connection: outbox._take(connection, results.database))
    heard = list(taken.values())  # told, and then the process was killed
    assert drain_outbox(results.database, heard.append) == 5
    assert [entry.key for entry in heard[:5]] == [entry.key for entry in heard[5:]]


def test_while_one_sends_another_leaves_it_to_it(results):
    heard: list[Entry] = []

    def send(entry: Entry) -> None:
        assert drain_outbox(results.database, lambda other: pytest.fail("sent by two")) == 0
        heard.append(entry)

    assert drain_outbox(results.database, send) == 5 and len(heard) == 5


def test_the_documented_drain_drains(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text()
    example = re.search(r"```python example\n(.*?)```", page, re.S)
    assert example is not None
    results = open_results(tmp_path / "results.db")
    results.write([], [Entry("run/5/x", 5, {"evaluate/step": 5, "evaluate/quick/stop_rate": 1.0})])
    monkeypatch.chdir(tmp_path)
    exec(example[1], {"db": tmp_path / "results.db"})
    assert read_jsonl(tmp_path / "told.jsonl") == [{"step": 5, "evaluate/step": 5, "evaluate/quick/stop_rate": 1.0}]
    assert drain_outbox(results.database, lambda entry: pytest.fail("told already")) == 0
