"""Next-token cross-entropy over a large vocabulary, without ever holding tokens x vocabulary logits.

The head's product, the softmax and both gradients are computed together for one chunk of tokens after another, in
the forward pass; the backward pass only scales them. Losses per token come out of the same pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Logits of one chunk, in bytes. On a GPU the matrix product wants many rows.
CHUNK_BYTES = 512 << 20
# On a CPU a chunk that stays in the last-level cache is quickest, as long as that leaves the product enough rows: 2,048 tokens
# over 65,920 entries took 1.83 s in chunks of 64 rows, 1.34 of 256, 1.26 of 512. But 512 at 217,000 are 420 MiB.
CACHED_BYTES, MOST_BYTES = 8 << 20, 72 << 20
ENOUGH_ROWS, FEWEST_ROWS = 512, 64

# Below this probability of a target, log p says little; the loss is then taken from logits. It is 69 nats.
FAINT = 1e-30


def chunk_rows(vocabulary_size: int, device_type: str) -> int:
    """How many tokens a chunk holds."""
    row = 4 * vocabulary_size
    if device_type != "cpu":
        return max(FEWEST_ROWS, CHUNK_BYTES // row)
    rows = max(CACHED_BYTES // row, min(ENOUGH_ROWS, MOST_BYTES // row))
    return max(FEWEST_ROWS, rows - rows % FEWEST_ROWS)


def token_losses(
    hidden: Tensor, weight: Tensor, labels: Tensor, size: int, rows: int | None = None
) -> tuple[Tensor, Tensor]:
    """Summed and per-token cross-entropy, in nats.

    hidden: [n, d], the state at each predicted position; weight: [padded vocabulary, d], the head;
    labels: int64[n], each in 0..size-1 (positions without a target are left out by the caller);
    size: rows of the head that are real; the padding after them has no part in the softmax and gets no gradient;
    rows: tokens per chunk, by default chosen by bytes.
    Returns (scalar with gradient, float32[n] without). The softmax is computed in float32 (in float64 for states in
    float64, with which tests compare); the matrix products in the autocast type if autocast is on, else in `hidden`'s.
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    rows = rows or chunk_rows(size, device)
    with torch.autocast(device, enabled=False):
        return _TokenLosses.apply(hidden, weight, labels, size, rows, dtype)  # pyright: ignore[reportReturnType]


class _TokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, labels: Tensor, size: int, rows: int, dtype: torch.dtype):
        head = weight[:size].to(dtype)
        need_hidden, need_weight = ctx.needs_input_grad[:2]
        fine = torch.promote_types(dtype, torch.float32)
        losses = torch.empty(len(hidden), dtype=fine, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if need_hidden else None
        d_weight = torch.zeros_like(weight, dtype=fine) if need_weight else None
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            states, targets = hidden[part].to(dtype), labels[part, None]
            logits = torch.mm(states, head.t()).to(fine)
            losses[part], probabilities = _softmax(logits, targets, states, head)
            if need_hidden or need_weight:
                # d loss / d logits = softmax - one-hot
                slope = probabilities.scatter_add_(1, targets, torch.full_like(targets, -1, dtype=fine)).to(dtype)
                if d_hidden is not None:
                    d_hidden[part] = torch.mm(slope, head)
                if d_weight is not None:
                    if dtype == fine:
                        d_weight[:size].addmm_(slope.t(), states)
                    else:
                        d_weight[:size] += torch.mm(slope.t(), states)
                del slope
            del logits, probabilities  # before the next chunk's are there
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.weight_dtype = weight.dtype
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx, *grads: Tensor):
        d_hidden, d_weight = ctx.saved_tensors
        grad = grads[0]
        return (
            d_hidden.mul_(grad) if d_hidden is not None else None,
            d_weight.mul_(grad).to(ctx.weight_dtype) if d_weight is not None else None,
            None,
            None,
            None,
            None,
        )


def _softmax(logits: Tensor, targets: Tensor, states: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """(losses [n], probabilities [n, size]) of logits = states @ head.t(); the probabilities take the logits' memory."""
    if logits.device.type == "cpu":
        return _softmax_on_cpu(logits, targets, states, head)
    return _softmax_without_waiting(logits, targets)


def _softmax_without_waiting(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """log Z from the largest logit and its probability (at least 1/size, so its logarithm is safe): a GPU reads once more and
    nobody waits to see whether it was needed."""
    chosen = logits.gather(1, targets)[:, 0]
    top, where = logits.max(dim=1)
    probabilities = torch.softmax(logits, dim=1, out=logits)
    log_z = top - probabilities.gather(1, where[:, None])[:, 0].log()
    return log_z - chosen, probabilities


def _softmax_on_cpu(logits: Tensor, targets: Tensor, states: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """-log p is the loss unless p is faint, and then the logits of those few tokens are computed again."""
    probabilities = torch.softmax(logits, dim=1, out=logits)
    p = probabilities.gather(1, targets)[:, 0]
    losses = -p.log()
    faint = (~(p > FAINT)).nonzero()[:, 0]  # NaN is faint, too
    if len(faint):
        again = torch.mm(states[faint], head.t()).to(logits.dtype)
        losses[faint] = torch.logsumexp(again, dim=1) - again.gather(1, targets[faint])[:, 0]
    return losses, probabilities
