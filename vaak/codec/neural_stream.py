"""The embedded codec's decoder, fed with codes as they come: what `NeuralCodec.decode` does, with its state kept between pieces.

The network looks a bounded way to both sides, so a frame is certain once that many codes follow it. Two things reach further:
the phase of the pulses, which is carried along, and the pitch of frames without voice, which lies between their voiced
neighbours: it is heard only in the 10 ms in which the voice fades, and waited for up to `_PATIENCE` frames.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vaak.codec.network import HOP, CodecNetwork, render
from vaak.codec.noise import CodeNoise
from vaak.codec.pitch import CEILING_HZ, FLOOR_HZ, RATE, fill_unvoiced, pulses_of
from vaak.codec.settings import NetworkSettings

_KERNEL_SIDE = 3  # of a block of seven
_REACH = 2  # frames to each side whose windows overlap with a frame's 10 ms
_SIDE = 240
# A stop consonant is shorter than this; in a longer pause the fading voice keeps its pitch instead of gliding to the next.
_PATIENCE = 24


def receptive_codes(settings: NetworkSettings) -> int:
    """How many codes to each side the decoder's network hears."""
    fine = -(-_KERNEL_SIDE * settings.fine_blocks // 2)  # two fine frames to a code
    return _KERNEL_SIDE * settings.decoder_blocks + fine


class NeuralStream:
    """See `vaak.codec.stream.WaveStream`. `check` turns what is pushed into int64 codes, or raises `BadInput`.

    A piece follows its codes by `receptive_codes` + 2 codes: 0.4 s of sound with the embedded codec.
    """

    def __init__(self, network: CodecNetwork, check: Callable[[np.ndarray], np.ndarray]) -> None:
        self._network, self._check = network, check
        self._reach = receptive_codes(network.settings)
        self._pulses, self._noise = PulseStream(), CodeNoise()
        # What the next frames need of codes, hidden frames and both sources, and the number of the first that is kept.
        self._codes, self._first_code = torch.zeros(0, dtype=torch.int64), 0
        self._hidden, self._first_frame = torch.zeros(0), 0
        self._sources, self._first_sample = [np.zeros(0, np.float32), np.zeros(0, np.float32)], 0
        self._decoded = 0  # codes whose hidden frames are known
        self._rendered = 0  # frames that were given out

    @torch.inference_mode()
    def push(self, codes: np.ndarray) -> np.ndarray:
        checked = self._check(codes)
        self._codes = torch.cat([self._codes, torch.from_numpy(checked)])
        self._add(1, self._noise.more(checked))
        self._decode(self._first_code + len(self._codes) - self._reach)
        certain = self._first_sample + len(self._sources[0])
        return self._render(min(2 * self._decoded, (certain - _SIDE) // HOP) - _REACH)

    @torch.inference_mode()
    def finish(self) -> np.ndarray:
        self._decode(self._first_code + len(self._codes))
        self._add(0, self._pulses.finish())
        return self._render(2 * self._decoded)

    def _add(self, source: int, samples: np.ndarray) -> None:
        self._sources[source] = np.concatenate([self._sources[source], samples])

    def _decode(self, until: int) -> None:
        """Hidden frames, pitch and pulses of the codes up to `until`."""
        if until <= self._decoded:
            return
        values = self._network.quantiser.values(self._codes)
        start = 2 * (self._decoded - self._first_code)
        hidden = self._network.decoder.hidden(values[None])[0, start : 2 * (until - self._first_code)]
        octave, voicing = self._network.decoder.tones(hidden[None])
        f0 = 100 * np.exp2(octave[0].double().numpy())
        self._add(0, self._pulses.more(f0.astype(np.float32), (voicing[0] > 0).numpy()))
        self._hidden = torch.cat([self._hidden, hidden]) if len(self._hidden) else hidden
        self._decoded = until
        forgotten = max(0, until - self._reach - self._first_code)
        self._codes, self._first_code = self._codes[forgotten:], self._first_code + forgotten

    def _render(self, until: int) -> np.ndarray:
        """The wave of the frames up to `until` that were not given out yet."""
        if until <= self._rendered:
            return np.zeros(0, np.float32)
        first, last = self._rendered - _REACH, until + _REACH
        known = self._first_frame + len(self._hidden)
        # Beyond its ends the wave is silence, filtered as its first and last frame are.
        frames = torch.arange(first, last).clamp(0, known - 1) - self._first_frame
        filters = self._network.decoder.heads(self._hidden[frames][None])
        sources = [self._part(source, first * HOP - _SIDE, last * HOP + _SIDE) for source in self._sources]
        wave = render(filters, sources[0], sources[1], self._network.encoder.window)[0]
        piece = wave[_REACH * HOP : (_REACH + until - self._rendered) * HOP].clamp(-1.0, 1.0).numpy()
        self._rendered = until
        self._forget(until - _REACH)
        return piece

    def _part(self, source: np.ndarray, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop` of the whole wave, [1, n]; zeros where there are none."""
        start, stop = start - self._first_sample, stop - self._first_sample
        inside = source[max(start, 0) : max(stop, 0)]
        padded = np.pad(inside, (max(-start, 0), stop - max(start, 0) - len(inside)))
        return torch.from_numpy(padded)[None]

    def _forget(self, frame: int) -> None:
        """Drop what no frame from `frame` on needs."""
        frames = max(0, frame - self._first_frame)
        self._hidden, self._first_frame = self._hidden[frames:], self._first_frame + frames
        samples = max(0, self._first_frame * HOP - _SIDE - self._first_sample)
        self._sources = [source[samples:] for source in self._sources]
        self._first_sample += samples


class PulseStream:
    """Pitch frame by frame to pulses: `pulse_train(fill_unvoiced(f0, voiced), voiced)`, each sample once it is certain."""

    def __init__(self) -> None:
        # From the last voiced frame on, or from the beginning; the phase stands at that frame's centre, or at sample 0.
        self._f0, self._voiced, self._first = np.zeros(0, np.float32), np.zeros(0, bool), 0
        self._phase, self._at = 0.0, 0
        self._given = 0

    def more(self, f0: np.ndarray, voiced: np.ndarray) -> np.ndarray:
        """f0 in Hz and whether there is voice, [n] each, to the samples that became certain, float32[T]."""
        self._f0, self._voiced = np.concatenate([self._f0, f0]), np.concatenate([self._voiced, voiced])
        if not len(self._f0):
            return np.zeros(0, np.float32)
        parts = []
        where = np.flatnonzero(self._voiced)
        if len(where) and (where[-1] > 0 or self._at == 0):
            parts.append(self._to_voice(int(where[-1])))
        # Before the first voice nothing fades, so nothing is waited for.
        if not len(where) or len(self._f0) - 1 > _PATIENCE:
            parts.append(self._held((self._first + len(self._f0) - 1) * HOP + HOP // 2))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        """The rest: the last pitch holds to the end."""
        return self._held((self._first + len(self._f0)) * HOP) if len(self._f0) else np.zeros(0, np.float32)

    def _to_voice(self, last: int) -> np.ndarray:
        """Up to the centre of frame `last`, where there is voice: all pitches before it are known now."""
        stop = (self._first + last) * HOP + HOP // 2
        samples = np.arange(self._at, stop)
        filled = fill_unvoiced(self._f0[: last + 1], self._voiced[: last + 1])
        centres = (self._first + np.arange(last + 1)) * HOP + HOP / 2
        hz = np.interp(samples, centres, np.clip(filled, FLOOR_HZ / 2, CEILING_HZ * 2))
        amplitude = np.interp(samples, centres, np.asarray(self._voiced[: last + 1], np.float64))
        pulses, self._phase = pulses_of(hz, amplitude, self._phase)
        pulses = pulses[max(0, self._given - self._at) :]
        self._at, self._given = stop, max(self._given, stop)
        self._f0, self._voiced, self._first = self._f0[last:], self._voiced[last:], self._first + last
        return pulses

    def _held(self, stop: int) -> np.ndarray:
        """Up to sample `stop`, as if the pitch stayed as it is at the last voice; the phase stays where it was."""
        samples = np.arange(self._given, max(stop, self._given))
        centres = (self._first + np.arange(len(self._f0))) * HOP + HOP / 2
        amplitude = np.interp(samples, centres, np.asarray(self._voiced, np.float64))
        pitch = float(np.clip(self._f0[0], FLOOR_HZ / 2, CEILING_HZ * 2))
        phase = self._phase + 2 * np.pi * pitch * (self._given - self._at) / RATE
        self._given = max(self._given, stop)
        return pulses_of(np.full(len(samples), pitch), amplitude, phase)[0]
