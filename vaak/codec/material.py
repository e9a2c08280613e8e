"""Audio made ready for training a codec: waves, pitch and pulse trains on disk, and random batches of crops."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaak.codec.audio import read_audio, resample
from vaak.codec.pitch import HOP, RATE, pulse_train, track_pitch
from vaak.codec.settings import Variation
from vaak.errors import BadInput, Interrupted
from vaak.storage.files import hash_json, write_json
from vaak.workers import end_with_parent

_SIDE = 240  # samples of context that `render` wants at each side of a crop
# So few files are read sooner than a process begins.
_FEW = 8
# What a folder of material holds, and how many samples of audio one number is for.
_ARRAYS = {"wave": 1, "pulses": 1, "f0": HOP, "voiced": HOP}


@dataclass(frozen=True)
class Material:
    """All training audio end to end, 16 kHz, mapped from disk: `wave` and `pulses` float16[T], `f0` (Hz) and `voiced`
    float16[T / 160]; `starts` and `lengths` say where each file lies, in samples (multiples of 320)."""

    wave: np.ndarray
    pulses: np.ndarray
    f0: np.ndarray
    voiced: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @property
    def hours(self) -> float:
        return len(self.wave) / RATE / 3600


@dataclass(frozen=True)
class Crops:
    """`heard` [B, T] goes into the encoder (light noise in some), `target` [B, T] should come out; `pulses` and `noise`
    [B, T + 480] excite the decoder; `f0`, `voiced` [B, T / 160]. All float32."""

    heard: np.ndarray
    target: np.ndarray
    pulses: np.ndarray
    noise: np.ndarray
    f0: np.ndarray
    voiced: np.ndarray


def prepare(
    paths: Sequence[Path],
    folder: Path,
    seed: int,
    shortest: int,
    variation: Variation | None = None,
    progress: Callable[[float, float, str], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Material:
    """Reads every file into `folder`, some played a little faster or slower, and follows its pitch (150 times real time on two
    cores). What is there already stays: interrupted, or once `stop()` is true (`Interrupted`), it goes on with the next file.

    A file shorter than `shortest` samples is padded with silence. Raises `BadInput` for a list without audio, a file that is
    none, or a folder made of other audio or otherwise.
    """
    if not paths:
        raise BadInput("the list of audio for the codec is empty; name a folder or files with audio")
    variation = variation or Variation()
    files = [[str(path), path.stat().st_size] for path in paths]
    made_of = hash_json([files, seed, shortest, variation.speed, variation.speed_share])
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "material.json"
    if about.is_file() and json.loads(about.read_text())["made_of"] != made_of:
        raise BadInput(f"{folder} was made of other audio, or otherwise; train into another folder, or remove this one")
    write_json(about, {"made_of": made_of, "files": len(files)})
    done = _lengths(folder)
    jobs = [(path, seed, number, shortest, variation) for number, path in enumerate(paths)]
    for number, piece in enumerate(_in_parallel(jobs[len(done) :]), start=len(done) + 1):
        _append(folder, piece)
        if progress is not None:
            progress(number, len(paths), "files read")
        if number < len(paths) and stop():
            raise Interrupted(f"stopped after reading {number:,} of {len(paths):,} files; they are kept in {folder}")
    return open_material(folder)


def open_material(folder: Path) -> Material:
    """What `prepare` has made. Raises `BadInput` if it is not all there."""
    lengths = _lengths(folder)
    wanted = json.loads((folder / "material.json").read_text())["files"]
    if len(lengths) != wanted:
        raise BadInput(f"{folder} holds {len(lengths)} of {wanted} files; run the training again and it is completed")
    arrays: dict[str, Any] = {
        name: np.memmap(folder / f"{name}.f16", np.float16, mode="r", shape=(int(lengths.sum()) // per,))
        for name, per in _ARRAYS.items()
    }
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return Material(**arrays, starts=starts, lengths=lengths)


def _lengths(folder: Path) -> np.ndarray:
    """Samples of each file that is there whole; what was written beyond them is cut off."""
    path = folder / "lengths.i64"
    if not path.is_file():
        path.write_bytes(b"")
    whole = path.stat().st_size // 8
    total = int(np.fromfile(path, np.int64, whole).sum())
    for name, per in _ARRAYS.items():
        with open(folder / f"{name}.f16", "ab") as file:
            if file.tell() < 2 * total // per:
                raise BadInput(f"{file.name} is shorter than {path} says; remove {folder} and run the training again")
            if file.tell() > 2 * total // per:
                file.truncate(2 * total // per)
    os.truncate(path, 8 * whole)
    return np.fromfile(path, np.int64)


def _append(folder: Path, piece: dict[str, np.ndarray]) -> None:
    """Write one file's arrays, and then its length: what has no length was not written whole."""
    for name in _ARRAYS:
        with open(folder / f"{name}.f16", "ab") as file:
            file.write(piece[name].tobytes())
    with open(folder / "lengths.i64", "ab") as file:
        file.write(np.int64(len(piece["wave"])).tobytes())


