"""LoRA over real models: the same at first, frozen where it says so, and an ordinary model again when merged."""

import sys

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from tests.model.tiny_models import VOCABULARY, architecture, batch
from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import LoraSettings, ModelSettings, create_model, open_model
from vaak.model.layers import recompute_layers
from vaak.model.lora import add_lora, describe, frozen_hash, load_trained, merged_weights, trained_tensors
from vaak.model.open import save_model, save_model_files

SETTINGS = LoraSettings(rank=4, alpha=8)
KINDS = [(kind, tied) for kind in ("qwen3", "llama") for tied in (True, False)]


@pytest.fixture(params=KINDS, ids=lambda one: f"{one[0]}-{'tied' if one[1] else 'untied'}")
def base(request, tmp_path):
    """A text model with some spare rows, extended by speech."""
    kind, tied = request.param
    text = create_model(
        architecture(kind, tie_word_embeddings=tied, attention_bias=True), Vocabulary(128, 1, 0), seed=1
    )
    with torch.no_grad():  # biases begin at nothing, and would prove nothing
        for name, parameter in text.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    save_model(text, tmp_path / "text")
    (tmp_path / "text" / "vocabulary.json").unlink()
    return create_model(ModelSettings(path=str(tmp_path / "text")), VOCABULARY, seed=2)


def logits(lm, ids):
    with torch.no_grad():
        return lm(ids).logits


def some_ids():
    return torch.randint(0, VOCABULARY.size, (2, 20), generator=torch.Generator().manual_seed(3))


def bits(tensor):
    """Integers of the same bits, so that not even the sign of a zero may change."""
    return tensor.detach().clone().view(torch.int32)


def loss_of(model, seed=0):
    return model.forward_loss(batch([[20, 12], [32]], seed=seed)).sum


def train_steps(model, steps=5):
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-2, weight_decay=0.1)
    for step in range(steps):
        loss_of(model, seed=step).backward()
        optimizer.step()
        optimizer.zero_grad()


def merge(model):
    return merged_weights(model.lm.state_dict(), SETTINGS)


def test_a_fresh_one_computes_what_its_base_does_to_the_bit(base):
    before = logits(base.lm, some_ids())
    loss = base.forward_loss(batch([[20, 12]])).sum
    add_lora(base, SETTINGS, seed=1)
    assert torch.equal(logits(base.lm, some_ids()), before)
    assert torch.equal(base.forward_loss(batch([[20, 12]])).sum, loss)
    again = merge(base)
    assert torch.equal(again["model.embed_tokens.weight"], base.lm.get_input_embeddings().weight)


def test_training_moves_adapters_and_new_rows_and_nothing_else(base):
    plain = {name: bits(tensor) for name, tensor in base.lm.state_dict().items()}
    add_lora(base, SETTINGS, seed=1)
    before = {name: bits(parameter) for name, parameter in base.lm.named_parameters()}
    train_steps(base)
    for name, parameter in base.lm.named_parameters():
        moved = name.endswith("new_rows") or ".lora_" in name
        assert parameter.requires_grad == moved
        assert torch.equal(bits(parameter), before[name]) != moved, name
    # By the names of an ordinary model: base rows and what is no matrix of a layer as they were, new rows and matrices not.
    first, size = VOCABULARY.base_size, VOCABULARY.size
    merged = merge(base)
    assert merged.keys() == plain.keys()
    for name, tensor in merged.items():
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            assert torch.equal(bits(tensor[:first]), plain[name][:first])
            assert (bits(tensor[first:size]) != plain[name][first:size]).any(dim=1).all()
        else:
            assert torch.equal(bits(tensor), plain[name]) != name.endswith("proj.weight"), name


def test_merged_weights_are_an_ordinary_model_that_opens_here_and_in_transformers(base, tmp_path):
    add_lora(base, SETTINGS, seed=1)
    train_steps(base)
    merged = merge(base)
    if base.config.tie_word_embeddings:
        merged.pop("lm_head.weight", None)
    save_file(merged, tmp_path / "model.safetensors", {"format": "pt"})
    save_model_files(base, tmp_path)
    wanted = logits(base.lm.eval(), some_ids())
    opened, plain = open_model(tmp_path), AutoModelForCausalLM.from_pretrained(tmp_path)
    for lm in (opened.lm, plain):
        assert torch.allclose(logits(lm, some_ids()), wanted, rtol=1e-5, atol=1e-5)
    assert torch.equal(logits(plain, some_ids()), logits(opened.lm, some_ids()))
    assert (opened.head is opened.lm.get_input_embeddings().weight) == base.config.tie_word_embeddings
    assert not any("lora" in name or "rows" in name for name in opened.lm.state_dict())


