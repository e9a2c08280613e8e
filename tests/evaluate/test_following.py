"""The sidecar: each complete checkpoint once, the newest first, until asked to stop; and after any death again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.evaluate.small_pack import AsrDouble, add_checkpoint, make_pack
from tests.speak.tiny_speaker import ToneCodec
from vaak.errors import BadInput
from vaak.evaluate import drain_outbox, jobs, list_jobs, open_results
from vaak.evaluate.checkpoint import instruments
from vaak.evaluate.following import find_jobs, follow
from vaak.evaluate.jobs import ATTEMPTS
from vaak.evaluate.places import open_places
from vaak.storage.files import write_json
from vaak.track import read_jsonl, tracker_opener


@pytest.fixture
def runs(tmp_path):
    add_checkpoint(tmp_path / "a", 10)
    time.sleep(0.02)
    add_checkpoint(tmp_path / "b", 5, seed=1)
    time.sleep(0.02)
    add_checkpoint(tmp_path / "b", 10, seed=2)
    write_json(tmp_path / "b" / "DONE.json", {})
    unfinished = tmp_path / "b" / "checkpoints" / "step-00000015"
    shutil.copytree(tmp_path / "b" / "checkpoints" / "step-00000010", unfinished)
    (unfinished / "COMPLETE.json").unlink()
    (tmp_path / "stop").write_text("")
    return [tmp_path / "a", tmp_path / "b", tmp_path / "later"]


def test_each_complete_checkpoint_is_evaluated_once_full_first_then_newest(runs, pack, codec, asr, tmp_path):
    lines = []
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr, "full": ["b"], "say": lines.append}
    done = follow(runs, pack, tmp_path / "r.db", **options)
    assert [name.split("/")[:2] for name in done.evaluated] == [["b", "10"], ["b", "5"], ["a", "10"]]
    levels = {row["checkpoint_id"]: row["level"] for row in open_results(tmp_path / "r.db").finished()}
    assert levels == {done.evaluated[0]: "full", done.evaluated[1]: "quick", done.evaluated[2]: "quick"}
    calls = asr.calls
    assert follow(runs, pack, tmp_path / "r.db", **options).evaluated == []
    assert asr.calls == calls


def test_a_request_that_comes_later_is_heard(runs, pack, codec, asr, tmp_path):
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr, "requests": tmp_path / "wishes.json"}
    follow(runs, pack, tmp_path / "r.db", **options)
    (tmp_path / "wishes.json").write_text("not JSON")
    assert follow(runs, pack, tmp_path / "r.db", **options).evaluated == []
    write_json(tmp_path / "wishes.json", {"full": [str(runs[0] / "checkpoints" / "step-00000010")]})
    assert [name.split("/")[0] for name in follow(runs, pack, tmp_path / "r.db", **options).evaluated] == ["a"]


def test_a_damaged_checkpoint_is_named_and_the_others_are_evaluated(runs, pack, codec, asr, tmp_path):
    [weights] = (runs[0] / "checkpoints" / "step-00000010" / "model").iterdir()
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")
    done = follow(runs, pack, tmp_path / "r.db", stop_file=tmp_path / "stop", codec=codec, asr=asr)
    [(identity, reason)] = done.failed.items()
    assert identity.startswith("a/") and "content" in reason
    assert len(done.evaluated) == 2
    names = instruments(asr)
    results = open_results(tmp_path / "r.db")
    assert [job.checkpoint_id for job in find_jobs(open_places(runs, tmp_path, print), [], results, pack, names)] == [
        identity
    ]
    job = next(job for job in list_jobs(results.database) if job["checkpoint_id"] == identity)
    assert (job["state"], job["failures"], job["reason"]) == ("failed", ATTEMPTS, reason)


def test_a_checkpoint_removed_before_its_turn_is_recorded_and_no_failure(runs, pack, codec, asr, tmp_path):
    """The first sidecar is stopped at its first job; what it had seen is removed before the second one starts."""
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr}
    patience = iter([False, False, *[True] * 1000])
    follow(runs, pack, tmp_path / "r.db", **options, stop=lambda: next(patience))
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-00000005")
    done = follow(runs, pack, tmp_path / "r.db", **options)
    assert len(done.evaluated) == 2 and done.failed == {}
    [(identity, reason)] = done.gone.items()
    assert identity.startswith("b/5/") and "retention" in reason
    jobs = {job["checkpoint_id"]: job for job in list_jobs(open_results(tmp_path / "r.db").database, pack.id)}
    assert (jobs[identity]["state"], jobs[identity]["reason"]) == ("gone", reason)
    assert [job["state"] for name, job in jobs.items() if name != identity] == ["done"] * 3  # the scale is one of them


def test_a_run_that_is_away_as_a_whole_has_lost_nothing(runs, pack, codec, asr, tmp_path):
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr}
    patience = iter([False, False, *[True] * 1000])
    follow(runs, pack, tmp_path / "r.db", **options, stop=lambda: next(patience))
    (tmp_path / "b").rename(tmp_path / "unmounted")
    done = follow(runs, pack, tmp_path / "r.db", **options)
    assert done.gone == {} and [name.split("/")[0] for name in done.evaluated] == ["a"]
    (tmp_path / "unmounted").rename(tmp_path / "b")
    assert len(follow(runs, pack, tmp_path / "r.db", **options).evaluated) == 2


def test_a_tracker_is_told_each_evaluation_at_the_step_of_its_checkpoint(runs, pack, codec, asr, tmp_path):
    log = tmp_path / "evaluations.jsonl"
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr, "full": ["b"]}
    for _ in range(2):  # the second time there is nothing left to tell
        follow(
            runs, pack, tmp_path / "r.db", trackers=tracker_opener(f"jsonl:{log}", job="", folder=tmp_path), **options
        )
    rows = [row for row in read_jsonl(log) if "evaluate/sounds" not in row]
    assert [(row["step"], row["evaluate/step"]) for row in rows] == [(10, 10), (5, 5), (10, 10)]  # newest first
    assert rows[0]["evaluate/full/items"] == len(pack.prompts)
    assert 0 <= rows[1]["evaluate/quick/stop_rate/language/en"] <= 1
    assert all(row[f"evaluate/{level}/wer"] >= 0 for row, level in zip(rows, ("full", "quick", "quick"), strict=True))
    assert len(read_jsonl(log)) == 2 * len(rows)  # with each its table of sounds


def test_a_tracker_that_fails_holds_nothing_up_and_is_told_later(runs, pack, codec, asr, tmp_path):
    def broken(run):
        raise OSError("no network")

    lines, heard = [], []
    options = {"stop_file": tmp_path / "stop", "codec": codec, "asr": asr, "say": lines.append}
    assert len(follow(runs, pack, tmp_path / "r.db", trackers=broken, **options).evaluated) == 3
    assert sum("no network" in line for line in lines) == 1
    assert drain_outbox(open_results(tmp_path / "r.db").database, heard.append) == 3


def test_a_pack_of_another_codec_ends_the_sidecar_and_is_no_failure_of_jobs(runs, pack, codec, asr, tmp_path):
    codec.hash = "1" * 64
    with pytest.raises(BadInput, match="codec"):
        follow(runs, pack, tmp_path / "r.db", stop_file=tmp_path / "stop", codec=codec, asr=asr)


def test_two_sidecars_share_a_database(runs, pack, codec, asr, tmp_path):
    """Each checkpoint is evaluated by one of them, and both wait until all is settled."""
    for step in (15, 20, 25):
        shutil.rmtree(tmp_path / "b" / "checkpoints" / f"step-{step:08d}", ignore_errors=True)
        add_checkpoint(tmp_path / "b", step, seed=step)
    options = {"stop_file": tmp_path / "stop", "codec": codec, "poll_seconds": 0.05}
    with ThreadPoolExecutor(2) as pool:
        pair = [pool.submit(follow, runs, pack, tmp_path / "r.db", asr=AsrDouble(pack), **options) for _ in range(2)]
    shares = [one.result().evaluated for one in pair]
    assert len(shares[0] + shares[1]) == len({*shares[0], *shares[1]}) == 6
    assert len(open_results(tmp_path / "r.db").finished()) == 6


def _run_sidecar(folder: Path) -> None:
    """What the child process of the next test runs."""
    from vaak.corpus.pack import open_pack
    from vaak.evaluate import measures

    measures.dnsmos = lambda wave, rate: 3.0
    measures.embed_voice = lambda wave, rate: None
    jobs.LEASE_SECONDS = 1.0
    pack = open_pack(folder / "pack")
    follow(
        [folder / "a"],
        pack,
        folder / "r.db",
        stop_file=folder / "stop",
        codec=ToneCodec(),
        asr=AsrDouble(pack),
        full=["a"],
        say=lambda line: None,
    )


@pytest.mark.slow
def test_killed_at_several_moments_every_result_is_there_exactly_once(tmp_path):
    make_pack(tmp_path)
    add_checkpoint(tmp_path / "a", 10)
    write_json(tmp_path / "a" / "DONE.json", {})
    (tmp_path / "stop").write_text("")
    program = (
        "from pathlib import Path; from tests.evaluate.test_following import _run_sidecar; "
        f"_run_sidecar(Path({str(tmp_path)!r}))"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    results = open_results(tmp_path / "r.db")
    for enough_rows in (1, 40, None):
        child = subprocess.Popen([sys.executable, "-c", program], env=environment)
        while child.poll() is None:
            if enough_rows is not None and len(results.read()) >= enough_rows:
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
        assert child.wait() in (0, -signal.SIGKILL)
    rows = results.read()
    keys = [(row.checkpoint_id, row.metric, row.item) for row in rows]
    assert len(keys) == len(set(keys))
    [finished] = results.finished()
    assert finished["level"] == "full"
    assert finished["items"] == len({row.item for row in rows if row.checkpoint_id == finished["checkpoint_id"]})
