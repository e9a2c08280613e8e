"""What a model does to each of its layers alike: computing activations again, and compiling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from vaak.model.speech_lm import SpeechLM

# Dear to compute, cheap to keep: results of matrix products and of attention, the kinds that PyTorch has of it.
_KEPT = (
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "torch_attn::_varlen_attn",
)


def recompute_layers(model: SpeechLM, how: Literal["none", "selective", "full"]) -> None:
    """What the backward pass computes again. full: every layer from its input; selective: all of a layer but matrix
    products and attention, whose results are kept."""
    if how == "none":
        return
    options: dict[str, Any] = {"use_reentrant": False}
    if how == "selective":
        options["context_fn"] = partial(create_selective_checkpoint_contexts, _keep_dear_results)
    for layer in model.lm.model.layers:
        layer.forward = _recomputed(layer.forward, options)


def compile_layers(model: SpeechLM) -> None:
    """Compile the forward pass of each layer in place, at its first use; layers alike share what is compiled.

    Call it after `recompute_layers`: what decides on recomputing must lie inside of what is compiled. What a layer does
    around its forward pass (gathering parameters that are cut among processes) stays outside.
    """
    for layer in model.lm.model.layers:
        layer.forward = torch.compile(layer.forward)


def _recomputed(forward: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled():
            return checkpoint(forward, *args, **options, **kwargs)
        return forward(*args, **kwargs)

    return call


def _keep_dear_results(_: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    name = operation._schema.name if isinstance(operation, torch._ops.OpOverload) else ""
    return CheckpointPolicy.MUST_SAVE if name in _KEPT else CheckpointPolicy.PREFER_RECOMPUTE
