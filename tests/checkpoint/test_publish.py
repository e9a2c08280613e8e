"""The publisher of a run: nothing is lost or sent twice, whatever fails; the training is never held up by it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.checkpoint.remote_runs import Kept, done, files_of, save, states, stored, until
from tests.storage.proxy import Fault
from tests.storage.server import KEY, SECRET
from vaak.checkpoint import list_checkpoints, list_remote, prune, verify_remote
from vaak.checkpoint.leases import LeaseWatch, lease
from vaak.checkpoint.outbox import PUBLISHED, SUPERSEDED, WAITING, read_records
from vaak.checkpoint.publish import Pace, publish_run
from vaak.errors import BadInput
from vaak.storage.objects import StorageFailed

QUICK = Pace(poll=0.05, first=0.1, most=0.4, rarely=0.3)
POLICY = Kept(milestones=30, keep_last_full=2, keep_last_model_only=0)
NAMES = re.compile(r"step-\d+-(full|milestone)-[0-9a-f]{16}\.json|run\.json|lock")


class Hub:
    """Takes milestones as the Hub's door does, and fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.got = list(failures), []

    def __call__(self, folder: Path, repo_id: str, *, notes: str | None, work_folder: Path) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.got.append((folder.name, notes))
        return f"https://hub/{repo_id}/{folder.name}"


def test_full_ones_go_to_storage_and_milestones_to_the_hub_once(tmp_path, model, s3, proxy):
    run, said, hub = tmp_path / "run", [], Hub()
    for step in (10, 20, 30):
        save(run, step, model)
    first = publish_run(run, to=s3, hub="me/one", policy=POLICY, say=said.append, send_milestone=hub)
    assert [one.step for one in first.published if one.kind == "full"] == [30, 20]
    assert [one.step for one in first.superseded] == [10]  # it would be removed there at once
    assert hub.got == [("step-00000030", None)]
    assert [one.step for one in list_remote(s3)] == [20, 30] and first.waiting == []
    before = len([one for one in proxy.requests if one.method == "PUT"])
    again = publish_run(run, to=s3, hub="me/one", policy=POLICY, say=said.append, send_milestone=hub)
    assert again.published == [] and len(hub.got) == 1
    save(run, 40, model)
    done(run)
    last = publish_run(run, to=s3, hub="me/one", policy=POLICY, follow=True, say=said.append, send_milestone=hub)
    assert {(one.kind, one.step) for one in last.published} == {("full", 40), ("milestone", 40)}
    assert [one.step for one in list_remote(s3)] == [30, 40] and "step 20: removed from" in "\n".join(said)
    sent = [one.path for one in proxy.requests if one.method == "PUT"][before:]
    assert all("/step-00000040/" in path for path in sent[:-1]) and sent[-1].endswith("/DONE.json")  # the run has ended
    record = next(one for one in read_records(run) if (one.kind, one.step) == ("full", 40))
    assert record.state == PUBLISHED and record.bytes > 1000 and record.files > 3 and record.where.startswith(s3)
    assert all(NAMES.fullmatch(path.name) for path in (run / "publish").iterdir())
    assert LeaseWatch(run).held() == {} == LeaseWatch(s3).held()


@pytest.mark.slow
def test_an_outage_is_waited_for_while_training_goes_on(tmp_path, model, s3, proxy):
    run, said = tmp_path / "run", []
    save(run, 10, model)
    faults = [Fault("status", status=429), Fault("reset"), Fault("status", status=500), Fault("status", status=503)]
    proxy.rule = lambda request: faults[len(proxy.requests) % 4]
    stopped = threading.Event()
    results = []

    def publisher() -> None:
        results.append(
            publish_run(run, to=s3, policy=POLICY, follow=True, stop=stopped.is_set, say=said.append, pace=QUICK)
        )

    thread = threading.Thread(target=publisher, daemon=True)
    thread.start()
    until(lambda: any("not published" in line and "again in" in line for line in said), 60)
    save(run, 20, model)
    done(run)
    proxy.rule = lambda request: None
    thread.join(60)
    assert not thread.is_alive() and states(run) == {10: PUBLISHED, 20: PUBLISHED}
    for step in (10, 20):
        there, here = stored(f"{s3}/checkpoints/step-{step:08d}"), files_of(run / f"checkpoints/step-{step:08d}")
        assert {path: data for path, data in here.items() if path != "COMPLETE.json"}.items() <= there.items()
        assert verify_remote(s3, step) == []


