"""Memory that `vaak cost` estimates against what PyTorch's allocator gave out in real steps on this CPU; and a 1.7B model on 8 GPUs.

No number of the estimate was fitted; docs/cost.md says which of these rows a rule of it came from. Prints one line per figure: `python benchmarks/cost.py [--json PATH]`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from _cost_run import measured
from codec import Figure, at_least, at_most
from torch import Tensor

from vaak.grammar.vocabulary import Vocabulary
from vaak.launch.cost_memory import Memory, TracedStep, chunked_loss_bytes, full_logits_bytes, step_memory
from vaak.model import speech_lm
from vaak.model.loss import chunk_rows
from vaak.recipe import OptimizerSettings, ParallelSettings

GIB = 1 << 30

_DEEP = {
    "model_type": "qwen3", "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 64, "intermediate_size": 768, "tie_word_embeddings": True,
}  # fmt: skip
_UNTIED = {
    "model_type": "llama", "hidden_size": 192, "num_hidden_layers": 5, "num_attention_heads": 6, "num_key_value_heads": 6,
    "head_dim": 32, "intermediate_size": 640, "tie_word_embeddings": False,
}  # fmt: skip
_WIDE = {
    "model_type": "qwen3", "hidden_size": 384, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2,
    "head_dim": 64, "intermediate_size": 1024, "tie_word_embeddings": True,
}  # fmt: skip

CASES = {
    "tied, nothing again, AdamW, fp32": TracedStep(
        _DEEP, Vocabulary(3000, 4096, 0), 4, (100, 300, 112), 2, precision="fp32", path="cpu"
    ),
    "untied, all again, AdamW, fp32": TracedStep(
        _UNTIED, Vocabulary(500, 1024, 0), 8, (512,), 2, precision="fp32", checkpointing="full", path="cpu"
    ),
    "60k entries, selective, Muon, bf16": TracedStep(
        _WIDE, Vocabulary(20000, 40000, 0), 4, (256,), 1, checkpointing="selective", optimizer=OptimizerSettings(kind="muon"), path="cpu",
    ),
    "tied, nothing again, AdamW, bf16": TracedStep(
        _DEEP, Vocabulary(3000, 4096, 0), 4, (100, 300, 112), 2, path="cpu"
    ),
    "2 processes, FSDP, fp32": TracedStep(
        _DEEP, Vocabulary(3000, 4096, 0), 4, (512,), 2, ranks=2, precision="fp32", path="cpu"
    ),
    "2 processes, FSDP, all again, bf16": TracedStep(
        _DEEP, Vocabulary(3000, 4096, 0), 4, (200, 312), 3, ranks=2, checkpointing="full", path="cpu"
    ),
    "2 processes, DDP, fp32": TracedStep(
        _DEEP, Vocabulary(3000, 4096, 0), 4, (512,), 2, ranks=2, precision="fp32", parallel=ParallelSettings(kind="ddp"), path="cpu",
    ),
}  # fmt: skip

# Qwen3-1.7B with xcodec2's codes on 8 GPUs, 8 rows of 2,048 tokens on each, no activation computed again.
LARGE = TracedStep(
    {
        "model_type": "qwen3", "hidden_size": 2048, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 6144, "tie_word_embeddings": True,
    },
    Vocabulary(151669, 65536, 0), rows=8, documents=(2048,), ranks=8,
)  # fmt: skip
TARGETS = 8 * 2047


def compared(cases: dict[str, TracedStep]) -> list[Figure]:
    """Estimates against real steps."""
    figures = []
    for name, step in cases.items():
        estimate, real = step_memory(step).peak, measured(step)
        against = f"{real / (1 << 20):.1f} MiB of the CPU allocator in a real step"
        figures.append(at_most(f"cost.memory, {name}, above", estimate / real, 1.1, against, "x"))
        # Of several processes each keeps some buffers until the others are done, which is another time in every run.
        floor = 0.9 if step.ranks == 1 else 0.85
        figures.append(at_least(f"cost.memory, {name}, below", estimate / real, floor, against, "x"))
    return figures


def plain_losses(
    hidden: Tensor, weight: Tensor, labels: Tensor, size: int, _: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy over all logits at once, as most trainers take it."""
    losses = F.cross_entropy(F.linear(hidden, weight)[:, :size].float(), labels, reduction="none")
    return losses.sum(), losses.detach()


def with_losses(losses: Callable[..., Any], step: TracedStep) -> Memory:
    """As `step_memory` with another loss in the model."""
    ours = speech_lm.token_losses
    speech_lm.token_losses = losses
    try:
        return step_memory(step)
    finally:
        speech_lm.token_losses = ours


def large(step: TracedStep) -> list[Figure]:
    """The 1.7B model: its parts, the loss against its closed form, and the same with all logits at once."""
    began = time.perf_counter()
    traced = step_memory(step)
    seconds = time.perf_counter() - began
    closed = chunked_loss_bytes(LARGE.vocabulary, 2048, TARGETS, chunk_rows(LARGE.vocabulary.size, "cuda"), "bf16")
    parts = ", ".join(f"{part} {size / GIB:.2f}" for part, size in traced.parts.items())
    plain = with_losses(plain_losses, step)
    # Beside the logits there is what was there when the loss began.
    beside = traced.peak - traced.parts["loss"]
    full = full_logits_bytes(LARGE.vocabulary, TARGETS)
    recomputed = step_memory(replace(step, checkpointing="full"))
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
    return [
        at_most("cost.1.7B, peak", traced.peak / GIB, 79, f"the memory of an H100; {parts}", "GiB"),
        at_most(
            "cost.1.7B, loss off its closed form",
            abs(traced.parts["loss"] / closed - 1),
            0.01,
            f"{closed / GIB:.3f} GiB",
        ),
        at_most("cost.1.7B, peak with all logits at once", plain.peak / GIB, 110, "a public estimate of 95 GiB", "GiB"),
        at_most(
            "cost.1.7B, all logits off their closed form",
            abs((plain.peak - beside) / full - 1),
            0.01,
            f"{full / GIB:.2f} GiB",
        ),
        at_most(
            "cost.1.7B, peak with layers computed again",
            recomputed.peak / traced.peak,
            0.5,
            "nothing computed again",
            "x",
        ),
        at_most("cost.1.7B, time to trace", seconds, 60, f"a minute; on {torch.get_num_threads()} cores", "s"),
        at_most("cost.1.7B, memory to trace it", resident, 2, "the 6.9 GiB of its weights", "GiB"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--small", action="store_true", help="One real case, and 8 of the 28 layers.")
    chosen = parser.parse_args()
    cases = dict(list(CASES.items())[:1]) if chosen.small else CASES
    step = replace(LARGE, config={**LARGE.config, "num_hidden_layers": 8}) if chosen.small else LARGE
    figures = [*compared(cases), *large(step)]
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
