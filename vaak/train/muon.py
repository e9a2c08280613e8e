"""Muon: matrices are stepped along their momentum made orthogonal, everything else by AdamW.

A gradient of a matrix is dominated by few directions; making all its singular values alike lets the others learn as fast.
The method is Keller Jordan's (2024), with the size of the step of Liu et al. (2025, "Muon is scalable for LLM training"),
which lets AdamW's rates and decay stand. Matrices are cut into blocks, each made orthogonal by itself, for fewer products:
with four iterations the demo's fine-tuning ended at 3.697 nats of validation, with whole matrices and five at 3.713 (427
steps, one run each). docs/train.md has what it gained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaak.train.parallel import as_part_of, whole

# Of the odd polynomial a x + b x^3 + c x^5 that, applied again and again, draws singular values in (0, 1] towards 1
# (Jordan, 2024). Near 1 is near enough for a step; tests/train/test_muon.py has how near.
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
ITERATIONS = 4

# Rows, or columns if these are fewer, of a block.
BLOCK = 128


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices whose blocks have the singular vectors of those of `matrices` and singular values of about 1.

    [n, rows, columns] in and out. Newton-Schulz iteration in the precision of its input; what is zero stays zero.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    n, rows, columns = x.shape
    height = BLOCK if rows % BLOCK == 0 else rows
    x = x.reshape(n * rows // height, height, columns)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    a, b, c = POLYNOMIAL
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.reshape(n, rows, columns)
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Steps `matrices` itself and leaves the rest to `others`; rates and state of both are found in this one.

    Directions are made orthogonal in `compute`, which may be bfloat16: singular values near 1 are near enough. Parameters
    and momentum keep their own type.
    """

    def __init__(
        self,
        matrices: Sequence[Tensor],
        others: torch.optim.AdamW,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        compute: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(list(matrices), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._others = others
        self._compute = compute
        self._own = self.param_groups[0]
        # The same objects in both: a rate that is set and a state that is loaded reach where they are used.
        self.param_groups = [self._own, *others.param_groups]
        self.state = others.state

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step; parameters without a gradient stay as they are."""
        self._others.step()
        alike: dict[tuple[int, ...], list[Tensor]] = {}
        for parameter in self._own["params"]:
            if parameter.grad is not None:
                alike.setdefault(tuple(parameter.shape), []).append(parameter)
        for parameters in alike.values():
            self._step_alike(parameters)

    def _step_alike(self, parameters: list[Tensor]) -> None:
        """Matrices of one shape, whose products are taken together: one by one they are too small for a core."""
        lr, momentum, decay = self._own["lr"], self._own["momentum"], self._own["weight_decay"]
        ahead = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].mul_(momentum).add_(parameter.grad)
            ahead.append(parameter.grad.add(state["momentum"], alpha=momentum))  # pyright: ignore
        # Its root mean square is then that of a typical step of AdamW.
        size = 0.2 * max(parameters[0].shape) ** 0.5
        # A direction follows from the whole matrix: where it is cut among ranks, each makes it anew and keeps its own part.
        together = torch.stack([whole(one.to(self._compute)) for one in ahead])
        for parameter, direction in zip(parameters, orthogonal(together), strict=True):
            part = as_part_of(parameter, direction.to(parameter.dtype))
            parameter.mul_(1 - lr * decay).add_(part, alpha=-lr * size)