def test_credentials_that_expire_are_said_once_and_never_shown(tmp_path, model, s3, proxy):
    run, said, sent = tmp_path / "run", [], []
    save(run, 10, model)

    def expired(request):
        if request.method == "PUT" and "/checkpoints/" in request.path:
            sent.append(request.path)
        return Fault("status", status=403) if len(sent) > 2 else None

    proxy.rule = expired
    stopped = threading.Event()
    thread = threading.Thread(
        target=publish_run, args=(run,), kwargs=dict(to=s3, policy=POLICY, follow=True, stop=stopped.is_set,
                                                     say=said.append, pace=QUICK), daemon=True)  # fmt: skip
    thread.start()
    until(lambda: bool(read_records(run)) and read_records(run)[0].attempts >= 3, 30)
    refused = [line for line in said if "refused" in line]
    assert len(refused) == len(set(refused)) <= 2  # of the upload, then of the listing: each once
    assert list_remote_without(proxy, s3) == [False]
    proxy.rule = lambda request: None
    done(run)
    thread.join(30)
    assert not thread.is_alive() and states(run) == {10: PUBLISHED} and verify_remote(s3, 10) == []
    everything = "\n".join(said) + "".join(path.read_text() for path in (run / "publish").glob("*.json"))
    assert KEY not in everything and SECRET not in everything and "refused" not in str(read_records(run))


def list_remote_without(proxy, url: str) -> list[bool]:
    rule, proxy.rule = proxy.rule, lambda request: None
    try:
        return [one.complete for one in list_remote(url)]
    finally:
        proxy.rule = rule


@pytest.mark.slow
def test_an_outage_that_outlasts_retention_supersedes_and_says_so(tmp_path, model, s3, proxy):
    run, said = tmp_path / "run", []
    proxy.rule = lambda request: Fault("status", status=403)
    watch = LeaseWatch(run)
    for step in (10, 20, 30, 40, 50, 60, 70):
        save(run, step, model)
        waiting = publish_run(run, to=s3, policy=POLICY, say=said.append, pace=QUICK).waiting
        prune(run, POLICY, leases=watch)
        assert len([one for one in waiting if one.step not in (30, 60)]) <= 3  # milestones besides
    assert states(run) == dict.fromkeys((10, 20, 40), SUPERSEDED) | dict.fromkeys((30, 50, 60, 70), WAITING)
    assert any("step 10: superseded" in line for line in said)
    proxy.rule = lambda request: None
    publish_run(run, to=s3, policy=POLICY, say=said.append, pace=QUICK)
    assert states(run) == dict.fromkeys((10, 20, 40, 50), SUPERSEDED) | dict.fromkeys((30, 60, 70), PUBLISHED)
    assert [one.step for one in list_remote(s3) if one.complete] == [30, 60, 70]


def test_what_waits_is_held_against_the_runs_own_retention(tmp_path, model, s3, proxy):
    run = tmp_path / "run"
    one_kept = Kept(milestones=None, keep_last_full=1, keep_last_model_only=0)
    for step in (10, 20, 30, 40, 50):
        save(run, step, model)
    proxy.rule = lambda request: Fault("status", status=403)
    stopped = threading.Event()
    thread = threading.Thread(
        target=publish_run, args=(run,), kwargs=dict(to=s3, policy=one_kept, follow=True, stop=stopped.is_set,
                                                     say=lambda line: None, pace=QUICK), daemon=True)  # fmt: skip
    thread.start()
    until(lambda: len(LeaseWatch(run).held()) == 3 and SUPERSEDED in states(run).values(), 20)
    assert sorted(LeaseWatch(run).held()) == ["step-00000030", "step-00000040", "step-00000050"]
    prune(run, one_kept)
    assert [one.step for one in list_checkpoints(run)] == [30, 40, 50]
    stopped.set()
    thread.join(20)
    assert not thread.is_alive() and LeaseWatch(run).held() == {}
    assert states(run) == {10: SUPERSEDED, 20: SUPERSEDED, 30: WAITING, 40: WAITING, 50: WAITING}


