"""What each network hears in one sample: a finite figure, or an exception. A failure is never a figure.

The instruments are those of `vaak.evaluate.measures`, so one sound has one figure in a reward and in an evaluation. What
they forgive there, since an evaluation must not drop an item, is told from a figure here: a not-a-number that became the
0.0 of `similarity`, and a transcript that is empty because something broke.

Batches of networks do not pay here. Seconds a clip of two seconds, one core: DNSMOS one by one .207, eight in one run .214; the
encoder of Whisper base one by one .085, eight in one run .143. GE2E alone gains, .042 and .028, a twentieth of
what judging a sample takes; it would hear in another order of sums than the evaluation does. Samples go to threads instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vaak.codec import Codec
from vaak.evaluate.recognition import COUNTED, first_figure
from vaak.score.asr import Asr
from vaak.score.likelihood import GivesLikelihood
from vaak.score.quality import dnsmos
from vaak.score.sanity import speech_share
from vaak.score.similarity import embed_voice, similarity
from vaak.score.voice_activity import voice_share

# A wave with more voice than this is clear speech, in which a recogniser that works hears something. Round trips of the
# example's recordings in twelve languages have .86 to 1.00, its model's samples .82 to .96, noise and hum 0.
CLEAR_VOICE = 0.5


class NotFinite(ValueError):
    """A judge gave no finite number."""


class EmptyTranscript(RuntimeError):
    """A recogniser gave nothing where it should have heard something."""


class Judgeable(Protocol):
    """What judging needs of a prompt: the text and its language, how many codes a sample could have, and of the recording the
    codes uint16[n] and the voice (an embedding, unit-length float32[d])."""

    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def limit(self) -> int: ...
    @property
    def reference_codes(self) -> np.ndarray: ...
    @property
    def voice(self) -> Callable[[], np.ndarray | None]: ...


@dataclass(frozen=True)
class Transcript:
    """text: what was heard. errors: its rate in the language's first figure, 0 or more."""

    text: str
    errors: float


def transcribe(asr: Asr, codec: Codec, prompt: Judgeable, wave: np.ndarray) -> Transcript:
    """What `asr` hears in `wave` (float32[T] at the codec's rate), against the prompt's text.

    Nothing heard is an error rate of 1.0 only where a recogniser that works may hear nothing: not in clear speech, and the
    recogniser, asked at once about the prompt's own recording, hears something in that. Else it raises
    `EmptyTranscript`. Whisper base answered none of 208 waves with nothing: samples of the example's model, round trips, codes in random
    order, random codes, noise, hum, speech backwards.
    """
    heard = asr.transcribe(wave, codec.output_rate, prompt.language)
    if not isinstance(heard, str):
        raise TypeError(f"the transcript is {heard!r:.80}, no text")
    if not heard.strip():
        _check_empty(asr, codec, prompt, wave)
    counts = COUNTED[first_figure(prompt.language)](prompt.text, heard, prompt.language)
    return Transcript(heard, counts.rate)


def _check_empty(asr: Asr, codec: Codec, prompt: Judgeable, wave: np.ndarray) -> None:
    voice = voice_share(wave, codec.output_rate)
    if voice is None:  # no detector is installed: energy, which takes noise for voice, so more groups are dropped
        voice = speech_share(wave, codec.output_rate)
    if voice > CLEAR_VOICE:
        raise EmptyTranscript(f"nothing was heard in a wave of which {voice:.0%} is voice")
    recording = codec.decode(prompt.reference_codes)
    if not asr.transcribe(recording, codec.output_rate, prompt.language).strip():
        raise EmptyTranscript("nothing was heard, nor in the recording of the prompt")


def likelihood_of(asr: GivesLikelihood, prompt: Judgeable, wave: np.ndarray, rate: int) -> float:
    """Mean log-probability of a token of the prompt's text, nats."""
    return _finite(asr.likelihood(wave, rate, prompt.language, prompt.text), "likelihood")


def voice_of(prompt: Judgeable) -> np.ndarray:
    """The embedding that the samples of a prompt are compared with. Raises `NotFinite` when there is none."""
    voice = prompt.voice()
    if voice is None:
        raise NotFinite("the recording of the prompt has no voice")
    return _finite_voice(voice)


def similarity_to(voice: np.ndarray, wave: np.ndarray, rate: int) -> float:
    """Cosine, 0.0 to 1.0, of the voice in `wave` and `voice`; 0.0 where nobody speaks in the wave."""
    own = embed_voice(wave, rate)
    return 0.0 if own is None else _finite(similarity(_finite_voice(own), voice), "similarity")


def quality_of(wave: np.ndarray, rate: int) -> float:
    """DNSMOS overall, 1 to 5."""
    return _finite(dnsmos(wave, rate), "DNSMOS")


def _finite(figure: float, name: str) -> float:
    figure = float(figure)
    if not math.isfinite(figure):
        raise NotFinite(f"{name} is {figure}")
    return figure


def _finite_voice(voice: np.ndarray) -> np.ndarray:
    # Before the cosine: `similarity` makes 0.0 of a not-a-number.
    if not np.isfinite(voice).all():
        raise NotFinite("the embedding of a voice is not finite")
    return voice
