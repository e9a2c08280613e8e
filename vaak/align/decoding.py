"""The codes of one group made sound, once; and what the gates of the reward want to know of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vaak.codec import Codec
from vaak.score import sanity
from vaak.score.reward import Figures
from vaak.score.reward_gates import copied_share, level_db
from vaak.speak.generation import Generation


class DecoderFailed(Exception):
    """Every sample of a group crashed the decoder: the fault is not one of the samples."""


@dataclass(frozen=True)
class Decoded:
    """wave: float32[T] at the codec's `output_rate`, empty where there is no sound. crash: why the decoder gave none, else ""."""

    wave: np.ndarray
    crash: str = ""


def decode_group(codec: Codec, codes: Sequence[np.ndarray]) -> list[Decoded]:
    """Sound of each of `codes` (integers [n]), in one batch; where that fails, one by one, so that a crash takes only its own.

    Empty codes, and codes outside the codebook, which have gates of their own, are not decoded and are no crash. Raises
    `DecoderFailed` when two samples or more were decoded and all crashed, and what says that memory is short: both are
    no fault of a sample.
    """
    decoded = [Decoded(np.zeros(0, np.float32)) for _ in codes]
    playable = [
        i for i, one in enumerate(codes) if len(one) and not sanity.invalid_rate(one, range(codec.codebook_size))
    ]
    if not playable:
        return decoded
    try:
        waves = codec.decode_batch([codes[i] for i in playable])
        found = [_heard(wave, len(codes[i])) for i, wave in zip(playable, waves, strict=True)]
    except Exception as error:
        _raise_if_out_of_memory(error)
        found = [_decode_one(codec, codes[i]) for i in playable]
    if len(found) > 1 and all(one.crash for one in found):
        raise DecoderFailed(f"all {len(found)} samples crashed, the first with {found[0].crash}")
    for i, one in zip(playable, found, strict=True):
        decoded[i] = one
    return decoded


def gate_figures(generation: Generation, decoded: Decoded, limit: int, reference: np.ndarray, codec: Codec) -> Figures:
    """What is known of a sample without a network. limit: the most codes it could have; reference: uint16[n], the recording's."""
    codes = generation.codes
    return Figures(
        stopped=generation.stopped,
        truncated=sanity.is_truncated(generation.stopped, len(codes), limit),
        codes=len(codes),
        reference_codes=len(reference) or None,
        invalid_rate=sanity.invalid_rate(codes, range(codec.codebook_size)),
        loop_share=sanity.loop_share(codes),
        silence_share=sanity.silence_share(decoded.wave, codec.output_rate),
        level_db=level_db(decoded.wave, codec.output_rate),
        copied=copied_share(codes, reference),
        crashed=bool(decoded.crash),
    )


def _decode_one(codec: Codec, codes: np.ndarray) -> Decoded:
    try:
        return _heard(codec.decode(codes), len(codes))
    except Exception as error:
        _raise_if_out_of_memory(error)
        return Decoded(np.zeros(0, np.float32), f"{type(error).__name__}: {error}"[:500])


def _heard(wave: np.ndarray, codes: int) -> Decoded:
    if sanity.is_unplayable(wave, codes):
        return Decoded(np.zeros(0, np.float32), "no sound, or samples that are not finite")
    return Decoded(wave)


def _raise_if_out_of_memory(error: Exception) -> None:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        raise error
