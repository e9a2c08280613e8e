"""The sidecar at an address: complete checkpoints of a bucket of a real S3 server, fetched one at a time and removed again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.checkpoint.remote_runs import stored
from tests.evaluate.small_pack import AsrDouble, add_checkpoint
from tests.evaluate.test_aligned import GRPO
from tests.speak.tiny_speaker import ToneCodec
from tests.storage.proxy import Fault, Request, gets
from tests.storage.server import KEY, SECRET
from vaak.checkpoint import Checkpoint, list_checkpoints, publish_checkpoint
from vaak.checkpoint.ended import tell_end
from vaak.cli.main import main
from vaak.errors import BadInput
from vaak.evaluate import evaluate_checkpoint, list_jobs, measures, open_results, run_judges
from vaak.evaluate import generations as generations_module
from vaak.evaluate.aligned import aligned_of
from vaak.evaluate.fetched import FOLDER, fetched
from vaak.evaluate.following import follow
from vaak.evaluate.places import RunAddress, aligned_at
from vaak.evaluate.turns import Stopped
from vaak.storage.files import list_files, write_json
from vaak.storage.objects import StorageFailed, delete_object, list_objects, open_objects, write_object

WEIGHTS = ".safetensors"


@pytest.fixture
def one(tmp_path) -> list[Checkpoint]:
    """Two full checkpoints of a run."""
    return [add_checkpoint(tmp_path / "one", step, step, {"exp_avg/w": torch.ones(3)}) for step in (10, 20)]


@pytest.fixture
def options(pack, tmp_path) -> dict:
    """Of a sidecar that ends when nothing is left, with what it said in `lines`."""
    (tmp_path / "stop").touch()
    return {"stop_file": tmp_path / "stop", "codec": ToneCodec(), "asr": AsrDouble(pack), "poll_seconds": 0.01}


def published(url: str, checkpoints: list[Checkpoint]) -> str:
    for each in checkpoints:
        publish_checkpoint(each.path, url)
    return url


def left(tmp_path: Path) -> list[str]:
    folder = tmp_path / FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_published_checkpoints_are_evaluated_once_and_nothing_of_them_stays(one, pack, options, s3, proxy, tmp_path):
    url, lines = published(f"{s3}/one", one), []
    proxy.requests.clear()
    done = follow([url], pack, tmp_path / "r.db", **options, say=lines.append)
    assert done.evaluated == [one[1].id, one[0].id] and done.failed == done.gone == {}
    assert left(tmp_path) == []
    assert len(proxy.asked("GET", WEIGHTS)) == 2
    assert not any("/training/" in request.path for request in proxy.requests)  # the optimizer's state stays there
    assert [path for path in stored(url) if path.startswith("leases/")] == []
    assert not any(secret in line for line in lines for secret in (KEY, SECRET))
    calls = options["asr"].calls
    # A checkpoint has one id everywhere: who follows the folder, too, finds everything done.
    assert follow([tmp_path / "one", url], pack, tmp_path / "r.db", **options).evaluated == []
    assert options["asr"].calls == calls
    results = open_results(tmp_path / "r.db")
    assert sorted(row["checkpoint_id"] for row in results.finished()) == sorted(each.id for each in one)
    places = {job["checkpoint_id"]: job["place"] for job in list_jobs(results.database)}
    assert places[one[1].id] == f"{url}/checkpoints/step-00000020"


def test_the_figures_are_those_of_the_folder(one, pack, options, s3, tmp_path):
    url = published(f"{s3}/one", one[:1])
    follow([url], pack, tmp_path / "there" / "r.db", **options)
    follow([tmp_path / "one"], pack, tmp_path / "here" / "r.db", **options)
    there, here = (open_results(tmp_path / name / "r.db").read(one[0].id) for name in ("there", "here"))
    assert sorted(map(repr, there)) == sorted(map(repr, here)) and there


def test_a_half_uploaded_checkpoint_is_not_touched(one, pack, options, s3, proxy, tmp_path):
    url = published(f"{s3}/one", one)
    delete_object(open_objects(f"{url}/checkpoints/step-00000020"), "COMPLETE.json")
    proxy.requests.clear()
    done = follow([url], pack, tmp_path / "r.db", **options)
    assert done.evaluated == [one[0].id] and done.failed == done.gone == {}
    assert not any("step-00000020" in request.path for request in proxy.requests)
    assert one[1].id not in {job["checkpoint_id"] for job in list_jobs(open_results(tmp_path / "r.db").database)}


def test_one_that_is_removed_while_it_is_fetched_is_gone_and_no_failure(one, pack, options, s3, proxy, tmp_path):
    url, lines, removing = published(f"{s3}/one", one), [], []

    def remove(request: Request) -> None:
        """By hand, mark first: retention would see the lease."""
        if gets(WEIGHTS)(request) and "step-00000020" in request.path and not removing:
            removing.append(request)
            objects = open_objects(f"{url}/checkpoints/step-00000020")
            for path in sorted(list_objects(objects), key=lambda path: path != "COMPLETE.json"):
                delete_object(objects, path)

    proxy.rule = remove
    done = follow([url], pack, tmp_path / "r.db", **options, say=lines.append)
    assert removing and done.evaluated == [one[0].id] and done.failed == {}
    [(identity, reason)] = done.gone.items()
    assert identity == one[1].id and "removed or replaced" in reason
    jobs = {job["checkpoint_id"]: job for job in list_jobs(open_results(tmp_path / "r.db").database)}
    assert (jobs[identity]["state"], jobs[identity]["reason"]) == ("gone", reason)
    assert left(tmp_path) == []
    # Should it be published again, it waits again.
    proxy.rule = lambda request: None
    published(url, one[1:])
    assert follow([url], pack, tmp_path / "r.db", **options).evaluated == [one[1].id]


def test_one_that_is_removed_before_its_turn_is_gone(one, pack, options, s3, tmp_path):
    url = published(f"{s3}/one", one)
    patience = iter([False, False, *[True] * 1000])
    follow([url], pack, tmp_path / "r.db", **options, stop=lambda: next(patience))
    objects = open_objects(f"{url}/checkpoints/step-00000010")
    for path in list_objects(objects):
        delete_object(objects, path)
    done = follow([url], pack, tmp_path / "r.db", **options)
    assert done.evaluated == [one[1].id] and list(done.gone) == [one[0].id]


def test_a_damaged_object_is_refused_with_a_sentence(one, pack, options, s3, tmp_path):
    url = published(f"{s3}/one", one)
    objects = open_objects(f"{url}/checkpoints/step-00000020")
    [path] = [path for path in list_objects(objects) if path.startswith("model/")]
    data = stored(url)[f"checkpoints/step-00000020/{path}"]
    write_object(objects, path, data[:-4] + b"oops")
    done = follow([url], pack, tmp_path / "r.db", **options)
    assert done.evaluated == [one[0].id]
    [(identity, reason)] = done.failed.items()
    assert identity == one[1].id and path in reason and "came damaged" in reason
    assert left(tmp_path) == []


def test_a_stop_while_it_is_fetched_is_continued_and_other_remains_are_removed(one, pack, options, s3, proxy, tmp_path):
    url = published(f"{s3}/one", one)
    proxy.requests.clear()
    done = follow([url], pack, tmp_path / "r.db", **options, stop=lambda: bool(proxy.asked("GET", WEIGHTS)))
    assert done.evaluated == [] and done.failed == {}
    [folder] = [tmp_path / FOLDER / name for name in left(tmp_path) if not name.endswith(".lock")]
    here = [path for path in folder.rglob("*") if path.is_file()]
    assert here and "-20-" in folder.name
    remains = tmp_path / FOLDER / "killed-5-0123456789ab"  # of a checkpoint that somebody else evaluated since
    shutil.copytree(folder, remains)
    (remains.parent / f"{remains.name}.lock").touch()
    assert len(follow([url], pack, tmp_path / "r.db", **options).evaluated) == 2
    assert left(tmp_path) == []


def test_a_fetch_that_was_stopped_continues_with_what_is_missing(one, s3, proxy, tmp_path):
    url = published(f"{s3}/one", one)

    def files_asked() -> list[str]:
        below = [request.path.partition("/step-00000020/")[2] for request in proxy.asked("GET") if not request.query]
        return [path for path in below if path and path not in ("COMPLETE.json", "MANIFEST.json")]

    # Four are on the way at once: when a fifth is asked for, one is whole.
    with pytest.raises(Stopped), fetched(url, 20, one[1].id, tmp_path, stop=lambda: len(files_asked()) >= 5):
        pytest.fail("it was stopped")
    [folder] = (tmp_path / FOLDER).glob("*/checkpoints/step-00000020")
    whole = [path for path in list_files(folder) if not path.startswith(".parts/")]
    proxy.requests.clear()
    with fetched(url, 20, one[1].id, tmp_path) as again:
        names = set(list_files(again))
    assert whole and not set(whole) & set(files_asked())
    assert {"COMPLETE.json", "MANIFEST.json", "MODEL_ONLY.json", "config.json", "tokenizer.json"} <= names
    assert not any(name.startswith("training/") for name in names) and left(tmp_path) == []


def test_two_processes_do_not_fetch_into_one_folder(one, s3, tmp_path):
    url = published(f"{s3}/one", one)
    with (
        fetched(url, 20, one[1].id, tmp_path),
        pytest.raises(BadInput, match="another process"),
        fetched(url, 20, one[1].id, tmp_path),
    ):
        pass
    with fetched(url, 20, one[1].id, tmp_path) as first, fetched(url, 10, one[0].id, tmp_path) as second:
        assert first.is_dir() and second.is_dir()


def test_a_new_metric_version_fetches_nothing(one, pack, options, s3, proxy, monkeypatch, tmp_path):
    url = published(f"{s3}/one", one)
    follow([url], pack, tmp_path / "r.db", **options)
    proxy.requests.clear()
    monkeypatch.setattr(generations_module, "_generate", lambda *_: pytest.fail("spoken twice"))
    monkeypatch.setitem(measures.VERSIONS, "duration_ratio", 99)
    assert len(follow([url], pack, tmp_path / "r.db", **options).evaluated) == 2
    assert proxy.asked("GET", WEIGHTS) == [] and proxy.asked("GET", "MANIFEST.json") == []


def test_an_address_on_a_disk_is_followed_too(one, pack, options, tmp_path):
    url = published(f"file://{tmp_path}/copies/one", one)
    done = follow([url], pack, tmp_path / "r.db", **options, full=["one"])
    assert done.evaluated == [one[1].id, one[0].id]
    levels = {row["checkpoint_id"]: row["level"] for row in open_results(tmp_path / "r.db").finished()}
    assert levels == {one[1].id: "full", one[0].id: "quick"}  # nothing more comes: it is the run's last


def test_a_run_that_says_at_its_address_that_it_has_ended_has_its_last_checkpoint_known_at_once(one, s3, tmp_path):
    url = published(f"{s3}/one", one)
    assert [seen.last for seen in RunAddress(url, tmp_path, print).complete(ending=False)] == [False, False]
    write_json(tmp_path / "one" / "DONE.json", {"checkpoint": one[1].id, "folder": one[1].path.name, "step": 20})
    tell_end(tmp_path / "one", url)
    seen = RunAddress(url, tmp_path, print).complete(ending=False)
    assert [each.last for each in seen] == [False, True] and url in seen[1].names  # so `--full URL` finds it
    longer = add_checkpoint(tmp_path / "one", 30, 30, {"exp_avg/w": torch.ones(3)})
    publish_checkpoint(longer.path, url)  # somebody trained on: what was said is of an older one
    assert [each.last for each in RunAddress(url, tmp_path, print).complete(ending=False)] == [False, False, False]


def test_what_a_folder_has_lost_is_taken_from_the_address(one, pack, options, s3, tmp_path):
    """One sidecar follows both; the run's retention removes the older one, which is still in the bucket."""
    url = published(f"{s3}/one", one)
    patience = iter([False, False, *[True] * 1000])
    follow([tmp_path / "one", url], pack, tmp_path / "r.db", **options, stop=lambda: next(patience))
    shutil.rmtree(one[0].path)
    done = follow([tmp_path / "one", url], pack, tmp_path / "r.db", **options)
    assert sorted(done.evaluated) == sorted(each.id for each in one) and done.gone == {}


