"""What cannot be trained is refused before any data is read: here the corpus is not even there, or its shards are not."""

import json
import shutil

import pytest

from tests.train.toy_stage import make_recipe
from vaak.checkpoint import list_checkpoints
from vaak.cli.main import main
from vaak.errors import BadInput
from vaak.recipe import save_recipe
from vaak.train.loop import train

NOWHERE = {"corpora": ["/nowhere/corpus"], "tokenizer": "/nowhere/tokenizer", "pack": None}


def quiet(_):
    pass


def refused(toy, tmp_path, match, **changes):
    with pytest.raises(BadInput, match=match):
        train(make_recipe(toy, **changes), tmp_path / "run", say=quiet)
    assert not list_checkpoints(tmp_path / "run") and not (tmp_path / "run" / "plan").exists()


def test_a_model_of_another_family(toy, tmp_path):
    refused(toy, tmp_path, "model_type 'gpt2'", model={"config": {"model_type": "gpt2"}}, **NOWHERE)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps({"model_type": "gpt_neox"}))
    refused(toy, tmp_path, "gpt_neox", model={"path": str(tmp_path / "base")}, **NOWHERE)
    refused(toy, tmp_path, "thinking-only", model={"path": "Qwen/Qwen3-4B-Thinking-2507"}, **NOWHERE)


def tiny(toy, **fields):
    return {"config": {**(make_recipe(toy).model.config or {}), **fields}}


def test_a_configuration_that_is_mistyped_or_impossible(toy, tmp_path):
    refused(toy, tmp_path, "did you mean num_hidden_layers", model=tiny(toy, num_hidden_layer=3), **NOWHERE)
    for wrong in ({"hidden_size": "abc"}, {"hidden_act": "nothing"}, {"num_hidden_layers": -1}):
        refused(toy, tmp_path, "no model can be built", model=tiny(toy, **wrong), **NOWHERE)
    refused(toy, tmp_path, "attention_dropout", model=tiny(toy, attention_dropout=0.1), **NOWHERE)


@pytest.mark.parametrize(
    "variables", [{"WORLD_SIZE": ""}, {"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "LOCAL_RANK": "x"}]
)
def test_a_launcher_that_sets_no_numbers(toy, tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused(toy, tmp_path, "no number of processes", **NOWHERE)


def test_a_batch_that_does_not_divide(toy, tmp_path):
    refused(toy, tmp_path, "8 rows", microbatch_rows=3, **NOWHERE)


def test_a_gpu_that_is_not_there(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused(toy, tmp_path, "no GPU that torch can use", device="cuda", **NOWHERE)


def test_a_codec_of_other_codes_than_the_corpus(toy, tmp_path):
    refused(toy, tmp_path, "embedded with 4096 codes, its corpora have codes of 64", codec="embedded")


def test_a_model_of_another_vocabulary(toy, tmp_path):
    final = train(make_recipe(toy, length={"steps": 1}), tmp_path / "parent", say=quiet)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(final / "model", other / "model")
    shutil.copyfile(final / "config.json", other / "config.json")
    fields = json.loads((final / "vocabulary.json").read_text())
    (other / "vocabulary.json").write_text(json.dumps({**fields, "codebook_size": 32}))
    refused(toy, tmp_path, "has the vocabulary", model={"path": str(other)})


def test_the_command_leaves_with_2_and_one_sentence(toy, tmp_path, capsys):
    save_recipe(make_recipe(toy), tmp_path / "toy.yaml")
    for override, word in [
        ("schedule.peek_lr=1", "did you mean 'schedule.peak_lr'"),
        ("activation_checkpointing=some", "activation_checkpointing"),
        ("parallel={kind: ddp, shards: 2}", "shards is for kind fsdp"),
        ("microbatch_rows=3", "8 rows"),
    ]:
        with pytest.raises(SystemExit) as left:
            main(["train", str(tmp_path / "toy.yaml"), "--out", str(tmp_path / "run"), "--set", override])
        said = capsys.readouterr().err.strip()
        assert left.value.code == 2 and word in said and len(said.splitlines()) == 1, said