def test_a_step_trained_again_takes_the_place_of_the_one_that_waited(tmp_path, model, s3, proxy):
    run, said = tmp_path / "run", []
    proxy.rule = lambda request: Fault("status", status=403)
    old = save(run, 10, model)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    new = save(run, 10, model, value=5)
    proxy.rule = lambda request: None
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert {one.checkpoint: one.state for one in read_records(run)} == {old.id: SUPERSEDED, new.id: PUBLISHED}
    assert [one.id for one in list_remote(s3)] == [new.id]


def test_a_milestone_waits_for_its_evaluation_and_then_goes_without(tmp_path, model):
    run, hub, found = tmp_path / "run", Hub(), {}
    one = save(run, 30, model)
    waits = publish_run(run, hub="me/one", policy=POLICY, notes=found.get, say=print, send_milestone=hub)
    assert hub.got == [] and [(one.step, one.error) for one in waits.waiting] == [(30, "")]
    found[one.id] = "| WER |"
    publish_run(run, hub="me/one", policy=POLICY, notes=found.get, say=print, send_milestone=hub)
    assert hub.got == [("step-00000030", "| WER |")]
    late = save(run, 60, model)
    then = time.time() - 7 * 3600
    os.utime(late.path / "COMPLETE.json", (then, then))

    def broken(identity: str) -> str | None:
        raise OSError(f"locked by {SECRET}")

    said = []
    publish_run(run, hub="me/one", policy=POLICY, notes=broken, say=said.append, send_milestone=hub)
    assert hub.got[-1] == ("step-00000060", None) and SECRET not in "".join(said)
    assert states(run, "milestone") == {30: PUBLISHED, 60: PUBLISHED}


def test_one_target_that_fails_does_not_hold_up_the_other(tmp_path, model, s3, monkeypatch):
    run, said = tmp_path / "run", []
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_test")
    hub = Hub(StorageFailed("the Hub failed (503) for hf_secret_of_the_test"), RuntimeError("hf_secret_of_the_test"),
              BadInput("me/one is not yours; name another"))  # fmt: skip
    for step in (20, 30):
        save(run, step, model)
    done(run)
    publish_run(run, to=s3, hub="me/one", policy=POLICY, follow=True, say=said.append, send_milestone=hub, pace=QUICK)
    assert states(run) == {20: PUBLISHED, 30: PUBLISHED} and states(run, "milestone") == {30: PUBLISHED}
    told = [line for line in said if "not published to me/one" in line]
    assert [("503" in line, "RuntimeError" in line, "not yours" in line) for line in told] == [
        (True, False, False), (False, True, False), (False, False, True)]  # fmt: skip
    assert "hf_secret" not in "".join(said) + "".join(path.read_text() for path in (run / "publish").glob("*.json"))
    assert [one.attempts for one in read_records(run) if one.kind == "milestone"] == [3]


def test_a_lost_record_sends_nothing_again_and_only_one_publishes(tmp_path, model, s3, proxy):
    run = tmp_path / "run"
    save(run, 10, model)
    publish_run(run, to=s3, policy=POLICY)
    for path in (run / "publish").glob("*.json"):
        path.write_text("{")
    before = len(proxy.requests)
    assert len(publish_run(run, to=s3, policy=POLICY).published) == 1
    assert not [one for one in proxy.requests[before:] if one.method == "PUT" and "/leases/" not in one.path]
    save(run, 20, model)
    refused = []

    def meanwhile(request):
        if not refused:
            refused.append(True)
            with pytest.raises(BadInput, match="being published by another process"):
                publish_run(run, to=s3, policy=POLICY)

    proxy.rule = meanwhile
    publish_run(run, to=s3, policy=POLICY)
    assert refused and states(run) == {10: PUBLISHED, 20: PUBLISHED}


def test_a_reader_at_the_address_keeps_what_it_reads(tmp_path, model, s3):
    run, said = tmp_path / "run", []
    save(run, 10, model)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    with lease(s3, 10, "pull"):
        for step in (20, 40):
            save(run, step, model)
        publish_run(run, to=s3, policy=POLICY, say=said.append)
        assert [one.step for one in list_remote(s3)] == [10, 20, 40]
    assert len([line for line in said if "step-00000010 stays at" in line]) == 1
    save(run, 50, model)
    publish_run(run, to=s3, policy=POLICY, say=said.append)
    assert [one.step for one in list_remote(s3)] == [40, 50]


