"""UTMOS on random weights of the published layout, against its definition; silence, long clips, bad files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.score.small_utmos import make_utmos, plain_utmos, random_tensors
from vaak.errors import BadInput
from vaak.score.quality import BOTTOM
from vaak.score.utmos import open_utmos

RATE = 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_utmos(tmp_path_factory.mktemp("models") / "small-utmos")


@pytest.fixture(scope="module")
def judge(folder):
    return open_utmos(folder)


@pytest.fixture
def copy(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 0.51, 1.0, 3.3])
def test_it_is_its_definition(judge, seconds):
    """An odd and an even number of frames: fairseq pads to even ones and masks the padding, which changes nothing."""
    wave = voice(seconds)
    wanted = plain_utmos(random_tensors(), torch.from_numpy(wave))
    assert 1 < wanted < 5
    assert judge.score(wave, RATE) == pytest.approx(wanted, abs=1e-4)
    assert judge.score(wave, RATE) == judge.score(wave, RATE)


def test_these_weights_give_figures_within_the_scale_that_differ(judge):
    figures = {round(judge.score(voice(1, seed) * (1 + seed), RATE), 3) for seed in range(4)}
    assert len(figures) == 4 and all(1 < one < 5 for one in figures)


def test_silence_has_the_bottom_of_the_scale_and_the_network_is_not_asked(judge, monkeypatch):
    monkeypatch.setattr(judge, "_network", None)
    for wave in (np.zeros(RATE), np.zeros(0), np.full(RATE, np.nan), voice(0.09)):
        assert judge.score(wave.astype(np.float32), RATE) == BOTTOM


def test_a_long_clip_is_scored_on_its_first_twenty_seconds(judge):
    wave = voice(21)
    assert judge.score(wave, RATE) == judge.score(wave[: 20 * RATE], RATE) != judge.score(wave[RATE:], RATE)


def test_another_sample_rate_is_resampled(judge):
    t = np.arange(2 * 48000) / 48000
    wave = (0.2 * np.sin(2 * np.pi * 200 * t) * (1 + np.sin(2 * np.pi * 3 * t))).astype(np.float32)
    assert judge.score(wave, 48000) == pytest.approx(judge.score(wave[::3], RATE), abs=0.02)


def test_it_is_named_hashed_and_optional(folder, monkeypatch):
    monkeypatch.delenv("VAAK_UTMOS", raising=False)
    assert open_utmos() is None
    monkeypatch.setenv("VAAK_UTMOS", str(folder))
    found = open_utmos()
    assert found is not None and found.name == "utmos22-strong" and len(found.hash) == 64


@pytest.mark.parametrize("name", ["utmos22_strong_step7459_v1.pt", "epoch=3-step=7459.ckpt", "utmos_scripted.pt"])
def test_pickles_and_torchscript_are_refused_with_the_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(BadInput, match=r"pickled weights, which can run code.*docs/score\.md"):
        open_utmos(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"model\.safetensors is missing"):
        open_utmos(tmp_path)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda t: t.pop("judge_emb"), "no tensor 'judge_emb'"),
        (lambda t: t.pop("blstm.bias_hh_l0"), r"not the tensors of UTMOS.*blstm\.bias_hh_l0"),
        (lambda t: t.update({"projection.2.weight": torch.zeros(2, 64)}), r"projection\.2\.weight"),
        (lambda t: t.update({"another": torch.zeros(1)}), "another"),
        (lambda t: t.clear(), "no tensor"),
    ],
)
def test_tensors_that_are_not_its_own_are_refused(copy, damage, said):
    tensors = load_file(copy / "model.safetensors")
    damage(tensors)
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(BadInput, match=said):
        open_utmos(copy)


def test_a_file_that_is_no_safetensors_is_refused(copy):
    (copy / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not the tensors of UTMOS"):
        open_utmos(copy)
