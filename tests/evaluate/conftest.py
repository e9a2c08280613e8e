"""Fixtures of this room's tests: quality and similarity are replaced by cheap stand-ins, which `tests/score` tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.evaluate.databases import db, postgres, postgres_url
from tests.evaluate.small_pack import AsrDouble, add_checkpoint, make_pack
from tests.speak.tiny_speaker import ToneCodec
from vaak.evaluate import held_out, measures

__all__ = ["db", "postgres", "postgres_url"]  # fixtures


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return add_checkpoint(tmp_path_factory.mktemp("runs") / "one", 10)


@pytest.fixture
def asr(pack):
    return AsrDouble(pack)


@pytest.fixture
def codec():
    return ToneCodec()


@pytest.fixture(autouse=True)
def cheap_instruments(monkeypatch):
    monkeypatch.setitem(held_out._OF_SOUND, "plcmos", lambda wave, rate: 3.0 if len(wave) else 1.0)
    monkeypatch.setattr(measures, "dnsmos", lambda wave, rate: 3.0 if len(wave) else 1.0)
    monkeypatch.setattr(measures, "embed_voice", lambda wave, rate: np.ones(4) / 2 if len(wave) else None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