Job = tuple[Path, int, int, int, Variation]


def _in_parallel(jobs: Sequence[Job]) -> Iterator[dict[str, np.ndarray]]:
    if len(jobs) <= _FEW:
        yield from map(_prepare_one, jobs)
        return
    # A fresh interpreter per worker: a fork would inherit the lock of the training's folder, and outlive a killed parent with it.
    context, workers = multiprocessing.get_context("spawn"), os.cpu_count() or 1
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        waiting: deque[Future[dict[str, np.ndarray]]] = deque()
        try:
            # Few at a time: what is read sooner than it is written stays in memory.
            for job in jobs:
                waiting.append(pool.submit(_prepare_one, job))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise BadInput(
                "a process that reads audio was ended, mostly for want of memory; what is read is kept: run it again"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepare_one(job: Job) -> dict[str, np.ndarray]:
    path, seed, number, shortest, variation = job
    rng = np.random.default_rng([seed, number])
    wave = read_audio(path)
    if rng.random() < variation.speed_share:
        wave = resample(wave, RATE, int(RATE / rng.uniform(*variation.speed)))
    wave = np.pad(wave, (0, max(shortest - len(wave), -len(wave) % 320)))
    f0, voiced = track_pitch(wave)
    found = {"wave": wave, "pulses": pulse_train(f0, voiced), "f0": f0, "voiced": voiced}
    return {name: array.astype(np.float16) for name, array in found.items()}


def draw(
    material: Material, rng: np.random.Generator, batch: int, samples: int, variation: Variation | None = None
) -> Crops:
    """A batch of crops, every second of audio equally likely, started anywhere on a grid of 2.5 ms."""
    variation = variation or Variation()
    frames = samples // HOP
    shapes = {"heard": samples, "target": samples, "pulses": samples + 2 * _SIDE, "f0": frames, "voiced": frames}
    crops = Crops(
        noise=rng.standard_normal((batch, samples + 2 * _SIDE), dtype=np.float32),
        **{name: np.zeros((batch, n), np.float32) for name, n in shapes.items()},
    )
    files = rng.choice(len(material.starts), size=batch, p=material.lengths / material.lengths.sum())
    for row, number in enumerate(files):
        room = int(material.lengths[number]) - samples
        start = int(material.starts[number]) + int(rng.integers(0, room // 40 + 1)) * 40
        gain = 10 ** (rng.uniform(*variation.level_db) / 20) if rng.random() < variation.level_share else 1.0
        crops.target[row] = material.wave[start : start + samples].astype(np.float32) * gain
        crops.heard[row] = crops.target[row]
        if rng.random() < variation.noise_share:
            level = np.sqrt(np.square(crops.target[row]).mean())  # of the crop: recordings differ in loudness
            crops.heard[row] += _noise(rng, samples) * level * 10 ** (-rng.uniform(*variation.noise_db) / 20)
        left, right = max(start - _SIDE, 0), min(start + samples + _SIDE, len(material.pulses))
        crops.pulses[row, left - start + _SIDE : right - start + _SIDE] = material.pulses[left:right]
        # Frame j of the crop is centred at start + 160 j + 80: the nearest tracked frame, at most 5 ms away.
        first = (start + HOP // 2) // HOP
        crops.f0[row] = _frames(material.f0, first, frames)
        crops.voiced[row] = _frames(material.voiced, first, frames)
    return crops


def _noise(rng: np.random.Generator, samples: int) -> np.ndarray:
    """White or low-passed noise."""
    noise = rng.standard_normal(samples + 1, dtype=np.float32)
    return noise[1:] + np.float32(rng.uniform(0, 1)) * noise[:-1]


def _frames(values: np.ndarray, first: int, n: int) -> np.ndarray:
    return values[np.minimum(np.arange(first, first + n), len(values) - 1)]
