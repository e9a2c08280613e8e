"""Audio made ready for training a codec: waves, pitch and pulse trains on disk."""

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
