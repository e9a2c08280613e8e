"""One token at a time through a Qwen3 or Llama body, with keys and values in preallocated memory.

transformers' `DynamicCache` copies the whole cache at every token, and its attention copies keys and values once more for each
query head that shares them; this loop copies neither. At a few rows a small model spends its time less on arithmetic than on
starting it, so what the body's modules do in many operations is done in few here (`_Layer`), from their own parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaak.errors import BadInput
from vaak.model.speech_lm import SpeechLM

_FAMILIES = ("qwen3", "llama")


class Decoder:
    """The state of `rows` prompts that are continued together: left-padded, so that all of them end at one column.

    `capacity` is the number of columns (longest prompt + tokens to come). Positions count from each row's own first
    token, and no row ever attends to its padding, so a row's values do not depend on its neighbours. A decoder is for one
    batch: it copies parameters, and would not hear of a later change in all of them.
    """

    def __init__(self, model: SpeechLM, rows: int, capacity: int) -> None:
        config = model.config
        if config.model_type not in _FAMILIES or getattr(config, "use_sliding_window", False):
            raise BadInput(f"decoding knows {' and '.join(_FAMILIES)} with full attention, not {config.model_type}")
        body: Any = model.lm.model
        self._embed, self._norm = body.embed_tokens, _norm(body.norm)
        self._layers = [_Layer(layer) for layer in body.layers]
        self._heads, self._kv_heads = config.num_attention_heads, config.num_key_value_heads
        self._head_dim = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        dtype, device = model.head.dtype, model.device
        shape = (config.num_hidden_layers, 2, rows, self._kv_heads, capacity, self._head_dim)
        self._cache = torch.empty(shape, dtype=dtype, device=device)
        # What is added to a query's products with the keys: nothing, or minus infinity where the row has padding or no token yet.
        self._bias = torch.full((rows, capacity), -torch.inf, dtype=dtype, device=device)
        self._lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        self._rotations = _rotations(body.rotary_emb, self._bias)
        self._column = 0

    def prefill(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Read left-padded prompts: ids int64[rows, T], lengths int64[rows]. Returns the last hidden states [rows, H]."""
        columns = ids.shape[1]
        places = torch.arange(columns, device=ids.device)
        own = places[None] >= columns - lengths[:, None]
        self._bias[:, :columns].masked_fill_(own, 0.0)
        self._lengths = lengths
        positions = (places[None] - (columns - lengths)[:, None]).clamp(min=0)
        causal = places[None, :] <= places[:, None]
        # A padding position sees itself: softmax over nothing would be NaN and spread through the values.
        mask = (own[:, None, :] & causal[None]) | torch.eye(columns, dtype=torch.bool, device=ids.device)[None]
        return self._run(ids, positions, mask[:, None])

    def step(self, ids: Tensor) -> Tensor:
        """Read one more token of each row, int64[rows]. Returns hidden states [rows, H]."""
        positions = self._lengths[:, None]
        self._bias[:, self._column] = 0.0
        self._lengths = self._lengths + 1  # a new tensor: `positions` is a view of the old one
        return self._run(ids[:, None], positions, self._bias[:, None, None, : self._column + 1])

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only (int64 indices), so that finished ones cost nothing."""
        old, used = self._cache, self._column
        self._cache = torch.empty((*old.shape[:2], len(rows), *old.shape[3:]), dtype=old.dtype, device=old.device)
        self._cache[..., :used, :] = old[:, :, rows, :, :used]
        self._bias, self._lengths = self._bias[rows], self._lengths[rows]

    def _run(self, ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Hidden states of the last column, [rows, H]; tokens of all rows stand in one axis on the way, [rows * T, H]."""
        rows, columns = ids.shape
        start, self._column = self._column, self._column + columns
        states, rotations = self._embed(ids.flatten()), self._rotations[:, positions]
        for layer, cache in zip(self._layers, self._cache[..., : self._column, :], strict=True):
            heads = layer.query_key_value(layer.before_attention(states)).view(rows, columns, -1, self._head_dim)
            turned, value = heads.split([self._heads + self._kv_heads, self._kv_heads], dim=2)
            turned = _rotate(layer.normalise_heads(turned), rotations)
            attended = self._attend(turned.transpose(1, 2), value.transpose(1, 2), cache, start, mask, layer.scaling)
            states = states + layer.output(attended)
            gate, up = layer.gate_up(layer.before_mlp(states)).chunk(2, dim=-1)
            states = states + layer.down(layer.activation(gate) * up)
        return self._norm(states.view(rows, columns, -1)[:, -1])

    def _attend(self, turned: Tensor, value: Tensor, cache: Tensor, start: int, mask: Tensor, scaling: float) -> Tensor:
        """Queries and keys [rows, heads, T, D] and values to [rows * T, query heads * D]; the cache ends with these tokens."""
        query, key = turned.split([self._heads, self._kv_heads], dim=1)
        keys, values = cache[0], cache[1]
        keys[:, :, start:] = key
        values[:, :, start:] = value
        rows, _, columns, _ = query.shape
        if columns == 1:
            # Query heads that share a key head stand in for query positions: nothing is repeated in memory.
            query = query.reshape(rows, self._kv_heads, -1, self._head_dim)
            out = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scaling)
            return out.reshape(rows, -1)
        shared = self._heads != self._kv_heads
        out = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scaling, enable_gqa=shared)
        return out.transpose(1, 2).reshape(rows * columns, -1)


