"""The one interface that the other rooms know, and the function that opens a codec by name or folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from vaak.errors import BadInput

EMBEDDED = "embedded"

# Codecs by name, and where the Hub keeps their weights in the form that transformers reads.
HUB = {"xcodec2": "HKUSTAudio/xcodec2-hf", "neucodec": "neuphonic/neucodec"}


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
    """The codec called "embedded", "xcodec2" or "neucodec", the one in a folder, or one on the Hub.

    A folder holds config.json and safetensors, of an embedded codec or of transformers' `Xcodec2Model` or
    `NeuCodecModel`. A name of these two, or `owner/name`, or `owner/name@revision`, is fetched from the Hub once and
    then read from its cache. Raises `BadInput` for another name, a folder without these files, files that are damaged,
    or a Hub that does not answer.
    """
    from vaak.codec.neural import open_neural
    from vaak.codec.xcodec2 import model_type, open_xcodec2

    given = str(name_or_folder)
    if given == EMBEDDED:
        return open_neural(Path(__file__).parent / "embedded", EMBEDDED, given)
    folder, name = Path(given), given
    if given in HUB or not folder.is_dir():
        if given not in HUB and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w./-]+)?", given):
            named = ", ".join(repr(one) for one in (EMBEDDED, *HUB))
            raise BadInput(f"codec {given!r} is neither {named} nor a folder; name one of these")
        folder = _from_hub(HUB.get(given, given))
        if model_type(folder) is None:
            raise BadInput(
                f"codec {given!r} of the Hub is of no kind that is known here; use {', '.join(HUB.values())}"
            )
    else:
        name = folder.resolve().name
    if model_type(folder) is not None:
        return open_xcodec2(folder, name, given)
    return open_neural(folder, name, given)


def _from_hub(repository: str) -> Path:
    """The folder of a repository's weights in the Hub's cache, fetched if they are not there."""
    from huggingface_hub import snapshot_download

    name, _, revision = repository.partition("@")
    wanted = ["config.json", "*.safetensors", "*.safetensors.index.json"]
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=wanted))
    except Exception as error:  # the Hub's client raises its own, its HTTP library's and the system's errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(
            f"codec {repository!r} is no folder here and cannot be fetched from the Hub ({reason}); "
            "download it and name its folder"
        ) from error


def code_levels(name_or_folder: str | Path) -> tuple[int, ...] | None:
    """Levels of the codec's finite scalar quantiser: code = digit 0 + levels[0] × (digit 1 + levels[1] × ...).

    Read from its configuration alone, no weights. None for a codec whose configuration is not here or names no levels.
    """
    folder = Path(__file__).parent / "embedded" if str(name_or_folder) == EMBEDDED else Path(name_or_folder)
    if not (folder / "config.json").is_file():
        return None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        levels = config["quantization_levels"] if "model_type" in config else config["network"]["levels"]
        return tuple(int(level) for level in levels)
    except (ValueError, KeyError, TypeError):
        return None
