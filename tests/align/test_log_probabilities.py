"""One policy on both sides: what is drawn and what is trained have the same log-probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import vaak.demo
from tests.align.toy_alignment import VOCABULARY, make_model
from vaak.align.log_probabilities import log_probabilities
from vaak.align.rollouts import completion_ids
from vaak.demo.voices import best_description
from vaak.host import Precision
from vaak.speak.generation import generate
from vaak.speak.speech import build_prompt, open_speaker

TEXTS = ["The blue boat is near the old bridge.", "My brother will paint the kitchen.", "नमस्ते, आप कैसे हैं?"]


@pytest.fixture(scope="module")
def drawn():
    """The shipped model, prompts in ids, and what it said, with the log-probabilities of each draw."""
    model, tokenizer, _ = open_speaker(vaak.demo.model_folder())
    prompts = [
        build_prompt(model.vocabulary, tokenizer, text, voice_description=best_description(text)) for text in TEXTS
    ]
    return model, prompts, generate(model, prompts, max_codes=120, scored=True)


def recomputed(drawn, precision: Precision) -> torch.Tensor:
    model, prompts, generations = drawn
    completions = [torch.tensor(completion_ids(model.vocabulary, one)) for one in generations]
    with torch.no_grad():
        found, _ = log_probabilities(
            model, [torch.from_numpy(one) for one in prompts], completions, precision=precision
        )
    return found


def test_drawn_and_recomputed_agree(drawn):
    own = np.concatenate([one.log_probabilities for one in drawn[2]])
    assert np.abs(recomputed(drawn, "fp32").numpy() - own).max() < 1e-4
    assert np.abs(recomputed(drawn, "bf16").numpy() - own).mean() < 2e-2


def test_the_same_code_and_shapes_agree_exactly(drawn):
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        assert torch.equal(recomputed(drawn, precision), recomputed(drawn, precision))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_they_are_a_softmax_over_codes_and_the_stop_token_alone(temperature):
    """Against the plain way: every logit of transformers' own forward, all but codes and the stop token at minus infinity."""
    model = make_model()
    prompts = [torch.tensor([3, 4, 5, VOCABULARY.speech_start]), torch.tensor([7, VOCABULARY.speech_start])]
    first = VOCABULARY.first_speech_id
    completions = [torch.tensor([first, first + 63, first + 5, VOCABULARY.speech_end]), torch.tensor([first + 9])]
    found, entropies = log_probabilities(model, prompts, completions, temperature=temperature)
    at = 0
    for prompt, completion in zip(prompts, completions, strict=True):
        logits = model.lm(torch.cat([prompt, completion])[None]).logits[0].float() / temperature
        kept = torch.full_like(logits, -torch.inf)
        kept[:, VOCABULARY.speech_end] = logits[:, VOCABULARY.speech_end]
        kept[:, first : VOCABULARY.size] = logits[:, first : VOCABULARY.size]
        every = torch.log_softmax(kept, -1)[len(prompt) - 1 : -1]
        wanted = every.gather(1, completion[:, None])[:, 0]
        torch.testing.assert_close(found[at : at + len(completion)], wanted, atol=1e-5, rtol=1e-5)
        entropy = torch.special.entr(every.exp()).sum(-1)
        torch.testing.assert_close(entropies[at : at + len(completion)], entropy, atol=1e-5, rtol=1e-5)
        at += len(completion)


def test_their_gradient_is_the_plain_one():
    model = make_model()
    prompt, first = torch.tensor([3, 4, VOCABULARY.speech_start]), VOCABULARY.first_speech_id
    completion = torch.tensor([first + 2, first + 8, VOCABULARY.speech_end])
    weights = torch.tensor([0.5, -1.0, 2.0])
    (log_probabilities(model, [prompt], [completion])[0] * weights).sum().backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    logits = model.lm(torch.cat([prompt, completion])[None]).logits[0]
    drawable = [VOCABULARY.speech_end, *range(first, VOCABULARY.size)]
    every = torch.log_softmax(logits[:, drawable], -1)[len(prompt) - 1 : -1]
    places = torch.tensor([drawable.index(int(one)) for one in completion])
    (every.gather(1, places[:, None])[:, 0] * weights).sum().backward()
    for name, one in model.named_parameters():
        assert one.grad is not None
        torch.testing.assert_close(found[name], one.grad, atol=1e-6, rtol=1e-4)
