"""What happens to a synthetic wave before it is encoded: the wild tier, and 16-bit samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vaak.demo.voices import RATE


@dataclass(frozen=True)
class Scene:
    """A light recording scene: gain and signal-to-noise ratio in dB, slope of the noise spectrum, reverberation in s."""

    gain_db: float
    noise_db: float
    noise_slope: float
    reverb_s: float

    def flags(self) -> tuple[str, ...]:
        """The scene as normalisation flags of a corpus row."""
        return (f"gain:{self.gain_db:+.1f}dB", f"noise:{self.noise_db:.0f}dB", f"reverb:{self.reverb_s:.2f}s")


def scene(rng: np.random.Generator) -> Scene:
    """A random scene, mild enough that speech stays easy to understand."""
    return Scene(
        gain_db=round(float(rng.uniform(-9, 3)), 1),
        noise_db=round(float(rng.uniform(24, 36))),
        noise_slope=float(rng.uniform(0, 1.5)),
        reverb_s=round(float(rng.uniform(0.08, 0.25)), 2) if rng.random() < 0.5 else 0.0,
    )


def in_scene(wave: np.ndarray, where: Scene, rng: np.random.Generator) -> np.ndarray:
    """The wave (float32[T], 16 kHz) as heard in a scene: same length, peak at most 0.97."""
    if where.reverb_s:
        n = int(where.reverb_s * RATE)
        tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)  # -60 dB at its end
        tail *= 10 ** (-10 / 20) / np.sqrt(np.square(tail).sum())  # 10 dB below the direct sound
        tail[0] = 1.0
        size = 1 << (len(wave) + n).bit_length()
        wave = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(tail, size), size)[: len(wave)]
    spectrum = np.fft.rfft(rng.standard_normal(len(wave)))
    spectrum /= np.maximum(np.fft.rfftfreq(len(wave), 1 / RATE), 50.0) ** (where.noise_slope / 2)
    noise = np.fft.irfft(spectrum, len(wave))
    noise *= np.sqrt(np.square(wave).mean() / np.square(noise).mean()) * 10 ** (-where.noise_db / 20)
    wave = (wave + noise) * 10 ** (where.gain_db / 20)
    return (wave * min(1.0, 0.97 / float(np.abs(wave).max()))).astype(np.float32)


def pcm16(wave: np.ndarray) -> np.ndarray:
    """int16[T] of a float wave: the form in which audio is hashed (little endian) and kept between steps."""
    return np.clip(np.round(wave * 32767), -32768, 32767).astype("<i2")
