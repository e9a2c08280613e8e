"""Real human speech through `encode_list` and the embedded codec, and back: recordings that ship in Debian packages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soxr

from vaak.codec import open_codec
from vaak.codec.audio import read_audio
from vaak.corpus import Corpus, open_corpus
from vaak.corpus.encode import encode_list
from vaak.corpus.lists import ListDefaults
from vaak.errors import BadInput

pytestmark = pytest.mark.slow

RATE = 16000
HOP = 320

# Phone prompts of one woman at 8 kHz, and readings of a novel at 16 kHz with their text.
PROMPTS = ("asterisk-core-sounds-en-wav", "vm-intro.wav")
NOVEL = ("pocketsphinx-testdata", "librivox/transcription")


def folder_of(package: str, known_file: str) -> Path:
    """The folder that holds a file of a Debian package, installed if need be; skips with the reason if it cannot be."""
    if shutil.which("dpkg") is None:
        pytest.skip(f"{package}: this is no Debian system (there is no dpkg)")
    listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        if os.geteuid() != 0:
            pytest.skip(f"{package} is not installed and only root can install it")
        command = ["apt-get", "install", "-y", "--no-install-recommends", package]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            pytest.skip(
                f"{package} cannot be installed: {(installed.stderr.strip() or 'no reason given').splitlines()[-1]}"
            )
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        if line.endswith("/" + known_file) and Path(line).is_file():
            return Path(line).parent
    pytest.skip(f"{package} is installed but holds no {known_file}")


@pytest.fixture(scope="module")
def codec():
    try:
        return open_codec("embedded")
    except BadInput as error:
        pytest.skip(f"the embedded codec cannot be opened: {error}")


@pytest.fixture(scope="module")
def novel(codec, tmp_path_factory) -> tuple[Corpus, Path]:
    folder = folder_of(*NOVEL)
    out = tmp_path_factory.mktemp("novel")
    rows = []
    for line in (folder / "transcription").read_text().splitlines():
        match = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip())
        if match and (folder / f"{match[2]}.wav").is_file():
            rows.append(
                {"path": str(folder / f"{match[2]}.wav"), "text": match[1], "sample_id": match[2], "held_out": True}
            )
    assert len(rows) >= 5
    (out / "novel.jsonl").write_text("\n".join(json.dumps({**row, "language": "en"}) for row in rows))
    report = encode_list(out / "novel.jsonl", codec, out / "corpus")
    assert (report.read, report.kept, report.set_aside) == (len(rows), len(rows), {})
    return open_corpus(out / "corpus", verify=True), folder


@pytest.fixture(scope="module")
def prompts(codec, tmp_path_factory) -> tuple[Corpus, Path]:
    """The package's own beeps, clicks and silences stand beside its speech: the list takes 24 files of every kind."""
    folder = folder_of(*PROMPTS)
    out = tmp_path_factory.mktemp("prompts")
    (out / "audio" / "silence").mkdir(parents=True)
    spoken = sorted(path for path in folder.glob("vm-*.wav") if 40_000 < path.stat().st_size < 120_000)[:24]
    assert len(spoken) == 24
    for path in spoken:
        shutil.copy(path, out / "audio")
    shutil.copy(folder / "silence" / "1.wav", out / "audio" / "silence")
    report = encode_list(out / "audio", codec, out / "corpus", defaults=ListDefaults(language="en", source="prompts"))
    assert (report.read, report.kept, report.set_aside) == (25, 24, {"silent": 1})
    return open_corpus(out / "corpus", verify=True), out / "audio"


def originals(corpus: Corpus, folder: Path, stream: str) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(the recording at 16 kHz, its stored codes, its duration) of each sample."""
    group = corpus.groups[stream, "en", "unrated"]
    return [
        (read_audio(folder / (sample.source_id or ""), RATE), group.tokens(i), sample.duration_s or 0.0)
        for i, sample in enumerate(group.samples())
    ]


def log_mel(wave: np.ndarray) -> np.ndarray:
    """Log energy of 40 triangular mel bands per 20 ms, float[frames, 40], floored 60 dB below the loudest."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (352, 352)), 1024)[::HOP] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)) ** 2
    mels = np.linspace(2595 * np.log10(1 + 80 / 700), 2595 * np.log10(1 + 3800 / 700), 42)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.fft.rfftfreq(1024, 1 / RATE)
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    energy = 10 * np.log10(power @ np.clip(np.minimum(up, down), 0, None).T + 1e-9)
    return np.maximum(energy, energy.max() - 60)


def mel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two log-mel spectrograms in dB, over the shorter's length, each at its own mean level."""
    a, b = log_mel(one), log_mel(other)
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    return float(np.abs((a - a.mean()) - (b - b.mean())).mean())


def level_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two loudness contours (log energy per 20 ms) over the shorter's length."""
    n = min(len(one), len(other)) // HOP
    levels = [np.log10(np.square(wave[: n * HOP].reshape(n, HOP)).mean(axis=1) + 1e-6) for wave in (one, other)]
    return float(np.corrcoef(*levels)[0, 1])


def compare(codec, material: list[tuple[np.ndarray, np.ndarray, float]], shift: int = 0) -> dict[str, float]:
    """Decoded codes against their own recording and the next one; with a shift, against recordings that are not theirs."""
    own, other, own_level, other_level = [], [], [], []
    for i, (_, codes, _) in enumerate(material):
        decoded = codec.decode(codes)
        assert len(decoded) == len(codes) * codec.output_rate // 50
        decoded = soxr.resample(decoded, codec.output_rate, RATE)
        mine, next_one = (material[(i + shift + step) % len(material)][0] for step in (0, 1))
        own.append(mel_distance(decoded, mine))
        other.append(mel_distance(decoded, next_one))
        own_level.append(level_correlation(decoded, mine))
        other_level.append(level_correlation(decoded, next_one))
    return {
        "ratio": float(np.mean(own) / np.mean(other)),
        "nearer": float(np.mean(np.array(own) < np.array(other))),
        "level": float(np.mean(own_level)),
        "level of another": float(np.mean(other_level)),
    }


def is_that_recording(found: dict[str, float]) -> bool:
    """Clearly nearer to its own recording than to another, and as loud and as quiet in the same places."""
    return found["ratio"] < 0.7 and found["nearer"] >= 0.95 and found["level"] > found["level of another"] + 0.4


@pytest.mark.parametrize(("name", "stream"), [("novel", "paired"), ("prompts", "raw")])
def test_decoded_codes_are_that_recording_and_no_other(name, stream, codec, request):
    corpus, folder = request.getfixturevalue(name)
    assert corpus.codec_hash == codec.hash
    material = originals(corpus, folder, stream)
    for wave, codes, duration in material:
        assert len(codes) == -(-len(wave) // HOP)
        assert duration == pytest.approx(len(wave) / RATE)
    found = compare(codec, material)
    print(name, found)
    assert is_that_recording(found), found
    # The same check fails where each recording is held against the codes of another.
    assert not is_that_recording(compare(codec, material, shift=1))


def test_the_novel_keeps_its_text_and_its_original_audio(novel):
    corpus, _ = novel
    group = corpus.groups["paired", "en", "unrated"]
    texts = group.column("transcript")
    assert "he was not an ill disposed young man" in texts
    sample = group.sample(texts.index("he was not an ill disposed young man"))
    assert (corpus.folder / (sample.audio or "")).read_bytes() == Path(sample.source_id or "").read_bytes()


def test_the_phone_prompts_say_that_they_were_8_khz(prompts):
    corpus, _ = prompts
    assert set(corpus.groups["raw", "en", "unrated"].column("sample_rate")) == {8000}
