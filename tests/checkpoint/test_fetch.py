"""The model of a published checkpoint, fetched to be read: the same id, every byte checked, no optimizer, no run touched."""

from __future__ import annotations

import time

import pytest

from tests.checkpoint.remote_runs import save, stored
from tests.storage.proxy import Fault, gets
from vaak.checkpoint import CheckpointGone, fetch_model, find_checkpoint, list_remote, publish_checkpoint
from vaak.checkpoint.folder import verify_checkpoint
from vaak.errors import BadInput
from vaak.storage.files import list_files
from vaak.storage.objects import StorageFailed, delete_object, open_objects, write_object


@pytest.fixture
def published(tmp_path, model, s3):
    one = save(tmp_path / "one", 10, model)
    publish_checkpoint(one.path, f"{s3}/one")
    return f"{s3}/one", one


def test_the_model_comes_with_its_id_and_without_what_only_training_reads(published, tmp_path):
    url, one = published
    before = stored(url)
    folder = fetch_model(url, 10, one.id, tmp_path / "here")
    assert folder == tmp_path / "here" / "checkpoints" / "step-00000010" and verify_checkpoint(folder) == []
    found = find_checkpoint(folder)
    assert (found.id, found.full) == (one.id, False)
    assert not any(name.startswith("training/") for name in list_files(folder))
    assert stored(url) == before  # the lease is gone again, and no run was claimed
    fetch_model(url, 10, one.id, tmp_path / "here")


def test_a_listing_says_when_a_checkpoint_was_complete(published, tmp_path, model):
    url, _ = published
    publish_checkpoint(save(tmp_path / "one", 5, model).path, url)
    delete_object(open_objects(f"{url}/checkpoints/step-00000005"), "COMPLETE.json")
    unfinished, found = list_remote(url)
    assert unfinished.completed_at == 0 and abs(found.completed_at - time.time()) < 600


def test_one_that_was_removed_or_replaced_is_gone(published, tmp_path):
    url, one = published
    with pytest.raises(CheckpointGone, match="removed or replaced"):
        fetch_model(url, 10, one.id[:-8] + "01234567", tmp_path / "here")
    delete_object(open_objects(f"{url}/checkpoints/step-00000010"), "COMPLETE.json")
    with pytest.raises(CheckpointGone, match="removed or replaced"):
        fetch_model(url, 10, one.id, tmp_path / "here")


def test_one_that_is_damaged_there_or_lacks_a_file_is_no_removal(published, tmp_path):
    url, one = published
    objects = open_objects(f"{url}/checkpoints/step-00000010")
    config = stored(url)["checkpoints/step-00000010/config.json"]
    write_object(objects, "config.json", config.replace(b"qwen3", b"qwen4"))
    with pytest.raises(BadInput, match=r"config\.json came damaged") as damaged:
        fetch_model(url, 10, one.id, tmp_path / "here")
    delete_object(objects, "config.json")
    with pytest.raises(BadInput, match=r"config\.json does not exist") as lacking:
        fetch_model(url, 10, one.id, tmp_path / "here")
    assert not isinstance(damaged.value, CheckpointGone) and not isinstance(lacking.value, CheckpointGone)


@pytest.mark.slow
def test_a_service_that_breaks_off_is_neither(published, proxy, tmp_path):
    url, one = published
    proxy.rule = lambda request: Fault("status", status=503) if gets("config.json")(request) else None
    with pytest.raises(StorageFailed):
        fetch_model(url, 10, one.id, tmp_path / "here")
    proxy.rule = lambda request: None
    assert fetch_model(url, 10, one.id, tmp_path / "here").is_dir()
