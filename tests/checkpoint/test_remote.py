"""Checkpoints at an address: published whole or not at all, pulled back whole, pruned with respect for who reads."""

from __future__ import annotations

import random
import re
import shutil
import threading
from concurrent.futures import Future
from contextlib import suppress

import pytest

from tests.checkpoint.remote_runs import Kept, files_of, save, stored
from tests.storage.killed import killed
from tests.storage.proxy import Fault, Request, gets
from tests.storage.server import KEY, SECRET
from vaak.checkpoint import (
    find_checkpoint,
    lease,
    list_checkpoints,
    list_remote,
    newest_complete,
    prune_remote,
    publish_checkpoint,
    pull_checkpoint,
    verify_checkpoint,
    verify_remote,
)
from vaak.checkpoint.folder import make_model_only
from vaak.checkpoint.leases import SECONDS, LeaseWatch
from vaak.checkpoint.remote import split_address
from vaak.errors import BadInput
from vaak.storage.objects import PART_BYTES, StorageFailed, delete_object, list_objects, open_objects, write_object

NOTHING = lambda request: None  # noqa: E731


def steps(url: str) -> list[tuple[int, bool, bool]]:
    return [(one.step, one.complete, one.full) for one in list_remote(url)]


def test_what_was_published_comes_back_and_goes_on(tmp_path, model, s3):
    one, two = (save(tmp_path / "run", step, model) for step in (10, 20))
    sent = publish_checkpoint(one.path, s3)
    assert publish_checkpoint(two.path, s3 + "/").id == two.id and sent.moved.files == sent.files
    assert [(one.step, one.id) for one in list_remote(s3)] == [(10, one.id), (20, two.id)]
    assert stored(two_url := f"{s3}/checkpoints/step-00000020").keys() == files_of(two.path).keys()
    assert {path: data for path, data in stored(two_url).items() if path != "COMPLETE.json"} == {
        path: data for path, data in files_of(two.path).items() if path != "COMPLETE.json"
    }
    assert verify_remote(s3, 10) == verify_remote(s3, 20) == []
    assert {path.partition("/")[0] for path in list_objects(open_objects(s3))} == {"checkpoints", "publish"}
    pulled = pull_checkpoint(s3, tmp_path / "copy" / "run")
    assert (pulled.id, pulled.full, pulled.leased) == (two.id, True, True)
    found = find_checkpoint(tmp_path / "copy" / "run")
    assert found.id == two.id and found.full and verify_checkpoint(found.path) == []
    assert (tmp_path / "copy" / "run" / "recipe.yaml").read_bytes() == b"name: x\n"
    pulled = pull_checkpoint(f"{s3}/checkpoints/step-00000010/", tmp_path / "copy" / "run")
    assert pulled.id == one.id and [one.step for one in list_checkpoints(tmp_path / "copy" / "run")] == [10, 20]
    assert pull_checkpoint(s3, tmp_path / "copy" / "run").moved.files == 0
    assert not [path for path in (tmp_path / "copy").rglob("*") if path.name.endswith((".tmp", ".parts"))]


