"""Bytes of live tensors: each storage once, until it is gone, towards what it is for."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vaak.launch.cost_tracker import LiveBytes


def test_a_storage_counts_once_until_the_last_tensor_that_looks_at_it_is_gone():
    with LiveBytes() as live:
        whole = torch.zeros(100)
        part = whole[10:20]
        assert live.total == 400
        del whole
        assert live.total == 400
        del part
        assert live.total == 0 and live.peak.bytes == 400


def test_what_was_there_before_does_not_count_and_what_is_changed_in_place_no_second_time():
    before = torch.zeros(100)
    with LiveBytes() as live:
        before.add_(1)
        assert live.total == 0
        after = before + 1
        after.mul_(2)
        assert live.total == 400


def test_parts_follow_what_is_said_of_them():
    with LiveBytes() as live:
        with live.counting("weights"):
            weight = torch.zeros(10)
        gradient = torch.zeros(20)
        live.belongs(gradient, "gradients")
        live.belongs(None, "gradients")
        assert live.totals["weights"] == 40 and live.totals["gradients"] == 80 and live.total == 120
        del weight
        live.start_again()
        assert live.peak.bytes == 80 and live.peak.parts["gradients"] == 80


def test_a_rounded_weight_counts_with_the_gathered_ones():
    with LiveBytes() as live:
        with live.counting("weights"):
            weight = torch.zeros(10)
        rounded = weight.to(torch.bfloat16)
        assert live.totals["gathered"] == 20 and rounded.dtype == torch.bfloat16


def test_only_a_cpu_copies_numbers_of_another_type_before_it_adds_them():
    peaks = {}
    for on_cpu in (False, True):
        with LiveBytes(on_cpu) as live:
            total, little = torch.zeros(1000), torch.zeros(1000, dtype=torch.bfloat16)
            total += little
        peaks[on_cpu] = live.peak.bytes
    assert peaks == {False: 6000, True: 10000}


def test_fake_tensors_have_the_bytes_of_real_ones():
    def work() -> torch.Tensor:
        left, right = torch.ones(64, 32, requires_grad=True), torch.ones(32, 16)
        product = torch.tanh(left @ right)
        product.sum().backward()
        return product

    with LiveBytes() as real:
        work()
    with FakeTensorMode(), LiveBytes() as fake:
        work()
    assert real.peak.bytes == fake.peak.bytes > 0
