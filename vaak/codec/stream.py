"""Codes to a wave piece by piece, while the codes are still being drawn."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vaak.codec.door import Codec

# Codes of context before a piece, codes that must be there after it, and the fewest that are worth decoding again for.
_CONTEXT, _AHEAD, _FEWEST = 100, 25, 25


class WaveStream(Protocol):
    """Pieces of codes in, pieces of the wave out; joined they have as many samples as `Codec.decode` of all codes."""

    def push(self, codes: np.ndarray) -> np.ndarray:
        """More codes, uint16[n], to what of the wave is certain by now, float32[T], which may be nothing."""
        ...

    def finish(self) -> np.ndarray:
        """The rest, float32[T]; no codes can follow."""
        ...


def open_stream(codec: Codec) -> WaveStream:
    """A stream of one wave. The embedded codec's own is its `decode` in pieces, up to rounding (`NeuralCodec.stream`);
    any other codec decodes overlapping windows that are faded into each other, which is near its `decode`, not equal."""
    own = getattr(codec, "stream", None)
    return own() if own is not None else WindowedStream(codec)


class WindowedStream:
    """Windows of a codec that knows no pieces: 100 codes of context before, 25 after, and 20 ms of fade at each seam.

    How near this is to decoding at once depends on how far the codec's decoder looks; within the window it is equal.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._hop = codec.output_rate // codec.tokens_per_second
        self._codes = np.zeros(0, np.uint16)  # those that a window may still need
        self._given = 0  # of `_codes`, how many were heard already
        self._fade = np.zeros(0, np.float32)  # how the window before heard the code that comes next

    def push(self, codes: np.ndarray) -> np.ndarray:
        self._codes = np.concatenate([self._codes, np.asarray(codes)])
        ready = len(self._codes) - _AHEAD
        return self._heard(ready) if ready - self._given >= _FEWEST else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        return self._heard(len(self._codes)) if len(self._codes) > self._given else np.zeros(0, np.float32)

    def _heard(self, ready: int) -> np.ndarray:
        wave = self._codec.decode(self._codes)
        piece = wave[self._given * self._hop : ready * self._hop].copy()
        if len(self._fade):
            rising = (np.arange(self._hop, dtype=np.float32) + 0.5) / self._hop
            piece[: self._hop] = self._fade * (1 - rising) + piece[: self._hop] * rising
        self._fade = wave[ready * self._hop : (ready + 1) * self._hop].copy()
        forgotten = max(0, ready - _CONTEXT)
        self._codes, self._given = self._codes[forgotten:], ready - forgotten
        return piece