def test_a_folder_is_an_address_too(tmp_path, model):
    one = save(tmp_path / "run", 10, model)
    url = f"file://{tmp_path}/store/run"
    publish_checkpoint(one.path, url)
    assert publish_checkpoint(one.path, url).moved.files == 0
    assert pull_checkpoint(url, tmp_path / "copy").id == one.id and verify_remote(url, 10) == []
    stored_state = tmp_path / "store/run/checkpoints/step-00000010/state.json"
    stored_state.rename(tmp_path / "elsewhere.json")
    stored_state.symlink_to(tmp_path / "elsewhere.json")
    assert "is a link" in verify_remote(url, 10)[0]
    with pytest.raises(BadInput, match="is a link"):
        pull_checkpoint(url, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_step_that_was_trained_again_replaces_the_old_one(tmp_path, model, s3, proxy):
    publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
    write_object(open_objects(f"{s3}/checkpoints/step-00000010"), "model/old.safetensors", b"of more processes")
    again = save(tmp_path / "run", 10, model, value=7)
    before = len(proxy.requests)
    publish_checkpoint(again.path, s3)
    assert [one.id for one in list_remote(s3)] == [again.id] and verify_remote(s3, 10) == []
    assert stored(f"{s3}/checkpoints/step-00000010").keys() == files_of(again.path).keys()
    changed = [found for one in proxy.requests[before:] if (found := change(one))]
    assert changed[0] == ("removed", "COMPLETE.json") and changed[-1] == ("written", "COMPLETE.json")
    assert changed[-2] == ("written", "MANIFEST.json") and ("removed", "old.safetensors") in changed


def change(request: Request) -> tuple[str, str] | None:
    """What a request writes or removes, but for leases; the client removes with a list of one key."""
    keys = re.findall(r"<Key>([^<]*)</Key>", request.body.decode(errors="replace")) if request.query == "delete" else []
    key = keys[0] if keys else request.path
    if "/leases/" in key or not (keys or request.method == "PUT"):
        return None
    return "removed" if keys else "written", key.rsplit("/", 1)[1]


def test_another_run_is_refused_but_its_own_continuation_is_not(tmp_path, model, s3):
    publish_checkpoint(save(tmp_path / "one", 10, model).path, s3)
    with pytest.raises(BadInput, match=r"holds checkpoints of run 'one', not of 'two'"):
        publish_checkpoint(save(tmp_path / "two", 20, model).path, s3)
    with pytest.raises(BadInput, match=r"holds run 'two', not 'one'"):
        pull_checkpoint(s3, tmp_path / "two")
    pull_checkpoint(s3, tmp_path / "three")
    publish_checkpoint(save(tmp_path / "three", 20, model).path, s3)
    assert steps(s3) == [(10, True, True), (20, True, True)]


def test_another_run_of_the_same_name_is_refused_too(tmp_path, model, s3):
    one = save(tmp_path / "a/sft", 10, model)
    publish_checkpoint(one.path, s3)
    with pytest.raises(BadInput, match=r"belongs to another run 'sft'"):
        publish_checkpoint(save(tmp_path / "b/sft", 10, model, value=3).path, s3)
    assert [one.id for one in list_remote(s3)] == [one.id]
    pull_checkpoint(s3, tmp_path / "c/sft")
    publish_checkpoint(save(tmp_path / "c/sft", 20, model).path, s3)  # it shares step 10
    shutil.rmtree(tmp_path / "c/sft/checkpoints")
    publish_checkpoint(save(tmp_path / "c/sft", 30, model).path, s3)  # and keeps the key
    assert [one.step for one in list_remote(s3)] == [10, 20, 30]
    write_object(open_objects(s3), "publish/run.json", b"[")
    with pytest.raises(BadInput, match="none of ours"):
        publish_checkpoint(one.path, s3)


def test_a_model_alone_is_published_as_it_is(tmp_path, model, s3):
    one = save(tmp_path / "run", 10, model)
    whole = shutil.copytree(one.path, tmp_path / "again/run/checkpoints" / one.path.name)
    make_model_only(one.path)
    assert not publish_checkpoint(one.path, s3).full
    assert steps(s3) == [(10, True, False)] and verify_remote(s3, 10) == []
    pulled = pull_checkpoint(s3, tmp_path / "copy")
    assert not pulled.full and newest_complete(tmp_path / "copy", full=True) is None
    assert verify_checkpoint(pulled.path) == []
    assert publish_checkpoint(whole, s3).full and steps(s3) == [(10, True, True)]
    assert publish_checkpoint(one.path, s3).full and steps(s3) == [(10, True, True)] and verify_remote(s3, 10) == []
    assert pull_checkpoint(s3, tmp_path / "copy").full and newest_complete(tmp_path / "copy", full=True) is not None


def test_a_damaged_checkpoint_is_not_published(tmp_path, model, s3):
    one = save(tmp_path / "run", 10, model)
    (one.path / "state.json").write_text("{}")
    with pytest.raises(BadInput, match=r"is not published: state\.json"):
        publish_checkpoint(one.path, s3)
    assert list_objects(open_objects(s3)) == {}


def test_what_is_lost_or_changed_there_is_named_and_sent_again(tmp_path, model, s3):
    one = save(tmp_path / "run", 10, model)
    publish_checkpoint(one.path, s3)
    objects = open_objects(f"{s3}/checkpoints/step-00000010")
    write_object(objects, "config.json", b"x" * (one.path / "config.json").stat().st_size)
    delete_object(objects, "state.json")
    write_object(objects, "model/stranger.safetensors", b"x")
    found = verify_remote(s3, 10)
    assert [name for name in ("config.json", "state.json", "stranger") if any(name in line for line in found)] == [
        "config.json", "state.json", "stranger"]  # fmt: skip
    assert publish_checkpoint(one.path, s3).moved.files == 2 and verify_remote(s3, 10) == []


@pytest.mark.parametrize(
    "fault",
    [Fault("reset"), Fault("status", status=503), Fault("status", status=500), Fault("status", status=429)],
    ids=lambda fault: f"{fault.kind}{fault.status if fault.kind == 'status' else ''}",
)
def test_a_few_faults_are_ridden_out(tmp_path, model, s3, proxy, fault):
    one = save(tmp_path / "run", 10, model)
    proxy.first(3, fault, lambda request: "shard-" in request.path)
    publish_checkpoint(one.path, s3)
    assert proxy.made == 3 and verify_remote(s3, 10) == []
    proxy.first(2, fault, gets(".safetensors"))
    assert pull_checkpoint(s3, tmp_path / "copy").id == one.id


@pytest.mark.slow
def test_parts_are_equal_but_the_last_and_a_reset_part_is_sent_again(tmp_path, model, s3, proxy):
    one = save(tmp_path / "run", 10, model, numbers=5 << 20)
    file = next((one.path / "training").iterdir())
    size = file.stat().st_size
    proxy.first(2, Fault("reset"), lambda request: "partNumber=2" in request.query)
    publish_checkpoint(one.path, s3)
    assert proxy.made == 2
    sizes = {one.query.split("partNumber=")[1].split("&")[0]: len(one.body) for one in proxy.asked("PUT", file.name)
             if "partNumber" in one.query}  # fmt: skip
    assert [sizes[str(n + 1)] for n in range(len(sizes))] == [PART_BYTES] * 2 + [size - 2 * PART_BYTES]
    assert stored(f"{s3}/checkpoints/step-00000010")[f"training/{file.name}"] == file.read_bytes()
    proxy.rule = lambda request: Fault("status", status=403) if f"bytes={PART_BYTES}-" in str(request.headers) else None
    with pytest.raises(BadInput, match="refused"):
        pull_checkpoint(s3, tmp_path / "copy")
    assert list_checkpoints(tmp_path / "copy")[0].complete is False
    proxy.rule, before = NOTHING, len(proxy.requests)
    assert pull_checkpoint(s3, tmp_path / "copy").id == one.id
    asked = [one.headers for one in proxy.requests[before:] if gets(file.name)(one)]
    assert asked and all(f"bytes=0-{PART_BYTES - 1}" not in str(headers) for headers in asked)  # what came is kept


def test_credentials_that_expire_underway_leave_nothing_complete_and_it_continues(tmp_path, model, s3, proxy):
    one = save(tmp_path / "run", 10, model)
    sent = []

    def expired(request: Request) -> Fault | None:
        if request.method == "PUT" and "/checkpoints/" in request.path:
            sent.append(request.path)
        return Fault("status", status=403) if len(sent) > 3 else None

    proxy.rule = expired
    with pytest.raises(BadInput, match="refused") as refused:
        publish_checkpoint(one.path, s3)
    assert KEY not in str(refused.value) and SECRET not in str(refused.value)
    proxy.rule = NOTHING
    assert steps(s3) == [(10, False, False)] or steps(s3) == [(10, False, True)]
    with pytest.raises(BadInput, match="no complete checkpoint"):
        pull_checkpoint(s3, tmp_path / "copy")
    again = publish_checkpoint(one.path, s3)
    assert again.moved.there >= 1 and again.moved.files + again.moved.there == again.files
    there = stored(f"{s3}/checkpoints/step-00000010")
    assert all(there[path] == data for path, data in files_of(one.path).items() if path != "COMPLETE.json")


def test_retention_there_keeps_what_the_policy_and_readers_keep(tmp_path, model, s3):
    for step in (10, 20, 30, 40, 50):
        publish_checkpoint(save(tmp_path / "run", step, model).path, s3)
    write_object(open_objects(f"{s3}/checkpoints/step-00000005"), "state.json", b"{}")
    write_object(open_objects(f"{s3}/checkpoints/step-00000060"), "state.json", b"{}")
    now = 0.0
    watch = LeaseWatch(s3, clock=lambda: now)
    with lease(s3, 30, "pull"):
        done = prune_remote(s3, Kept(milestones=20, keep_last_full=1), watch)
    assert [one.step for one in done.removed] == [5, 10] and list(done.held) == ["step-00000030"]
    assert [one.step for one in list_remote(s3)] == [20, 30, 40, 50, 60]
    write_object(open_objects(s3), "leases/step-00000030/gone.json", b"{}")  # its holder was killed
    assert list(prune_remote(s3, Kept(milestones=20, keep_last_full=1), watch).held) == ["step-00000030"]
    now = SECONDS + 1
    assert [one.step for one in prune_remote(s3, Kept(milestones=20, keep_last_full=1), watch).removed] == [30]
    assert [one.step for one in list_remote(s3)] == [20, 40, 50, 60]


def test_a_reader_that_comes_while_a_mark_is_taken_keeps_its_checkpoint(tmp_path, model, s3, proxy):
    for step in (10, 20):
        publish_checkpoint(save(tmp_path / "run", step, model).path, s3)

    def reader(request: Request) -> None:
        if change(request) == ("removed", "COMPLETE.json"):
            write_object(open_objects(s3), "leases/step-00000010/reader.json", b"{}")

    proxy.rule = reader
    assert prune_remote(s3, Kept(keep_last_full=1)).held == {"step-00000010": "reader"}
    assert steps(s3) == [(10, True, True), (20, True, True)] and verify_remote(s3, 10) == []


def test_what_is_pulled_is_held_against_the_runs_own_retention(tmp_path, model, s3, proxy):
    publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
    held = []

    def look(request: Request) -> None:
        if gets(".safetensors")(request):
            held.append(list(LeaseWatch(tmp_path / "copy").held()))

    proxy.rule = look
    pull_checkpoint(s3, tmp_path / "copy")
    assert held and set(map(tuple, held)) == {("step-00000010",)} and LeaseWatch(tmp_path / "copy").held() == {}
    proxy.rule = NOTHING
    (tmp_path / "other").mkdir()
    (tmp_path / "other/leases").write_text("no folder")
    with pytest.raises(BadInput, match="leases cannot be written; make it writable"):
        pull_checkpoint(s3, tmp_path / "other")


def test_a_step_that_is_trained_again_while_it_is_sent_is_never_mixed(tmp_path, model, s3, proxy):
    one, new, first = save(tmp_path / "run", 10, model), Future(), threading.Lock()

    def again(request: Request) -> None:
        """Files are sent side by side: what trains again is the first of them alone."""
        if request.method == "PUT" and "/checkpoints/" in request.path and first.acquire(blocking=False):
            new.set_result(save(tmp_path / "run", 10, model, value=9))

    proxy.rule = again
    with suppress(BadInput):
        publish_checkpoint(one.path, s3)
    trained = new.result(timeout=60)  # the publisher may have given up before it is whole
    proxy.rule = NOTHING
    assert all(verify_remote(s3, each.step) == [] for each in list_remote(s3) if each.complete)
    publish_checkpoint(one.path, s3)
    assert [each.id for each in list_remote(s3)] == [trained.id] and verify_remote(s3, 10) == []


def test_what_is_abandoned_goes_there_but_for_who_reads_and_what_is_all(tmp_path, model, s3):
    for step in (10, 20, 40, 50, 60):
        publish_checkpoint(save(tmp_path / "run", step, model).path, s3)
    policy = Kept(milestones=20, keep_last_full=2)
    with lease(s3, 50, "pull"):
        done = prune_remote(s3, policy, abandoned=lambda one: one.step > 20)
    assert [one.step for one in done.removed] == [40, 60] and list(done.held) == ["step-00000050"]
    assert [one.step for one in list_remote(s3)] == [10, 20, 50]
    assert prune_remote(s3, policy, abandoned=lambda one: True).removed == []


def test_a_key_that_may_only_read_pulls_without_a_lease(tmp_path, model, s3, proxy):
    one = save(tmp_path / "run", 10, model)
    publish_checkpoint(one.path, s3)
    proxy.rule = lambda request: Fault("status", status=403) if request.method in ("PUT", "DELETE") else None
    pulled = pull_checkpoint(s3, tmp_path / "copy")
    assert pulled.id == one.id and not pulled.leased


def test_addresses():
    assert split_address("s3://b/r/checkpoints/step-00000010/") == ("s3://b/r", 10)
    assert split_address("s3://b/r/") == ("s3://b/r", None) and split_address("s3://b/step-00000010")[1] is None


CHILD = """
import sys
from vaak.checkpoint.{module} import {name}
print("ready", flush=True)
print({name}(sys.argv[1], sys.argv[2]).id)
"""


@pytest.mark.slow
def test_a_publish_that_is_killed_leaves_nothing_complete_that_is_not(tmp_path, model, s3, proxy):
    proxy.latency = 0.02
    rng, kills, unfinished, value = random.Random(1), 0, 0, 0
    one = save(tmp_path / "run", 10, model)
    while kills < 10:
        kills += killed(
            CHILD.format(module="remote", name="publish_checkpoint"), [str(one.path), s3], rng.uniform(0, 1.0)
        )
        found = [one for one in list_remote(s3) if one.complete]
        unfinished += not found
        for there in found:
            assert verify_remote(s3, 10) == [], kills
            if there.id == one.id:  # it was done: the next one replaces it
                value += 1
                one = save(tmp_path / "run", 10, model, value=value)
    assert unfinished >= 2
    assert publish_checkpoint(one.path, s3).id == one.id and verify_remote(s3, 10) == []
    there = stored(f"{s3}/checkpoints/step-00000010")
    assert all(there[path] == data for path, data in files_of(one.path).items() if path != "COMPLETE.json")


@pytest.mark.slow
def test_a_pull_that_is_killed_leaves_nothing_complete_that_is_not(tmp_path, model, s3, proxy):
    one = save(tmp_path / "run", 10, model)
    publish_checkpoint(one.path, s3)
    proxy.latency = 0.05
    rng, kills, unfinished, run = random.Random(2), 0, 0, tmp_path / "copy-0"
    while kills < 6:
        kills += killed(CHILD.format(module="pull", name="pull_checkpoint"), [s3, str(run)], rng.uniform(0, 0.7))
        if newest_complete(run, verify=False) is None:
            unfinished += 1
        else:
            assert find_checkpoint(run).id == one.id
            run = tmp_path / f"copy-{kills}"
    assert unfinished >= 2
    assert pull_checkpoint(s3, run).id == find_checkpoint(run).id == one.id


@pytest.mark.slow
def test_a_service_that_is_away_is_said_as_such(tmp_path, model, s3, proxy):
    proxy.rule = lambda request: Fault("status", status=503)
    with pytest.raises(StorageFailed, match="503"):
        publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
