"""A results database with three finished evaluations that no tracker has been told yet, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.evaluate.small_pack import add_checkpoint
from vaak.evaluate import Results, evaluate_checkpoint, open_results
from vaak.evaluate.items import Level

_DONE: tuple[tuple[str, int, Level], ...] = (("a", 10, "full"), ("a", 5, "quick"), ("b", 5, "quick"))


@pytest.fixture
def results(tmp_path, tmp_path_factory, pack, codec, asr) -> Iterator[Results]:
    """Two checkpoints of run `a`, the newer first and in full, and one of `b`."""
    kept = tmp_path_factory.getbasetemp() / "evaluated"
    if not kept.exists():
        made = open_results(kept / "r.db")
        for run, step, level in _DONE:
            checkpoint = add_checkpoint(kept / run, step, seed=step)
            evaluate_checkpoint(checkpoint.path, pack, codec, made, level=level, asr=asr)
        made.close()
    shutil.copytree(kept, tmp_path / "results")
    opened = open_results(tmp_path / "results" / "r.db")
    yield opened
    opened.close()
