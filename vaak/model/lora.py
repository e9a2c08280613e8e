"""LoRA: a frozen base whose matrices have small trained ones beside them (`peft`), and new vocabulary rows that are trained.

The rows of the base vocabulary are a frozen parameter of their own, and the new rows another: what no optimizer ever
sees cannot be moved by decay or by a momentum, is in no gradient norm, and is cut among processes like anything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaak.errors import BadInput
from vaak.model.settings import LoraSettings
from vaak.model.speech_lm import SpeechLM

# How peft names what it puts into a layer, and what the rows below are called.
_INSIDE, _A, _B = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
_BASE, _NEW = ".base_rows", ".new_rows"


class _Rows(nn.Module):
    """Vocabulary rows of which the first are frozen; `weight` is all of them, [padded vocabulary, hidden]."""

    def __init__(self, base_rows: nn.Parameter, new_rows: nn.Parameter) -> None:
        super().__init__()
        self.base_rows, self.new_rows = base_rows, new_rows

    @property
    def weight(self) -> Tensor:
        return torch.cat([self.base_rows, self.new_rows])


class _Embedding(_Rows):
    def forward(self, ids: Tensor) -> Tensor:
        """[..., hidden]; without `weight`, which would be a copy of the whole vocabulary and a gradient of that size."""
        first_new = len(self.base_rows)
        base = F.embedding(ids.clamp(max=first_new - 1), self.base_rows)
        new = F.embedding((ids - first_new).clamp(min=0), self.new_rows)
        return torch.where((ids < first_new)[..., None], base, new)


class _Head(_Rows):
    def forward(self, states: Tensor) -> Tensor:
        return F.linear(states, self.weight)


def add_lora(model: SpeechLM, settings: LoraSettings, seed: int) -> None:
    """Freeze a model and put into it what is trained instead, in place: adapters, and its rows from `base_size` on.

    What it computes is at first the same to the bit. The same seed gives the same adapters. Raises `BadInput` without peft.
    """
    require_peft()
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model.lm)
    embedding, head = model.lm.get_input_embeddings(), model.lm.get_output_embeddings()
    tied = head.weight is embedding.weight
    base_size = model.vocabulary.base_size
    rows = _split(embedding.weight, base_size)
    model.lm.set_input_embeddings(_Embedding(*rows))
    model.lm.set_output_embeddings(_Head(*(rows if tied else _split(head.weight, base_size))))


def require_peft() -> None:
    """Raises `BadInput` where peft is not installed."""
    try:
        import peft  # noqa: F401
    except ImportError as error:
        raise BadInput("the recipe's lora needs peft; `pip install vaak[lora]`") from error


def _split(weight: Tensor, base_size: int) -> tuple[nn.Parameter, nn.Parameter]:
    rows = weight.detach()
    return (
        nn.Parameter(rows[:base_size].clone(), requires_grad=False),
        nn.Parameter(rows[base_size:].clone()),
    )


def trained_tensors(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the tensors of `model.lm` by name, those that LoRA trains: adapters and new rows. Tied rows may have both their names."""
    return {name: tensor for name, tensor in held.items() if name.endswith((_A, _B, _NEW))}


def load_trained(model: SpeechLM, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `trained_tensors` gave. Raises `BadInput` where it is not that of a model made by `add_lora` alike."""
    own = {name: parameter for name, parameter in model.lm.named_parameters() if parameter.requires_grad}
    wrong = sorted(own.keys() - tensors.keys()) or [n for n in own if own[n].shape != tensors[n].shape]
    if wrong:
        raise BadInput(f"the checkpoint's LoRA tensors do not fit this model ({wrong[0]}); resume with its own recipe")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def merged_weights(held: Mapping[str, Tensor], settings: LoraSettings) -> dict[str, Tensor]:
    """The tensors of `model.lm` by name as an ordinary model's: W + (alpha / rank) B A, and rows in one matrix.

    The model itself stays as it is. What is put together is computed in the parameters' own type where they are, and kept in
    the host's memory: a GPU has no room for every matrix twice.
    """
    merged = {}
    for name, tensor in held.items():
        if name.endswith((_A, _B, _NEW)):
            continue
        if name.endswith(_BASE):
            before = name.removesuffix(_BASE)
            merged[f"{before}.weight"] = torch.cat([tensor, held[before + _NEW]]).cpu()
        elif name.endswith(f"{_INSIDE}weight"):
            before = name.removesuffix(f"{_INSIDE}weight")
            a, b = held[before + _A], held[before + _B]
            merged[f"{before}.weight"] = torch.addmm(tensor, b, a, alpha=settings.scale).cpu()
        else:
            merged[name.replace(_INSIDE, ".")] = tensor
    return merged


def frozen_hash(model: SpeechLM) -> str:
    """SHA-256 of all that LoRA leaves as it was: by it a resumed run knows its base again."""
    digest = hashlib.sha256()
    for name, parameter in model.lm.named_parameters():
        if not parameter.requires_grad:
            digest.update(name.encode())
            digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def describe(model: SpeechLM, settings: LoraSettings) -> str:
    """One sentence about how much is trained."""
    parameters: list[Any] = list(model.lm.parameters())
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    total = sum(one.numel() for one in parameters)
    rows = model.vocabulary.size - model.vocabulary.base_size
    return (
        f"lora: {trained / 1e6:.1f} M of {total / 1e6:.1f} M parameters are trained (rank {settings.rank}, "
        f"{len(settings.targets)} matrices a layer, {rows:,} new rows)"
    )
