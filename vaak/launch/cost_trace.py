"""A training step run without data, weights, GPU or other ranks: which pieces of it are stood in for, and by what.

Everything else is the code that trains: the model, its cutting among ranks, forward, loss, backward, clipping, update. PyTorch
without CUDA has no fake GPU tensors that carry gradients, so the fake tensors say that they lie on a CPU, and where Vaak asks for
the device its choice for a GPU is put in here by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools import fake_collectives  # noqa: F401  (collectives of fake tensors, registered by the import)
from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.overrides import TorchFunctionMode
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import _disable_current_modes

from vaak.launch.cost_tracker import LiveBytes
from vaak.model import attention, loss, speech_lm
from vaak.train import parallel
from vaak.train.world import World

Path = Literal["gpu", "cpu"]

_SHAPES = "_propagate_tensor_meta_non_cached"


class FakeWorld(World):
    """The first of `size` ranks, all of which have the same numbers to tell."""

    def total(self, numbers: Any) -> NDArray[np.float64]:
        return np.array(numbers, np.float64) * self.size


@contextmanager
def traced_world(live: LiveBytes, size: int, path: Path, bf16: bool) -> Iterator[FakeWorld]:
    """Inside, tensors are fake and counted by `live`, and a step takes the way that it takes on a GPU or on a CPU.

    size: of the world; its collectives do nothing. No thread may train or trace beside it: modules are changed meanwhile, and
    put back. A process group must not be there yet.
    """
    threads = torch.get_num_threads()
    with ExitStack() as stack:
        if size > 1:
            dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=size)
            stack.callback(dist.destroy_process_group)
        for owner, name, new in [*_for_tracing(live), *(_for_gpu(live, bf16) if path == "gpu" else [])]:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, new)
        torch.set_num_threads(
            1
        )  # a CPU with several computes as many microbatches at once, each with its own activations
        stack.callback(torch.set_num_threads, threads)
        for mode in (FakeTensorMode(allow_non_fake_inputs=True), _NoValues(), live):
            stack.enter_context(mode)
        yield FakeWorld(0, size)


class _Buckets(nn.Module):
    """DDP's memory, whose own code looks at numbers: in a step's last microbatch each gradient, once it is there, is copied into
    a bucket that stays."""

    def __init__(self, module: nn.Module, **_: Any) -> None:
        super().__init__()
        self.module, self.exchanging = module, True
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(
                    self._into(torch.empty_like(parameter, requires_grad=False))
                )

    def forward(self, batch: Any) -> Any:
        return self.module(batch)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        self.exchanging = False
        yield
        self.exchanging = True

    def _into(self, bucket: Tensor) -> Callable[[Tensor], None]:
        def call(parameter: Tensor) -> None:
            if self.exchanging:
                parameter.grad = bucket

        return call


class _NoValues(TorchFunctionMode):
    """What leaves a fake tensor for numpy is zeros."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.numpy:
            return np.zeros(args[0].shape, np.float32)
        return func(*args, **(kwargs or {}))