def test_one_checkpoint_or_the_newest_of_an_address_is_evaluated_by_hand(one, pack, options, s3, tmp_path):
    url, codec, asr = published(f"{s3}/one", one), options["codec"], options["asr"]
    by_hand = {"level": "quick", "asr": asr}
    assert evaluate_checkpoint(url, pack, codec, tmp_path / "r.db", **by_hand) == one[1].id
    there = f"{url}/checkpoints/step-00000010"
    assert evaluate_checkpoint(there, pack, codec, tmp_path / "r.db", **by_hand) == one[0].id
    with pytest.raises(BadInput, match="no complete checkpoint"):
        evaluate_checkpoint(f"{s3}/nothing", pack, codec, tmp_path / "r.db", **by_hand)


def test_who_may_only_read_evaluates_without_a_lease(one, pack, options, s3, proxy, tmp_path):
    url = published(f"{s3}/one", one)
    proxy.rule = lambda request: Fault("status", status=403) if request.method in ("PUT", "DELETE") else None
    assert len(follow([url], pack, tmp_path / "r.db", **options).evaluated) == 2


def test_while_it_is_read_retention_there_spares_it(one, s3, proxy, tmp_path):
    url, held = published(f"{s3}/one", one), []

    def look(request: Request) -> None:
        if gets(WEIGHTS)(request):
            held.extend(
                path for path in list_objects(open_objects(url)) if path.startswith("leases/step-00000020/evaluate-")
            )

    proxy.rule = look
    with fetched(url, 20, one[1].id, tmp_path):
        pass
    assert held


