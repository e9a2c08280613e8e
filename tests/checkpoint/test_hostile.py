"""What somebody else put at an address is never believed: nothing is written outside, and all is said in one sentence."""

from __future__ import annotations

import json

import pytest

from tests.checkpoint.remote_runs import save
from vaak.checkpoint import list_remote, publish_checkpoint, pull_checkpoint, verify_remote
from vaak.errors import BadInput
from vaak.storage.files import hash_json
from vaak.storage.objects import open_objects, write_object


@pytest.mark.parametrize(
    "path",
    [
        "../../evil",
        "/evil",
        "a/../../evil",
        "model//x",
        "COMPLETE.json",
        "COMPLETE.json/x",
        "DAMAGED.json",
        5,
        None,
        ["a"],
    ],
)
def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path, model, s3, path):
    publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
    objects = open_objects(f"{s3}/checkpoints/step-00000010")
    manifest = json.loads((tmp_path / "run/checkpoints/step-00000010/MANIFEST.json").read_text())
    manifest["files"][0]["path"] = path
    write_object(objects, "MANIFEST.json", json.dumps(manifest).encode())
    assert "is not the one that COMPLETE.json names" in verify_remote(s3, 10)[0]
    write_object(objects, "COMPLETE.json", json.dumps({"id": f"run/10/{hash_json(manifest)}"}).encode())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=r"cannot be|itself a mark"):
        pull_checkpoint(s3, tmp_path / "copy")
    assert len(verify_remote(s3, 10)) == 1 and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "manifest",
    [
        b'{"run":"run","step":10,"files":NaN}',
        b"[" * 100_000,
        b'{"run":"run","step":10,"files":[],"x":"\\ud800"}',
        b"[]",
    ],
    ids=["nan", "deep", "half a character", "list"],
)
def test_a_manifest_that_is_none_is_said_as_such(tmp_path, model, s3, manifest):
    publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
    objects = open_objects(f"{s3}/checkpoints/step-00000010")
    write_object(objects, "MANIFEST.json", manifest)
    assert "is not the one that COMPLETE.json names" in verify_remote(s3, 10)[0]
    with pytest.raises(BadInput, match="is not the one that"):
        pull_checkpoint(s3, tmp_path / "copy")
    write_object(objects, "COMPLETE.json", b'{"id": "run\\ud800/10/0"}')
    assert [one.complete for one in list_remote(s3)] == [False] and "names no checkpoint of that step" in verify_remote(
        s3, 10
    )[0]


def test_nothing_is_written_through_a_link_or_over_another_checkpoint(tmp_path, model, s3):
    publish_checkpoint(save(tmp_path / "run", 10, model).path, s3)
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy/checkpoints/step-00000010").mkdir(parents=True)
    (tmp_path / "copy/checkpoints/step-00000010/model").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="is a link"):
        pull_checkpoint(s3, tmp_path / "copy")
    assert list((tmp_path / "outside").iterdir()) == []
    save(tmp_path / "other/run", 10, model, value=5)
    with pytest.raises(BadInput, match="holds another checkpoint of step-00000010"):
        pull_checkpoint(s3, tmp_path / "other/run")
