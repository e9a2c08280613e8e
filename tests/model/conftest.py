"""Fixtures of this room's tests."""

from __future__ import annotations

import pytest
import torch

from tests.model.tiny_models import VOCABULARY, architecture
from vaak.model import create_model


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["qwen3", "llama"])
def model(request):
    return create_model(architecture(request.param), VOCABULARY, seed=1)
