"""An export is an ordinary Hugging Face folder with the same logits and the same ids, whole or not there."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from vaak.checkpoint import export_model, save_checkpoint
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.model import ModelSettings, create_model, open_model

TEXT = "the cat sat on the mat. बिल्ली चटाई पर बैठी।"
# Two ways of turning positions: a model that is read with the other one says something else.
ROPE = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
ROPES = {"qwen3": None, "llama": {**ROPE, "original_max_position_embeddings": 64}}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TEXT] * 5, 290)


def make(kind, tied, tokenizer):
    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8)
    config = {"model_type": kind, **sizes, "intermediate_size": 16, "tie_word_embeddings": tied}
    if ROPES[kind] is not None:
        config["rope_parameters"] = ROPES[kind]
    return create_model(ModelSettings(config=config), tokenizer.vocabulary(codebook_size=40), seed=0)


def save(run, model, tokenizer, precision="fp32"):
    return save_step(run, 3, model, tokenizer, precision)


def save_step(run, step, model, tokenizer, precision="fp32"):
    state, files = {"step": step, "precision": precision}, {"tokenizer.json": tokenizer.source.encode()}
    return save_checkpoint(run, step, model, state=state, files=files, tensors={"exp_avg/w": torch.ones(3)})


@pytest.fixture
def run(tmp_path, tokenizer):
    save(tmp_path / "run", make("qwen3", True, tokenizer), tokenizer)
    return tmp_path / "run"


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_an_export_reloads_with_identical_logits_and_ids(tmp_path, tokenizer, kind, tied):
    model = make(kind, tied, tokenizer)
    save(tmp_path / "run", model, tokenizer)
    out, vocabulary = export_model(tmp_path / "run", tmp_path / "out"), model.vocabulary
    plain, theirs, ours = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out), open_model(out)
    ids = torch.randint(0, vocabulary.size, (1, 12))
    with torch.no_grad():
        expected = model.lm(ids).logits[..., : vocabulary.size]
        assert torch.equal(plain(ids).logits, expected)
        assert torch.equal(ours.lm(ids).logits[..., : vocabulary.size], expected)
    assert theirs(TEXT)["input_ids"] == tokenizer.encode(TEXT) and len(theirs) == vocabulary.size
    assert theirs.convert_tokens_to_ids("<|speech_start|>") == vocabulary.speech_start
    assert theirs.convert_tokens_to_ids("<|speech_end|>") == vocabulary.speech_end == theirs.eos_token_id
    assert np.array_equal(ours.vocabulary.codes([vocabulary.first_speech_id + 7]), [7])
    with pytest.raises(BadInput, match="not empty"):
        export_model(tmp_path / "run", out)


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_no_engine_can_draw_a_row_of_padding(tmp_path, tokenizer, kind, tied):
    """What vLLM reads: the rows that config.json says, no second copy of a tied head, both ways to write the rotary settings."""
    model = make(kind, tied, tokenizer)
    save(tmp_path / "run", model, tokenizer)
    out, size = export_model(tmp_path / "run", tmp_path / "out"), model.vocabulary.size
    assert size % 128  # there was something to cut
    config = json.loads((out / "config.json").read_text())
    assert (config["vocab_size"], config["tie_word_embeddings"], config["dtype"]) == (size, tied, "float32")
    assert config["architectures"] == [{"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}[kind]]
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == (500000.0 if kind == "llama" else 10000.0)
    assert (config["rope_scaling"] is None) == (kind == "qwen3")
    assert AutoConfig.from_pretrained(out).rope_parameters == model.config.rope_parameters
    with safe_open(out / "model.safetensors", "pt") as file:
        shapes = {name: file.get_slice(name).get_shape()[0] for name in file.keys()}  # noqa: SIM118
        assert file.metadata() == {"format": "pt"}
    assert shapes["model.embed_tokens.weight"] == size
    assert shapes.get("lm_head.weight") == (None if tied else size)
    generation = GenerationConfig.from_pretrained(out)
    assert generation.suppress_tokens is None
    assert generation.eos_token_id == [model.vocabulary.speech_end, model.vocabulary.end_of_text_id]
    files = {"README.md", "config.json", "generation_config.json", "model.safetensors"}
    assert {one.name for one in out.iterdir()} == files | {"tokenizer.json", "tokenizer_config.json", "vocabulary.json"}


def test_generation_ends_at_the_end_of_speech(tmp_path, tokenizer):
    model = make("qwen3", False, tokenizer)
    end = model.vocabulary.speech_end
    with torch.no_grad():  # nearly every state says the end
        model.head[:] = 0
        model.head[end] = model.lm.model.norm.weight * 5
        model.lm.get_input_embeddings().weight.abs_()
    save(tmp_path / "run", model, tokenizer)
    out = export_model(tmp_path / "run", tmp_path / "out")
    plain: Any = AutoModelForCausalLM.from_pretrained(out)
    theirs = AutoTokenizer.from_pretrained(out)
    prompt = theirs(f"{TEXT}<|speech_start|>", return_tensors="pt")
    assert prompt["input_ids"][0, -1] == model.vocabulary.speech_start
    for seed in range(5):
        torch.manual_seed(seed)
        ids = plain.generate(**prompt, max_new_tokens=400)[0, prompt["input_ids"].shape[1] :].tolist()
        assert len(ids) < 400 and ids[-1] in (end, model.vocabulary.end_of_text_id)
        assert max(ids) < model.vocabulary.size


def test_weights_have_the_precision_that_the_run_computed_in(tmp_path, tokenizer):
    model = make("qwen3", True, tokenizer)
    save(tmp_path / "run", model, tokenizer, precision="bf16")

    def kind(out):
        config = json.loads((out / "config.json").read_text())["dtype"]
        plain = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
        assert str(plain.dtype) == f"torch.{config}"
        return config

    assert kind(export_model(tmp_path / "run", tmp_path / "own")) == "bfloat16"
    assert kind(export_model(tmp_path / "run", tmp_path / "whole", dtype="float32")) == "float32"
    rounded = open_model(tmp_path / "own")
    assert all(
        torch.equal(mine[:60], theirs[:60].bfloat16().float())
        for mine, theirs in zip(rounded.lm.state_dict().values(), model.lm.state_dict().values(), strict=True)
    )


def test_an_export_that_dies_anywhere_leaves_nothing_that_looks_whole(tmp_path, run, monkeypatch):
    rename, out = os.replace, tmp_path / "out"
    for at in range(7):
        renamed = 0

        def dying(source, target, at=at):
            nonlocal renamed
            if renamed == at:
                raise KeyboardInterrupt
            renamed += 1
            rename(source, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", dying)
            export_model(run, out)
        assert not out.exists() and (tmp_path / "out.part").is_dir()
    (tmp_path / "out.part" / "stranger").write_text("of another export")
    assert export_model(run, out) == out and not (out / "stranger").exists()
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name] == ["out"]


LIMITED = """
import resource, sys
from vaak.checkpoint import export_model
from vaak.errors import BadInput
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    export_model(sys.argv[1], sys.argv[2])
except BadInput as error:
    print(error)
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, run):
    command = [sys.executable, "-c", LIMITED, str(run), str(tmp_path / "out"), "4096"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "is full; make room" in done.stdout and done.stdout.count("\n") == 1, done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()
