"""A checkpoint is whole or it is not there; what is damaged is passed over by name."""

import json
import os
import pickle
from contextlib import suppress

import pytest
import torch

import vaak.checkpoint.save as save_module
from vaak.checkpoint import (
    Content,
    LeaseWatch,
    Saver,
    export_model,
    find_checkpoint,
    lease,
    list_checkpoints,
    load_state,
    load_tensors,
    newest_complete,
    prune,
    save_checkpoint,
    verify_checkpoint,
    weights_of,
)
from vaak.checkpoint.folder import remove_checkpoint
from vaak.errors import BadInput
from vaak.model import open_model
from vaak.recipe import CheckpointSettings
from vaak.storage.files import hash_folder
from vaak.storage.tensors import read_tensors

# The file of the first process.
SHARD = "shard-00001-model-00001-of-00001.safetensors"


def save(run, step, model):
    moments = {"exp_avg/w": torch.full((3,), float(step)), "rng/0": torch.arange(5, dtype=torch.uint8)}
    return save_checkpoint(run, step, model, state={"step": step}, tensors=moments, files={"recipe.yaml": b"name: x\n"})


def test_what_was_saved_comes_back(tmp_path, model):
    saved = save(tmp_path / "run", 10, model)
    assert saved.path == tmp_path / "run" / "checkpoints" / "step-00000010"
    assert saved.id.startswith("run/10/") and saved.complete and verify_checkpoint(saved.path) == []
    assert load_state(saved.path) == {"step": 10} and (saved.path / "recipe.yaml").read_bytes() == b"name: x\n"
    assert torch.equal(load_tensors(saved.path)["exp_avg/w"], torch.full((3,), 10.0))
    opened = open_model(saved.path)
    assert all(torch.equal(a, b) for a, b in zip(opened.parameters(), model.parameters(), strict=True))
    assert list_checkpoints(tmp_path / "run") == [saved] == [newest_complete(tmp_path / "run")]
    assert not [p for p in saved.path.rglob("*") if p.suffix in {".pt", ".bin", ".pkl", ".tmp"}]


@pytest.mark.parametrize("name", [f"model/{SHARD}", f"training/{SHARD}", "state.json", "config.json"])
@pytest.mark.parametrize("how", ["bit", "cut", "gone"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, model, name, how):
    good, bad = save(tmp_path, 1, model), save(tmp_path, 2, model)
    path = bad.path / name
    content = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content if how == "bit" else content[:-3])
    said = []
    assert newest_complete(tmp_path, say=said.append) == good
    assert len(said) == 1 and "step-00000002" in said[0] and name in said[0]
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        find_checkpoint(bad.path)


@pytest.mark.parametrize("at", range(8))
def test_a_save_that_dies_anywhere_is_never_chosen(tmp_path, model, monkeypatch, at):
    """Die at each moment a file would get its final name, which is where a kill would leave things."""
    good = save(tmp_path, 1, model)
    renamed = 0
    rename = os.replace

    def dying(source, target):
        nonlocal renamed
        if renamed == at:
            raise KeyboardInterrupt
        renamed += 1
        rename(source, target)

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2, model)
    monkeypatch.undo()
    assert newest_complete(tmp_path) == good
    assert not any(one.complete for one in list_checkpoints(tmp_path)[1:])
    again = save(tmp_path, 2, model)  # the remains are in nobody's way
    assert newest_complete(tmp_path) == again
    assert sorted(path.name for path in again.path.parent.iterdir()) == ["step-00000001", "step-00000002"]


def test_a_removal_that_dies_leaves_nothing_to_trust(tmp_path, model, monkeypatch):
    one = save(tmp_path, 1, model)

    def dying(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("vaak.checkpoint.folder.shutil.rmtree", dying)
    with pytest.raises(KeyboardInterrupt):
        remove_checkpoint(one.path)
    assert newest_complete(tmp_path) is None and (one.path / "model" / SHARD).exists()
    with pytest.raises(BadInput, match="not finished"):
        open_model(one.path)


def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path, model):
    one = save(tmp_path, 1, model)
    manifest = json.loads((one.path / "MANIFEST.json").read_text())
    manifest["files"][0]["path"] = "../../secret"
    (one.path / "MANIFEST.json").write_text(json.dumps(manifest))
    (one.path / "COMPLETE.json").write_text(json.dumps({"id": f"r/1/{save_module.hash_json(manifest)}"}))
    assert "outside the checkpoint" in verify_checkpoint(one.path)[0]


def test_a_link_is_no_file_of_a_checkpoint(tmp_path, model):
    one = save(tmp_path, 1, model)
    (one.path / "state.json").rename(tmp_path / "elsewhere.json")
    (one.path / "state.json").symlink_to(tmp_path / "elsewhere.json")
    assert verify_checkpoint(one.path) == ["state.json is a link"]


def test_a_run_without_checkpoints_has_none(tmp_path):
    assert list_checkpoints(tmp_path) == [] and newest_complete(tmp_path) is None
    with pytest.raises(BadInput, match="no complete checkpoint"):
        find_checkpoint(tmp_path)


