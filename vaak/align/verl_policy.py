"""Imported by verl's workers before they open the model: it then gives text and control tokens no probability.

vLLM draws from codes and the stop token alone; a loss over the whole vocabulary would be of another policy. verl opens models through
`AutoModelForCausalLM`, so the classes registered here take the place of transformers' own in those processes, and in no other.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers

# exp of it is 0 in every precision; an infinity would make verl's entropy 0 · ∞.
FORBIDDEN = -1e4


class _SpeechOnly:
    """Before a model class: `config.speech_ids` = [stop, first code, end of the codes] are all that has probability."""

    config: Any

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output = super().forward(*args, **kwargs)  # type: ignore[misc]
        logits = output.logits
        stop, first, end = self.config.speech_ids
        allowed = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        allowed[stop] = True
        allowed[first:end] = True
        # In place: the logits of a large vocabulary are most of the memory.
        logits.masked_fill_(~allowed, FORBIDDEN)
        return output


# The names of transformers: verl writes them into the checkpoints that it saves.
class Qwen3ForCausalLM(_SpeechOnly, transformers.Qwen3ForCausalLM):
    """Qwen3 over codes and the stop token."""


class LlamaForCausalLM(_SpeechOnly, transformers.LlamaForCausalLM):
    """Llama over codes and the stop token."""


transformers.AutoModelForCausalLM.register(transformers.Qwen3Config, Qwen3ForCausalLM, exist_ok=True)
transformers.AutoModelForCausalLM.register(transformers.LlamaConfig, LlamaForCausalLM, exist_ok=True)
