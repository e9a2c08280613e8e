"""The publisher and its address: what the run keeps is there and stays there, whatever was there and whatever happens to it."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from tests.checkpoint.remote_runs import Kept, done, save, states, until
from tests.storage.proxy import Fault
from vaak.checkpoint import destination, lanes, lease, list_checkpoints, list_remote, pull_checkpoint, verify_remote
from vaak.checkpoint.folder import make_model_only
from vaak.checkpoint.outbox import PUBLISHED, SUPERSEDED, WAITING
from vaak.checkpoint.publish import Pace, publish_run
from vaak.errors import BadInput
from vaak.storage.locks import lock_file, unlock
from vaak.storage.objects import StorageFailed, delete_object, list_objects, open_objects

QUICK = Pace(poll=0.05, first=0.1, most=0.4, rarely=0.3, compare=0.1)
POLICY = Kept(milestones=30, keep_last_full=2, keep_last_model_only=0)


def ids(url: str) -> dict[int, str]:
    return {one.step: one.id for one in list_remote(url) if one.complete and one.full}


def empty(url: str) -> None:
    objects = open_objects(url)
    for path in list_objects(objects):
        delete_object(objects, path)


def following(run, s3, said) -> tuple[threading.Thread, threading.Event]:
    stopped = threading.Event()
    options = dict(to=s3, policy=POLICY, follow=True, stop=stopped.is_set, say=said.append, pace=QUICK)
    thread = threading.Thread(target=publish_run, args=(run,), kwargs=options, daemon=True)
    thread.start()
    return thread, stopped


def test_what_the_training_went_back_before_does_not_outlive_what_is_new(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    old = {step: save(run, step, model) for step in (10, 20, 30, 40, 50, 60)}
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert list(ids(s3)) == [30, 50, 60]
    for step in (30, 40, 50, 60):
        shutil.rmtree(old[step].path)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert {30, 50, 60} <= set(ids(s3))  # nothing is new yet: it may still be wanted
    new = save(run, 30, model, value=7)
    with lease(s3, 50, "pull"):
        publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert ids(s3) == {20: old[20].id, 30: new.id, 50: old[50].id}
    assert [line for line in said if "step 60: removed" in line and "went back before it" in line]
    newer = save(run, 40, model, value=7)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert ids(s3) == {30: new.id, 40: newer.id}
    assert pull_checkpoint(s3, tmp_path / "copy").id == newer.id
    for step in (50, 60, 70):
        save(run, step, model, value=7)
        publish_run(run, to=s3, policy=POLICY, say=said.append)
        assert states(run)[step] == PUBLISHED and step in ids(s3)
    assert list(ids(s3)) == [30, 60, 70]


def test_a_pull_of_an_older_step_takes_nothing_away_before_it_is_trained_on(tmp_path, model, s3):
    for step in (10, 20, 40):
        save(tmp_path / "run", step, model)
    policy = Kept(keep_last_full=3)
    publish_run(tmp_path / "run", to=s3, policy=policy)
    before, copy = ids(s3), tmp_path / "copy/run"
    pull_checkpoint(f"{s3}/checkpoints/step-00000010", copy)
    assert publish_run(copy, to=s3, policy=policy).published == [] and ids(s3) == before
    delete_object(open_objects(s3), "checkpoints/step-00000010/COMPLETE.json")
    assert [one.step for one in publish_run(copy, to=s3, policy=policy).published] == [10] and ids(s3) == before
    new = save(copy, 20, model, value=3)
    publish_run(copy, to=s3, policy=policy)
    assert ids(s3) == {10: before[10], 20: new.id}


def test_what_is_gone_from_the_address_is_sent_again(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    for step in (10, 20):
        save(run, step, model)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    before = ids(s3)
    empty(s3)
    assert [one.step for one in publish_run(run, to=s3, policy=POLICY, say=said.append).published] == [20, 10]
    assert ids(s3) == before and "step 20: is not whole at" in "\n".join(said)
    thread, stopped = following(run, s3, said)
    delete_object(open_objects(s3), "checkpoints/step-00000010/COMPLETE.json")
    until(lambda: ids(s3) == before, 20)
    stopped.set()
    thread.join(20)
    assert not thread.is_alive() and verify_remote(s3, 10) == []


@pytest.mark.slow
def test_an_address_that_does_not_answer_is_no_proof_that_all_is_there(tmp_path, model, s3, proxy):
    run, said = tmp_path / "run", []
    save(run, 10, model)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    proxy.rule = lambda request: Fault("status", status=403)
    assert "could not be looked at" in publish_run(run, to=s3, policy=POLICY, say=said.append).unseen


def test_what_became_a_model_before_it_was_held_is_not_sent_as_whole(tmp_path, model, s3, monkeypatch):
    run, said = tmp_path / "run", []
    save(run, 10, model)
    one = save(run, 20, model)

    def quicker(run, step, purpose):
        if step == 20:
            make_model_only(one.path)
        return lease(run, step, purpose)

    monkeypatch.setattr(lanes, "lease", quicker)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert states(run) == {10: PUBLISHED, 20: SUPERSEDED} and list(ids(s3)) == [10]
    assert [line for line in said if "step 20" in line and "before it was published" in line]  # nothing of it was sent


def test_what_becomes_a_model_while_it_is_sent_is_superseded_and_said(tmp_path, model, s3, monkeypatch):
    run, said, real = tmp_path / "run", [], destination.publish_checkpoint
    save(run, 10, model)

    def reduced(folder, *rest):
        make_model_only(folder)
        return real(folder, *rest)

    monkeypatch.setattr(destination, "publish_checkpoint", reduced)
    left = publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert states(run) == {10: SUPERSEDED} and left.published == []
    assert any("its model alone" in line for line in said)


def test_a_disk_that_fails_neither_ends_the_publisher_nor_lets_it_end_well(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    one = save(run, 10, model)
    mark = one.path / "COMPLETE.json"
    mark.rename(run / "aside")
    mark.mkdir()  # it cannot be read
    (run / "DONE.json").write_text("{}")
    assert "cannot be read" in publish_run(run, to=s3, policy=POLICY, say=said.append).unseen
    thread, _ = following(run, s3, said)
    time.sleep(1)
    assert (
        thread.is_alive() and len([line for line in said if "cannot be read" in line]) == 3
    )  # twice, and for its prune
    mark.rmdir()
    (run / "aside").rename(mark)
    thread.join(20)
    assert not thread.is_alive() and list(ids(s3)) == [10]


def test_a_disk_that_fails_while_something_is_sent_does_not_end_the_publisher(tmp_path, model, s3, monkeypatch):
    run, said, real, tries = tmp_path / "run", [], destination.publish_checkpoint, []
    one = save(run, 10, model)
    mark = one.path / "COMPLETE.json"

    def fails(*arguments):
        tries.append(True)
        if len(tries) > 1:
            return real(*arguments)
        mark.rename(run / "aside")
        mark.mkdir()
        raise StorageFailed("away")

    monkeypatch.setattr(destination, "publish_checkpoint", fails)
    thread, _ = following(run, s3, said)
    until(lambda: any("cannot be read" in line for line in said), 20)
    mark.rmdir()
    (run / "aside").rename(mark)
    done(run)
    thread.join(20)
    assert not thread.is_alive() and list(ids(s3)) == [10]


def test_in_the_end_both_sides_hold_what_the_policy_keeps(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    policy = Kept(keep_last_full=1, keep_last_model_only=0)
    for step in (10, 20, 30):
        save(run, step, model)
        publish_run(run, to=s3, policy=policy, say=said.append)
        assert list(ids(s3)) == [step]
    done(run)
    lock = lock_file(run / ".lock", exclusive=True, wait=False, create=True)
    assert lock is not None
    publish_run(run, to=s3, policy=policy, follow=True, say=said.append)
    assert len(list_checkpoints(run)) == 3  # somebody trains there
    unlock(lock)
    publish_run(run, to=s3, policy=policy, follow=True, say=said.append)
    assert [one.step for one in list_checkpoints(run)] == [30] and list(ids(s3)) == [30]
    assert f"step 10: removed from {run}" in "\n".join(said)


def test_leases_that_cannot_be_written_are_said_once_with_what_to_do(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    for step in (10, 20, 30):
        save(run, step, model)
    (run / "leases").write_text("no folder")
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    told = [line for line in said if "kept from" in line]
    assert len(told) == 1 and "leases cannot be written" in told[0] and "endpoint" not in told[0]
    assert states(run) == {10: SUPERSEDED, 20: PUBLISHED, 30: PUBLISHED}


def test_without_follow_each_is_tried_once_and_none_once_the_service_is_away(tmp_path, model):
    run, tried = tmp_path / "run", []
    for step in (30, 60, 90):
        save(run, step, model)

    def attempt(error: Exception, first: float) -> list[str]:
        def send(folder, repo_id, *, notes, work_folder):
            tried.append(folder.name)
            raise error

        tried.clear()
        pace = Pace(first=first, most=first, rarely=first)
        left = publish_run(run, hub="me/one", policy=POLICY, say=lambda line: None, send_milestone=send, pace=pace)
        assert {one.state for one in left.waiting} == {WAITING} and len(left.waiting) == 3
        return tried

    assert attempt(StorageFailed("away"), 0.0) == ["step-00000090"]
    every = ["step-00000090", "step-00000060", "step-00000030"]
    assert attempt(BadInput("not yours"), 0.0) == attempt(RuntimeError("odd"), 1000.0) == every
