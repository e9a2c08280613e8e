"""A tracker behind its queue: whatever it does, who tells goes on at once, nothing is raised, and each row is told or counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from vaak.track import FanOut, JsonlTracker, QueuedTracker, RunTracker, Sound, queued, read_jsonl
from vaak.track.queued import TrackerDied


class Kept:
    """A tracker that keeps what it is told, and fails while it is asked to."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Mapping[str, Any]]] = []
        self.tables: list[tuple[int, Sequence[Mapping[str, Any]]]] = []
        self.references: list[tuple[str, str, int]] = []
        self.asked = self.closed = 0
        self.fails: Callable[[int], bool] = lambda step: False

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self.asked += 1
        if self.fails(step):
            raise OSError("no network to api.example")
        self.rows.append((step, values))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        self.tables.append((step, rows))

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        self.references.append((name, address, step))

    def close(self) -> None:
        self.closed += 1


class Mortal(Kept):
    """One that takes many rows at once, and whose process is gone at some."""

    def __init__(self, dies: Callable[[int], bool]) -> None:
        super().__init__()
        self.dies = dies

    def log(self, values: Mapping[str, Any], step: int) -> None:
        if self.dies(step):
            raise TrackerDied("its process has ended (-9)")
        super().log(values, step)

    def log_many(self, rows: Sequence[tuple[Mapping[str, Any], int]]) -> None:
        for values, step in rows:
            self.log(values, step)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(queued, "_GATHER_SECONDS", 0.01)
    monkeypatch.setattr(queued, "_FIRST_REST", 0.02)


def until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def test_all_is_handed_on_in_order_and_the_tracker_closed():
    kept, lines = Kept(), []
    tracker = QueuedTracker("mine", lambda: kept, lines.append)
    for step in range(1, 501):
        tracker.log({"loss": 1 / step}, step)
    tracker.log_table("sounds", [{"item": "a", "sound": Sound("a.mp3", b"1")}], 500)
    tracker.log_reference("checkpoint", "file:///runs/one/checkpoints/step-00000500", 500, {"full": True})
    tracker.close()
    assert [step for step, _ in kept.rows] == list(range(1, 501)) and kept.rows[9] == (10, {"loss": 0.1})
    assert kept.tables == [(500, [{"item": "a", "sound": Sound("a.mp3", b"1")}])]
    assert kept.references == [("checkpoint", "file:///runs/one/checkpoints/step-00000500", 500)]
    assert (tracker.dropped, kept.closed, lines) == (0, 1, [])


def test_values_are_copied_when_they_are_told():
    kept, opened = Kept(), threading.Event()
    tracker = QueuedTracker("mine", lambda: (opened.wait(30) and kept) or kept)
    values = {"loss": torch.tensor(2.5), "counts": np.array([1, 2]), "parts": [1]}
    tracker.log(values, 1)
    values["loss"].zero_()
    values["parts"].append(2)
    opened.set()
    tracker.close()
    assert kept.rows == [(1, {"loss": 2.5, "counts": [1, 2], "parts": [1]})]


def test_what_cannot_be_copied_is_counted_and_said_and_not_raised():
    class Broken:
        def tolist(self):
            raise RuntimeError("device-side assert")

    kept, lines = Kept(), []
    tracker = QueuedTracker("mine", lambda: kept, lines.append)
    tracker.log({"loss": Broken()}, 1)
    tracker.log({"loss": 1.0}, 2)
    tracker.close()
    assert [step for step, _ in kept.rows] == [2] and tracker.dropped == 1
    assert "device-side assert" in lines[0]


def test_a_full_queue_drops_the_new_rows_and_counts_them(monkeypatch):
    monkeypatch.setattr(queued, "_ROWS", 10)
    kept, opened, lines = Kept(), threading.Event(), []
    tracker = QueuedTracker("mine", lambda: (opened.wait(30) and kept) or kept, lines.append)
    for step in range(1, 26):
        tracker.log({"loss": 1.0}, step)
    assert tracker.dropped == 15 and ["is slower than the run" in line for line in lines] == [True]
    opened.set()
    until(lambda: len(lines) == 2)
    tracker.log({"loss": 1.0}, 26)
    tracker.close()
    assert [step for step, _ in kept.rows] == [*range(1, 11), 26]
    assert "takes rows again; it has missed 15" in lines[1] and "missed 15 rows" in lines[2]


def test_sounds_that_wait_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(queued, "_BYTES", 1000)
    kept, opened = Kept(), threading.Event()
    tracker = QueuedTracker("mine", lambda: (opened.wait(30) and kept) or kept, lambda line: None)
    for step in range(4):
        tracker.log_table("sounds", [{"sound": Sound("a.mp3", bytes(400))}], step)
    opened.set()
    tracker.close()
    assert [step for step, _ in kept.tables] == [0, 1] and tracker.dropped == 2


