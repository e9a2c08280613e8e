"""A checkpoint is whole or it is not there; what is damaged is passed over by name."""

import json
import os

import pytest
import torch

import vaak.checkpoint.save as save_module
from vaak.checkpoint import (
    find_checkpoint,
    list_checkpoints,
    load_state,
    load_tensors,
    newest_complete,
    save_checkpoint,
    verify_checkpoint,
)
from vaak.checkpoint.folder import remove_checkpoint
from vaak.errors import BadInput
from vaak.model import open_model

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


@pytest.mark.parametrize("at", range(7))
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
    assert [one.complete for one in list_checkpoints(tmp_path)] == [True, False]
    again = save(tmp_path, 2, model)  # the remains are in nobody's way
    assert newest_complete(tmp_path) == again


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
