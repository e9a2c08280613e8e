"""Random samples of every language decoded, to be listened to; and whether they decode at all, and to something audible."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from vaak.audit.finding import Finding
from vaak.audit.item import Item
from vaak.codec import Codec
from vaak.page import player

# So many are decoded in one call: bounds the memory of waves whatever the number to listen to.
_BATCH = 8
# Nobody listens to ten minutes of one sample in an audit: 20 seconds of each at most.
_LONGEST_S = 20


@dataclass(frozen=True)
class Listened:
    """One decoded sample. `level_dbfs` is its root mean square against full scale; `error` is set where decoding failed."""

    item: Item
    level_dbfs: float
    sound: Markup
    error: str = ""


def chosen(languages: np.ndarray, is_audio: np.ndarray, per_language: int, seed: int) -> np.ndarray:
    """Positions (int64, by language and ascending) of the samples to listen to, given language and kind of all examined ones."""
    found = [np.empty(0, np.int64)]
    of_audio = np.flatnonzero(is_audio)
    for language in dict.fromkeys(languages[of_audio].tolist()):
        members = of_audio[languages[of_audio] == language]
        random = np.random.default_rng([seed, zlib.crc32(language.encode())])
        drawn = random.choice(len(members), min(per_language, len(members)), replace=False)
        found.append(members[np.sort(drawn)])
    return np.concatenate(found)


def listen(items: Sequence[Item], codec: Codec, progress: Callable[[float, float, str], None]) -> list[Listened]:
    """Decode the items; only compressed sound is kept in memory."""
    heard: list[Listened] = []
    for start in range(0, len(items), _BATCH):
        heard.extend(_decode(items[start : start + _BATCH], codec))
        progress(len(heard), len(items), f"decoding {items[start].sample.language}")
    return heard


def _decode(batch: Sequence[Item], codec: Codec) -> list[Listened]:
    codes = [item.tokens[: _LONGEST_S * codec.tokens_per_second] for item in batch]
    try:
        waves: list[np.ndarray | str] = list(codec.decode_batch(codes))
    except Exception:  # a codec may fail in its own way: which samples made it fail is the finding
        waves = [_decode_one(codec, one) for one in codes]
    return [_listened(item, wave, codec.output_rate) for item, wave in zip(batch, waves, strict=True)]


def _decode_one(codec: Codec, codes: np.ndarray) -> np.ndarray | str:
    try:
        return codec.decode(codes)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _listened(item: Item, wave: np.ndarray | str, rate: int) -> Listened:
    if isinstance(wave, str):
        return Listened(item, -np.inf, Markup("<p>Does not decode: {}</p>").format(wave), wave)
    if not np.isfinite(wave).all():
        wrong = "decodes to NaN or infinity"
        return Listened(item, -np.inf, Markup("<p>{}</p>").format(wrong), wrong)
    power = float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0
    level = 10 * float(np.log10(power)) if power > 0 else -np.inf
    sample = item.sample
    words = f"{sample.sample_id} · {item.stream} {sample.tier} · {sample.speaker or 'speaker unknown'} · {len(wave) / rate:.1f} s"
    return Listened(item, level, player(wave, rate, words))


def decodes(heard: Sequence[Listened], limit: Mapping[str, Any]) -> Finding:
    """Every sample that was listened to decodes without an error, to finite values."""
    failed = [(one.item.sample.sample_id, one.error) for one in heard if one.error]
    return Finding(len(heard), tuple(name for name, _ in failed), ": ".join(failed[0]) if failed else "")


def audible(heard: Sequence[Listened], limit: Mapping[str, Any]) -> Finding:
    """What was listened to is not silent."""
    sound = [one for one in heard if not one.error]
    silent = [one for one in sound if one.level_dbfs < limit["least_dbfs"]]
    example = f"{silent[0].item.sample.sample_id}: {silent[0].level_dbfs:.0f} dBFS" if silent else ""
    return Finding(len(sound), tuple(one.item.sample.sample_id for one in silent), example)
