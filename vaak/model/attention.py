"""Attention over packed rows, under one name that transformers' models know: `vaak_packed`.

A row holds several documents and no token may see another document. Attention runs document by document, so what is
not allowed is never computed: given `doc_lens`, one call after another (a CPU); given `doc_bounds`, one kernel for all
of them (a GPU, half precision). Where logits are added to, a GPU gets `row_masks` instead. Without any of them (ordinary
use: generation with a cache, a padded batch, an exported model's own code) the same name behaves exactly as `sdpa`, so no
switch can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

NAME = "vaak_packed"

# Lengths of the documents of each row of a batch; each row's sum to the row's length.
DocLens = Sequence[Sequence[int]]

# Per row and document what is added to its attention logits, [n, n], minus infinity above the diagonal; or None.
DocMasks = Sequence[Sequence[Tensor | None]]


@dataclass(frozen=True)
class DocBounds:
    """Where the documents of a whole batch begin, its rows laid end to end, for a kernel that takes them all at once.

    starts: int32[documents + 1] on the device, the last one the batch's number of tokens; longest: a length that none
    exceeds, one of few values, since a compiled layer is compiled anew for each.
    """

    starts: Tensor
    longest: int


def doc_bounds(doc_lens: DocLens, device: torch.device) -> DocBounds:
    """The bounds of a batch's documents; the copy to a GPU does not wait for it."""
    lengths = np.array([n for row in doc_lens for n in row], np.int32)
    starts = torch.from_numpy(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]))
    if device.type == "cuda":
        starts = starts.pin_memory()
    longest = 1 << (int(lengths.max()) - 1).bit_length()
    return DocBounds(starts.to(device, non_blocking=True), longest)


def row_masks(
    doc_lens: DocLens, doc_bias: Sequence[Sequence[np.ndarray | None]], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """[B, 1, L, L]: `doc_bias` (per document float32[n, n]) inside documents, minus infinity between them and ahead.

    For a GPU: one product over whole rows in place of one for each document.
    """
    length = sum(doc_lens[0])
    numbers = np.stack([np.repeat(np.arange(len(row)), row) for row in doc_lens])
    of = torch.from_numpy(numbers).to(device)
    seen = (of[:, :, None] == of[:, None, :]) & torch.ones(length, length, dtype=torch.bool, device=device).tril()
    masks = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, -torch.inf)
    places, values = [], []
    for row, (lens, biases) in enumerate(zip(doc_lens, doc_bias, strict=True)):
        starts = np.cumsum([0, *lens])[:-1]
        for start, bias in zip(starts, biases, strict=True):
            if bias is not None:  # mostly zero: only the block that is not travels
                rows, columns = np.flatnonzero(bias.any(1)), np.flatnonzero(bias.any(0))
                if len(rows):
                    (top, low), (left, right) = rows[[0, -1]], columns[[0, -1]]
                    values.append(bias[top : low + 1, left : right + 1])
                    places.append((row, start + top, start + left))
    if values:
        flat = torch.from_numpy(np.concatenate([value.ravel() for value in values])).to(device, dtype)
        for (row, top, left), value, part in zip(places, values, flat.split([v.size for v in values]), strict=True):
            masks[row, top : top + value.shape[0], left : left + value.shape[1]] += part.view(value.shape)
    return masks[:, None]


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
    doc_bounds: DocBounds | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Causal attention within each document, given by `doc_lens` or `doc_bounds`; `doc_masks` adds to the logits of some.

    query: [B, heads, L, head_dim]; key and value: [B, key/value heads, L, head_dim].
    Returns [B, L, heads, head_dim], as transformers expects it of a registered attention, and no weights.
    """
    if doc_bounds is not None:
        return _all_at_once(query, key, value, scaling, doc_bounds), None
    if doc_lens is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    return _one_by_one(query, key, value, scaling, dropout, doc_lens, doc_masks), None  # pyright: ignore[reportCallIssue]


def _all_at_once(query: Tensor, key: Tensor, value: Tensor, scaling: float | None, bounds: DocBounds) -> Tensor:
    """[B, heads, L, head_dim] to [B, L, heads, head_dim] by one kernel (flash attention over variable lengths)."""
    batch, heads, length, width = query.shape
    device = query.device.type
    # The kernel is none of those that autocast knows, and rotated queries come in float32.
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else query.dtype
    flat = [
        part.transpose(1, 2).reshape(batch * length, part.shape[1], width).to(dtype) for part in (query, key, value)
    ]
    q, k, v = flat
    out = varlen_attn(
        q, k, v, bounds.starts, bounds.starts, bounds.longest, bounds.longest,
        scale=scaling, window_size=(-1, 0), enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    assert isinstance(out, Tensor)
    return out.view(batch, length, heads, width)


# The lengths of documents are plain numbers here, other ones in every batch: a compiled layer would be compiled anew.
@torch.compiler.disable
def _one_by_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scaling: float | None,
    dropout: float,
    doc_lens: DocLens,
    doc_masks: DocMasks | None,
) -> Tensor:
    """[B, heads, L, head_dim] to [B, L, heads, head_dim], one document after another."""
    length = query.shape[2]
    if doc_masks is None and all(len(row) == 1 for row in doc_lens):
        return _causal(query, key, value, scaling, dropout).transpose(1, 2)  # rows of one document need no cutting
    rows = []
    for b, lens in enumerate(doc_lens):
        lens = [int(n) for n in lens]
        if sum(lens) != length:
            raise ValueError(f"row {b} of the batch: its documents hold {sum(lens)} tokens, the row {length}")
        parts = [part[b : b + 1].split(lens, dim=2) for part in (query, key, value)]
        masks = doc_masks[b] if doc_masks is not None else [None] * len(lens)
        done = [_causal(q, k, v, scaling, dropout, mask) for q, k, v, mask in zip(*parts, masks, strict=True)]
        rows.append(torch.cat(done, dim=2))
    return torch.cat(rows).transpose(1, 2)


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
