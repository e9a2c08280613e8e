"""A lease keeps a checkpoint from retention for as long as somebody renews it, whatever clocks say."""

import os
import time

import pytest

from tests.checkpoint.test_policy import Kept, make, steps
from vaak.checkpoint import LeaseWatch, lease, list_checkpoints, prune
from vaak.checkpoint import leases as leases_module

ONE = Kept(milestones=None, keep_last_full=1)


class Clock:
    """A monotonic clock that a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run(tmp_path):
    for step in (10, 20, 30):
        make(tmp_path, step)
    return tmp_path


def test_a_held_checkpoint_stays_and_goes_once_it_is_let_go(run):
    watch = LeaseWatch(run)
    with lease(run, 10, "sidecar"):
        done = prune(run, ONE, leases=watch)
        assert steps(run) == [10, 30] and list(done.held) == ["step-00000010"]
        assert done.held["step-00000010"].startswith("sidecar-")
    prune(run, ONE, leases=watch)
    assert steps(run) == [30] and watch.held() == {}


def test_a_full_one_that_is_held_is_not_made_a_model_only_one(run):
    with lease(run, 20, "publisher"):
        prune(run, Kept(milestones=None, keep_last_full=1, keep_last_model_only=5))
        assert [one.full for one in list_checkpoints(run)] == [False, True, True]


def test_a_lease_that_nobody_renews_expires_and_one_that_is_renewed_does_not(run):
    clock = Clock()
    watch = LeaseWatch(run, clock)
    folder = run / "leases" / "step-00000010"
    folder.mkdir(parents=True)
    (folder / "dead.json").write_text("{}")  # its reader was killed
    assert "step-00000010" in watch.held()
    clock.now += leases_module.SECONDS - 1
    (folder / "alive.json").write_text("1")
    assert "step-00000010" in watch.held()
    for renewal in range(3):
        clock.now += leases_module.SECONDS - 1
        (folder / "alive.json").write_text("1" * (renewal + 2))
        assert watch.held() == {"step-00000010": "alive"}
    clock.now += leases_module.SECONDS + 1
    assert watch.held() == {}
    prune(run, ONE, leases=watch)
    assert steps(run) == [30]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_neither_frees_nor_keeps_a_checkpoint(run, jump, monkeypatch):
    """Times of files and of the day come from a clock that is set: nothing depends on them."""
    watch = LeaseWatch(run)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    with lease(run, 10, "sidecar"):
        [file] = (run / "leases" / "step-00000010").iterdir()
        os.utime(file, (real() + jump, real() + jump))
        prune(run, ONE, leases=watch)
        assert steps(run) == [10, 30]
    prune(run, ONE, leases=watch)
    assert steps(run) == [30]


def test_a_lease_is_renewed_while_it_is_held(run, monkeypatch):
    monkeypatch.setattr(leases_module, "SECONDS", 0.3)
    watch = LeaseWatch(run)
    with lease(run, 10, "slow"):
        for _ in range(8):
            assert "step-00000010" in watch.held()
            time.sleep(0.1)
    assert watch.held() == {}


def test_a_reader_that_comes_in_the_moment_of_removal_is_seen(run, monkeypatch):
    """The lease appears between the removal's first look and its last."""
    watch = LeaseWatch(run)
    before, looks = watch.held, iter([{}, {"step-00000010": "late"}, {"step-00000010": "late"}])
    monkeypatch.setattr(watch, "held", lambda: next(looks, before()))
    done = prune(run, ONE, leases=watch)
    assert steps(run) == [10, 30] and done.held == {"step-00000010": "late"}
    assert all(one.complete for one in list_checkpoints(run))


def test_a_reader_that_comes_in_the_moment_of_taking_its_moments_is_seen(run, monkeypatch):
    watch = LeaseWatch(run)
    looks = iter([{}, {"step-00000020": "late"}])
    monkeypatch.setattr(watch, "held", lambda: next(looks, {"step-00000020": "late"}))
    done = prune(run, Kept(milestones=None, keep_last_full=1, keep_last_model_only=1), leases=watch)
    assert done.held == {"step-00000020": "late"} and [one.full for one in list_checkpoints(run)][-2:] == [True, True]


def test_what_is_unfinished_and_held_is_somebodys_work(run):
    make(run, 15, complete=False)
    with lease(run, 15, "pull"):
        prune(run, ONE)
        assert 15 in steps(run)
    prune(run, ONE)
    assert 15 not in steps(run)
