"""Attention over packed rows, under one name that transformers' models know: `vaak_packed`.

A row holds several documents and no token may see another document. Given `doc_lens`, attention runs document by
document, so what is not allowed is never computed. Without `doc_lens` (ordinary use: generation with a cache, a
padded batch, an exported model's own code) the same name behaves exactly as `sdpa`, so no switch can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

NAME = "vaak_packed"

# Lengths of the documents of each row of a batch; each row's sum to the row's length.
DocLens = Sequence[Sequence[int]]

# Per row and document what is added to its attention logits, [n, n], minus infinity above the diagonal; or None.
DocMasks = Sequence[Sequence[Tensor | None]]


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    doc_lens: DocLens | None = None,
    doc_masks: DocMasks | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Causal attention within each document; `doc_masks` adds to the logits of some.

    query: [B, heads, L, head_dim]; key and value: [B, key/value heads, L, head_dim].
    Returns [B, L, heads, head_dim], as transformers expects it of a registered attention, and no weights.
    """
    if doc_lens is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    length = query.shape[2]
    if doc_masks is None and all(len(row) == 1 for row in doc_lens):
        out = _causal(query, key, value, scaling, dropout)  # rows of one document each need no cutting
        return out.transpose(1, 2), None
    rows = []
    for b, lens in enumerate(doc_lens):
        lens = [int(n) for n in lens]
        if sum(lens) != length:
            raise ValueError(f"row {b} of the batch: its documents hold {sum(lens)} tokens, the row {length}")
        parts = [part[b : b + 1].split(lens, dim=2) for part in (query, key, value)]
        masks = doc_masks[b] if doc_masks is not None else [None] * len(lens)
        done = [_causal(q, k, v, scaling, dropout, mask) for q, k, v, mask in zip(*parts, masks, strict=True)]
        rows.append(torch.cat(done, dim=2))
    return torch.cat(rows).transpose(1, 2), None


def _causal(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, dropout: float, mask: Tensor | None = None
) -> Tensor:
    grouped = query.shape[1] != key.shape[1]
    if mask is not None:
        mask = mask.to(query.dtype)
    return F.scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=grouped
    )


def no_mask(device: torch.device) -> Tensor:
    """What to pass as `attention_mask` with `doc_lens`: four dimensions tell transformers not to build one itself."""
    return torch.empty(1, 1, 1, 1, device=device)


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
