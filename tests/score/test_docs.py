"""The page of the scores prints what it says, and its tables name what there is."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import torch

from tests.score.minimal_pairs import pairs
from tests.score.small_utmos import random_tensors
from tests.score.small_wavlm import make_wavlm
from vaak.score import asr_conformer, sanity
from vaak.score.similarity import open_embedder
from vaak.score.utmos import open_utmos

PAGE = (Path(__file__).parents[2] / "docs" / "score.md").read_text(encoding="utf-8")


def test_the_example_of_error_rates():
    found = re.search(r"```python\n(from vaak.score.error_rate import char.*?)```\n\n```text\n(.*?)```", PAGE, re.S)
    assert found is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found[1], {})
    assert printed.getvalue() == found[2]


def test_the_table_of_minimal_pairs_is_as_long_as_the_page_says():
    assert f"has {len(pairs()):,} pairs" in PAGE


def test_every_metric_of_sanity_is_on_the_page():
    named = {
        name
        for name in ("duration_ratio", "repeat_rate", "ngram_repetition", "loop_share", "speech_share", "invalid_rate")
    }
    functions = named | {"stop_failure_rate", "is_truncated", "is_unplayable", "failures", "failure_rates"}
    assert all(hasattr(sanity, name) and f"`{name}`" in PAGE for name in functions)
    for name in ("repeat_rate", "ngram_repetition", "loop_share"):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}`"))
        assert row.endswith(f"| {sanity.LIMITS[name][1]:g} |")


def block_with(words: str) -> str:
    (found,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if words in block]
    return found


def test_the_conversion_of_utmos_makes_a_folder_that_opens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(random_tensors(), "utmos22_strong_step7459_v1.pt")
    exec(block_with("utmos22_strong_step7459_v1.pt"), {})
    assert open_utmos("utmos") is not None


def test_the_conversion_of_wavlm_makes_a_folder_that_opens_and_hears_the_same(tmp_path, monkeypatch):
    """The pickle lies in a local folder here: the Hub is not asked."""
    monkeypatch.chdir(tmp_path)
    from safetensors.torch import load_file

    straight = open_embedder(make_wavlm(tmp_path / "made"))
    published = make_wavlm(tmp_path / "published")
    torch.save(load_file(published / "model.safetensors"), published / "pytorch_model.bin")
    (published / "model.safetensors").unlink()
    block = block_with("WavLMForXVector").replace('"microsoft/wavlm-base-plus-sv"', repr(str(published)), 1)
    exec(block, {})
    converted = open_embedder("wavlm-base-plus-sv")
    wave = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert np.array_equal(converted.embed(wave), straight.embed(wave))


def test_the_page_names_the_revision_that_the_recogniser_is_written_for():
    assert PAGE.count(asr_conformer.REVISION) == 2 and asr_conformer.REPOSITORY in PAGE
