"""One token at a time through a Qwen3 or Llama body, with keys and values in preallocated memory.

The body's own modules do the arithmetic (projections, norms, rotary embedding); only the order of calls and the
cache are written here. transformers' `DynamicCache` copies the whole cache at every token, and its attention copies
keys and values once more for each query head that shares them; this loop copies neither.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vaak.errors import BadInput
from vaak.model.speech_lm import SpeechLM

_FAMILIES = ("qwen3", "llama")


class Decoder:
    """The state of `rows` prompts that are continued together: left-padded, so that all of them end at one column.

    `capacity` is the number of columns (longest prompt + tokens to come). Positions count from each row's own first
    token, and no row ever attends to its padding, so a row's values do not depend on its neighbours.
    """

    def __init__(self, model: SpeechLM, rows: int, capacity: int) -> None:
        config = model.config
        if config.model_type not in _FAMILIES or getattr(config, "use_sliding_window", False):
            raise BadInput(f"decoding knows {' and '.join(_FAMILIES)} with full attention, not {config.model_type}")
        self._body: Any = model.lm.model
        self._heads, self._kv_heads = config.num_attention_heads, config.num_key_value_heads
        self._head_dim = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        shape = (config.num_hidden_layers, 2, rows, self._kv_heads, capacity, self._head_dim)
        self._cache = torch.empty(shape, dtype=model.head.dtype, device=model.device)
        self._allowed = torch.zeros(rows, capacity, dtype=torch.bool, device=model.device)
        self._lengths = torch.zeros(rows, dtype=torch.int64, device=model.device)
        self._column = 0

    def prefill(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Read left-padded prompts: ids int64[rows, T], lengths int64[rows]. Returns the last hidden states [rows, H]."""
        columns = ids.shape[1]
        places = torch.arange(columns, device=ids.device)
        own = places[None] >= columns - lengths[:, None]
        self._allowed[:, :columns] = own
        self._lengths = lengths
        positions = (places[None] - (columns - lengths)[:, None]).clamp(min=0)
        causal = places[None, :] <= places[:, None]
        # A padding position sees itself: softmax over nothing would be NaN and spread through the values.
        mask = (own[:, None, :] & causal[None]) | torch.eye(columns, dtype=torch.bool, device=ids.device)[None]
        return self._run(ids, positions, mask[:, None])[:, -1]

    def step(self, ids: Tensor) -> Tensor:
        """Read one more token of each row, int64[rows]. Returns hidden states [rows, H]."""
        positions = self._lengths[:, None]
        self._allowed[:, self._column] = True
        self._lengths = self._lengths + 1  # a new tensor: `positions` is a view of the old one
        return self._run(ids[:, None], positions, self._allowed[:, None, None, : self._column + 1])[:, -1]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only (int64 indices), so that finished ones cost nothing."""
        old, used = self._cache, self._column
        self._cache = torch.empty((*old.shape[:2], len(rows), *old.shape[3:]), dtype=old.dtype, device=old.device)
        self._cache[..., :used, :] = old[:, :, rows, :, :used]
        self._allowed, self._lengths = self._allowed[rows], self._lengths[rows]

    def _run(self, ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        start, self._column = self._column, self._column + ids.shape[1]
        states = self._body.embed_tokens(ids)
        rotation = self._body.rotary_emb(states, positions)
        for layer, cache in zip(self._body.layers, self._cache, strict=True):
            attended = self._attend(layer.self_attn, layer.input_layernorm(states), rotation, cache, start, mask)
            states = states + attended
            states = states + layer.mlp(layer.post_attention_layernorm(states))
        return self._body.norm(states)

    def _attend(self, block: Any, states: Tensor, rotation, cache: Tensor, start: int, mask: Tensor) -> Tensor:
        rows, columns, _ = states.shape
        query = block.q_proj(states).view(rows, columns, self._heads, self._head_dim)
        key = block.k_proj(states).view(rows, columns, self._kv_heads, self._head_dim)
        value = block.v_proj(states).view(rows, columns, self._kv_heads, self._head_dim)
        if hasattr(block, "q_norm"):  # Qwen3 normalises queries and keys per head, Llama does not
            query, key = block.q_norm(query), block.k_norm(key)
        query, key = _rotate(query.transpose(1, 2), rotation), _rotate(key.transpose(1, 2), rotation)
        end = start + columns
        cache[0][:, :, start:end] = key
        cache[1][:, :, start:end] = value.transpose(1, 2)
        keys, values = cache[0][:, :, :end], cache[1][:, :, :end]
        if columns == 1:
            # Query heads that share a key head stand in for query positions: nothing is repeated in memory.
            query = query.view(rows, self._kv_heads, -1, self._head_dim)
            out = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=block.scaling)
            out = out.reshape(rows, 1, -1)
        else:
            out = F.scaled_dot_product_attention(
                query, keys, values, attn_mask=mask, scale=block.scaling, enable_gqa=self._heads != self._kv_heads
            )
            out = out.transpose(1, 2).reshape(rows, columns, -1)
        return block.o_proj(out)


def _rotate(states: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al. 2021) in the half-split layout of Llama and Qwen; states [B, heads, T, D]."""
    cos, sin = (part[:, None] for part in rotation)
    low, high = states.chunk(2, dim=-1)
    return states * cos + torch.cat([-high, low], dim=-1) * sin
