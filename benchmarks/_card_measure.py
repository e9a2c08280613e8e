"""What the card measures of each utterance in each condition, and the time that a codec takes."""

from __future__ import annotations

import hashlib
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import _card_codec2 as codec2
import numpy as np
from _card_items import Item

from vaak.codec import Codec, read_audio
from vaak.codec.audio import resample
from vaak.score.asr import Asr
from vaak.score.error_rate import Counts, word_counts
from vaak.score.quality import dnsmos
from vaak.score.similarity import embed_voice, similarity
from vaak.score.spectra import delay, log_mel_distance, without_delay
from vaak.storage.files import read_json, write_json

RATE = 16000  # Hz, at which everything is measured
ORIGINAL, ROUND_TRIP = "original", "round trip"
CODEC2 = {"codec2 1200": 1200, "codec2 3200": 3200}
NARROW_HZ = 3600  # what codec2's 8 kHz surely carry
# No recogniser here is trusted in another language (docs/score.md).
SCORED_LANGUAGES = frozenset({"en"})


@dataclass(frozen=True)
class Sounds:
    """Waves of every item (float32[T], 16 kHz, over the original) per condition, `delays` in seconds, and the codes."""

    waves: dict[str, list[np.ndarray]]
    delays: dict[str, float]
    codes: list[np.ndarray]


@dataclass(frozen=True)
class Measured:
    """One item in one condition. Distances (dB) and similarity are to the original; None where there is nothing to say."""

    item: Item
    condition: str
    seconds: float
    words: Mapping[str, Counts]  # by kind of recogniser, "whisper" and "pocketsphinx"
    dnsmos: float
    log_mel: float | None
    log_mel_narrow: float | None
    similarity: float | None


def make_sounds(items: Sequence[Item], codec: Codec, peers: Mapping[str, int]) -> Sounds:
    """Each item as it is and through each codec; a codec's delay is the median over the items, and is taken out."""
    originals = [read_audio(item.path, RATE) for item in items]
    codes = [codec.encode(resample(wave, RATE, codec.sample_rate)) for wave in originals]
    waves = {ORIGINAL: originals, ROUND_TRIP: [resample(codec.decode(some), codec.output_rate, RATE) for some in codes]}
    for name, bits in peers.items():
        with ThreadPoolExecutor(2) as pool:
            waves[name] = list(pool.map(partial(codec2.round_trip, rate=RATE, bits_per_second=bits), originals))
    delays = {}
    for name in list(waves)[1:]:
        late = [delay(wave, one, RATE) for wave, one in zip(waves[name], originals, strict=True)]
        delays[name] = statistics.median(late)
        waves[name] = [
            without_delay(wave, delays[name], RATE, len(one)) for wave, one in zip(waves[name], originals, strict=True)
        ]
    return Sounds(waves, delays, codes)


def measure(
    items: Sequence[Item], sounds: Sounds, asrs: Mapping[str, Asr], cache: Path | None, workers: int = 2
) -> list[Measured]:
    """All conditions of all items, `workers` items at once, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    def one(index: int) -> list[Measured]:
        waves = {condition: waves[index] for condition, waves in sounds.waves.items()}
        return _measure_item(items[index], waves, asrs, cache)

    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(one, range(len(items)))
        bar = track(done, "measure", total=len(items), console=Console(stderr=True), transient=True)
        return [measured for of_item in bar for measured in of_item]


def _measure_item(
    item: Item, waves: Mapping[str, np.ndarray], asrs: Mapping[str, Asr], cache: Path | None
) -> list[Measured]:
    original = waves[ORIGINAL]
    voice, found = embed_voice(original, RATE), []
    for condition, wave in waves.items():
        words = {}
        # Without a text every word that is heard would be one too many.
        for kind, asr in asrs.items() if item.language in SCORED_LANGUAGES and item.text.strip() else ():
            instrument = f"{asr.name}-{asr.hash[:12]}"
            heard = remembered(cache, instrument, wave, partial(asr.transcribe, wave, RATE, item.language))
            words[kind] = word_counts(item.text, str(heard), item.language)
        changed = condition != ORIGINAL
        found.append(
            Measured(
                item, condition, len(wave) / RATE, words,
                dnsmos=float(remembered(cache, "dnsmos", wave, partial(dnsmos, wave, RATE))),
                log_mel=log_mel_distance(wave, original, RATE) if changed else None,
                log_mel_narrow=log_mel_distance(wave, original, RATE, NARROW_HZ) if changed else None,
                similarity=similarity(embed_voice(wave, RATE), voice) if changed else None,
            )
        )  # fmt: skip
    return found


def remembered(cache: Path | None, instrument: str, wave: np.ndarray, compute: Callable[[], Any]) -> Any:
    """What `compute` says of `wave` (a JSON value), or what it said in an earlier run that had the same folder."""
    if cache is None:
        return compute()
    path = cache / f"{instrument}-{hashlib.sha256(wave.tobytes()).hexdigest()}.json"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        write_json(path, {"value": compute()})
    return read_json(path)["value"]


@dataclass(frozen=True)
class Speed:
    """Real-time factors: seconds of a processor, on one thread, for a second of audio; medians."""

    encode: float
    decode: float


def speeds(wave: np.ndarray, codec: Codec, peers: Mapping[str, int], rounds: int = 5) -> dict[str, Speed]:
    """All codecs in turn on one wave (16 kHz), after a round to warm up; codec2 with the start of its process."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ours, narrow = resample(wave, RATE, codec.sample_rate), codec2.narrow(wave, RATE)
    codes = codec.encode(ours)
    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        ROUND_TRIP: (partial(codec.encode, ours), partial(codec.decode, codes))
    }
    for name, bits in peers.items():
        encoded = codec2.encode(narrow, bits)
        work[name] = (partial(codec2.encode, narrow, bits), partial(codec2.decode, encoded, bits))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, (encode, decode) in work.items():
            pair = (_seconds(encode), _seconds(decode))
            if number:
                taken[name].append(pair)
    torch.set_num_threads(threads)
    length = len(wave) / RATE
    return {
        name: Speed(*(statistics.median(side) / length for side in zip(*pairs, strict=True)))
        for name, pairs in taken.items()
    }


def _seconds(work: Callable[[], object]) -> float:
    """Of a processor, in this thread and in processes that it waited for: a busy machine changes it little."""
    began = _processor_seconds()
    work()
    return _processor_seconds() - began


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime
