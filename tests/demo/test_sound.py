"""The wild tier and the originals: same length, same bytes, and never louder than full scale."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from vaak.demo.ogg import opus
from vaak.demo.sound import Scene, in_scene, pcm16, scene


def _tone(seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * 220 * t) * np.sin(2 * np.pi * 3 * t)).astype(np.float32)


def test_a_scene_keeps_length_and_adds_noise_as_loud_as_it_says() -> None:
    wave = _tone()
    heard = in_scene(wave, Scene(gain_db=0.0, noise_db=30, noise_slope=1.0, reverb_s=0.0), np.random.default_rng(1))
    assert heard.dtype == np.float32 and heard.shape == wave.shape
    ratio = 10 * np.log10(np.square(wave).mean() / np.square(heard - wave).mean())
    assert abs(ratio - 30) < 0.1


def test_scenes_are_drawn_again_from_the_same_seed() -> None:
    drawn = [scene(np.random.default_rng(5)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    wave = _tone()
    heard = [in_scene(wave, drawn[0], np.random.default_rng(6)) for _ in range(2)]
    assert np.array_equal(heard[0], heard[1])
    assert np.abs(heard[0]).max() <= 0.97 + 1e-6


def test_opus_is_the_same_bytes_and_decodes_to_the_same_length() -> None:
    wave = _tone()
    first, second = opus(wave, serial=9), opus(wave, serial=9)
    assert first == second
    assert first != opus(wave, serial=10)
    decoded, rate = soundfile.read(io.BytesIO(first))
    assert rate == 16000 and len(decoded) == len(wave)
    assert len(first) < 2 * len(wave) / 4


def test_pcm_is_little_endian_and_clips() -> None:
    assert pcm16(np.array([0.0, 1.0, -2.0], np.float32)).tobytes() == b"\x00\x00\xff\x7f\x00\x80"
