"""When checkpoints are due, and which of them stay."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.checkpoint import due, list_checkpoints, milestone, prune
from vaak.checkpoint.folder import step_folder
from vaak.storage.files import write_json


class Kept(NamedTuple):
    intervals: tuple[tuple[int, int], ...] = ((10_000, 1_000), (50_000, 5_000), (100_000, 10_000))
    milestones: int | None = 50_000
    keep_last_full: int = 5


def make(run, step, complete=True):
    folder = step_folder(run, step)
    folder.mkdir(parents=True)
    if complete:
        write_json(folder / "COMPLETE.json", {"id": f"r/{step}/x"})


def steps(run):
    return [one.step for one in list_checkpoints(run)]


def test_saves_are_dense_early_and_sparse_late():
    found = [step for step in range(0, 120_001, 500) if due(Kept(), step)]
    assert found[:3] == [1_000, 2_000, 3_000]
    assert [s for s in found if 10_000 <= s <= 25_000] == [10_000, 15_000, 20_000, 25_000]
    assert [s for s in found if s >= 50_000] == [50_000, 60_000, 70_000, 80_000, 90_000, 100_000, 110_000, 120_000]
    assert [s for s in found if milestone(Kept(), s)] == [50_000, 100_000]


def test_the_last_few_and_the_milestones_stay(tmp_path):
    for step in range(10, 110, 10):
        make(tmp_path, step)
    removed = prune(tmp_path, Kept(milestones=40, keep_last_full=2), keep=[10])
    assert steps(tmp_path) == [10, 40, 80, 90, 100]
    assert [one.step for one in removed] == [20, 30, 50, 60, 70]


def test_remains_go_only_once_something_newer_is_complete(tmp_path):
    make(tmp_path, 10, complete=False)
    assert prune(tmp_path, Kept()) == [] and steps(tmp_path) == [10]
    make(tmp_path, 20)
    make(tmp_path, 30, complete=False)
    prune(tmp_path, Kept())
    assert steps(tmp_path) == [20, 30]


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(1, 60), min_size=1), st.integers(0, 4), st.integers(1, 20))
def test_one_complete_checkpoint_always_stays(tmp_path_factory, saved, keep_last, every):
    run = tmp_path_factory.mktemp("run")
    for step in saved:
        make(run, step)
    prune(run, Kept(milestones=every, keep_last_full=keep_last))
    assert max(saved) in steps(run)
    assert {s for s in saved if s % every == 0} <= set(steps(run))