def test_an_address_that_does_not_answer_has_lost_nothing_and_offers_nothing(one, s3, monkeypatch, tmp_path):
    url, lines = published(f"{s3}/one", one), []
    address = RunAddress(url, tmp_path, lines.append)
    assert [seen.id for seen in address.complete(ending=False)] == [each.id for each in one]
    place = f"{url}/checkpoints/step-00000010"
    monkeypatch.setattr("vaak.evaluate.places.LOOK_SECONDS", 0.0)

    def away(url: str):
        raise StorageFailed(f"{url} failed (it cannot be reached)")

    monkeypatch.setattr("vaak.evaluate.places.list_remote", away)
    address._look(must=False)
    assert address.complete(ending=False) == [] and not address.is_gone(place)
    assert len(lines) == 1 and "looked at again" in lines[0]
    with pytest.raises(StorageFailed):
        address.complete(ending=True)


def test_addresses_that_cannot_be_followed_are_refused_without_their_keys(pack, options, s3, tmp_path):
    for url, words in (
        ("s3://key:hushhush@bucket/run", "write s3://bucket/prefix"),
        ("https://bucket/run", "write s3://bucket/prefix"),
        (f"{s3}/checkpoints/step-00000010", "name the one of its run"),
    ):
        with pytest.raises(BadInput, match=words) as refused:
            follow([url], pack, tmp_path / "r.db", **options)
        assert "hushhush" not in str(refused.value)


