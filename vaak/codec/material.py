"""Audio made ready for training a codec: waves, pitch and pulse trains in memory, and random batches of crops."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaak.codec.audio import read_audio, resample
from vaak.codec.pitch import HOP, pulse_train, track_pitch
from vaak.errors import BadInput

_SIDE = 240  # samples of context that `render` wants at each side of a crop


@dataclass(frozen=True)
class Material:
    """All training audio end to end, 16 kHz: `wave` and `pulses` float16[T], `f0` and `voiced` float32[T / 160];
    `starts` and `lengths` say where each file lies, in samples (multiples of 320)."""

    wave: np.ndarray
    pulses: np.ndarray
    f0: np.ndarray
    voiced: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @property
    def hours(self) -> float:
        return len(self.wave) / 16000 / 3600

    def save(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: Path) -> Material:
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Crops:
    """`heard` [B, T] goes into the encoder (light noise in some), `target` [B, T] should come out; `pulses`
    [B, T + 480]; `f0`, `voiced` [B, T / 160]. All float32."""

    heard: np.ndarray
    target: np.ndarray
    pulses: np.ndarray
    f0: np.ndarray
    voiced: np.ndarray


def prepare(
    paths: Sequence[Path], seed: int, shortest: int, progress: Callable[[int, int], None] | None = None
) -> Material:
    """Reads every file, plays some a little faster or slower, and follows its pitch (150 times real time on two cores).

    A file shorter than `shortest` samples is padded with silence. Raises `BadInput` for a list without audio.
    """
    if not paths:
        raise BadInput("the list of audio for the codec is empty; name a folder or files with audio")
    jobs = [(path, seed, number, shortest) for number, path in enumerate(paths)]
    pieces = []
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for piece in pool.map(_prepare_one, jobs, chunksize=8):
            pieces.append(piece)
            if progress is not None:
                progress(len(pieces), len(paths))
    waves, pulses, pitches, voicings = zip(*pieces, strict=True)
    lengths = np.array([len(w) for w in waves], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return Material(
        np.concatenate(waves),
        np.concatenate(pulses),
        np.concatenate(pitches),
        np.concatenate(voicings),
        starts,
        lengths,
    )


def _prepare_one(job: tuple[Path, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    path, seed, number, shortest = job
    rng = np.random.default_rng([seed, number])
    wave = read_audio(path)
    if rng.random() < 0.4:
        wave = resample(wave, 16000, int(16000 * rng.uniform(0.92, 1.09)))
    wave = np.pad(wave, (0, max(shortest - len(wave), -len(wave) % 320)))
    f0, voiced = track_pitch(wave)
    pulses = pulse_train(f0, voiced)
    return wave.astype(np.float16), pulses.astype(np.float16), f0, voiced.astype(np.float32)


def draw(material: Material, rng: np.random.Generator, batch: int, samples: int) -> Crops:
    """A batch of crops, every second of audio equally likely, started anywhere on a grid of 2.5 ms."""
    frames = samples // HOP
    heard = np.zeros((batch, samples), np.float32)
    target = np.zeros((batch, samples), np.float32)
    pulses = np.zeros((batch, samples + 2 * _SIDE), np.float32)
    f0, voiced = np.zeros((batch, frames), np.float32), np.zeros((batch, frames), np.float32)
    files = rng.choice(len(material.starts), size=batch, p=material.lengths / material.lengths.sum())
    for row, number in enumerate(files):
        room = int(material.lengths[number]) - samples
        start = int(material.starts[number]) + int(rng.integers(0, room // 40 + 1)) * 40
        gain = float(10 ** (rng.uniform(-8, 4) / 20)) if rng.random() < 0.5 else 1.0
        target[row] = material.wave[start : start + samples].astype(np.float32) * gain
        heard[row] = target[row]
        if rng.random() < 0.4:  # white or low-passed noise, 20 to 45 dB below speech at -23 dB
            noise = rng.standard_normal(samples + 1)
            noise = noise[1:] + rng.uniform(0, 1) * noise[:-1]
            heard[row] += (noise * gain * 0.07 * 10 ** (-rng.uniform(20, 45) / 20)).astype(np.float32)
        left, right = max(start - _SIDE, 0), min(start + samples + _SIDE, len(material.pulses))
        pulses[row, left - start + _SIDE : right - start + _SIDE] = material.pulses[left:right]
        # Frame j of the crop is centred at start + 160 j + 80: the nearest tracked frame, at most 5 ms away.
        first = (start + HOP // 2) // HOP
        f0[row] = _frames(material.f0, first, frames)
        voiced[row] = _frames(material.voiced, first, frames)
    return Crops(heard, target, pulses, f0, voiced)


def _frames(values: np.ndarray, first: int, n: int) -> np.ndarray:
    return values[np.minimum(np.arange(first, first + n), len(values) - 1)]
