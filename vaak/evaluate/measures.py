"""The metrics of one item, each with its version: a figure of another version is another figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from vaak.codec import Codec, read_audio
from vaak.corpus.pack_items import Prompt
from vaak.evaluate import held_out as others
from vaak.evaluate.generations import DECODING, Spoken
from vaak.evaluate.held_out import HeldOut
from vaak.evaluate.items import most_codes
from vaak.evaluate.recognition import COUNTED, HELD_OUT_COUNTED, id_of
from vaak.languages import language_of
from vaak.score import sanity, voice_activity
from vaak.score.asr import Asr
from vaak.score.error_rate import Counts
from vaak.score.quality import dnsmos
from vaak.score.similarity import embed_voice, open_embedder, similarity
from vaak.score.utmos import open_utmos

RATE = 16000

# How each metric is computed: raise the number when its code changes what it gives.
VERSIONS = {
    "crashed": 2,
    "stopped": 1,
    "truncated": 1,
    "duration_ratio": 1,
    "repeat_rate": 1,
    "ngram_repetition": 1,
    "loop_share": 1,
    "invalid_rate": 1,
    "silence_share": 1,
    "voice_share": 1,
    "wer": 1,
    "cer": 1,
    "code_point_cer": 1,
    "wrong_script": 1,
    "dnsmos": 2,
    "utmos": 1,
    "similarity": 1,
}
_OF_CODES = {"crashed", "stopped", "truncated", "repeat_rate", "ngram_repetition", "loop_share", "invalid_rate"}


def versions(asr: Asr, generated: bool = True, held_out: HeldOut | None = None) -> dict[str, str]:
    """Metric -> version; a network that measures is named with its hash, and of generated speech the sampling is. Those of
    the held-out judges are among them where there are some."""
    embedder = open_embedder()
    named = {metric: str(number) for metric, number in VERSIONS.items()}
    for metric in COUNTED:
        named[metric] += f"+{id_of(asr)}"
    named["similarity"] += f"+{embedder.name}@{embedder.hash[:12]}"
    if voice_activity.is_installed():
        named["voice_share"] += f"+{voice_activity.NAME}"
    else:
        del named["voice_share"]
    judge = open_utmos()
    if judge is not None:
        named["utmos"] += f"+{judge.name}@{judge.hash[:12]}"
    else:
        del named["utmos"]
    if held_out is not None:
        named |= others.versions(held_out)
    return {metric: f"{version}+{DECODING}" if generated else version for metric, version in named.items()}


@dataclass(frozen=True)
class Figure:
    """A finite value and what explains it."""

    value: float
    detail: dict


@dataclass(frozen=True)
class Sound:
    """What is measured: the sound of a prompt and, for generated speech, how it came about.

    `codebook_size` is how many codes the codec knows. `voice` gives the embedding to compare with and says what that was
    made of; it is called only when needed.
    """

    prompt: Prompt
    wave: np.ndarray
    rate: int
    generated: Spoken | None = None
    decode_error: str = ""
    codebook_size: int = 1 << 16
    voice: Callable[[], tuple[np.ndarray | None, str]] | None = None


def metrics_of(
    prompt: Prompt, asr: Asr, *, generated: bool, has_voice: bool, held_out: HeldOut | None = None
) -> set[str]:
    """The metrics that exist for an item: decided by the prompt and what is installed, never by how the speech turned out."""
    names = {"silence_share", "dnsmos"}
    if voice_activity.is_installed():
        names.add("voice_share")
    if open_utmos() is not None:
        names.add("utmos")
    if language_of(prompt.language) in asr.languages:
        names |= COUNTED.keys()
    if has_voice:
        names.add("similarity")
    if generated:
        names |= _OF_CODES
        if prompt.reference_codes is not None and len(prompt.reference_codes):
            names.add("duration_ratio")
    return names if held_out is None else names | others.metrics_of(prompt, held_out, generated=generated)


def measure(sound: Sound, asr: Asr, names: Iterable[str], held_out: HeldOut | None = None) -> dict[str, Figure]:
    """The named metrics of one item. Silence and crashes get the worst value of each, they never drop out."""
    item = _Item(sound, asr, held_out)
    return {name: item.figure(name) for name in sorted(names)}


class _Item:
    """One sound with what several metrics share: a transcript is made once, and only if one of them needs it."""

    def __init__(self, sound: Sound, asr: Asr, held_out: HeldOut | None) -> None:
        self.sound, self.asr, self.held_out = sound, asr, held_out

    def figure(self, name: str) -> Figure:
        if name in COUNTED:
            return self.counted(COUNTED[name], self.heard, "heard" if name == "wer" else "")
        if name in HELD_OUT_COUNTED:
            return self.counted(
                HELD_OUT_COUNTED[name], self.held_out_heard, "held_out_heard" if name == "held_out_wer" else ""
            )
        if name in others.VERSIONS:
            codes = np.zeros(0) if self.sound.generated is None else self.codes
            return Figure(others.value_of(name, self.sound.prompt, self.sound.wave, self.sound.rate, codes), {})
        return _MEASURES[name](self)

    @cached_property
    def heard(self) -> str:
        return self.asr.transcribe(self.sound.wave, self.sound.rate, self.sound.prompt.language)

    @cached_property
    def held_out_heard(self) -> str:
        assert self.held_out is not None and self.held_out.asr is not None, (
            "metrics_of names it only where there is one"
        )
        return self.held_out.asr.transcribe(self.sound.wave, self.sound.rate, self.sound.prompt.language)

    @property
    def spoken(self) -> Spoken:
        assert self.sound.generated is not None
        return self.sound.generated

    @property
    def codes(self) -> np.ndarray:
        return self.spoken.codes

    def counted(self, edits: Callable[[str, str, str], Counts], heard: str, kept_as: str) -> Figure:
        counts = edits(self.sound.prompt.text, heard, self.sound.prompt.language)
        return Figure(counts.rate, ({kept_as: heard} if kept_as else {}) | asdict(counts))


def _similarity(item: _Item) -> Figure:
    assert item.sound.voice is not None
    other, made_of = item.sound.voice()
    return Figure(similarity(embed_voice(item.sound.wave, item.sound.rate), other), {"reference": made_of})


def _crashed(item: _Item) -> Figure:
    reason = item.spoken.crashed or item.sound.decode_error
    if not reason and sanity.is_unplayable(item.sound.wave, len(item.codes)):
        reason = "decoding: no sound, or samples that are not finite"
    return Figure(float(bool(reason)), {"reason": reason} if reason else {})


def _truncated(item: _Item) -> Figure:
    limit = item.spoken.limit or most_codes(item.sound.prompt)
    cut = sanity.is_truncated(item.spoken.stopped, len(item.codes), limit)
    return Figure(float(cut), {"limit": limit})


def _duration_ratio(item: _Item) -> Figure:
    target = 0 if item.sound.prompt.reference_codes is None else len(item.sound.prompt.reference_codes)
    return Figure(sanity.duration_ratio(len(item.codes), target), {"codes": len(item.codes), "target": target})


def _voice_share(item: _Item) -> Figure:
    share = voice_activity.voice_share(item.sound.wave, item.sound.rate)
    assert share is not None, "metrics_of names it only where the detector is installed"
    return Figure(share, {})


def _utmos(item: _Item) -> Figure:
    judge = open_utmos()
    assert judge is not None, "metrics_of names it only where its weights are"
    return Figure(judge.score(item.sound.wave, item.sound.rate), {})


_MEASURES: dict[str, Callable[[_Item], Figure]] = {
    "crashed": _crashed,
    "stopped": lambda item: Figure(float(item.spoken.stopped), {}),
    "truncated": _truncated,
    "duration_ratio": _duration_ratio,
    "repeat_rate": lambda item: Figure(sanity.repeat_rate(item.codes), {}),
    "ngram_repetition": lambda item: Figure(sanity.ngram_repetition(item.codes), {}),
    "loop_share": lambda item: Figure(sanity.loop_share(item.codes), {}),
    "invalid_rate": lambda item: Figure(sanity.invalid_rate(item.codes, range(item.sound.codebook_size)), {}),
    "silence_share": lambda item: Figure(sanity.silence_share(item.sound.wave, item.sound.rate), {}),
    "voice_share": _voice_share,
    "dnsmos": lambda item: Figure(dnsmos(item.sound.wave, item.sound.rate), {}),
    "utmos": _utmos,
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