def test_a_lease_of_a_sidecar_is_held_in_the_folder_too(one, pack, options, monkeypatch, tmp_path):
    """What is followed in a folder is kept from its retention while it speaks."""
    held: list[str] = []
    spoken = generations_module._generate

    def generate(*arguments):
        held.extend(path.parent.name for path in (tmp_path / "one" / "leases").rglob("sidecar-*"))
        return spoken(*arguments)

    monkeypatch.setattr(generations_module, "_generate", generate)
    follow([tmp_path / "one"], pack, tmp_path / "r.db", **options)
    assert set(held) == {"step-00000010", "step-00000020"}


def test_the_door_follows_an_address_and_says_what_it_refuses(one, pack, s3, monkeypatch, capsys, tmp_path):
    """The codec and recogniser behind it are the room's doubles."""
    for name, double in (("open_codec", lambda name: ToneCodec()), ("open_asr", lambda threads: AsrDouble(pack))):
        monkeypatch.setattr(f"vaak.evaluate.following.{name}", double)
    url = published(f"{s3}/one", one)
    (tmp_path / "stop").touch()
    rest = ["--pack", str(pack.folder), "--db", str(tmp_path / "r.db"), "--stop-file", str(tmp_path / "stop")]
    with pytest.raises(SystemExit) as left_with:
        main(["sidecar", url, *rest])
    said = capsys.readouterr()
    assert not left_with.value.code and "2 evaluated, 0 failed" in said.out and SECRET not in said.out + said.err
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with pytest.raises(SystemExit) as left_with:
        main(["sidecar", url, *rest])
    said = capsys.readouterr()
    assert left_with.value.code == 2 and "check the credentials" in said.err and said.err.count("\n") == 1
    assert "another-secret" not in said.out + said.err


def test_a_run_at_an_address_says_by_its_newest_checkpoint_that_it_is_aligned(pack, options, s3, tmp_path, monkeypatch):
    """Its recipe travels in each checkpoint: read once, and held-out judges hear the run."""
    monkeypatch.setattr(run_judges, "open_held_out", lambda first, threads: None)
    for step in (10, 20):
        add_checkpoint(tmp_path / "one", step, step, files={"recipe.yaml": GRPO.encode()})
    url = published(f"{s3}/one", [one for one in list_checkpoints(tmp_path / "one")])
    published(f"{s3}/two", [add_checkpoint(tmp_path / "two", 10)])
    assert aligned_at(url) == aligned_at(f"{url}/checkpoints/step-00000010") == aligned_of(GRPO)
    assert aligned_at(f"{s3}/two") is None
    done = follow([url, f"{s3}/two"], pack, tmp_path / "r.db", **options)
    assert len(done.evaluated) == 3 and done.failed == {}
    results = open_results(tmp_path / "r.db")
    for identity in done.evaluated:
        assert any(row.metric == "f0_spread" for row in results.read(identity)) == identity.startswith("one/")
