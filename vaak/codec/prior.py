"""How well the codes can be foreseen from those before them: what a language model will pay for each of them.

A codec that is trained for sound alone spends its levels on differences that nobody hears and no model can foresee.
With the cost of its codes in the loss, under a small model of their order that is learned beside it, it does so only
where that buys sound: rate and distortion, as in learned compression (Ballé et al., 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Prior(nn.Module):
    """Foresees each digit of a code from the 25 codes before it (half a second) and from the code's earlier digits."""

    def __init__(self, levels: Sequence[int], width: int = 96) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.inlet = nn.Conv1d(len(levels), width, 9)
        self.deep = nn.Conv1d(width, width, 9, dilation=2)
        # A digit also hears the earlier digits of its own code.
        self.heads = nn.ModuleList(nn.Linear(width + digit, count) for digit, count in enumerate(levels))

    def forward(self, bounded: Tensor) -> Tensor:
        """Mean cost of a code in nats, a scalar; `bounded` [B, N, D] are the quantiser's numbers before rounding, one
        apart from level to level.

        A number between two levels pays for both, each by its nearness: the slope leads to the cheaper one.
        """
        half = bounded.new_tensor([count // 2 for count in self.levels])
        place = bounded + half
        rounded = place.round()
        known = ((rounded - half) / half).detach()
        past = functional.pad(known, (0, 0, 25, 0))[:, :-1].transpose(1, 2)
        hidden = functional.silu(self.deep(functional.silu(self.inlet(past)))).transpose(1, 2)
        cost = bounded.new_zeros(())
        for digit, (head, count) in enumerate(zip(self.heads, self.levels, strict=True)):
            chances = head(torch.cat([hidden, known[..., :digit]], -1)).log_softmax(-1)
            low = place[..., digit].detach().floor().clamp(0, count - 2)
            nearness = (place[..., digit] - low).clamp(0, 1)
            two = torch.stack([low, low + 1], -1).long()
            below, above = chances.gather(-1, two).unbind(-1)
            cost = cost - ((1 - nearness) * below + nearness * above).mean()
        return cost
