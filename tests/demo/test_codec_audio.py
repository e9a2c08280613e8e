"""What the codec is trained on: many voices, mostly English ones, and nobody and nothing that it is judged by."""

from __future__ import annotations

import importlib.util
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vaak.demo import codec_audio, texts
from vaak.demo.codec_audio import held_out_jobs, jobs, make
from vaak.demo.codec_texts import spoken_sentences
from vaak.demo.codec_voices import HELD_OUT, Share, is_held_out, shares
from vaak.demo.make import SEED
from vaak.demo.plan import plan
from vaak.demo.recordings import RECORDINGS, Recordings, clips, read_clip, transcript
from vaak.demo.voices import VOICES, Voice
from vaak.errors import BadInput
from vaak.languages import LANGUAGES


def _need(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install 'vaak[demo]')")


def test_every_voice_has_minutes_but_those_held_out() -> None:
    table = {(share.voice.language, share.voice.name): share.minutes for share in shares()}
    assert len(table) == len(shares())
    silent = {pair for pair, minutes in table.items() if minutes == 0}
    assert silent == {("en", "awb"), ("en", "bf_emma"), ("ta", "meera"), ("hi", "kiran")}
    assert {(voice.language, voice.name) for voice in VOICES if voice.held_out} < silent
    assert {(voice.language, voice.name) for voice in VOICES} < table.keys()
    assert {language for language, name in table if name == "meera" and (language, name) not in silent} == {
        "hi",
        "bn",
        "mr",
    }
    for language in LANGUAGES:
        assert sum(minutes > 0 for (code, _), minutes in table.items() if code == language) >= 2


def test_english_has_more_than_half() -> None:
    english = sum(share.minutes for share in shares() if share.voice.language == "en")
    total = sum(share.minutes for share in shares()) + sum(one.minutes for one in RECORDINGS)
    assert 0.5 < english / total < 0.7
    assert total == pytest.approx(14.5 * 60, rel=0.05)


def test_recordings_that_are_held_out_have_no_minutes() -> None:
    for recordings in RECORDINGS:
        assert (recordings.minutes == 0) == is_held_out(recordings.language, recordings.name)
    names = {one.name for one in RECORDINGS} | {share.voice.name for share in shares()}
    assert {name for _, name, _ in HELD_OUT} <= names


@pytest.mark.parametrize("language", ["en", "ta"])
def test_no_sentence_is_heard_and_reserved(language: str) -> None:
    _need("hibari")
    heard, reserved = (spoken_sentences(language, random.Random(1), 8000, part) for part in (False, True))
    parts = [{one for text in said for one in texts.sentences_of(text)} for said in (heard, reserved)]
    shared = {text for text in parts[0] & parts[1] if not any(letter.isdigit() for letter in text)}
    assert not shared
    assert sum(map(len, heard)) >= 8000


def test_a_language_in_which_nothing_is_written_is_named() -> None:
    with pytest.raises(BadInput, match="'xx'"):
        spoken_sentences("xx", random.Random(1), 100, False)


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="apt-get install some-sounds"):
        clips(Recordings("x", "some-sounds", "en", tmp_path, "*.wav", 1, "none"), random.Random(1))


def test_clips_that_are_narrow_silent_or_short_are_empty(tmp_path: Path) -> None:
    tone = np.sin(np.arange(32000) * 0.1).astype(np.float32)
    for name, wave, rate in (("narrow", tone, 8000), ("silent", tone * 0, 16000), ("short", tone[:1600], 16000)):
        soundfile.write(tmp_path / f"{name}.wav", wave, rate)
        assert len(read_clip(tmp_path / f"{name}.wav")) == 0
    soundfile.write(tmp_path / "good.wav", np.stack([tone, tone], axis=1), 44100)
    assert len(read_clip(tmp_path / "good.wav")) == pytest.approx(32000 * 16000 / 44100, rel=0.01)


def test_the_transcript_of_a_caption(tmp_path: Path) -> None:
    (tmp_path / "frog.txt").write_text("A frog.\nes.utf8=Una rana.\n", encoding="utf-8")
    recordings = Recordings("tuxpaint-es", "tuxpaint-stamps-default", "es", tmp_path, "*_desc_es.ogg", 1, "GPL-2+")
    assert transcript(recordings, tmp_path / "frog_desc_es.ogg") == "Una rana."
    assert transcript(recordings, tmp_path / "toad_desc_es.ogg") == ""


@pytest.mark.slow
def test_nobody_says_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _need("hibari")
    monkeypatch.setattr(codec_audio, "RECORDINGS", ())
    wanted = ("en", *LANGUAGES)
    monkeypatch.setattr(codec_audio, "shares", lambda: [one for one in shares() if one.voice.language in wanted])
    planned, judged = jobs(Path("out")), held_out_jobs(Path("heldout"))
    assert len({job.path for job in planned}) == len(planned)
    assert not [job for job in planned if is_held_out(job.language, job.name)]
    banned = {text for item in plan(SEED)[0] if item.held_out for text in texts.sentences_of(item.text)}
    said = {text for job in planned for text in job.said}
    assert banned.isdisjoint(said)
    assert said.isdisjoint(listed.text for _, listed in judged)
    counts = Counter((listed.language, listed.voice) for _, listed in judged)
    assert min(counts.values()) >= 8
    assert {pair for pair in counts if not all(x.seen for _, x in judged if (x.language, x.voice) == pair)} == {
        ("en", "awb"),
        ("en", "bf_emma"),
        ("ta", "meera"),
        ("hi", "kiran"),
    }


@pytest.mark.slow
def test_a_small_run_continues_and_records_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _need("espeakng_loader")
    voices = [Voice("asha", "espeak", "hi", "hi+Annie", "Asha"), Voice("kiran", "espeak", "hi", "hi+adam", "Kiran")]
    monkeypatch.setattr(codec_audio, "RECORDINGS", ())
    monkeypatch.setattr(codec_audio, "shares", lambda: [Share(voices[0], 0.5), Share(voices[1], 0.0)])
    out = tmp_path / "train"
    record = json.loads(make(out).read_text())
    assert record["minutes"] == [
        {"language": "hi", "voice": "asha", "engine": "espeak", "minutes": pytest.approx(0.5, rel=0.4)}
    ]
    files = sorted(out.glob("*.flac"))
    assert len(files) == record["files"]
    files[0].unlink()
    assert json.loads(make(out).read_text())["sha256"] == record["sha256"]
    listed = [json.loads(line) for line in (tmp_path / "heldout" / "list.jsonl").read_text().splitlines()]
    assert {(one["voice"], one["seen"]) for one in listed} == {("asha", True), ("kiran", False)}
    assert all((tmp_path / "heldout" / one["path"]).is_file() for one in listed)
