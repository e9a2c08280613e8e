"""How likely a model makes what was said, code by code, when codes and the stop token are all that it can say.

What is sampled has no text, no control token and no padding (`vaak.speak.generation`), so the policy is the softmax over the
rest, and here it is the same: with a constant suppression on one side alone, the ratio of new to old probability would be that
of two different policies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vaak.host import Precision, compute_in
from vaak.model.loss import chunk_rows
from vaak.model.speech_lm import SpeechLM


def speech_head(model: SpeechLM) -> Tensor:
    """The rows of the head that can be drawn, [1 + codes, hidden]: the stop token, then code after code."""
    vocabulary, head = model.vocabulary, model.head
    return torch.cat([head[vocabulary.speech_end][None], head[vocabulary.first_speech_id : vocabulary.size]])


def log_probabilities(
    model: SpeechLM,
    prompts: Sequence[Tensor],
    completions: Sequence[Tensor],
    *,
    temperature: float = 1.0,
    precision: Precision = "fp32",
) -> tuple[Tensor, Tensor]:
    """(log-probabilities, entropies) of every token of the completions, one after another: two float32[all tokens], in nats.

    prompts, completions: int64[n] ids each; completions hold codes and at their end the stop token, if they stopped. The
    softmax is in float32. The first has a gradient where the model's parameters have; its logits are computed again in the
    backward pass, chunk by chunk, and never kept.
    """
    vocabulary = model.vocabulary
    documents = [torch.cat([prompt, said]) for prompt, said in zip(prompts, completions, strict=True)]
    lengths = [len(document) for document in documents]
    ids = torch.cat(documents)[None]
    places = torch.cat([torch.arange(n, device=ids.device) for n in lengths])[None]
    with compute_in(precision, ids.device):
        states = model.hidden(ids, places, [lengths])[0]
        starts = np.cumsum([0, *lengths[:-1]])
        # What stands before a token predicts it.
        before = [
            np.arange(start + len(prompt) - 1, start + n - 1)
            for start, n, prompt in zip(starts, lengths, prompts, strict=True)
        ]
    # The head stays in float32, as where codes are drawn: in bfloat16 a log-probability would be off by .02 on average.
    states = states[torch.from_numpy(np.concatenate(before)).to(ids.device)].float()
    said = torch.cat(list(completions))
    targets = torch.where(said == vocabulary.speech_end, 0, said - vocabulary.first_speech_id + 1)
    head = speech_head(model).float()
    rows = chunk_rows(len(head), ids.device.type)
    parts = [
        _chunk(states[start : start + rows], head, targets[start : start + rows], temperature)
        for start in range(0, len(states), rows)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _chunk(states: Tensor, head: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    if not torch.is_grad_enabled():
        return _scored(states, head, targets, temperature)
    found = checkpoint(_scored, states, head, targets, temperature, use_reentrant=False)
    assert isinstance(found, tuple)
    return found


def _scored(states: Tensor, head: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = F.linear(states, head).float() / temperature
    every = torch.log_softmax(logits, dim=-1)
    chosen = every.gather(1, targets[:, None])[:, 0]
    with torch.no_grad():
        entropy = -(every.exp() * every).sum(-1)
    return chosen, entropy
