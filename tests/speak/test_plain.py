"""Our loop against transformers' own: greedy codes are the same, and sampled ones are drawn from the same distribution."""

import numpy as np
import pytest
import torch

from tests.speak.test_generation import prompts_of, same
from tests.speak.tiny_speaker import tiny_model
from vaak.speak.generation import generate
from vaak.speak.plain import CodesOnly, generate_plain


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_greedy_codes_are_those_of_transformers(family):
    model = tiny_model(family)
    prompts, limits = prompts_of(model, 6), [40, 30, 20, 40, 1, 3]
    assert same(generate(model, prompts, max_codes=limits, temperature=0), generate_plain(model, prompts, max_codes=limits, temperature=0))  # fmt: skip


def test_both_stop_in_the_same_places():
    model, ends = tiny_model(codes=8), set()
    prompts = prompts_of(model, 12)
    for _ in range(4):
        own = generate(model, prompts, max_codes=30, temperature=0)
        assert same(own, generate_plain(model, prompts, max_codes=30, temperature=0))
        ends |= {one.stopped for one in own}
        with torch.no_grad():
            model.head[model.vocabulary.speech_end] *= 1.4  # stopping becomes likelier
    assert ends == {True, False}


def test_text_controls_and_padding_are_out_of_reach():
    model = tiny_model(codes=8)
    vocabulary = model.vocabulary
    assert vocabulary.padded_size > vocabulary.size
    left = CodesOnly(vocabulary)(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(2, vocabulary.padded_size))
    open_ids = torch.nonzero(torch.isfinite(left[0]))[:, 0].tolist()
    assert open_ids == [vocabulary.speech_end, *range(vocabulary.first_speech_id, vocabulary.size)]
    with torch.no_grad():  # a model that wants nothing but text and padding
        model.head[: vocabulary.base_size] *= 1000
        model.head[vocabulary.size :] = 1000 * torch.randn(
            vocabulary.padded_size - vocabulary.size, model.head.shape[1]
        )
    for one in generate_plain(model, prompts_of(model, 4), max_codes=20, temperature=2.0):
        assert (one.codes < 8).all()


def test_sampled_codes_have_one_distribution():
    model = tiny_model(codes=8)
    prompts = [prompts_of(model, 1)[0]] * 1500
    options = {"max_codes": 1, "temperature": 25.0, "top_k": 5}
    counts = [
        np.bincount([8 if one.stopped else int(one.codes[0]) for one in some], minlength=9) / len(prompts)
        for some in (generate(model, prompts, batch_size=1500, **options), generate_plain(model, prompts, **options))
    ]
    assert np.abs(counts[0] - counts[1]).max() < 0.06 and (counts[0] > 0.02).sum() == 5
