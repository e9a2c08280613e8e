"""Waves to codes and back: one codebook, 50 codes a second, whatever network lies behind it."""

from vaak.codec.audio import read_audio, write_audio
from vaak.codec.door import EMBEDDED, Codec, code_levels, open_codec

__all__ = ["EMBEDDED", "Codec", "code_levels", "open_codec", "read_audio", "write_audio"]
