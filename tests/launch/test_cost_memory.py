"""The memory of a step: against real steps, against closed forms, and in its order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._cost_run import measured
from vaak.grammar.vocabulary import Vocabulary
from vaak.launch.cost_memory import (
    Memory,
    TracedStep,
    chunked_loss_bytes,
    full_logits_bytes,
    largest_microbatch,
    step_memory,
)
from vaak.launch.cost_trace import traced_world
from vaak.launch.cost_tracker import PARTS, LiveBytes
from vaak.model import loss, speech_lm
from vaak.model.settings import LoraSettings
from vaak.recipe import OptimizerSettings, ParallelSettings
from vaak.train import parallel

TIED = {
    "model_type": "qwen3", "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 32, "intermediate_size": 384, "tie_word_embeddings": True,
}  # fmt: skip
UNTIED = {
    "model_type": "llama", "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3, "num_key_value_heads": 3,
    "head_dim": 32, "intermediate_size": 320, "tie_word_embeddings": False,
}  # fmt: skip
SMALL, LARGE = Vocabulary(300, 700, 0), Vocabulary(9000, 20000, 0)
ON_CPU = TracedStep(TIED, SMALL, rows=4, documents=(100, 28, 128), accumulation=2, precision="fp32", path="cpu")
ON_GPUS = TracedStep(TIED, SMALL, rows=4, documents=(256,), ranks=8)

# Shapes, vocabularies, precisions, optimizers and kinds of recomputing that differ. None of them led to a change of the estimate.
REAL = {
    "packed, nothing again": ON_CPU,
    "untied, all again": replace(ON_CPU, config=UNTIED, documents=(512,), checkpointing="full"),
    "large vocabulary, selective, muon, bf16": replace(
        ON_CPU, vocabulary=LARGE, checkpointing="selective", optimizer=OptimizerSettings(kind="muon"), precision="bf16"
    ),
    "two processes, cut": replace(ON_CPU, ranks=2, documents=(256,)),
    "two processes, whole copies": replace(ON_CPU, ranks=2, parallel=ParallelSettings(kind="ddp")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_the_estimate_is_within_a_tenth_of_what_the_allocator_gave_out_in_a_real_step(name):
    assert 0.9 < step_memory(REAL[name]).peak / measured(REAL[name]) < 1.1


def test_parts_add_up_and_every_gpu_holds_its_share():
    one, eight = step_memory(replace(ON_GPUS, ranks=1)), step_memory(ON_GPUS)
    for found in (one, eight):
        assert tuple(found.parts) == PARTS and sum(found.parts.values()) == found.peak >= found.standing
    # Norms do not cut into 8 parts alike, and AdamW counts its steps.
    assert 8 * eight.parts["weights"] == pytest.approx(one.parts["weights"], rel=0.02)
    assert 8 * eight.parts["optimizer"] == pytest.approx(one.parts["optimizer"], rel=0.02)
    assert one.parts["optimizer"] == pytest.approx(2 * one.parts["weights"], rel=0.01)
    assert eight.beginning >= one.parts["weights"], "each rank begins with the whole model"


def test_a_second_trace_finds_the_same():
    """Of the first one DTensor remembers shapes, which it finds with whole tensors that no memory is behind."""
    step = replace(ON_GPUS, vocabulary=Vocabulary(311, 777, 0), optimizer=OptimizerSettings(kind="muon"))
    assert step_memory(step) == step_memory(step)


def test_what_is_computed_again_is_not_kept():
    kept = {how: step_memory(replace(ON_GPUS, checkpointing=how)).peak for how in ("none", "selective", "full")}
    assert kept["full"] < kept["selective"] < kept["none"]


def test_gradients_in_sum_are_whole_on_every_rank_while_microbatches_are_taken():
    once, thrice = (step_memory(replace(ON_GPUS, accumulation=n, checkpointing="full")) for n in (1, 3))
    assert thrice.parts["gradients"] > 4 * once.parts["gradients"]
    assert thrice == step_memory(replace(ON_GPUS, accumulation=7, checkpointing="full"))


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": OptimizerSettings(kind="muon")},
        {"precision": "fp32"},
        {"parallel": ParallelSettings(shards=4)},
        {"parallel": ParallelSettings(kind="ddp")},
        {"config": UNTIED},
        {"biased": True},
    ],
)
def test_every_kind_of_step_can_be_traced(change):
    assert step_memory(replace(ON_GPUS, accumulation=2, **change)).peak > 0


def test_with_lora_the_base_has_neither_gradients_nor_state():
    pytest.importorskip("peft", reason="peft is not installed (pip install vaak[lora])")
    whole, lora = step_memory(ON_GPUS), step_memory(replace(ON_GPUS, lora=LoraSettings(rank=4)))
    assert lora.standing < whole.standing and lora.parts["optimizer"] < whole.parts["optimizer"] / 2


def plain_losses(hidden, weight, labels, size, _=None):
    losses = F.cross_entropy(F.linear(hidden, weight)[:, :size].float(), labels, reduction="none")
    return losses.sum(), losses.detach()


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_loss_has_its_closed_form(precision, monkeypatch):
    step = replace(ON_GPUS, vocabulary=LARGE, precision=precision)
    targets, rows = 4 * 255, loss.chunk_rows(LARGE.size, "cuda")
    traced = step_memory(step)
    assert traced.doing == "loss"
    held = chunked_loss_bytes(LARGE, TIED["hidden_size"], targets, rows, precision)
    assert traced.parts["loss"] == pytest.approx(held, rel=0.01)
    monkeypatch.setattr(speech_lm, "token_losses", plain_losses)
    beside = traced.peak - traced.parts["loss"]
    assert step_memory(step).peak - beside == pytest.approx(full_logits_bytes(LARGE, targets), rel=0.05)


@pytest.mark.slow
def test_a_model_of_1_7_billion_at_217_thousand_entries():
    config = {**TIED, "hidden_size": 2048, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8}
    config |= {"head_dim": 128, "intermediate_size": 6144}
    step = TracedStep(config, Vocabulary(151669, 65536, 0), rows=8, documents=(2048,), ranks=8)
    traced = step_memory(step)
    rows = loss.chunk_rows(step.vocabulary.size, "cuda")
    held = chunked_loss_bytes(step.vocabulary, 2048, 8 * 2047, rows, "bf16")
    assert traced.doing == "loss" and traced.parts["loss"] == pytest.approx(held, rel=0.001)
    assert traced.parts["weights"] == pytest.approx(4 * 1_854_268_416 / 8, rel=0.001)
    assert 60 << 30 < traced.peak < 68 << 30


@given(st.integers(1, 96), st.integers(0, 120), st.integers(0, 60))
def test_the_largest_microbatch_is_the_largest_divisor_that_fits(rows, room, summed):
    """`summed`: what a step of several microbatches holds besides."""
    asked = []

    def most(n: int) -> int:
        return n + (summed if n < rows else 0)

    def traced(step: TracedStep) -> Memory:
        assert step.rows * step.accumulation == rows
        asked.append(step.rows)
        return Memory(most(step.rows), "", {}, 0, 1)

    fitting = [n for n in range(1, rows + 1) if rows % n == 0 and most(n) <= room]
    assert largest_microbatch(ON_GPUS, rows, room, traced) == max(fitting, default=None)
    assert len(asked) <= 6


def test_whatever_goes_wrong_everything_is_as_before():
    before = (loss.chunk_rows, speech_lm.token_losses, parallel._mesh, torch.nn.Module.to, torch.get_num_threads())
    with pytest.raises(RuntimeError, match="inside"), traced_world(LiveBytes(), 4, "gpu", True) as world:
        assert world.size == 4 and loss.chunk_rows is not before[0]
        raise RuntimeError("inside")
    assert before == (
        loss.chunk_rows,
        speech_lm.token_losses,
        parallel._mesh,
        torch.nn.Module.to,
        torch.get_num_threads(),
    )
    assert not dist.is_initialized() and float(torch.ones(2).sum()) == 2.0
