"""The optimizer over float32 parameters, and its state as named tensors."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vaak.errors import BadInput
from vaak.host import Precision
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import OptimizerSettings
from vaak.storage.tensors import fill_tensors, shapes_of
from vaak.train.muon import Muon


def build_optimizer(
    model: SpeechLM, settings: OptimizerSettings, lr: float, precision: Precision = "fp32"
) -> torch.optim.Optimizer:
    """AdamW, or Muon for the matrices and AdamW for the rest; Muon's own products are computed in `precision`.

    The embedding, which a tied head shares, is none of the matrices; weight decay is for matrices, and for the embedding
    where the settings say so.
    """
    # Modules are asked and not weights: with LoRA, rows that are trained are parameters beside frozen ones.
    embedding, head = (
        {id(parameter) for parameter in module.parameters()}
        for module in (model.lm.get_input_embeddings(), model.lm.get_output_embeddings())
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2 and id(p) not in embedding]
    others = [p for p in trained if p.ndim < 2]
    rows = [p for p in trained if id(p) in embedding]
    decay = settings.weight_decay
    undecayed = [(others, 0.0), (rows, decay if settings.decay_embedding else 0.0)]
    if settings.kind == "adamw":
        return _adamw([(matrices, decay), *undecayed], settings, lr)
    hidden = [p for p in matrices if id(p) not in head]
    untied = [p for p in matrices if id(p) in head]
    rest = _adamw([(untied, decay), *undecayed], settings, lr)
    compute = torch.bfloat16 if precision == "bf16" else torch.float32
    return Muon(hidden, rest, lr=lr, momentum=settings.momentum, weight_decay=decay, compute=compute)


def _adamw(
    groups: list[tuple[list[torch.nn.Parameter], float]], settings: OptimizerSettings, lr: float
) -> torch.optim.AdamW:
    """AdamW over groups of parameters, each with its weight decay; empty groups are left out."""
    filled = [{"params": params, "weight_decay": decay} for params, decay in groups if params]
    return torch.optim.AdamW(filled, lr=lr, betas=settings.betas, eps=settings.eps, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_tensors(model: SpeechLM, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by `name of the value/name of the parameter`; what has not been stepped yet is absent."""
    return {
        f"{key}/{name}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


# What stands beside the optimizer's own tensors in a checkpoint: random states and LoRA's tensors, before "/".
BESIDE = ("rng", "cuda_rng", "lora")


def load_optimizer(model: SpeechLM, optimizer: torch.optim.Optimizer, folder: str | Path) -> None:
    """Put back what `optimizer_tensors` gave and `write_tensors` stored; each process reads its part alone.

    Raises `BadInput` for state of a parameter that the model does not have, and for a damaged file.
    """
    parameters = dict(model.named_parameters())
    found: dict[str, Tensor] = {}
    for key, shape in shapes_of(folder).items():
        what, _, name = key.partition("/")
        if what in BESIDE:
            continue
        if name not in parameters or (shape and shape != parameters[name].shape):
            raise BadInput(
                f"the optimizer state in {folder} holds {key}, which this model has not; resume with the model that saved it"
            )
        # Fused AdamW keeps its step counter on the parameter's device as well.
        parameter = parameters[name].detach()
        found[key] = torch.zeros_like(parameter) if shape else torch.zeros((), device=parameter.device)
    for key, value in fill_tensors(folder, found).items():
        what, _, name = key.partition("/")
        optimizer.state[parameters[name]][what] = value