def test_a_row_that_fails_is_lost_alone_and_said_once_and_once_when_it_is_well_again():
    kept, lines = Kept(), []
    kept.fails = lambda step: step in (3, 7)
    tracker = QueuedTracker("mine", lambda: kept, lines.append, again="vaak replay runs/one --track mine")
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    until(lambda: kept.asked == 10)
    tracker.log({"loss": 1.0}, 11)
    until(lambda: len(lines) == 2)
    tracker.close()
    assert [step for step, _ in kept.rows] == [1, 2, 4, 5, 6, 8, 9, 10, 11] and tracker.dropped == 2
    assert "did not take a row (OSError: no network to api.example)" in lines[0] and "takes rows again" in lines[1]
    assert lines[2].endswith("missed 2 rows of this run; metrics.jsonl has them, and `vaak replay runs/one --track mine` tells them again")  # fmt: skip


def test_after_failures_in_a_row_it_rests_and_is_opened_again():
    opened: list[Kept] = []
    down = True

    def open_one() -> Kept:
        if down and opened:
            raise OSError("refused")
        opened.append(Kept())
        opened[-1].fails = lambda step: down
        return opened[-1]

    lines: list[str] = []
    tracker = QueuedTracker("mine", open_one, lines.append)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    until(lambda: opened and opened[0].closed)
    assert opened[0].asked == 3 and tracker.dropped == 3  # the others wait
    down = False
    until(lambda: len(opened) == 2 and len(opened[1].rows) == 7)
    until(lambda: len(lines) == 2)
    tracker.close()
    assert tracker.dropped == 3 and ["takes rows again" in line for line in lines[:2]] == [False, True]


def mortals(dies: Callable[[int, int], bool], begin: threading.Event) -> tuple[list[Mortal], Callable[[], Mortal]]:
    """Trackers as they are opened one after another, and what opens them; dies: asked with the number of the tracker, from 1, and
    a step."""
    opened: list[Mortal] = []

    def open_one() -> Mortal:
        begin.wait(30)
        number = len(opened) + 1
        opened.append(Mortal(lambda step: dies(number, step)))
        return opened[-1]

    return opened, open_one


def test_one_that_dies_is_opened_again_at_once_and_told_all_that_it_may_not_have_taken():
    begin, lines = threading.Event(), []
    opened, open_one = mortals(lambda number, step: number == 1 and step == 3, begin)
    tracker = QueuedTracker("mine", open_one, lines.append)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    begin.set()
    until(lambda: len(lines) == 2)
    tracker.close()
    assert [[step for step, _ in one.rows] for one in opened] == [[1, 2], list(range(1, 11))]
    assert tracker.dropped == 0 and [one.closed for one in opened] == [1, 1]
    assert "is opened again (its process has ended (-9))" in lines[0] and "it has missed 0 so far" in lines[1]


def test_a_row_at_which_two_die_is_lost_alone():
    begin = threading.Event()
    opened, open_one = mortals(lambda number, step: step == 5, begin)
    tracker = QueuedTracker("mine", open_one, lambda line: None)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    begin.set()
    until(lambda: tracker.dropped == 1 and 10 in [step for step, _ in opened[-1].rows])
    tracker.close()
    assert {step for one in opened for step, _ in one.rows} == set(range(1, 11)) - {5} and tracker.dropped == 1


def test_those_that_die_whatever_they_are_told_rest_and_lose_a_row_in_two_deaths():
    begin = threading.Event()
    tries: list[float] = []
    opened, open_one = mortals(lambda number, step: tries.append(time.monotonic()) or number <= 4, begin)
    tracker = QueuedTracker("mine", open_one, lambda line: None)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    begin.set()
    until(lambda: len(opened) == 5 and len(opened[4].rows) == 8)
    tracker.close()
    assert [step for step, _ in opened[4].rows] == list(range(3, 11)) and tracker.dropped == 2
    assert tries[3] - tries[2] >= 0.02 and tries[4] - tries[3] >= 0.04  # before, it is opened at once


@pytest.mark.parametrize(("deaths", "told"), [(1, 10), (2, 0)])
def test_at_the_end_one_that_dies_is_opened_again_once(deaths, told):
    begin = threading.Event()
    opened, open_one = mortals(lambda number, step: number <= deaths, begin)
    tracker = QueuedTracker("mine", open_one, lambda line: None)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    tracker.end()
    begin.set()
    tracker.close()
    assert len(opened) == 2 and len(opened[1].rows) == told and tracker.dropped == 10 - told


