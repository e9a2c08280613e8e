"""How original audio ships: Ogg Opus, the same bytes on every call.

Apart from `vaak.demo.sound`, so that another bit rate does not make all that was spoken anew.
"""

from __future__ import annotations

import io

import numpy as np

from vaak.demo.voices import RATE

# libsndfile's scale from 0 (best) to 1; about 15 kbit/s of Opus for speech at 16 kHz.
_OPUS_COMPRESSION = 0.965


def opus(wave: np.ndarray, serial: int) -> bytes:
    """Ogg Opus of a wave at 16 kHz, the same bytes on every call: the stream number, random in libsndfile, is `serial`."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, format="OGG", subtype="OPUS", compression_level=_OPUS_COMPRESSION)
    return _renumbered(bytearray(buffer.getvalue()), serial)


def _renumbered(data: bytearray, serial: int) -> bytes:
    """The Ogg pages of `data` under another stream number, with their checksums (RFC 3533) made right again."""
    start = 0
    while start < len(data):
        segments = data[start + 26]
        end = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        data[start + 14 : start + 18] = serial.to_bytes(4, "little")
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _checksum(data[start:end]).to_bytes(4, "little")
        start = end
    return bytes(data)


def _checksum_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        register = value << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        table.append(register & 0xFFFFFFFF)
    return tuple(table)


_TABLE = _checksum_table()


def _checksum(page: bytes | bytearray) -> int:
    register = 0
    for byte in page:
        register = ((register << 8) & 0xFFFFFFFF) ^ _TABLE[(register >> 24) ^ byte]
    return register
