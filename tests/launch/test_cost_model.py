"""The shape of a recipe's model, found without weights and without the Hub."""

from __future__ import annotations

import json

import pytest

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.launch.cost_model import Shape, parameters, shape_of
from vaak.model import LoraSettings, ModelSettings, create_model
from vaak.recipe import OptimizerSettings, load_recipe

CONFIG = {
    "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "intermediate_size": 96, "tie_word_embeddings": True,
}  # fmt: skip
VOCABULARY = Vocabulary(290, 64, 0)


@pytest.fixture(autouse=True)
def an_empty_cache_of_the_hub(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize(
    "name,total,vocabulary",
    [("smoke-0.6b", 662_896_640, 217_209), ("pt-s1", 1_854_268_416, 217_209), ("smoke-1b", 1_370_294_272, 193_796)],
)
def test_the_packages_stages_have_the_shapes_of_public_models(name, total, vocabulary):
    recipe = load_recipe(name)
    shape = shape_of(recipe)
    found = parameters(shape, recipe)
    assert shape.vocabulary.size == vocabulary and found.total == found.trained == total
    assert found.embedding == shape.vocabulary.padded_size * shape.config["hidden_size"]


@pytest.mark.parametrize("tied", [True, False])
def test_numbers_are_those_of_the_real_model(tied):
    recipe = load_recipe("pt-s2-tiny")
    shape = Shape({**CONFIG, "tie_word_embeddings": tied}, VOCABULARY)
    model = create_model(ModelSettings(config=shape.config), VOCABULARY, 0)
    found = parameters(shape, recipe)
    assert found.total == model.n_parameters and found.body == found.total - found.embedding
    assert found.trained_matrices == sum(
        p.numel() for n, p in model.lm.named_parameters() if ".layers." in n and p.ndim > 1
    )


@pytest.mark.parametrize("tied", [True, False])
def test_what_lora_trains_is_what_it_really_trains(tied):
    pytest.importorskip("peft", reason="peft is not installed (pip install vaak[lora])")
    from vaak.model.lora import add_lora

    lora = LoraSettings(rank=4, targets=("q_proj", "down_proj"))
    shape = Shape({**CONFIG, "tie_word_embeddings": tied}, VOCABULARY)
    model = create_model(ModelSettings(config=shape.config), VOCABULARY, 0)
    add_lora(model, lora, 0)
    found = parameters(shape, load_recipe("pt-s2-tiny").model_copy(update={"lora": lora}))
    assert found.total == sum(one.numel() for one in model.parameters())
    assert found.trained == sum(one.numel() for one in model.parameters() if one.requires_grad)


def test_a_folder_is_read_and_only_its_shapes(tmp_path):
    fields = {**CONFIG, "vocab_size": 999, "rope_theta": 1e6, "architectures": ["Qwen3ForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    recipe = load_recipe("pt-s1", [f'model.path="{tmp_path}"'])
    assert shape_of(recipe).config == CONFIG


def test_a_cached_model_of_the_hub_is_read(monkeypatch, tmp_path):
    file = tmp_path / "cached.json"
    file.write_text(json.dumps(CONFIG))
    monkeypatch.setattr(
        "vaak.launch.cost_model.try_to_load_from_cache", lambda name, what: str(file) if what == "config.json" else None
    )
    assert shape_of(load_recipe("pt-s1", ["model.path=somebody/something"])).config == CONFIG


def test_a_parent_decides(tmp_path):
    model = create_model(ModelSettings(config=CONFIG), VOCABULARY, 0)
    from vaak.checkpoint import save_checkpoint

    saved = save_checkpoint(tmp_path / "run", 1, model, state={})
    shape = shape_of(load_recipe("pt-s2", [f'parent="{saved.path}"']))
    assert shape.vocabulary == VOCABULARY and shape.config["hidden_size"] == 64


def test_a_vocabulary_that_is_given_is_taken():
    shape = shape_of(load_recipe("pt-s1", ["codec=somebody/codec", "tokenizer=nobody/knows"]), 200_000)
    assert shape.vocabulary.size == 200_000
    assert shape_of(load_recipe("pt-s1"), 217_209).vocabulary.codebook_size == 65_536


@pytest.mark.parametrize(
    "change,size,words",
    [
        ("model.path=Qwen/Qwen3-1.7B-Bas", None, "did you mean Qwen/Qwen3-1.7B-Base"),
        ("model.path=nobody", None, "name a folder with its config.json"),
        ("codec=somebody/codec", None, "--vocabulary"),
        ("tokenizer=nobody/knows", None, "--vocabulary"),
        ("seed=1", 5, "a vocabulary of 5 ids"),
        ("model={config: {model_type: mixtral}}", None, "mixture of experts"),
    ],
)
def test_what_cannot_be_found_is_named_with_the_remedy(change, size, words):
    with pytest.raises(BadInput, match=words):
        shape_of(load_recipe("pt-s1", [change]), size)


def test_muon_is_counted_by_its_matrices():
    recipe = load_recipe("pt-s2-tiny", [])
    assert recipe.optimizer == OptimizerSettings(kind="muon")
    found = parameters(Shape(CONFIG, VOCABULARY), recipe)
    assert 0 < found.trained_matrices < found.body < found.total
