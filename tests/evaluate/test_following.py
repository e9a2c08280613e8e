"""The sidecar: each complete checkpoint once, the newest first, until asked to stop; and after any death again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.evaluate.small_pack import AsrDouble, add_checkpoint, make_pack
from tests.speak.tiny_speaker import ToneCodec
from vaak.errors import BadInput
from vaak.evaluate import following, open_results
from vaak.evaluate.checkpoint import instruments
from vaak.evaluate.following import find_jobs, follow
from vaak.storage.files import write_json


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
    assert [job.checkpoint.id for job in find_jobs(runs, [], open_results(tmp_path / "r.db"), pack.id, names)] == [
        identity
    ]


def test_two_sidecars_do_not_share_a_database(runs, pack, codec, asr, tmp_path, monkeypatch):
    monkeypatch.setattr(following, "_LOCK_SECONDS", 0.0)
    with following._only_one(tmp_path / "r.db"), pytest.raises(BadInput, match="another sidecar"):
        follow(runs, pack, tmp_path / "r.db", stop_file=tmp_path / "stop", codec=codec, asr=asr)


def _run_sidecar(folder: Path) -> None:
    """What the child process of the next test runs."""
    from vaak.corpus.pack import open_pack
    from vaak.evaluate import measures

    measures.dnsmos = lambda wave, rate: 3.0
    measures.embed_voice = lambda wave, rate: None
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