def test_gradients_of_the_new_rows_are_those_of_the_whole_matrix(base):
    """Both uses of a tied matrix, and a row that stands in no input, add up as in an ordinary model."""
    rows = batch([[20, 12], [32]])
    base.forward_loss(rows).sum.backward()
    first = VOCABULARY.base_size
    wanted = base.lm.get_input_embeddings().weight.grad[first:], base.head.grad[first:]
    add_lora(base, SETTINGS, seed=1)
    base.forward_loss(rows).sum.backward()
    found = base.lm.get_input_embeddings().new_rows.grad, base.lm.get_output_embeddings().new_rows.grad
    for one, two in zip(found, wanted, strict=True):
        assert torch.allclose(one, two, rtol=1e-5, atol=1e-7)
    assert base.lm.get_input_embeddings().base_rows.grad is None


@pytest.mark.parametrize("how", ["selective", "full"])
def test_layers_are_computed_again_and_bf16_is_near(how):
    found = []
    for recomputed, precision in (("none", "fp32"), (how, "fp32"), (how, "bf16")):
        model = create_model(architecture(), VOCABULARY, seed=1)
        add_lora(model, SETTINGS, seed=1)
        train_steps(model, 2)  # B begins at nothing, and A then has no gradient
        model.train()
        recompute_layers(model, recomputed)  # pyright: ignore[reportArgumentType]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss_of(model).backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert len(found[0]) == 2 * 7 * 2 + 1
    for name, wanted in found[0].items():
        assert torch.equal(found[1][name], wanted), name
        assert (found[2][name] - wanted).norm() <= 0.1 * wanted.norm(), name


def test_what_was_trained_is_put_back_to_the_bit_and_the_base_is_known_again(base):
    settings = LoraSettings(rank=2, targets=("v_proj", "up_proj"))
    add_lora(base, settings, seed=1)
    known = frozen_hash(base)
    train_steps(base)
    assert frozen_hash(base) == known
    kept = {name: tensor.clone() for name, tensor in trained_tensors(base.lm.state_dict()).items()}
    assert sum(".lora_A." in name for name in kept) == 2 * 2
    wanted = logits(base.lm, some_ids())
    train_steps(base)
    assert not torch.equal(logits(base.lm, some_ids()), wanted)
    load_trained(base, kept)
    assert torch.equal(logits(base.lm, some_ids()), wanted)
    with torch.no_grad():
        base.lm.get_input_embeddings().base_rows[0, 0] += 1
    assert frozen_hash(base) != known
    with pytest.raises(BadInput, match=r"do not fit this model .*own recipe"):
        load_trained(base, {name: tensor for name, tensor in kept.items() if "v_proj" not in name})


def test_adapters_follow_from_the_seed_and_leave_the_global_generator_alone():
    found = []
    for seed in (1, 1, 2):
        model = create_model(architecture(), VOCABULARY, seed=1)
        torch.manual_seed(5)
        add_lora(model, SETTINGS, seed)
        torch.rand(1)
        found.append((trained_tensors(model.lm.state_dict()), torch.rand(1)))
    assert len({float(number) for _, number in found}) == 1
    one, same, other = (tensors for tensors, _ in found)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert all(torch.equal(one[name], other[name]) == ("lora_A" not in name) for name in one)


def test_the_sentence_counts_what_is_trained():
    model = create_model(architecture(), VOCABULARY, seed=1)
    add_lora(model, LoraSettings(), seed=1)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    sentence = describe(model, LoraSettings())
    assert sentence.startswith(f"lora: {trained / 1e6:.1f} M of ")
    assert "rank 16, 7 matrices a layer, 104 new rows" in sentence


def test_without_peft_the_extra_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadInput, match=r"pip install vaak\[lora\]"):
        add_lora(create_model(architecture(), VOCABULARY, seed=1), SETTINGS, seed=1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"targets": ["q_porj"]}, "no matrix 'q_porj' in a layer, only q_proj"),
        ({"targets": ["xyz"]}, "only q_proj or k_proj or v_proj"),
        ({"targets": []}, "one or more of q_proj"),
        ({"targets": ["q_proj", "q_proj"]}, "each once"),
        ({"rank": 0}, "greater than 0"),
        ({"dropout": 0.1}, "Extra inputs"),
    ],
)
def test_settings_say_what_is_wrong(bad, reason):
    with pytest.raises(ValidationError, match=reason):
        LoraSettings(**bad)
