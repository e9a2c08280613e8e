"""A metric of a newer version is added from the speech that is kept: nothing is spoken again, nothing that is there changes."""

from __future__ import annotations

import shutil

import pytest

from tests.evaluate.small_pack import AsrDouble, add_checkpoint
from tests.speak.tiny_speaker import ToneCodec
from vaak.errors import BadInput
from vaak.evaluate import evaluate_checkpoint, list_jobs, measures, open_results, summary
from vaak.evaluate import generations as generations_module
from vaak.evaluate.following import follow
from vaak.evaluate.generations import generations_folder
from vaak.storage.files import write_json


@pytest.fixture
def options(pack, tmp_path) -> dict:
    (tmp_path / "stop").touch()
    return {"stop_file": tmp_path / "stop", "codec": ToneCodec(), "asr": AsrDouble(pack), "poll_seconds": 0.01}


@pytest.fixture
def run(tmp_path):
    """A finished run of two checkpoints; the last one is its last."""
    for step in (10, 20):
        add_checkpoint(tmp_path / "one", step, step)
    write_json(tmp_path / "one" / "DONE.json", {})
    return tmp_path / "one"


@pytest.fixture
def newer(monkeypatch):
    """Raise the version of a metric, after which nothing may be spoken any more."""

    def raised(metric: str) -> None:
        monkeypatch.setattr(generations_module, "_generate", lambda *_: pytest.fail("spoken twice"))
        monkeypatch.setitem(measures.VERSIONS, metric, 99)

    return raised


def test_exactly_the_changed_metric_is_added_and_what_was_there_stays(run, pack, options, newer, tmp_path):
    follow([run], pack, tmp_path / "r.db", **options)
    results = open_results(tmp_path / "r.db")
    before, calls = results.read(), options["asr"].calls
    newer("duration_ratio")
    done = follow([run], pack, tmp_path / "r.db", **options)
    assert len(done.evaluated) == 2 and done.failed == {}
    after = results.read()
    added = [row for row in after if row not in before]
    assert [row for row in before if row not in after] == []
    assert {row.metric for row in added} == {"duration_ratio"} and options["asr"].calls == calls
    assert all(row.metric_version.startswith("99+") for row in added)
    old = [row for row in before if row.metric == "duration_ratio"]
    assert {(row.checkpoint_id, row.item): row.value for row in added} == {
        (row.checkpoint_id, row.item): row.value for row in old
    }
    assert summary(results, done.evaluated[0])["versions"]["duration_ratio"].startswith("99+")
    assert follow([run], pack, tmp_path / "r.db", **options).evaluated == []


def test_a_checkpoint_that_is_gone_is_scored_again_from_its_speech(run, pack, options, newer, tmp_path):
    [gone] = [name for name in follow([run], pack, tmp_path / "r.db", **options).evaluated if "/10/" in name]
    shutil.rmtree(run / "checkpoints" / "step-00000010")
    newer("silence_share")
    done = follow([run], pack, tmp_path / "r.db", **options)
    assert gone in done.evaluated and len(done.evaluated) == 2 and done.gone == done.failed == {}
    results = open_results(tmp_path / "r.db")
    assert summary(results, gone)["versions"]["silence_share"].startswith("99+")
    jobs = [job for job in list_jobs(results.database) if job["checkpoint_id"] == gone]
    assert [job["state"] for job in jobs] == ["done", "done"] and len({job["instruments"] for job in jobs}) == 2


def test_one_that_is_removed_before_its_turn_comes_all_the_same(run, pack, options, newer, tmp_path):
    """The sidecar with the new version is stopped; then retention removes what it had seen."""
    follow([run], pack, tmp_path / "r.db", **options)
    newer("duration_ratio")
    patience = iter([False, False, *[True] * 1000])
    follow([run], pack, tmp_path / "r.db", **options, stop=lambda: next(patience))
    shutil.rmtree(run / "checkpoints" / "step-00000010")
    done = follow([run], pack, tmp_path / "r.db", **options)
    assert len(done.evaluated) == 2 and done.gone == done.failed == {}


def test_what_was_evaluated_in_full_is_so_again(run, pack, options, newer, tmp_path):
    follow([run], pack, tmp_path / "r.db", **options, full=["one"])
    newer("duration_ratio")
    follow([run], pack, tmp_path / "r.db", **options)
    rows = open_results(tmp_path / "r.db").finished()
    levels = [(row["checkpoint_id"].split("/")[1], row["level"]) for row in rows]
    assert sorted(levels) == [("10", "quick"), ("10", "quick"), ("20", "full"), ("20", "full")]


def test_other_runs_of_the_database_are_left_alone(run, pack, options, newer, tmp_path):
    add_checkpoint(tmp_path / "two", 5, 5)
    follow([run, tmp_path / "two"], pack, tmp_path / "r.db", **options)
    newer("duration_ratio")
    done = follow([tmp_path / "two"], pack, tmp_path / "r.db", **options)
    assert [name.split("/")[0] for name in done.evaluated] == ["two"]


def test_without_all_of_its_speech_a_gone_checkpoint_is_not_scored_again(run, pack, options, newer, tmp_path):
    [gone] = [name for name in follow([run], pack, tmp_path / "r.db", **options).evaluated if "/10/" in name]
    shutil.rmtree(run / "checkpoints" / "step-00000010")
    next(generations_folder(tmp_path, gone, pack.id).glob("*.json")).unlink()
    newer("duration_ratio")
    assert gone not in follow([run], pack, tmp_path / "r.db", **options).evaluated
    with pytest.raises(BadInput, match="not all of its speech"):
        evaluate_checkpoint(gone, pack, ToneCodec(), tmp_path / "r.db", level="quick", asr=options["asr"])


def test_by_its_id_one_checkpoint_that_is_gone_is_scored_again(run, pack, options, newer, tmp_path):
    codec, asr = options["codec"], options["asr"]
    identity = evaluate_checkpoint(run, pack, codec, tmp_path / "r.db", level="quick", asr=asr)
    shutil.rmtree(run)
    newer("duration_ratio")
    assert evaluate_checkpoint(identity, pack, codec, tmp_path / "r.db", level="quick", asr=asr) == identity
    assert summary(tmp_path / "r.db", identity)["versions"]["duration_ratio"].startswith("99+")
