"""One model on several processes: copies with summed gradients (DDP), or parameters cut among them (FSDP2, HSDP).

Both average gradients over the ranks, so a loss is divided by its own divisor and multiplied by their number first.
Parameters, their gradients in sum and the optimizer stay float32; what is sent to be computed with is bfloat16 where the
run computes in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from vaak.errors import BadInput
from vaak.host import Precision
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import ParallelSettings
from vaak.train.world import World


def parallelise(model: SpeechLM, settings: ParallelSettings, world: World, precision: Precision) -> nn.Module:
    """What to call for a loss: the model itself on one process, else it wrapped (DDP) or cut in place (FSDP2).

    The optimizer is built afterwards, over the parameters that the model then has; `check_shards` has passed. Raises `BadInput`
    if the ranks do not begin with the same weights.
    """
    if world.size == 1:
        return model
    _check_same_weights(model, world)
    if settings.kind == "ddp":
        return DistributedDataParallel(model, gradient_as_bucket_view=True, init_sync=False)
    mesh = _mesh(settings, world)
    # Inputs of a layer stay as they are: the stream between layers is float32 on one process and on many. What differs is that
    # embedding and norms come rounded to bfloat16, as autocast rounds matrices.
    compute = torch.bfloat16 if precision == "bf16" else None
    policy = MixedPrecisionPolicy(
        param_dtype=compute, reduce_dtype=compute and torch.float32, cast_forward_inputs=False
    )
    for layer in model.lm.model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    return model


def _mesh(settings: ParallelSettings, world: World) -> DeviceMesh:
    """The processes in a line, each with its part, or as groups that each hold one copy."""
    shards = settings.shards or world.size
    if shards == world.size:
        return init_device_mesh(world.device.type, (shards,), mesh_dim_names=("shard",))
    return init_device_mesh(world.device.type, (world.size // shards, shards), mesh_dim_names=("replicate", "shard"))


def check_shards(settings: ParallelSettings, world: World) -> None:
    """Raise `BadInput` if the processes do not divide into groups of `shards`."""
    shards = settings.shards or world.size
    if world.size > 1 and world.size % shards:
        raise BadInput(
            f"parallel.shards is {shards}, which does not divide {world.size} processes; take the GPUs of one machine"
        )


@contextmanager
def adding_up(module: nn.Module, last: bool) -> Iterator[None]:
    """Around one microbatch: gradients are exchanged in the last one of a step alone, before it they add up in place."""
    if isinstance(module, DistributedDataParallel) and not last:
        with module.no_sync():
            yield
        return
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
        # Gathered parameters are kept until the step's last backward pass: they do not change before.
        module.set_reshard_after_backward(last)
        module.set_is_last_backward(last)
    yield


def whole(tensor: Tensor) -> Tensor:
    """A tensor that may be cut among ranks as one; where it is, all ranks must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def on_first_rank(tensors: Iterable[tuple[str, Tensor]], world: World) -> dict[str, Tensor]:
    """Whole tensors by name in the memory of the first rank's host, one after the other; empty on the others."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors:
        entire = whole(tensor.detach())
        if world.is_first:
            # Of one process nothing is copied that need not be.
            found[name] = entire if world.size == 1 else entire.cpu()
    return found


def as_part_of(parameter: Tensor, entire: Tensor) -> Tensor:
    """This rank's part of a whole tensor, cut as `parameter` is."""
    if not isinstance(parameter, DTensor):
        return entire.to(parameter.device)
    return distribute_tensor(
        entire.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )


def _check_same_weights(model: SpeechLM, world: World) -> None:
    """Every rank builds the model from the same seed or file; one that read something else would spoil the sum unseen."""
    sums = [float(parameter.detach().double().sum()) for parameter in model.parameters()]
    mean = world.total(sums) / world.size
    different = any(abs(one - average) > 1e-9 * max(abs(one), 1.0) for one, average in zip(sums, mean, strict=True))
    if world.any(different):
        raise BadInput(
            "the ranks began with different weights; give all of them the same base model or checkpoint, and one version of "
            "torch"
        )
