"""PLCMOS gives the figure of the published script, one and the same for one wave, and the bottom to silence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.score.test_recognisers import speak
from vaak.score import plcmos as module
from vaak.score.plcmos import BOTTOM, plcmos

RATE = 16000

pytestmark = pytest.mark.skipif(not module.is_installed(), reason="speechmos with its weights is not installed")


@pytest.fixture(scope="module")
def wave(tmp_path_factory):
    return speak(tmp_path_factory.mktemp("plcmos"), "slt")


def test_with_the_same_raters_it_is_the_figure_of_the_published_script(wave, monkeypatch):
    published = pytest.importorskip("speechmos.plcmos")
    raters = iter(module._RATERS)
    monkeypatch.setattr(np.random, "normal", lambda size: next(raters)[None])
    assert plcmos(wave, RATE) == pytest.approx(published.run(wave.astype(np.float64), RATE)["plcmos"], abs=1e-5)


def test_with_raters_drawn_anew_the_published_figure_is_near_and_ours_is_always_the_same(wave):
    published = pytest.importorskip("speechmos.plcmos")
    drawn = [published.run(wave.astype(np.float64), RATE)["plcmos"] for _ in range(3)]
    assert plcmos(wave, RATE) == plcmos(wave, RATE) == pytest.approx(np.mean(drawn), abs=0.1)


def test_digital_zeros_between_words_are_heard_as_the_published_script_hears_them(wave, monkeypatch):
    published = pytest.importorskip("speechmos.plcmos")
    holed = wave.copy()
    holed[RATE // 2 : RATE] = 0
    raters = iter(module._RATERS)
    monkeypatch.setattr(np.random, "normal", lambda size: next(raters)[None])
    assert plcmos(holed, RATE) == pytest.approx(published.run(holed.astype(np.float64), RATE)["plcmos"], abs=1e-5)


def test_lost_packets_are_worse_than_none_and_silence_has_the_bottom(wave):
    lossy = wave.copy()
    for start in range(0, len(lossy), RATE // 5):
        lossy[start : start + RATE // 20] = 0
    assert plcmos(wave, RATE) > plcmos(lossy, RATE) + 0.5
    assert plcmos(np.zeros(RATE, np.float32), RATE) == plcmos(np.zeros(0, np.float32), RATE) == BOTTOM
