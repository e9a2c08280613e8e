"""When checkpoints are due, and which of them stay."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.checkpoint import Pruned, cadence, due, list_checkpoints, milestone, model_due, next_due, prune
from vaak.checkpoint.folder import step_folder
from vaak.storage.files import write_json


class Kept(NamedTuple):
    intervals: tuple[tuple[int, int], ...] = ((10_000, 1_000), (50_000, 5_000), (100_000, 10_000))
    model_only_every: int | None = 5_000
    milestones: int | None = 50_000
    keep_last_full: int = 5
    keep_last_model_only: int = 0


def make(run, step, complete=True, full=True):
    folder = step_folder(run, step)
    folder.mkdir(parents=True)
    if full:
        (folder / "training").mkdir()
        (folder / "training" / "moments").write_text("large")
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


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 25)), min_size=1, max_size=4).map(
        lambda found: tuple(sorted(found, key=lambda one: one[0]))
    ),
    st.integers(0, 150),
)
def test_the_next_one_is_the_first_that_is_due(intervals, step):
    policy = Kept(intervals=intervals)
    following = next_due(policy, step)
    assert following == next(later for later in range(step + 1, 1000) if due(policy, later))
    assert following % cadence(policy, following) == 0


def test_the_last_few_and_the_milestones_stay(tmp_path):
    for step in range(10, 110, 10):
        make(tmp_path, step)
    done = prune(tmp_path, Kept(milestones=40, keep_last_full=2), keep=[10])
    assert steps(tmp_path) == [10, 40, 80, 90, 100]
    assert [one.step for one in done.removed] == [20, 30, 50, 60, 70] and done.model_only == []


def test_remains_go_only_once_something_newer_is_complete(tmp_path):
    make(tmp_path, 10, complete=False)
    assert prune(tmp_path, Kept()).removed == [] and steps(tmp_path) == [10]
    make(tmp_path, 20)
    make(tmp_path, 30, complete=False)
    prune(tmp_path, Kept())
    assert steps(tmp_path) == [20, 30]


def test_models_are_saved_between_full_checkpoints():
    alone = [step for step in range(0, 100_001, 500) if model_due(Kept(), step)]
    assert alone == [55_000, 65_000, 75_000, 85_000, 95_000]  # before that every fifth thousand has a full one
    assert not any(model_due(Kept(model_only_every=None), step) for step in range(100_000))


def test_older_ones_stay_as_models_and_keep_their_id(tmp_path):
    for step in range(10, 110, 10):
        make(tmp_path, step, full=step != 90)
    before = {one.step: one.id for one in list_checkpoints(tmp_path)}
    done = prune(tmp_path, Kept(milestones=40, keep_last_full=2, keep_last_model_only=3))
    left = list_checkpoints(tmp_path)
    assert {one.step: one.full for one in left} == {40: True, 60: False, 70: False, 80: True, 90: False, 100: True}
    assert [one.step for one in done.model_only] == [60, 70] and {
        one.step: one.id for one in left
    }.items() <= before.items()
    assert not (step_folder(tmp_path, 60) / "training").exists()
    assert prune(tmp_path, Kept(milestones=40, keep_last_full=2, keep_last_model_only=3)) == Pruned([], [], {})


def test_what_dies_between_full_and_model_only_is_finished_the_next_time(tmp_path, monkeypatch):
    for step in (10, 20):
        make(tmp_path, step)
    policy = Kept(keep_last_full=1, keep_last_model_only=1)

    def dying(path, ignore_errors=False):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("vaak.checkpoint.folder.shutil.rmtree", dying)
        prune(tmp_path, policy)
    assert [one.full for one in list_checkpoints(tmp_path)] == [False, True]
    prune(tmp_path, policy)
    assert not (step_folder(tmp_path, 10) / "training").exists()


@settings(max_examples=25)
@given(
    st.dictionaries(st.integers(1, 60), st.booleans(), min_size=1),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(1, 20),
)
def test_the_newest_and_the_newest_full_and_milestones_always_stay(tmp_path_factory, saved, full, models, every):
    run = tmp_path_factory.mktemp("run")
    for step, whole in saved.items():
        make(run, step, full=whole)
    prune(run, Kept(milestones=every, keep_last_full=full, keep_last_model_only=models))
    left = {one.step: one.full for one in list_checkpoints(run)}
    assert max(saved) in left
    if any(saved.values()):
        assert left[max(step for step in saved if saved[step])]
    assert all(left[step] == saved[step] for step in saved if step % every == 0)


def test_the_model_that_an_alignment_came_from_stays(tmp_path):
    """Step 0 is what every later checkpoint of it is compared with."""
    for step in (0, 10, 20, 30):
        make(tmp_path, step)
    prune(tmp_path, Kept(keep_last_full=1))
    assert {one.step: one.full for one in list_checkpoints(tmp_path)} == {0: False, 30: True}
