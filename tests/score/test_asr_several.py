"""Several recognisers as one: who hears which language, and what names them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.score.small_conformer import make_conformer
from vaak.errors import BadInput
from vaak.score.asr import open_asr
from vaak.score.asr_conformer import ConformerAsr
from vaak.score.asr_several import SeveralAsr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_conformer(tmp_path_factory.mktemp("asr") / "conformer")


@pytest.fixture
def sphinx():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    return open_asr("pocketsphinx")


def test_each_language_is_heard_by_the_first_that_offers_it(folder, sphinx, monkeypatch):
    monkeypatch.setenv("VAAK_ASR", f"pocketsphinx:{folder}")
    both, indic = open_asr(), ConformerAsr(folder)
    assert isinstance(both, SeveralAsr) and both.languages == {"en"} | indic.languages
    wave = 0.3 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    assert both.transcribe(wave, 16000, "hi") == indic.transcribe(wave, 16000, "hi")
    assert both.transcribe(wave, 16000, "en") == sphinx.transcribe(wave, 16000, "en")
    assert both.name == f"{sphinx.name}|{indic.name}" and both.hash not in (sphinx.hash, indic.hash)


def test_a_language_that_none_offers_and_a_part_that_is_missing_are_refused(sphinx, tmp_path):
    with pytest.raises(BadInput, match="have no ta; they offer en"):
        SeveralAsr([sphinx]).transcribe(np.zeros(16000, np.float32), 16000, "ta")
    with pytest.raises(BadInput, match="nothing-here"):
        open_asr(f"pocketsphinx:{tmp_path / 'nothing-here'}")