def test_what_cannot_be_published_to_is_refused_at_once(tmp_path, model, s3):
    run = tmp_path / "run"
    save(run, 10, model)
    for to, words in (
        (None, "nowhere to be published"),
        ("https://x/y", "no address"),
        (f"{s3}/checkpoints/step-00000010", "address of a checkpoint"),
    ):
        with pytest.raises(BadInput, match=words):
            publish_run(run, to=to, policy=POLICY)
    with pytest.raises(BadInput, match="no folder of a run"):
        publish_run(tmp_path / "none", to=s3, policy=POLICY)


def test_it_stops_between_two_files_when_it_is_asked(tmp_path, model, s3, proxy):
    run = tmp_path / "run"
    save(run, 10, model)
    proxy.latency = 0.05

    def stop() -> bool:
        return any(one.method == "PUT" and "/checkpoints/" in one.path for one in proxy.requests)

    left = publish_run(run, to=s3, policy=POLICY, stop=stop, say=lambda line: None)
    assert [(one.step, one.attempts) for one in left.waiting] == [(10, 0)]
    assert [one.complete for one in list_remote(s3)] == [False]
    publish_run(run, to=s3, policy=POLICY, say=lambda line: None)
    assert verify_remote(s3, 10) == []


CHILD = """
import sys
from types import SimpleNamespace
from vaak.checkpoint.publish import publish_run
policy = SimpleNamespace(milestones=None, keep_last_full=4, keep_last_model_only=1)
print("ready", flush=True)
publish_run(sys.argv[1], to=sys.argv[2], policy=policy, follow=True)
"""


@pytest.mark.slow
def test_a_publisher_that_is_killed_goes_on_where_it_was(tmp_path, model, s3, proxy):
    proxy.latency = 0.02
    run = tmp_path / "run"
    for step in (10, 20, 30, 40):
        save(run, step, model)
    done(run)
    for after in (0.0, 0.3, 0.6, 0.9):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(run), s3], stdout=subprocess.PIPE, text=True,
                                 cwd=Path(__file__).parents[2])  # fmt: skip
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(after)
        child.kill()
        assert child.wait(30) in (0, -signal.SIGKILL)
        child.stdout.close()
        assert all(verify_remote(s3, one.step) == [] for one in list_remote(s3) if one.complete)
    publish_run(run, to=s3, policy=Kept(keep_last_full=4), follow=True)
    assert states(run) == dict.fromkeys((10, 20, 30, 40), PUBLISHED)
    assert [one.step for one in list_remote(s3) if one.complete] == [10, 20, 30, 40]
    data = [one.path for one in proxy.requests if one.method == "PUT" and one.path.endswith("COMPLETE.json")]
    assert len(data) <= len(set(data)) + 4  # at most what a kill took the answer of


def test_the_doors_publish_list_verify_prune_and_pull(tmp_path, model, s3, capsys):
    from vaak.cli.main import main
    from vaak.recipe import load_recipe, save_recipe

    def leave(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["checkpoint", *arguments])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    run = tmp_path / "run"
    for step in (1, 2):
        save(run, step, model)
    save_recipe(load_recipe("pt-s1"), run / "recipe.yaml")
    code, out, err = leave("publish", str(run), "--to", s3, "--json")
    assert code == 0, err
    assert [one["step"] for one in json.loads(out)["published"]] == [2, 1]
    code, out, _ = leave("list", s3, "--json")
    assert [(one["step"], one["full"]) for one in json.loads(out)] == [(1, True), (2, True)]
    assert leave("verify", s3)[0] == leave("verify", f"{s3}/checkpoints/step-00000002")[0] == 0
    assert leave("verify", f"{s3}/checkpoints/step-00000003")[0] == 1
    code, _, err = leave("prune", s3)
    assert code == 2 and "--recipe" in err
    code, out, _ = leave("prune", s3, "--recipe", str(run / "recipe.yaml"))
    assert code == 0 and "0 removed" in out
    code, out, _ = leave("pull", s3, str(tmp_path / "copy"))
    assert code == 0 and "whole: run/2/" in out and (tmp_path / "copy/recipe.yaml").is_file()
    assert leave("verify", str(tmp_path / "copy"))[0] == 0
    code, _, err = leave("pull", f"{s3}/nothing", str(tmp_path / "none"))
    assert code == 2 and "no complete checkpoint" in err and not (tmp_path / "none").exists()
