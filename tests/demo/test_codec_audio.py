"""What the codec is trained on: many voices, mostly English ones, and nobody and nothing that it is judged by."""

from __future__ import annotations

import importlib.util
import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vaak.demo import codec_audio, texts
from vaak.demo.codec_audio import held_out_jobs, jobs, make
from vaak.demo.codec_texts import is_reserved, spoken_sentences
from vaak.demo.codec_voices import HELD_OUT, Share, is_held_out, shares
from vaak.demo.held_out import grammar_sentences
from vaak.demo.make import SEED
from vaak.demo.recordings import RECORDINGS, Recordings, clip_hash, clip_key, clips, read_clip, transcript
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


def _made_up(folder: Path, minutes: float) -> Recordings:
    """Sixty clips, each there twice; of the copies of the first forty one has a caption and one has none."""
    for n in range(60):
        wave = np.sin(np.arange(8000) * (0.05 + n / 500)).astype(np.float32)
        for name in (f"a{n}", f"b{n}"):
            soundfile.write(folder / f"{name}_desc_es.ogg", wave, 16000)
            (folder / f"{name}_desc_es.ogg").write_bytes((folder / f"a{n}_desc_es.ogg").read_bytes())
        if n < 40:
            (folder / f"a{n}.txt").write_text(f"A frog.\nes.utf8=Una  rana {n}\n", encoding="utf-8")
    return Recordings("tuxpaint-es", "tuxpaint-stamps-default", "es", folder, "*_desc_es.ogg", minutes, "GPL-2+")


def test_no_clip_and_no_copy_of_one_is_heard_and_held_out(tmp_path: Path) -> None:
    recordings = _made_up(tmp_path, 10)
    heard = [path for job in codec_audio._clip_jobs(tmp_path, recordings) for path in job.clips]
    judged = [path for job, _ in codec_audio._held_out_clips(tmp_path, recordings) for path in job.clips]
    assert heard and judged
    for mark in (lambda path: clip_key(recordings, path), clip_hash):
        assert {mark(path) for path in heard}.isdisjoint(mark(path) for path in judged)
    keys = [clip_key(recordings, path) for path in judged]
    assert len(set(keys)) == len(keys) and all(map(is_reserved, keys))
    assert clip_key(recordings, tmp_path / "a1_desc_es.ogg") == "Una rana 1."
    assert clip_key(recordings, tmp_path / "a50_desc_es.ogg") == clip_key(recordings, tmp_path / "b50_desc_es.ogg")


def test_every_clip_is_heard_when_there_are_too_few(tmp_path: Path) -> None:
    recordings = _made_up(tmp_path, 10)
    planned = list(codec_audio._clip_jobs(tmp_path, recordings))
    found = clips(recordings, random.Random(1))
    assert {path for job in planned for path in job.clips} == set(codec_audio._unreserved(recordings, found))
    assert len({job.path for job in planned}) == len(planned)
    few = list(codec_audio._clip_jobs(tmp_path, replace(recordings, minutes=5 / 60)))
    assert [len(job.clips) for job in few] == [8, 2]


def test_the_name_of_a_file_tells_what_is_in_it() -> None:
    voice = Voice("asha", "espeak", "hi", "hi+Annie", "Asha")
    others = [replace(voice, engine="festival"), replace(voice, variant="hi+f5")]
    names = [codec_audio._voice_job(Path(), one, "0000", ["क।"]).path.name for one in (voice, *others)]
    names.append(codec_audio._voice_job(Path(), voice, "0000", ["ख।"]).path.name)
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"hi-asha-0000-[0-9a-f]{8}\.flac", name) for name in names)


@pytest.mark.parametrize("folder", ["train", "heldout"])
def test_audio_that_is_not_planned_is_refused(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_audio, "jobs", lambda out: [])
    monkeypatch.setattr(codec_audio, "held_out_jobs", lambda out: [])
    stray = tmp_path / folder / "hi-asha-0000.flac"
    stray.parent.mkdir()
    stray.touch()
    with pytest.raises(BadInput, match=r"hi-asha-0000\.flac is not in today's plan.*delete"):
        make(tmp_path / "train")


def test_held_out_audio_lies_beside_the_folder_and_never_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="heldout cannot be the folder"):
        make(tmp_path / "heldout")
    asked: list[Path] = []

    def stop(heldout: Path) -> None:
        asked.append(heldout)
        raise BadInput("enough")

    monkeypatch.setattr(codec_audio, "held_out_jobs", stop)
    (tmp_path / "train").mkdir()
    monkeypatch.chdir(tmp_path / "train")
    with pytest.raises(BadInput, match="enough"):
        make(Path("."))
    assert asked == [tmp_path.resolve() / "heldout"]


@pytest.mark.slow
def test_nobody_says_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _need("hibari")
    monkeypatch.setattr(codec_audio, "RECORDINGS", ())
    wanted = ("en", *LANGUAGES)
    monkeypatch.setattr(codec_audio, "shares", lambda: [one for one in shares() if one.voice.language in wanted])
    planned, judged = jobs(Path("out")), held_out_jobs(Path("heldout"))
    assert len({job.path for job in planned}) == len(planned)
    assert not [job for job in planned if is_held_out(job.language, job.name)]
    said = {text for job in planned for text in job.said}
    assert grammar_sentences(SEED).isdisjoint(said)
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
