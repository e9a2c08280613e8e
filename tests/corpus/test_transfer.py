"""Push and pull against a real S3 server, with faults on the way."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.corpus.toy import CODEC, write_corpus
from tests.small_disk import on_small_disk
from tests.storage.proxy import Fault, gets
from vaak.corpus import CorpusWriter, Sample, open_corpus, verify_corpus
from vaak.corpus.transfer import pull_corpus, push_corpus
from vaak.errors import BadInput
from vaak.storage.files import list_files, write_json
from vaak.storage.objects import HASH_KEY, PART_BYTES, list_objects, open_objects, state_of, write_object

TOKENS = "paired/hi/clean/00000.tokens.npy"


def large_corpus(folder: Path, n_tokens: int = 13 << 20) -> str:
    """One shard of 26 MB: a few parts."""
    writer = CorpusWriter(folder, "large", codec={**CODEC, "codebook_size": 65536})
    tokens = np.random.default_rng(1).integers(0, 65536, n_tokens, dtype=np.uint16)
    writer.add("raw", Sample("r-1", "radio", "en"), tokens)
    return writer.freeze()


def test_a_corpus_comes_back_byte_for_byte(corpus_folder, s3, tmp_path):
    pushed = push_corpus(corpus_folder, s3)
    pulled = pull_corpus(tmp_path / "copy", s3)
    assert pushed.corpus_id == pulled.corpus_id == open_corpus(tmp_path / "copy").id == open_corpus(corpus_folder).id
    assert list_files(tmp_path / "copy") == list_files(corpus_folder)
    for path in list_files(corpus_folder):
        assert (tmp_path / "copy" / path).read_bytes() == (corpus_folder / path).read_bytes()
    n = len(list_files(corpus_folder)) - 1
    assert (pushed.moved.files, pulled.moved.files, pulled.files) == (n, n, n)
    assert set(list_objects(open_objects(s3))) == set(list_files(corpus_folder))


def test_a_folder_is_an_address_too(corpus_folder, tmp_path):
    url = f"file://{tmp_path}/store/v1"
    push_corpus(corpus_folder, url)
    assert pull_corpus(tmp_path / "copy", url).corpus_id == open_corpus(corpus_folder).id
    again = push_corpus(corpus_folder, url)
    assert (again.corpus_id, again.moved.files) == (open_corpus(corpus_folder).id, 0)
    stored = tmp_path / "store/v1" / TOKENS
    stored.write_bytes(b"x" * stored.stat().st_size)  # the size is right, the bytes are not
    assert push_corpus(corpus_folder, url).moved.files == 1 and verify_corpus(tmp_path / "store/v1") == []
    assert verify_corpus(tmp_path / "copy") == []


def test_pushing_again_moves_nothing_and_a_lost_object_is_replaced(corpus_folder, s3, proxy):
    first = push_corpus(corpus_folder, s3)
    assert push_corpus(corpus_folder, s3).moved.files == 0
    objects = open_objects(s3)
    write_object(objects, TOKENS, b"x" * (corpus_folder / TOKENS).stat().st_size)  # the size is right, the hash is not
    again = push_corpus(corpus_folder, s3)
    assert (again.moved.files, again.moved.there) == (1, first.files - 1)
    assert state_of(objects, TOKENS)[1] == next(
        one["sha256"] for one in open_corpus(corpus_folder).manifest["files"] if one["path"] == TOKENS
    )


def test_the_manifest_is_created_last_and_never_over_another(corpus_folder, s3, proxy):
    push_corpus(corpus_folder, s3)
    puts = [one for one in proxy.requests if one.method == "PUT"]
    assert puts[-1].path.endswith("/MANIFEST.json")
    headers = {name.lower(): value for name, value in puts[-1].headers.items()}
    assert headers["if-none-match"] == "*"
    assert all(f"x-amz-meta-{HASH_KEY}" in {name.lower() for name in one.headers} for one in puts[1:-1])


def test_parts_of_a_large_file_are_equal_but_the_last(s3, proxy, tmp_path):
    corpus = large_corpus(tmp_path / "large")
    push_corpus(tmp_path / "large", s3)
    sizes = {one.query.split("partNumber=")[1].split("&")[0]: len(one.body) for one in proxy.asked("PUT", "tokens.npy")}
    size = (tmp_path / "large/raw/en/clean/00000.tokens.npy").stat().st_size
    assert [sizes[str(number + 1)] for number in range(len(sizes))] == [PART_BYTES] * 3 + [size - 3 * PART_BYTES]
    pulled = pull_corpus(tmp_path / "copy", s3)
    assert pulled.corpus_id == corpus and verify_corpus(tmp_path / "copy") == []
    ranges = [one.headers.get("range") or one.headers.get("Range") for one in proxy.asked("GET", "tokens.npy")]
    assert sorted(ranges) == sorted(f"bytes={i}-{min(i + PART_BYTES, size) - 1}" for i in range(0, size, PART_BYTES))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset"),
        Fault("cut", keep=100),
        Fault("short", keep=100),
        Fault("status", status=503),
        Fault("status", status=500),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status if fault.kind == 'status' else ''}",
)
def test_a_few_faults_are_ridden_out(corpus_folder, s3, proxy, tmp_path, fault):
    proxy.first(3, fault, lambda request: request.path.endswith(".npy"))
    push_corpus(corpus_folder, s3)
    assert proxy.made == 3
    proxy.first(3, fault, gets(".npy"))
    pulled = pull_corpus(tmp_path / "copy", s3)
    assert proxy.made == 6
    assert verify_corpus(tmp_path / "copy") == [] and pulled.corpus_id == open_corpus(corpus_folder).id


def test_a_damaged_download_is_named_and_fetched_again(corpus_folder, s3, proxy, tmp_path):
    push_corpus(corpus_folder, s3)
    proxy.first(2, Fault("flip"), gets(TOKENS))
    pulled = pull_corpus(tmp_path / "copy", s3)
    assert pulled.moved.damaged == (TOKENS,)
    assert verify_corpus(tmp_path / "copy") == []


def test_an_object_that_stays_damaged_is_named_and_nothing_opens(corpus_folder, s3, proxy, tmp_path):
    push_corpus(corpus_folder, s3)
    proxy.rule = lambda request: Fault("flip") if gets(TOKENS)(request) else None
    with pytest.raises(BadInput, match=rf"{TOKENS} came damaged 3 times"):
        pull_corpus(tmp_path / "copy", s3)
    assert proxy.made == 3
    with pytest.raises(BadInput, match="unfinished"):
        open_corpus(tmp_path / "copy")
    proxy.rule = lambda request: None
    pull_corpus(tmp_path / "copy", s3)
    assert verify_corpus(tmp_path / "copy") == []


def test_an_object_that_changes_underway_is_an_error(s3, proxy, tmp_path):
    large_corpus(tmp_path / "large")
    push_corpus(tmp_path / "large", s3)
    path = "raw/en/clean/00000.tokens.npy"
    size = (tmp_path / "large" / path).stat().st_size
    seen = []

    def change(request):
        if gets(path)(request) and not seen:
            seen.append(request)
            write_object(open_objects(s3), path, bytes(size))

    proxy.rule = change
    with pytest.raises(BadInput, match=r"tokens\.npy changed while it was read"):
        pull_corpus(tmp_path / "copy", s3)
    with pytest.raises(BadInput, match="unfinished"):
        open_corpus(tmp_path / "copy")


def test_a_partial_file_is_continued_where_it_stopped(s3, proxy, tmp_path):
    large_corpus(tmp_path / "large")
    push_corpus(tmp_path / "large", s3)
    proxy.rule = lambda request: (
        Fault("status", status=403) if f"bytes={2 * PART_BYTES}-" in str(request.headers) else None
    )
    with pytest.raises(BadInput, match="refused"):
        pull_corpus(tmp_path / "copy", s3)
    partial = [path for path in (tmp_path / "copy/.parts").iterdir() if path.stat().st_size]
    assert [path.stat().st_size for path in partial] == [2 * PART_BYTES]
    proxy.rule, before = (lambda request: None), len(proxy.asked("GET", "tokens.npy"))
    pull_corpus(tmp_path / "copy", s3)
    again = [one.headers.get("range") or one.headers.get("Range") for one in proxy.asked("GET", "tokens.npy")[before:]]
    assert min(int(value.split("=")[1].split("-")[0]) for value in again if value) == 2 * PART_BYTES
    assert verify_corpus(tmp_path / "copy") == []


def test_another_corpus_at_the_same_place_is_refused_by_name(corpus_folder, s3, tmp_path):
    push_corpus(corpus_folder, s3)
    write_corpus(tmp_path / "other", n=12, name="other")
    with pytest.raises(BadInput, match=r"holds corpus 'toy'.*not corpus 'other'"):
        push_corpus(tmp_path / "other", s3)
    pull_corpus(tmp_path / "copy", s3)
    with pytest.raises(BadInput, match=r"holds corpus 'other'.*not corpus 'toy'"):
        pull_corpus(tmp_path / "other", s3)
    assert verify_corpus(tmp_path / "copy") == verify_corpus(tmp_path / "other") == []


def test_an_unfinished_push_is_not_pulled_and_keeps_others_away(corpus_folder, s3, proxy, tmp_path):
    proxy.rule = lambda request: Fault("status", status=403) if "/hi/" in request.path else None
    with pytest.raises(BadInput, match="refused"):
        push_corpus(corpus_folder, s3)
    proxy.rule = lambda request: None
    with pytest.raises(BadInput, match="is not finished"):
        pull_corpus(tmp_path / "copy", s3)
    assert not (tmp_path / "copy").exists()
    write_corpus(tmp_path / "other", n=12, name="other")
    with pytest.raises(BadInput, match=r"unfinished push of corpus 'toy'.*not of corpus 'other'"):
        push_corpus(tmp_path / "other", s3)
    assert push_corpus(corpus_folder, s3).moved.there > 0
    pull_corpus(tmp_path / "copy", s3)


def test_a_place_that_holds_something_else_is_left_alone(corpus_folder, s3, tmp_path):
    write_object(open_objects(s3), "thesis.txt", b"mine")
    with pytest.raises(BadInput, match="1 objects that are no corpus"):
        push_corpus(corpus_folder, s3)
    with pytest.raises(BadInput, match="no corpus is there"):
        pull_corpus(tmp_path / "copy", s3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    push_corpus(corpus_folder, f"{s3}/v1")
    with pytest.raises(BadInput, match="not empty"):
        pull_corpus(tmp_path / "mine", f"{s3}/v1")
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]


def test_a_damaged_corpus_is_not_pushed(corpus_folder, s3, tmp_path):
    data = bytearray((corpus_folder / TOKENS).read_bytes())
    data[-1] ^= 1
    (corpus_folder / TOKENS).write_bytes(data)
    with pytest.raises(BadInput, match=f"{TOKENS} is not as it was frozen"):
        push_corpus(corpus_folder, s3)
    there = list_objects(open_objects(s3))
    assert TOKENS not in there and "MANIFEST.json" not in there


def test_pull_restores_what_is_damaged_in_a_whole_corpus(corpus_folder, s3):
    push_corpus(corpus_folder, s3)
    (corpus_folder / TOKENS).write_bytes(b"rot")
    report = pull_corpus(corpus_folder, s3)
    assert report.moved.files == 1 and verify_corpus(corpus_folder) == []
    assert not (corpus_folder / "UNFINISHED.json").exists()


def test_two_pulls_into_one_folder_do_not_meet(corpus_folder, s3, proxy, tmp_path):
    push_corpus(corpus_folder, s3)
    refused = []

    def pull_too(request):
        if gets(TOKENS)(request) and not refused:
            with pytest.raises(BadInput, match="another process") as found:
                pull_corpus(tmp_path / "copy", s3)
            refused.append(found)

    proxy.rule = pull_too
    pull_corpus(tmp_path / "copy", s3)
    assert len(refused) == 1 and verify_corpus(tmp_path / "copy") == []


def test_the_doors_push_and_pull(corpus_folder, s3, tmp_path, capsys):
    from vaak.cli.main import main

    def leave(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["corpus", *arguments])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    identity = open_corpus(corpus_folder).id
    code, out, _ = leave("push", str(corpus_folder), s3)
    assert code == 0 and f"whole: corpus {identity}" in out
    code, out, _ = leave("pull", str(tmp_path / "copy"), s3, "--json")
    assert code == 0 and json.loads(out)["corpus"] == identity and json.loads(out)["damaged_on_the_way"] == []
    code, _, err = leave("pull", str(tmp_path / "nothing"), f"{s3}/nothing")
    assert code == 2 and err.count("\n") == 1 and "no corpus is there" in err


def test_a_manifest_cannot_write_outside_its_folder(corpus_folder, s3, tmp_path):
    from vaak.corpus.manifest import root_hash

    manifest = json.loads((corpus_folder / "MANIFEST.json").read_text())
    for path in ("../evil", "/evil", "a/../../evil", "a//b", "", ".parts/x", "MANIFEST.json"):
        manifest["files"][0]["path"] = path
        write_json(corpus_folder / "MANIFEST.json", manifest | {"id": root_hash(manifest)})
        url = f"{s3}/{abs(hash(path))}"
        write_object(open_objects(url), "MANIFEST.json", (corpus_folder / "MANIFEST.json").read_bytes())
        with pytest.raises(BadInput, match=r"cannot be|names itself"):
            pull_corpus(tmp_path / "copy", url)
        assert not (tmp_path / "copy").exists()


def test_a_full_disk_is_one_sentence_and_the_pull_continues(s3, tmp_path):
    """A file system of its own, of 20 MB, in a user namespace: the shard of 26 MB does not fit until there is room."""
    large_corpus(tmp_path / "large")
    push_corpus(tmp_path / "large", s3)
    script = f"""
import sys
from pathlib import Path
from vaak.corpus.transfer import pull_corpus
from vaak.storage import transfer
transfer._check_room = lambda *_: None  # the room is taken by somebody else while the pull runs
from vaak.errors import BadInput
try:
    pull_corpus(Path({str(tmp_path)!r}) / "small" / "copy", {s3!r})
except BadInput as error:
    print(error)
"""
    (tmp_path / "pull.py").write_text(script)
    pull = f"{sys.executable} {tmp_path}/pull.py"
    inside = f"{pull}; find {tmp_path}/small -name .parts -exec du -sm {{}} + ; "
    grow = f"mount -o remount,size=60m {tmp_path}/small && {pull} && "
    look = f"ls {tmp_path}/small/copy/MANIFEST.json && du -sm {tmp_path}/small/copy"
    done = on_small_disk(tmp_path / "small", "20m", inside + grow + look)
    lines = done.stdout.splitlines()
    assert "is full; make room, then run it again and it continues" in lines[0], done
    assert 8 <= int(lines[1].split()[0]) <= 20, done  # what fitted is kept
    assert lines[2].endswith("MANIFEST.json") and int(lines[3].split()[0]) >= 26, done