def _for_tracing(live: LiveBytes) -> list[tuple[Any, str, Any]]:
    """(owner, name, what stands there meanwhile): sees what no operation tells, says what memory is for."""
    resize, losses = torch.UntypedStorage.resize_, speech_lm.token_losses
    forward = speech_lm.SpeechLM.forward_loss

    def resized(storage: torch.UntypedStorage, size: int) -> None:
        resize(storage, size)
        live.resized(storage)

    def uncounted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with _disable_current_modes():
                return function(*args)

        return call

    def counted_forward(model: Any, batch: Any) -> Any:
        live.doing = "forward"
        return forward(model, batch)

    def counted_losses(*args: Any, **kwargs: Any) -> Any:
        live.doing = "loss"
        with live.counting("loss"):
            found = losses(*args, **kwargs)
        live.doing = "backward"
        return found

    return [
        (torch.UntypedStorage, "resize_", resized),
        (nn.Module, "to", lambda module, *_, **__: module),  # everything lies where it is (peft moves what it makes)
        (parallel, "_mesh", uncounted(parallel._mesh)),  # a mesh's ranks are values that are looked at
        # With fakes of its own, of whole tensors, DTensor finds out shapes; in a real run these take no memory.
        (ShardingPropagator, _SHAPES, uncounted(getattr(ShardingPropagator, _SHAPES))),
        (speech_lm.SpeechLM, "forward_loss", counted_forward),
        (speech_lm, "token_losses", counted_losses),
        (parallel, "DistributedDataParallel", _Buckets),
        (FSDPParamGroup, "unshard", _gathering(live, FSDPParamGroup.unshard)),
        (FSDPParamGroup, "wait_for_unshard", _gathering(live, FSDPParamGroup.wait_for_unshard)),
        (FSDPParamGroup, "post_backward", _reducing(live, FSDPParamGroup.post_backward)),
    ]


def _gathering(live: LiveBytes, method: Callable[..., None]) -> Callable[..., None]:
    """What FSDP makes to gather parameters is counted as such; the gradients of gathered ones as gradients."""
    seen: set[int] = set()

    def call(group: Any, *args: Any) -> None:
        with live.counting("gathered"):
            method(group, *args)
        for one in group.fsdp_params:
            gathered = getattr(one, "_unsharded_param", None)
            if gathered is not None and gathered.requires_grad and id(gathered) not in seen:
                seen.add(id(gathered))
                count_gradient(live, gathered)

    return call


def _reducing(live: LiveBytes, method: Callable[..., None]) -> Callable[..., None]:
    """Likewise the buffers in which gradients travel; what comes of them are gradients."""

    def call(group: Any, *args: Any) -> None:
        with live.counting("gathered"):
            method(group, *args)
        for one in group.fsdp_params:
            live.belongs(one.sharded_param.grad, "gradients")
            live.belongs(one.unsharded_accumulated_grad, "gradients")

    return call


def count_gradient(live: LiveBytes, parameter: Tensor) -> None:
    """The gradient of this parameter counts as one from when it is there."""
    parameter.register_post_accumulate_grad_hook(lambda one: live.belongs(one.grad, "gradients"))


def _for_gpu(live: LiveBytes, bf16: bool) -> list[tuple[Any, str, Any]]:
    """Where Vaak looks at the device, what it chooses on a GPU; the fake tensors say `cpu`.

    The chunks of the loss are those of a GPU and its softmax waits for nobody; in bf16 attention is one kernel over documents of
    any length, which is known here by its shapes; token ids are copied to the device.
    """
    rows = loss.chunk_rows

    def on_device(_: Any, array: NDArray[Any]) -> Tensor:
        with live.counting("batch"):
            return torch.empty(array.shape, dtype=torch.int64)

    def softmax(logits: Tensor, targets: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
        return loss._softmax_without_waiting(logits, targets)

    def whole_rows(_: Any, doc_lens: Any, doc_bias: Any) -> Tensor:
        length = sum(doc_lens[0])
        return torch.empty(len(doc_lens), 1, length, length, dtype=torch.bfloat16 if bf16 else torch.float32)

    def at_once(
        query: Tensor, key: Tensor, value: Tensor, scaling: Any, dropout: Any, doc_lens: Any, masks: Any
    ) -> Tensor:
        starts = torch.empty(sum(map(len, doc_lens)) + 1, dtype=torch.int32)
        return attention._all_at_once(query, key, value, scaling, attention.DocBounds(starts, query.shape[2]))

    return [
        (loss, "chunk_rows", lambda size, _: rows(size, "cuda")),
        (loss, "_softmax_on_cpu", softmax),
        (speech_lm.SpeechLM, "_tensor", on_device),
        (speech_lm.SpeechLM, "_masks", whole_rows),
        *([(attention, "_one_by_one", at_once)] if bf16 else []),
    ]
