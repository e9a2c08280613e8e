"""The one interface that the other rooms know, and the function that opens a codec by name or folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from vaak.errors import BadInput

EMBEDDED = "embedded"


class Codec(Protocol):
    """A codec with one codebook. Codes are uint16, waves are mono float32 in [-1, 1].

    `hash` is the SHA-256 over configuration and weights: codes of different hashes do not mix.
    """

    name: str
    codebook_size: int
    sample_rate: int
    output_rate: int
    tokens_per_second: int
    hash: str

    def encode(self, wave: np.ndarray) -> np.ndarray:
        """float32[T] at `sample_rate` to uint16[ceil(T / 320)]. `BadInput` for an empty wave, NaN or infinity."""
        ...

    def encode_batch(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `encode` of each: the codes of a wave never depend on what else is in the list."""
        ...

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """uint16[N] to float32[N * output_rate / 50]. `BadInput` for a code outside the codebook."""
        ...

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `decode` of each."""
        ...


def open_codec(name_or_folder: str | Path) -> Codec:
    """The codec called "embedded", or the one in a folder with model.safetensors and config.json.

    Raises `BadInput` for another name, a folder without these files, or files that are damaged.
    """
    from vaak.codec.neural import open_neural

    if str(name_or_folder) == EMBEDDED:
        return open_neural(Path(__file__).parent / "embedded", EMBEDDED)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise BadInput(f"codec {str(name_or_folder)!r} is neither {EMBEDDED!r} nor a folder; name one of the two")
    return open_neural(folder, folder.resolve().name)


def code_levels(name_or_folder: str | Path) -> tuple[int, ...] | None:
    """Levels of the codec's finite scalar quantiser: code = digit 0 + levels[0] × (digit 1 + levels[1] × ...).

    Read from its configuration alone, no weights. None for a codec whose configuration is not here or names no levels.
    """
    folder = Path(__file__).parent / "embedded" if str(name_or_folder) == EMBEDDED else Path(name_or_folder)
    if not (folder / "config.json").is_file():
        return None
    try:
        levels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["network"]["levels"]
        return tuple(int(level) for level in levels)
    except (ValueError, KeyError, TypeError):
        return None
