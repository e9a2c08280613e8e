"""Counts the bytes of live tensors while a training step runs, by what they are for."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What memory is for, in the order in which it is shown.
PARTS: tuple[str, ...] = ("weights", "gradients", "optimizer", "activations", "loss", "gathered", "batch")

_COPY = torch.ops.aten._to_copy.default
_NUMBER = torch.ops.aten._local_scalar_dense.default
_NONZERO = torch.ops.aten.nonzero.default
_WAIT = torch.ops._c10d_functional.wait_tensor.default


@dataclass(frozen=True)
class Peak:
    """The largest sum of live bytes, what it consisted of, and what was going on then."""

    bytes: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    doing: str = ""


class LiveBytes(TorchDispatchMode):
    """While entered, every storage that an operation makes counts from then until it is freed, towards the current `part`.

    A storage is counted once, however many tensors look at it, at the size that it has: no allocator rounds it up here.
    Temporaries inside of one operation are not seen. Works over real tensors and over fake ones, whose bytes are those that
    real ones would have; a number that is read from a fake tensor is 1, and none of its elements is different from zero.
    on_cpu: elementwise operations on several types first copy what has another type than the result, as a CPU does; a GPU
    converts number by number.
    """

    def __init__(self, on_cpu: bool = False) -> None:
        super().__init__()
        self.on_cpu = on_cpu
        self.part, self.doing = "activations", ""
        self.totals: dict[str, int] = {part: 0 for part in PARTS}
        self.peak = Peak()
        # By the storage's identity: a reference that says when it is gone, its part, its bytes.
        self._held: dict[int, tuple[weakref.ref[Any], str, int]] = {}

    @property
    def total(self) -> int:
        return sum(self.totals.values())

    @contextmanager
    def counting(self, part: str) -> Iterator[None]:
        """What is made inside counts towards this part."""
        before, self.part = self.part, part
        try:
            yield
        finally:
            self.part = before

    def start_again(self) -> None:
        """Forget the peak: it is that of now, until there is a larger one."""
        self.peak = Peak(self.total, dict(self.totals), self.doing)

    def belongs(self, tensor: Tensor | None, part: str) -> None:
        """From now on this tensor's storage counts towards another part than when it was made; nothing if it is not counted."""
        found = None if tensor is None else self._held.get(id(_storage(tensor)))
        if tensor is None or found is None:
            return
        reference, before, size = found
        self._held[id(_storage(tensor))] = (reference, part, size)
        self.totals[before] -= size
        self.totals[part] += size

    def resized(self, storage: torch.UntypedStorage) -> None:
        """This storage has another size now; no operation tells of that (FSDP empties storages which it will fill again)."""
        found = self._held.get(id(storage))
        if found is None:
            self._hold(storage, self.part)
            return
        reference, part, size = found
        self._held[id(storage)] = (reference, part, storage.nbytes())
        self._add(part, storage.nbytes() - size)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(issubclass(one, DTensor) for one in types):
            return NotImplemented  # its operations on this rank's own part come here one by one
        if args and isinstance(args[0], FakeTensor):
            if func is _NUMBER:
                return 1.0 if args[0].is_floating_point() else 1
            if func is _NONZERO:
                return args[0].new_empty((0, args[0].ndim), dtype=torch.int64)
            if func is _WAIT:  # no other rank is there to be waited for
                return args[0]
        result = func(*args, **(kwargs or {}))
        part = self.part
        if self.on_cpu and torch.Tag.pointwise in func.tags and isinstance(result, Tensor):
            self._peaks_with(part, _copied(args, result.dtype))
        if func is _COPY and self._part_of(args[0]) in ("weights", "gathered"):
            part = "gathered"  # autocast's copy of a weight
        for one in tree_leaves(result):
            if isinstance(one, Tensor) and id(_storage(one)) not in self._held and not _is_of(one, args):
                self._hold(_storage(one), part)
        return result

    def _part_of(self, tensor: Tensor) -> str:
        found = self._held.get(id(_storage(tensor)))
        return found[1] if found else ""

    def _hold(self, storage: torch.UntypedStorage, part: str) -> None:
        key = id(storage)
        self._held[key] = (weakref.ref(storage, lambda _: self._gone(key)), part, storage.nbytes())
        self._add(part, storage.nbytes())

    def _gone(self, key: int) -> None:
        _, part, size = self._held.pop(key)
        self.totals[part] -= size

    def _add(self, part: str, size: int) -> None:
        self.totals[part] += size
        self._peaks_with(part, 0)

    def _peaks_with(self, part: str, passing: int) -> None:
        """Take note of the sum if it is the largest, with what is there for a moment only."""
        if self.total + passing > self.peak.bytes:
            self.peak = Peak(self.total + passing, {**self.totals, part: self.totals[part] + passing}, self.doing)


def _is_of(tensor: Tensor, args: Any) -> bool:
    """Whether it looks at a storage that was there before: a view, or what was changed in place."""
    storage = _storage(tensor)
    return any(isinstance(one, Tensor) and _storage(one) is storage for one in tree_leaves(args))


def _copied(args: Any, dtype: torch.dtype) -> int:
    """Bytes of copies in `dtype` of the tensors that have another one; numbers are none."""
    others = (one for one in tree_leaves(args) if isinstance(one, Tensor) and one.ndim and one.dtype != dtype)
    return sum(one.numel() * dtype.itemsize for one in others)


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    local = tensor._local_tensor if isinstance(tensor, DTensor) else tensor
    return local.untyped_storage()
