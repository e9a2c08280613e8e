"""The metrics of one item, each with its version: a figure of another version is another figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np

from vaak.codec import Codec, read_audio
from vaak.corpus.pack_items import Prompt
from vaak.evaluate.generations import DECODING, Spoken
from vaak.score import sanity
from vaak.score.asr import Asr
from vaak.score.error_rate import word_counts
from vaak.score.quality import dnsmos
from vaak.score.similarity import embed_voice, open_embedder, similarity

# Languages in which a recogniser is tried at all. There is no open one for the Indic languages here yet, and what
# cannot be trusted is not printed.
SCORED_LANGUAGES = frozenset({"en"})
RATE = 16000

# How each metric is computed: raise the number when its code changes what it gives.
VERSIONS = {
    "crashed": 1,
    "stopped": 1,
    "duration_ratio": 1,
    "repeat_rate": 1,
    "loop_share": 1,
    "silence_share": 1,
    "wer": 1,
    "dnsmos": 2,
    "similarity": 1,
}


def versions(asr: Asr, generated: bool = True) -> dict[str, str]:
    """Metric -> version; a network that measures is named with its hash, and of generated speech the sampling is."""
    embedder = open_embedder()
    named = {metric: str(number) for metric, number in VERSIONS.items()}
    named["wer"] += f"+{asr.name}@{asr.hash[:12]}"
    named["similarity"] += f"+{embedder.name}@{embedder.hash[:12]}"
    return {metric: f"{version}+{DECODING}" if generated else version for metric, version in named.items()}


@dataclass(frozen=True)
class Figure:
    """A finite value and what explains it."""

    value: float
    detail: dict


@dataclass(frozen=True)
class Sound:
    """What is measured: the sound of a prompt and, for generated speech, how it came about.

    `voice` gives the embedding to compare with and says what that was made of; it is called only when needed.
    """

    prompt: Prompt
    wave: np.ndarray
    rate: int
    generated: Spoken | None = None
    decode_error: str = ""
    voice: Callable[[], tuple[np.ndarray | None, str]] | None = None


def metrics_of(prompt: Prompt, asr: Asr, *, generated: bool, has_voice: bool) -> set[str]:
    """The metrics that exist for an item: decided by the prompt alone, never by how the speech turned out."""
    names = {"silence_share", "dnsmos"}
    if prompt.language in SCORED_LANGUAGES & asr.languages:
        names.add("wer")
    if has_voice:
        names.add("similarity")
    if generated:
        names |= {"crashed", "stopped", "repeat_rate", "loop_share"}
        if prompt.reference_codes is not None and len(prompt.reference_codes):
            names.add("duration_ratio")
    return names


def measure(sound: Sound, asr: Asr, names: Iterable[str]) -> dict[str, Figure]:
    """The named metrics of one item. Silence and crashes get the worst value of each, they never drop out."""
    return {name: _MEASURES[name](sound, asr) for name in sorted(names)}


def _wer(sound: Sound, asr: Asr) -> Figure:
    heard = asr.transcribe(sound.wave, sound.rate, sound.prompt.language)
    counts = word_counts(sound.prompt.text, heard, sound.prompt.language)
    return Figure(counts.rate, {"heard": heard, **asdict(counts)})


def _similarity(sound: Sound, asr: Asr) -> Figure:
    assert sound.voice is not None
    other, made_of = sound.voice()
    return Figure(similarity(embed_voice(sound.wave, sound.rate), other), {"reference": made_of})


def _crashed(sound: Sound, asr: Asr) -> Figure:
    reason = _spoken(sound).crashed or sound.decode_error
    return Figure(float(bool(reason)), {"reason": reason} if reason else {})


def _duration_ratio(sound: Sound, asr: Asr) -> Figure:
    target = 0 if sound.prompt.reference_codes is None else len(sound.prompt.reference_codes)
    codes = len(_spoken(sound).codes)
    return Figure(sanity.duration_ratio(codes, target), {"codes": codes, "target": target})


def _spoken(sound: Sound) -> Spoken:
    assert sound.generated is not None
    return sound.generated


_MEASURES: dict[str, Callable[[Sound, Asr], Figure]] = {
    "crashed": _crashed,
    "stopped": lambda sound, asr: Figure(float(_spoken(sound).stopped), {}),
    "duration_ratio": _duration_ratio,
    "repeat_rate": lambda sound, asr: Figure(sanity.repeat_rate(_spoken(sound).codes), {}),
    "loop_share": lambda sound, asr: Figure(sanity.loop_share(_spoken(sound).codes), {}),
    "silence_share": lambda sound, asr: Figure(sanity.silence_share(sound.wave, sound.rate), {}),
    "wer": _wer,
    "dnsmos": lambda sound, asr: Figure(dnsmos(sound.wave, sound.rate), {}),
    "similarity": _similarity,
}


def voice_of(prompt: Prompt, codec: Codec) -> Callable[[], tuple[np.ndarray | None, str]] | None:
    """The voice that a prompt should have: of its recording, else of decoded codes, which is a proxy and says so.

    None when the prompt has neither.
    """
    audio = prompt.reference_audio
    codes = prompt.reference_codes if prompt.reference_codes is not None else prompt.voice_codes
    if audio is None and (codes is None or not len(codes)):
        return None

    def embed() -> tuple[np.ndarray | None, str]:
        if audio is not None:
            return embed_voice(read_audio(audio, RATE), RATE), "recording"
        assert codes is not None
        return embed_voice(codec.decode(codes), codec.output_rate), "decoded codes (a proxy)"

    return embed