def test_a_manifest_that_names_too_little_is_no_checkpoint(tmp_path, model):
    one = save(tmp_path, 1, model)
    for files in ([], [{"path": "config.json", "size": 0, "sha256": ""}]):
        manifest = {"run": "r", "step": 1, "files": files}
        (one.path / "MANIFEST.json").write_text(json.dumps(manifest))
        (one.path / "COMPLETE.json").write_text(json.dumps({"id": f"r/1/{save_module.hash_json(manifest)}"}))
        assert "names no" in verify_checkpoint(one.path)[-1]
    (one.path / "MANIFEST.json").write_text("[" * 100_000)
    assert "cannot be read" in verify_checkpoint(one.path)[0]


def test_a_disk_that_does_not_answer_is_not_called_damage(tmp_path, model, monkeypatch):
    one = save(tmp_path, 1, model)

    def unreadable(path):
        raise BadInput(f"{path} cannot be read (Input/output error)")

    monkeypatch.setattr("vaak.checkpoint.folder.sha256_file", unreadable)
    with pytest.raises(BadInput, match="Input/output error"):
        verify_checkpoint(one.path)


def test_what_the_disk_has_not_kept_is_found_before_the_mark(tmp_path, model, monkeypatch):
    good, write = save(tmp_path, 1, model), save_module.write_tensors

    def losing(folder, tensors, group):
        write(folder, tensors, group)
        [shard] = folder.iterdir()
        os.truncate(shard, shard.stat().st_size // 2)

    monkeypatch.setattr(save_module, "write_tensors", losing)
    with pytest.raises(OSError):
        save(tmp_path, 2, model)
    assert list_checkpoints(tmp_path) == [good] and not list(good.path.parent.glob(".step*"))


def content(model, step):
    files = {"recipe.yaml": b"name: x\n"}
    return Content(step, weights_of(model), {"rng/0": torch.zeros(3)}, {"step": step}, files)


def test_retention_beside_a_save_does_not_touch_it(tmp_path, model, monkeypatch):
    """After a resume from step 1 the model of step 9 is still there, and newer than what is being saved."""
    save(tmp_path, 1, model)
    save(tmp_path, 9, model)
    complete = save_module._complete

    def pruning(*arguments):
        prune(tmp_path, CheckpointSettings(milestones=None))
        return complete(*arguments)

    monkeypatch.setattr(save_module, "_complete", pruning)
    assert save(tmp_path, 5, model).complete
    assert all(verify_checkpoint(one.path) == [] for one in list_checkpoints(tmp_path))
    assert [one.step for one in list_checkpoints(tmp_path)] == [1, 5, 9]


def test_a_checkpoint_that_somebody_reads_is_not_replaced(tmp_path, model):
    before, saver = save(tmp_path, 3, model), Saver(tmp_path, model)
    watch, said = LeaseWatch(tmp_path), []
    with lease(tmp_path, 3, "sidecar"):
        saver.begin(saver.stage(content(model, 3)), said.append, lambda step: watch.held().get(f"step-{step:08d}"))
        with pytest.raises(OSError, match="held by sidecar-"):
            saver.wait()
    assert list_checkpoints(tmp_path) == [before] and verify_checkpoint(before.path) == [] and len(said) == 1
    saver.begin(saver.stage(content(model, 3)), held=lambda step: watch.held().get(f"step-{step:08d}"))
    saved = saver.wait()
    assert saved is not None and saved.id != before.id and verify_checkpoint(saved.path) == []


def test_what_changes_after_the_copy_does_not_change_the_checkpoint(tmp_path, model):
    saver, weights = Saver(tmp_path, model), {"model.embed": torch.ones(50, 7)}
    for step in (1, 2):
        staged = saver.stage(Content(step, weights, {"rng/0": torch.zeros(2)}, {"step": step}, {}))
        weights["model.embed"].fill_(-step)
        saver.begin(staged)
        saver.wait()
    [first, second] = [read_tensors(one.path / "model")["model.embed"] for one in list_checkpoints(tmp_path)]
    assert torch.equal(first, torch.ones(50, 7)) and torch.equal(second, torch.full((50, 7), -1.0))


class Bomb:
    """What unpickling this does is seen on the disk."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize(
    "name", ["optimizer.pt", ".metadata", "model/.metadata", "training/extra.bin", f"model/{SHARD}"]
)
def test_a_pickle_in_a_checkpoint_is_never_loaded(tmp_path, model, name):
    """Planted beside what is there or in its place, even by somebody who makes a new manifest."""
    one = save(tmp_path / "run", 1, model)
    (one.path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    manifest = {"run": "run", "step": 1, "files": hash_folder(one.path, ["MANIFEST.json", "COMPLETE.json"])}
    for again in (False, True):
        if again:
            (one.path / "MANIFEST.json").write_text(json.dumps(manifest))
            (one.path / "COMPLETE.json").write_text(json.dumps({"id": f"run/1/{save_module.hash_json(manifest)}"}))
        for use in (find_checkpoint, open_model, load_tensors, lambda path: export_model(path, tmp_path / "out")):
            with suppress(BadInput):
                use(one.path)
    assert not (tmp_path / "exploded").exists()


def test_a_folder_that_is_a_link_out_is_no_checkpoint_and_is_not_removed(tmp_path, model):
    outside = save(tmp_path / "elsewhere", 1, model)
    for step in (2, 3):
        save(tmp_path / "run", step, model)
    (tmp_path / "run" / "checkpoints" / "step-00000001").symlink_to(outside.path)
    prune(tmp_path / "run", CheckpointSettings(milestones=None, keep_last_full=1, keep_last_model_only=0))
    assert [one.step for one in list_checkpoints(tmp_path / "run")] == [3]
    assert verify_checkpoint(outside.path) == []
