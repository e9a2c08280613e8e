"""The metrics of one item: each of them, and what becomes of silence, of a cut and of codes that give no sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.small_pack import AsrDouble
from tests.evaluate.synthetic_run import ASR
from tests.score.small_utmos import make_utmos
from tests.score.small_wavlm import make_wavlm
from vaak.evaluate import measures
from vaak.evaluate.checkpoint import instruments
from vaak.evaluate.generations import Spoken
from vaak.evaluate.items import most_codes
from vaak.evaluate.measures import Sound, measure, metrics_of
from vaak.score import voice_activity
from vaak.score.similarity import open_embedder


@pytest.fixture
def prompt(pack):
    return next(one for one in pack.prompts if one.language == "hi" and one.reference_codes is not None)


def said(prompt, codec, codes, *, stopped=True, limit=0, crashed="") -> Sound:
    codes = np.asarray(codes, np.uint16)
    wave = codec.decode(codes) if len(codes) else np.zeros(0, np.float32)
    spoken = Spoken(prompt.item, prompt.text, prompt.language, codes, stopped, crashed, limit)
    return Sound(prompt, wave, codec.output_rate, spoken, codebook_size=codec.codebook_size)


def figures(sound, asr):
    names = metrics_of(sound.prompt, asr, generated=True, has_voice=False)
    return {name: one.value for name, one in measure(sound, asr, names).items()}


def test_metrics_depend_on_the_prompt_and_on_what_is_installed_alone(pack, prompt, codec, asr):
    names = metrics_of(prompt, asr, generated=True, has_voice=True)
    assert not {"wer", "cer", "wrong_script"} & names  # this recogniser is for English
    both = AsrDouble(pack, languages=["en", "hi"])
    assert metrics_of(prompt, both, generated=True, has_voice=True) - names == {
        "wer", "cer", "code_point_cer", "wrong_script",
    }  # fmt: skip
    assert names | {"wer", "cer", "code_point_cer", "wrong_script"} >= measures.versions(asr).keys()
    without_reference = replace(prompt, reference_codes=None)
    assert names - metrics_of(without_reference, asr, generated=True, has_voice=True) == {"duration_ratio"}


def test_every_named_metric_is_measured_and_finite(pack, prompt, codec):
    both = AsrDouble(pack, languages=["en", "hi"])
    for codes in ([], [5], prompt.reference_codes):
        found = figures(said(prompt, codec, codes), both)
        assert all(np.isfinite(value) for value in found.values())
    assert found["wer"] == found["cer"] == found["code_point_cer"] == 0  # the double hears the text of this length
    assert found["wrong_script"] == 1  # the words of this small pack are English ones


def test_what_says_nothing_has_the_worst_of_each(pack, prompt, codec):
    found = figures(said(prompt, codec, [], stopped=False, crashed="out of memory"), AsrDouble(pack, languages=["hi"]))
    assert (found["wer"], found["cer"], found["crashed"], found["stopped"], found["silence_share"]) == (1, 1, 1, 0, 1)
    assert found["duration_ratio"] == 0 and found["truncated"] == 0
    if voice_activity.is_installed():
        assert found["voice_share"] == 0


def test_a_cut_is_told_from_an_end_by_the_limit_that_was_kept_or_else_by_the_prompts(prompt, codec, asr):
    codes = np.arange(40) % codec.codebook_size
    assert figures(said(prompt, codec, codes, stopped=False, limit=40), asr)["truncated"] == 1
    assert figures(said(prompt, codec, codes, stopped=True, limit=40), asr)["truncated"] == 0
    most = np.arange(most_codes(prompt)) % codec.codebook_size
    assert figures(said(prompt, codec, most, stopped=False), asr)["truncated"] == 1
    assert figures(said(prompt, codec, codes[:10], stopped=False), asr)["truncated"] == 0


def test_codes_beyond_the_codebook_and_phrases_that_come_again_are_counted(prompt, codec, asr):
    sound = said(prompt, codec, [1, 2, 3, 4, 9, 1, 2, 3, 4])
    assert figures(sound, asr)["ngram_repetition"] == pytest.approx(1 / 6)
    assert sound.generated is not None
    spoken = replace(sound.generated, codes=np.array([1, codec.codebook_size], np.uint16))
    assert figures(replace(sound, generated=spoken), asr)["invalid_rate"] == 0.5


def test_codes_that_give_no_finite_sound_are_a_crash_of_the_decoder(prompt, codec, asr):
    sound = said(prompt, codec, [1, 2, 3])
    for wave in (np.zeros(0, np.float32), np.full(100, np.nan, np.float32)):
        broken = measure(replace(sound, wave=wave), asr, ["crashed"])["crashed"]
        assert broken.value == 1 and "finite" in broken.detail["reason"]


def test_one_transcript_serves_all_that_count(pack, prompt, codec):
    asr = AsrDouble(pack, languages=["hi"])
    figures(said(prompt, codec, prompt.reference_codes), asr)
    assert asr.calls == 1


def test_the_version_of_similarity_names_the_embedder_and_its_weights(tmp_path, monkeypatch):
    monkeypatch.delenv("VAAK_SPEAKER", raising=False)
    default, with_default = measures.versions(ASR, generated=False)["similarity"], instruments(ASR)
    assert default.startswith("1+resemblyzer-0.1") and default.endswith(f"@{open_embedder().hash[:12]}")
    found = set()
    for seed in range(2):
        folder = make_wavlm(tmp_path / str(seed) / "wavlm", seed)
        monkeypatch.setenv("VAAK_SPEAKER", str(folder))
        version = measures.versions(ASR, generated=False)["similarity"]
        assert version == f"1+wavlm@{open_embedder(folder).hash[:12]}"
        found |= {version, instruments(ASR)}
    assert len(found) == 4 and with_default not in found


def test_utmos_is_measured_where_its_weights_are_named(pack, prompt, codec, asr, tmp_path, monkeypatch):
    sound = said(prompt, codec, prompt.reference_codes)
    assert "utmos" not in figures(sound, asr) and "utmos" not in measures.versions(asr)
    monkeypatch.setenv("VAAK_UTMOS", str(make_utmos(tmp_path / "utmos")))
    assert 1 <= figures(sound, asr)["utmos"] <= 5
    assert "+utmos22-strong@" in measures.versions(asr)["utmos"]
