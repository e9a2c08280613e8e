"""The id space of a speech language model: text, control tokens, speech codes, padding, in this order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vaak.errors import BadInput
from vaak.storage.files import read_json, write_json

CONTROL_TOKENS = ("<|speech_start|>", "<|speech_end|>", "<|voice_start|>", "<|voice_end|>")

# Matrix kernels want the vocabulary's rows in multiples of this.
PADDING = 128


@dataclass(frozen=True)
class Vocabulary:
    """`[base tokenizer ids][control tokens][speech codes 0..codebook_size-1][padding to a multiple of 128]`.

    `base_size` is the tokenizer's own length, not the padded one of a base model: that model's spare rows are reused.
    """

    base_size: int
    codebook_size: int
    end_of_text_id: int

    def __post_init__(self) -> None:
        if self.base_size < 1 or not 1 <= self.codebook_size <= 65536:
            raise BadInput(f"a vocabulary of {self.base_size} text ids and {self.codebook_size} codes is impossible")
        if not 0 <= self.end_of_text_id < self.base_size:
            raise BadInput(f"end-of-text id {self.end_of_text_id} is outside the tokenizer's {self.base_size} ids")

    @property
    def speech_start(self) -> int:
        return self.base_size

    @property
    def speech_end(self) -> int:
        return self.base_size + 1

    @property
    def voice_start(self) -> int:
        return self.base_size + 2

    @property
    def voice_end(self) -> int:
        return self.base_size + 3

    @property
    def first_speech_id(self) -> int:
        return self.base_size + len(CONTROL_TOKENS)

    @property
    def size(self) -> int:
        """Ids that mean something: text, control tokens and codes."""
        return self.first_speech_id + self.codebook_size

    @property
    def padded_size(self) -> int:
        """Rows of the embedding and the head. Rows from `size` on are never sampled and never a target."""
        return -(-self.size // PADDING) * PADDING

    def speech_ids(self, codes: ArrayLike) -> np.ndarray:
        """Codes of any integer dtype and shape to ids, int64: widened first, because uint16 would wrap.

        Raises `BadInput` for a code outside 0..codebook_size-1.
        """
        wide = _integers(codes, "codes")
        if wide.size and not (wide.min() >= 0 and wide.max() < self.codebook_size):
            raise BadInput(f"codes span {wide.min()}..{wide.max()}, but the codebook has 0..{self.codebook_size - 1}")
        return wide + self.first_speech_id

    def codes(self, ids: ArrayLike) -> np.ndarray:
        """Speech ids of any shape back to codes, uint16. Raises `BadInput` if one of them is no speech id."""
        wide = _integers(ids, "ids")
        outside = wide[~self.is_speech(wide)]
        if outside.size:
            raise BadInput(f"id {outside[0]} is no speech id; those are {self.first_speech_id}..{self.size - 1}")
        return (wide - self.first_speech_id).astype(np.uint16)

    def is_speech(self, ids: ArrayLike) -> np.ndarray:
        """Which ids are speech codes, as bool of the same shape."""
        wide = _integers(ids, "ids")
        return (wide >= self.first_speech_id) & (wide < self.size)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the control tokens are written out for readers in other languages."""
        return {**asdict(self), "control_tokens": list(CONTROL_TOKENS)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_dict`. Raises `BadInput` if a field is missing or the control tokens are others."""
        try:
            vocabulary = cls(int(values["base_size"]), int(values["codebook_size"]), int(values["end_of_text_id"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"a vocabulary needs base_size, codebook_size and end_of_text_id ({error})") from error
        if tuple(values.get("control_tokens", CONTROL_TOKENS)) != CONTROL_TOKENS:
            raise BadInput(f"control tokens {values['control_tokens']} are not this version's {list(CONTROL_TOKENS)}")
        return vocabulary

    def save(self, path: str | Path) -> None:
        """Write `vocabulary.json` (or the file named by `path`)."""
        write_json(_file(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a `vocabulary.json`, named itself or by its folder."""
        return cls.from_dict(read_json(_file(path)))


def _file(path: str | Path) -> Path:
    path = Path(path)
    return path / "vocabulary.json" if path.is_dir() else path


def _integers(values: ArrayLike, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise BadInput(f"{what} must be integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise BadInput(f"{what} hold {array.max()}, which is no id")
    return array.astype(np.int64)
