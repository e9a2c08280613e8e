"""Decoding against transformers' own forward pass, and what an item may depend on."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speak.tiny_speaker import CODES, tiny_model
from vaak.errors import BadInput
from vaak.model import LoraSettings
from vaak.model.lora import add_lora
from vaak.speak.decoder import Decoder
from vaak.speak.generation import Generation, generate, sample, stream_codes


def prompts_of(model, count=7, seed=0):
    rng = np.random.default_rng(seed)
    start = model.vocabulary.speech_start
    return [np.append(rng.integers(1, 300, int(rng.integers(1, 30))), start).astype(np.int64) for _ in range(count)]


def same(one, other):
    return [a.stopped for a in one] == [b.stopped for b in other] and all(
        np.array_equal(a.codes, b.codes) for a, b in zip(one, other, strict=True)
    )


def with_biases(model):
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


def with_adapters(model):
    """Adapters beside some matrices, as in training with LoRA; the second of each is drawn, too, so that they say something."""
    pytest.importorskip("peft")
    add_lora(model, LoraSettings(rank=2, alpha=4, targets=("q_proj", "v_proj", "down_proj")), 0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return model


MODELS = {
    "qwen3": lambda: tiny_model("qwen3", rms_norm_eps=0.1),  # so large that it counts
    "llama": lambda: tiny_model("llama"),
    "biases": lambda: with_biases(tiny_model("llama", attention_bias=True, mlp_bias=True)),
    "adapters": lambda: with_adapters(tiny_model("qwen3")),
}


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_every_hidden_state_is_that_of_the_ordinary_forward_pass(kind):
    model = MODELS[kind]()
    rows = [torch.randint(0, 300, (n,)) for n in (5, 12, 9)]
    follow = torch.randint(0, 300, (3, 6))
    ids = torch.zeros(3, 12, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, 12 - len(row) :] = row
    decoder = Decoder(model, 3, 18)
    got = [decoder.prefill(ids, torch.tensor([5, 12, 9]))] + [decoder.step(follow[:, k]) for k in range(6)]
    for i, row in enumerate(rows):
        whole = torch.cat([row, follow[i]])[None]
        wanted = model.lm.model(input_ids=whole, use_cache=False).last_hidden_state[0, len(row) - 1 :]
        assert torch.allclose(torch.stack([step[i] for step in got]), wanted, atol=1e-5)


def test_greedy_codes_in_a_batch_are_those_of_one_alone():
    model = tiny_model()
    prompts = prompts_of(model)
    together = generate(model, prompts, max_codes=40, temperature=0)
    alone = [generate(model, [prompt], max_codes=40, temperature=0)[0] for prompt in prompts]
    assert same(together, alone)
    assert same(together, generate(model, prompts, max_codes=40, temperature=0, batch_size=3))


def test_sampled_codes_follow_the_item_seed_not_the_batch():
    model = tiny_model()
    prompts, seeds = prompts_of(model), [5, 3, 8, 1, 2, 9, 4]
    options = {"temperature": 1.0, "top_p": 0.9, "top_k": 40}
    together = generate(model, prompts, max_codes=40, seeds=seeds, **options)
    turned = generate(model, prompts[::-1], max_codes=40, seeds=seeds[::-1], batch_size=2, **options)[::-1]
    assert same(together, turned)
    other = generate(model, prompts, max_codes=40, seeds=[seed + 100 for seed in seeds], **options)
    assert not same(together, other)


def streamed(model, prompt, **options):
    """What `stream_codes` says of one prompt, gathered."""
    codes, stream = [], stream_codes(model, prompt, **options)
    while True:
        try:
            codes.append(next(stream))
        except StopIteration as end:
            return Generation(np.array(codes, np.uint16), end.value)


def test_codes_one_by_one_are_those_of_the_batch_loop():
    model = tiny_model(codes=8)  # so few that stopping is likely
    prompts = prompts_of(model, 8)
    ends = set()
    options: dict[str, Any]
    for options in ({"temperature": 0}, {"temperature": 30.0, "top_p": 0.95}):
        wanted = [generate(model, [prompt], max_codes=12, seeds=[6], **options)[0] for prompt in prompts]
        assert same([streamed(model, prompt, max_codes=12, seed=6, **options) for prompt in prompts], wanted)
        ends |= {one.stopped for one in wanted}
    assert ends == {True, False}
    assert streamed(model, prompts[0], max_codes=0).stopped is False


def test_a_code_is_there_before_the_next_is_computed():
    model, read = tiny_model(), []
    model.lm.model.embed_tokens.register_forward_hook(lambda *_: read.append(None))
    stream = stream_codes(model, prompts_of(model, 1)[0], max_codes=400, temperature=0)
    for count in range(1, 4):
        next(stream)
        assert len(read) == count  # the prompt, then one code after the other: nothing is computed ahead
    assert not torch.is_inference_mode_enabled()


def test_limits_hold_per_item_and_only_codes_come_out():
    model = tiny_model()
    prompts, limits = prompts_of(model, 12), [0, 1, 2, 3, 5, 8, 13, 21, 34, 40, 40, 7]
    results = generate(model, prompts, max_codes=limits, temperature=3.0)
    for result, limit in zip(results, limits, strict=True):
        assert result.codes.dtype == np.uint16 and len(result.codes) <= limit
        assert result.stopped or len(result.codes) == limit
        assert (result.codes < CODES).all()


def test_a_model_that_wants_to_stop_stops_at_once_and_one_that_cannot_runs_to_its_limit():
    model = tiny_model()
    prompts = prompts_of(model, 3)
    with torch.no_grad():
        states = model.lm.model(input_ids=torch.from_numpy(prompts[0])[None]).last_hidden_state[0, -1]
        model.head[model.vocabulary.speech_end] = 1000 * states
    [first] = generate(model, prompts[:1], max_codes=20, temperature=0)
    assert first.stopped and len(first.codes) == 0
    with torch.no_grad():
        model.head[model.vocabulary.speech_end] = -1000 * states
    [first] = generate(model, prompts[:1], max_codes=1, temperature=0)
    assert not first.stopped and len(first.codes) == 1


def test_bad_requests_are_refused():
    model = tiny_model()
    with pytest.raises(BadInput, match="empty"):
        generate(model, [np.zeros(0, np.int64)], max_codes=3)
    with pytest.raises(BadInput, match="positions"):
        generate(model, prompts_of(model, 1), max_codes=600)
    with pytest.raises(BadInput, match="empty"):
        stream_codes(model, np.zeros(0, np.int64), max_codes=3)
    with pytest.raises(BadInput, match="top_p"):
        stream_codes(model, prompts_of(model, 1)[0], max_codes=3, top_p=0)
    with pytest.raises(BadInput, match="one each"):
        generate(model, prompts_of(model, 2), max_codes=[1])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 8), st.sampled_from([1.0, 0.9, 0.5]))
def test_sampling_gives_each_entry_its_probability(seed, top_k, top_p):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 1.5, 8))
    uniforms = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    picks = sample(logits.float().expand(4000, 8), uniforms, top_k, top_p)
    wanted = torch.softmax(logits.float().double(), 0)
    ranked = wanted.argsort(descending=True)
    kept = ranked[:top_k] if top_k else ranked
    inside = wanted[kept] / wanted[kept].sum()
    kept = kept[(inside.cumsum(0) - inside) < top_p]
    expected = torch.zeros(8, dtype=torch.float64)
    expected[kept] = wanted[kept] / wanted[kept].sum()
    assert torch.allclose(torch.bincount(picks, minlength=8).double() / 4000, expected, atol=1e-3)


def test_the_far_end_of_the_distribution_has_no_impossible_entry():
    logits = torch.tensor([[0.0, 1.0, -torch.inf, -torch.inf]])
    almost_one = torch.tensor([1 - 2**-53], dtype=torch.float64)
    assert sample(logits, almost_one, 0, 1.0).item() == 1
    assert sample(logits, torch.zeros(1, dtype=torch.float64), 0, 1.0).item() == 0


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_the_log_probability_of_each_draw_is_that_of_the_whole_distribution(temperature):
    """Against one plain forward pass over prompt and codes, with nothing but codes and the stop token in the softmax."""
    model = tiny_model()
    prompts = prompts_of(model)
    found = generate(model, prompts, max_codes=20, temperature=temperature, scored=True)
    drawable = [model.vocabulary.speech_end, *range(model.vocabulary.first_speech_id, model.vocabulary.size)]
    for prompt, one in zip(prompts, found, strict=True):
        assert one.log_probabilities is not None and len(one.log_probabilities) == len(one.codes) + one.stopped
        ids = torch.from_numpy(np.concatenate([prompt, model.vocabulary.speech_ids(one.codes)]))
        with torch.no_grad():
            logits = model.lm(ids[None]).logits[0, len(prompt) - 1 :, drawable] / temperature
        picks = [*(one.codes.astype(int) + 1), *([0] if one.stopped else [])]
        wanted = torch.log_softmax(logits, -1)[range(len(picks)), picks]
        np.testing.assert_allclose(one.log_probabilities, wanted.numpy(), atol=1e-4)
    assert same(found, generate(model, prompts, max_codes=20, temperature=temperature))


def test_a_truncated_distribution_has_no_log_probabilities():
    model = tiny_model()
    choices: list[dict[str, Any]] = [{"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.9}]
    for sampling in choices:
        with pytest.raises(BadInput, match="from the whole distribution"):
            generate(model, prompts_of(model), max_codes=3, scored=True, **sampling)
