"""`vaak checkpoint …`: what is not there is said as such, what is unfinished is no damage, and a disk gives one sentence."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.checkpoint.remote_runs import done, save
from vaak.checkpoint import list_remote, publish_checkpoint
from vaak.cli import checkpoints
from vaak.storage.locks import lock_file, unlock
from vaak.storage.objects import open_objects, write_object

Leave = Callable[..., tuple[int, str, str]]


@pytest.fixture
def leave(capsys) -> Leave:
    """Run a verb; its exit code, output and errors, of which the latter are one line."""
    from vaak.cli.main import main

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["checkpoint", *map(str, arguments)])
        said = capsys.readouterr()
        assert said.err.count("\n") <= 1 and "Traceback" not in said.err
        return int(left.value.code or 0), said.out, said.err

    return run


def recipe_of(run: Path) -> Path:
    from vaak.recipe import load_recipe, save_recipe

    run.mkdir(parents=True, exist_ok=True)
    save_recipe(load_recipe("pt-s1"), run / "recipe.yaml")
    return run


def test_what_is_no_run_is_not_listed_as_an_empty_one(tmp_path, leave, s3):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for place, words in (
        (tmp_path / "nosuch", "not there"),
        (tmp_path / "file", "no run"),
        (tmp_path / "folder", "no run"),
        (f"file://{tmp_path}/nosuch", "holds no checkpoint"),
        (s3, "holds no checkpoint"),
    ):
        code, out, err = leave("list", place)
        assert (code, out) == (2, "") and words in err
    assert leave("list", recipe_of(tmp_path / "run"))[0] == 0


def test_verify_tells_what_is_not_there_from_what_is_damaged(tmp_path, leave):
    for name in ("nosuch", "nosuch/checkpoints/step-00000010"):
        code, _, err = leave("verify", tmp_path / name)
        assert code == 2 and "is not there" in err
    code, _, err = leave("verify", recipe_of(tmp_path / "run"))
    assert code == 2 and "no checkpoint yet" in err


def test_what_is_still_being_saved_or_sent_is_no_damage(tmp_path, model, leave, s3):
    run = tmp_path / "run"
    first = save(run, 10, model)
    publish_checkpoint(first.path, s3)
    (run / "checkpoints/step-00000020/model").mkdir(parents=True)
    write_object(open_objects(f"{s3}/checkpoints/step-00000020"), "state.json", b"{}")
    for place in (run, s3):
        code, out, _ = leave("verify", place)
        assert code == 0 and "step-00000010: whole" in out and "step-00000020: unfinished" in out
        code, out, _ = leave("verify", place, "--json")
        assert code == 0 and [(not one["problems"], one["unfinished"]) for one in json.loads(out)] == [
            (True, False), (False, True)]  # fmt: skip
    assert leave("verify", run / "checkpoints/step-00000020")[0] == 1  # it was asked for by name
    (first.path / "COMPLETE.json").write_text("{")
    write_object(open_objects(f"{s3}/checkpoints/step-00000010"), "COMPLETE.json", b"{")
    for place in (run, s3):
        code, out, err = leave("verify", place)
        assert code == 1 and "1 of 2" in err and "step-00000010: unfinished" not in out


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder there that nobody may write to")
def test_a_disk_that_refuses_is_one_sentence(tmp_path, model, leave):
    run = recipe_of(tmp_path / "run")
    save(run, 10, model)
    code, _, err = leave("export", run, "--out", "/proc/x/model")
    assert code == 2 and "cannot be written" in err
    (run / ".lock").mkdir()
    code, _, err = leave("prune", run)
    assert code == 2 and ".lock cannot be written" in err


def test_prune_leaves_a_run_alone_that_is_being_trained(tmp_path, model, leave):
    run = recipe_of(tmp_path / "run")
    for step in range(1, 8):
        save(run, step, model)
    lock = lock_file(run / ".lock", exclusive=True, wait=False, create=True)
    assert lock is not None
    code, out, err = leave("prune", run)
    assert code == 2 and "is being trained by another process; it prunes by itself" in err and "removed" not in out
    assert len(list(run.glob("checkpoints/*/training"))) == 7
    unlock(lock)
    assert leave("prune", run)[0] == 0 and len(list(run.glob("checkpoints/*/training"))) < 7


def test_what_still_waits_without_follow_is_named_and_is_no_success(tmp_path, model, leave, monkeypatch):
    from vaak.checkpoint import milestones

    run = recipe_of(tmp_path / "run")
    save(run, 10, model)
    (run / "DONE.json").write_text("{}")
    monkeypatch.setattr(milestones, "publish_milestone", lambda *given, **more: "there")
    (tmp_path / "results.db").touch()
    code, _, err = leave("publish", run, "--hub", "me/one", "--db", tmp_path / "results.db")
    assert code == 1 and "step 10 for me/one (its evaluation is not there yet)" in err
    assert leave("publish", run, "--hub", "me/one")[0] == 0


def test_a_publisher_that_follows_waits_for_a_run_that_has_not_begun(tmp_path, model, leave, monkeypatch):
    run, there = tmp_path / "run", f"file://{tmp_path}/there"

    def train(_: float) -> None:
        save(recipe_of(run), 10, model)
        done(run)

    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(sleep=train))
    code, out, _ = leave("publish", run, "--to", there, "--follow")
    assert code == 0 and out.count("recipe.yaml is not there yet; waiting for the run to begin") == 1
    assert "1 published" in out and [one.step for one in list_remote(there)] == [10]


def test_a_publisher_may_be_stopped_before_the_run_begins_and_without_follow_it_does_not_wait(
    tmp_path, leave, monkeypatch
):
    given = ("publish", tmp_path / "run", "--to", f"file://{tmp_path}/there")
    told = SimpleNamespace(sleep=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(checkpoints, "time", told)
    code, _, err = leave(*given, "--follow")
    assert code == 130 and "has not begun; run the same command again" in err
    assert leave(*given)[0] == 2
    assert leave(*given[:2], "--follow")[0] == 2  # and nobody waits to hear that there is nowhere to publish to


def test_a_publisher_tells_no_tracker_of_curves(tmp_path, model, leave):
    run = recipe_of(tmp_path / "run")
    save(run, 10, model)
    code, _, err = leave("publish", run, "--hub", "me/one", "--track", "wandb")
    assert code == 2 and "a publisher has nothing to tell the tracker 'wandb'" in err and "use prometheus" in err
