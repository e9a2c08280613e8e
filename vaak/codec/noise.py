"""The white noise under what a codec renders: the same whenever the same codes are decoded, at once or in pieces."""

from __future__ import annotations

import zlib

import numpy as np

from vaak.codec.network import SAMPLES_PER_CODE

# Codes that share a generator: to make one takes three times as long as to draw the noise of a code.
_SHARED = 8


class CodeNoise:
    """The noise of a wave's codes, in their order: that of each eight follows from all the codes before them."""

    def __init__(self) -> None:
        self._hash, self._count = 0, 0
        self._generator = np.random.default_rng(0)

    def more(self, codes: np.ndarray) -> np.ndarray:
        """The next codes, int64[n], to float32[320 n] of unit power."""
        noise = np.empty((len(codes), SAMPLES_PER_CODE), np.float32)
        for row, code in zip(noise, codes.astype("<u2"), strict=True):
            if self._count % _SHARED == 0:
                self._generator = np.random.default_rng(self._hash)
            self._generator.standard_normal(dtype=np.float32, out=row)
            self._hash, self._count = zlib.crc32(code.tobytes(), self._hash), self._count + 1
        return noise.reshape(-1)
