"""Making, extending, saving and opening models; refusing those that cannot serve."""

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.model.tiny_models import VOCABULARY, architecture, batch
from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import ModelSettings, create_model, open_model, save_model
from vaak.model.architecture import check_architecture, check_name


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = create_model(architecture(), VOCABULARY, seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert same(first, create_model(architecture(), VOCABULARY, seed=3))
    assert not same(first, create_model(architecture(), VOCABULARY, seed=4))


def test_what_was_saved_opens_the_same_here_and_in_transformers(model, tmp_path):
    from transformers import AutoModelForCausalLM

    save_model(model, tmp_path)
    opened, plain = open_model(tmp_path), AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.randint(0, VOCABULARY.size, (2, 20))
    with torch.no_grad():
        expected = model.lm(ids).logits[..., : VOCABULARY.size]
        assert torch.equal(opened.lm(ids).logits[..., : VOCABULARY.size], expected)
        assert torch.equal(plain(ids).logits, expected)
    assert opened.vocabulary == VOCABULARY and opened.head is opened.lm.get_input_embeddings().weight
    assert same(create_model(ModelSettings(path=str(tmp_path)), VOCABULARY, seed=9), opened)


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_padding_are_left_out_and_come_back_as_zeros(tied, tmp_path):
    model = create_model(architecture(tie_word_embeddings=tied), VOCABULARY, seed=1)
    save_model(model, tmp_path)
    opened, size = open_model(tmp_path), VOCABULARY.size
    for mine, theirs in zip(opened.lm.state_dict().items(), model.lm.state_dict().items(), strict=True):
        assert mine[0] == theirs[0] and mine[1].shape == theirs[1].shape
        kept = slice(size if mine[0] in ("model.embed_tokens.weight", "lm_head.weight") else None)
        assert torch.equal(mine[1][kept], theirs[1][kept])
    assert not opened.head[size:].any() and len(opened.head) == VOCABULARY.padded_size
    # A training step is the same from either.
    rows: Any = batch([[20, 12], [32]])
    losses = [one.forward_loss(rows) for one in (model, opened)]
    for one in losses:
        one.sum.backward()
    assert torch.equal(losses[0].per_token, losses[1].per_token)
    gradients = [[p.grad for p in one.parameters()] for one in (model, opened)]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("tied", [True, False])
def test_a_text_model_gains_distinct_rows_and_keeps_its_own(tied, tmp_path):
    base = create_model(architecture(tie_word_embeddings=tied), Vocabulary(128, 1, 0), seed=1)
    save_model(base, tmp_path)
    (tmp_path / "vocabulary.json").unlink()  # now it is any text model, with a few spare rows past the tokenizer's 120
    vocabulary = Vocabulary(base_size=120, codebook_size=300, end_of_text_id=0)
    model = create_model(ModelSettings(path=str(tmp_path)), vocabulary, seed=2)
    rows, old = model.lm.get_input_embeddings().weight.detach(), base.lm.get_input_embeddings().weight.detach()
    assert rows.shape[0] == vocabulary.padded_size and torch.equal(rows[:120], old[:120])
    new = rows[120:]
    assert 0.8 < new.std() / old.std() < 1.25
    distances = torch.cdist(new, new) + torch.eye(len(new)) * 9
    assert distances.min() > 0.3 * torch.cdist(old[:120], old[:120]).mean()
    assert (model.head is model.lm.get_input_embeddings().weight) == tied
    assert same(model, create_model(ModelSettings(path=str(tmp_path)), vocabulary, seed=2))


def test_a_vocabulary_that_does_not_belong_to_the_model_is_refused(model, tmp_path):
    save_model(model, tmp_path)
    with pytest.raises(BadInput, match="tokenizer and codec of that model"):
        create_model(ModelSettings(path=str(tmp_path)), Vocabulary(60, 99, 0), seed=0)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(BadInput, match="vocabulary rows"):
        create_model(ModelSettings(path=str(tmp_path)), Vocabulary(5000, 99, 0), seed=0)


def test_an_unfinished_checkpoint_is_refused(model, tmp_path):
    save_model(model, tmp_path)
    (tmp_path / "MANIFEST.json").write_text("{}")
    with pytest.raises(BadInput, match=r"not finished \(no COMPLETE.json\)"):
        open_model(tmp_path)


def test_damage_and_missing_files_are_named(model, tmp_path):
    save_model(model, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        open_model(tmp_path)
    with pytest.raises(BadInput, match=r"has no config\.json"):
        open_model(tmp_path / "nowhere")


def test_a_base_model_that_lacks_weights_or_has_others_is_refused(model, tmp_path):
    save_model(model, tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    weights = load_file(tmp_path / "model.safetensors")
    first = next(name for name in weights if "q_proj" in name)
    for changed in ({first: None}, {first: weights[first][:-1]}):
        kept = {name: tensor for name, tensor in (weights | changed).items() if tensor is not None}
        save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
        with pytest.raises(BadInput, match="base model"):
            create_model(ModelSettings(path=str(tmp_path)), model.vocabulary, seed=0)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be opened"):
        create_model(ModelSettings(path=str(tmp_path)), model.vocabulary, seed=0)


@pytest.mark.parametrize(
    "name", ["Qwen/Qwen3-4B-Thinking-2507", "Qwen/QwQ-32B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "x/Y-Thinking"]
)
def test_thinking_only_checkpoints_are_refused_by_name(name):
    with pytest.raises(BadInput, match="thinking-only"):
        check_name(name)


def test_base_checkpoints_pass_and_hybrid_ones_warn():
    check_name("Qwen/Qwen3-1.7B-Base")
    check_name("meta-llama/Llama-3.2-1B-Instruct")
    with pytest.warns(UserWarning, match="-Base"):
        check_name("Qwen/Qwen3-1.7B")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "qwen3_moe", "num_experts": 128}, "mixture of experts"),
        ({"model_type": "llama", "num_local_experts": 8}, "mixture of experts"),
        ({"model_type": "mixtral"}, "mixture of experts"),
        ({"model_type": "gpt2"}, "families"),
        ({"model_type": "qwen3", "use_sliding_window": True}, "sliding-window"),
    ],
)
def test_other_architectures_are_refused_with_the_reason(fields, reason, tmp_path):
    with pytest.raises(BadInput, match=reason):
        check_architecture(fields, "m")
    (tmp_path / "config.json").write_text(json.dumps(fields))
    with pytest.raises(BadInput):
        create_model(ModelSettings(path=str(tmp_path)), VOCABULARY, seed=0)


@pytest.mark.parametrize("bad", [{}, {"path": "a", "config": {"model_type": "qwen3"}}, {"config": {}}, {"pth": "a"}])
def test_settings_say_what_is_missing(bad):
    with pytest.raises(ValueError):
        ModelSettings(**bad)