class _Layer:
    """A layer's own modules and what replaces several of them."""

    def __init__(self, layer: Any) -> None:
        block, mlp = layer.self_attn, layer.mlp
        self.before_attention, self.before_mlp = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm)
        self.query_key_value = _joined(block.q_proj, block.k_proj, block.v_proj)
        self.normalise_heads, self.scaling, self.output = _head_norm(block), block.scaling, block.o_proj
        self.gate_up, self.activation, self.down = _joined(mlp.gate_proj, mlp.up_proj), mlp.act_fn, mlp.down_proj


def _joined(*parts: nn.Module) -> Callable[[Tensor], Tensor]:
    """Linear layers of one input as one product, [..., all their outputs]."""
    linear = [part for part in parts if type(part) is nn.Linear]
    if len(linear) < len(parts) or linear[0].weight.device.type != "cpu":
        # Adapters have products of their own, and on a GPU memory is dearer than the start of an operation.
        return lambda states: torch.cat([part(states) for part in parts], dim=-1)
    weight = torch.cat([part.weight for part in linear])
    bias = None if linear[0].bias is None else torch.cat([part.bias for part in linear])
    return lambda states: F.linear(states, weight, bias)


def _head_norm(block: Any) -> Callable[[Tensor], Tensor]:
    """Qwen3 normalises queries and keys per head, [..., query heads + key heads, D], Llama does not."""
    if not hasattr(block, "q_norm"):
        return lambda states: states
    size = block.head_dim
    gains = [
        norm.weight.expand(projection.out_features // size, size)
        for norm, projection in ((block.q_norm, block.q_proj), (block.k_norm, block.k_proj))
    ]
    return _root_mean_square(torch.cat(gains), block.q_norm.variance_epsilon)


def _norm(module: Any) -> Callable[[Tensor], Tensor]:
    return _root_mean_square(module.weight, module.variance_epsilon)


def _root_mean_square(gain: Tensor, epsilon: float) -> Callable[[Tensor], Tensor]:
    """RMSNorm (Zhang and Sennrich 2019), x / sqrt(mean(x²) + ε) · gain, in four operations instead of eight.

    Over n numbers the root is hypot(‖x‖, sqrt(n ε)) / sqrt(n).
    """
    root = gain.shape[-1] ** 0.5
    scaled, least = gain * root, torch.tensor(root * epsilon**0.5, device=gain.device)

    def normalised(states: Tensor) -> Tensor:
        lengths = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=torch.float32)
        return (states / lengths.hypot_(least) * scaled).to(states.dtype)

    return normalised


def _rotations(embedding: Any, like: Tensor) -> Tensor:
    """Cosines and signed sines for `_rotate`, [2, positions, 1, D]: as many positions as `like` [rows, positions] has."""
    cos, sin = embedding(like, torch.arange(like.shape[1], device=like.device)[None])
    low, high = sin[0].chunk(2, dim=-1)
    return torch.stack([cos[0], torch.cat([-low, high], dim=-1)])[:, :, None]


def _rotate(states: Tensor, rotations: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) in the half-split layout of Llama and Qwen; states [B, T, heads, D]."""
    cos, sin = rotations
    return states * cos + states.roll(states.shape[-1] // 2, dims=-1) * sin