def test_pauses_between_tries_to_open_it_grow():
    tries: list[float] = []

    def refuse() -> Kept:
        tries.append(time.monotonic())
        raise OSError("refused")

    lines: list[str] = []
    tracker = QueuedTracker("mine", refuse, lines.append)
    tracker.log({"loss": 1.0}, 1)
    until(lambda: len(tries) == 5)
    tracker.close()
    pauses = np.diff(tries[:5])
    assert all(pause >= wanted for pause, wanted in zip(pauses, (0.02, 0.04, 0.08, 0.16), strict=True))
    assert tracker.dropped == 1 and "cannot be opened (OSError: refused)" in lines[0] and len(lines) == 2


def test_closing_does_not_wait_for_one_that_hangs_and_counts_what_it_did_not_take(monkeypatch):
    monkeypatch.setattr(queued, "CLOSE_SECONDS", 0.3)
    kept, hangs = Kept(), threading.Event()
    kept.fails = lambda step: step == 3 and not hangs.wait(60)
    lines: list[str] = []
    tracker = QueuedTracker("mine", lambda: kept, lines.append)
    for step in range(1, 11):
        tracker.log({"loss": 1.0}, step)
    until(lambda: kept.asked == 3)
    tracker.close()
    assert [step for step, _ in kept.rows] == [1, 2] and tracker.dropped == 8
    assert "missed 8 rows" in lines[-1]
    hangs.set()
    tracker._thread.join(30)
    assert [step for step, _ in kept.rows] == [1, 2, 3] and tracker.dropped == 8  # and nothing more is told


def test_no_sentence_has_a_key(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")

    def refuse() -> Kept:
        raise OSError("401 for 0123456789abcdef at https://me:hunter2@api.example/graphql")

    lines: list[str] = []
    tracker = QueuedTracker("mine", refuse, lines.append)
    tracker.close()
    assert "401 for *** at https://***@api.example/graphql" in lines[0]


def test_one_tracker_that_fails_is_no_matter_to_another_and_metrics_jsonl_says_what_it_missed(tmp_path):
    good, bad = Kept(), Kept()
    bad.fails = lambda step: step == 2
    fan_out = FanOut(
        {name: QueuedTracker(name, lambda one=one: one, lambda line: None) for name, one in (("a", good), ("b", bad))}
    )
    with JsonlTracker(tmp_path / "metrics.jsonl") as jsonl, RunTracker(jsonl, fan_out, print) as tracker:
        for step in (1, 2):
            tracker.log({"loss": 1.0}, step)
        until(lambda: fan_out.dropped == {"a": 0, "b": 1})
        tracker.log({"loss": 1.0}, 3)
        tracker.log_reference("checkpoint", "file:///runs/one", 3, {"full": True})
    fan_out.close()
    assert [step for step, _ in good.rows] == [1, 2, 3] and [step for step, _ in bad.rows] == [1, 3]
    assert read_jsonl(tmp_path / "metrics.jsonl") == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": 1.0, "untold/b": 1},
        {"step": 3, "reference/checkpoint": {"address": "file:///runs/one", "full": True}},
    ]
    assert good.closed == bad.closed == 1


def test_a_tracker_of_somebody_s_own_is_put_behind_a_queue_told_all_and_not_closed(tmp_path):
    class Sparse:
        """Without `log_reference`, which nobody has to have."""

        def __init__(self) -> None:
            self.steps: list[int] = []

        def log(self, values: Mapping[str, Any], step: int) -> None:
            time.sleep(0.02)
            self.steps.append(step)

        def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
            raise AssertionError

        def close(self) -> None:
            raise AssertionError

    own = Sparse()
    with JsonlTracker(tmp_path / "metrics.jsonl") as jsonl, RunTracker(jsonl, own, print) as tracker:
        for step in range(1, 11):
            tracker.log({"loss": 1.0}, step)
        tracker.log_reference("checkpoint", "file:///runs/one", 10, {})
    assert own.steps == list(range(1, 11))


def test_many_at_once_go_to_a_tracker_that_takes_many_and_after_a_failure_the_rest_of_them():
    class Many(Kept):
        def log_many(self, rows):
            sizes.append(len(rows))
            for number, (values, step) in enumerate(rows):
                if step == 4:
                    raise queued.Untold(number, "disk full")
                self.log(values, step)

    sizes: list[int] = []
    many, opened = Many(), threading.Event()
    tracker = QueuedTracker("mine", lambda: (opened.wait(30) and many) or many, lambda line: None)
    for step in range(1, 9):
        tracker.log({"loss": 1.0}, step)
    opened.set()
    tracker.close()
    assert sizes == [8, 4] and [step for step, _ in many.rows] == [1, 2, 3, 5, 6, 7, 8] and tracker.dropped == 1
