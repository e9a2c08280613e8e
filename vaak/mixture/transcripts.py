"""Token ids of transcripts and voice descriptions, made once per corpus and tokenizer, so that no loader tokenizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.corpus.arrays import GrowingArray
from vaak.grammar.tokenizer import TextTokenizer
from vaak.mixture.derived import check_derived, derive
from vaak.storage.files import hash_json

_BATCH = 8192

# Descriptions that are remembered at once, about 100 MB of them.
_MOST_VOICES = 1 << 18


class Transcripts:
    """The cached ids of one paired group. Voice descriptions repeat, so each is stored once, or a few times.

    Raises `BadInput` if the cache is damaged.
    """

    def __init__(self, folder: Path) -> None:
        check_derived(folder)
        self.tokens = _mapped(folder / "tokens.npy")
        self.offsets = _mapped(folder / "offsets.npy")
        # One offset as a plain integer costs half of numpy's own.
        self._at = self.offsets.data
        self.voice_of = _mapped(folder / "voice_of.npy")
        self.voice_tokens = _mapped(folder / "voice_tokens.npy")
        self.voice_offsets = _mapped(folder / "voice_offsets.npy")

    def transcript(self, sample: int) -> NDArray[np.uint32]:
        return self.tokens[self._at[sample] : self._at[sample + 1]]

    def voice(self, sample: int) -> NDArray[np.uint32]:
        """Ids of the sample's voice description, empty if it has none."""
        number = self.voice_of[sample]
        if number < 0:
            return self.voice_tokens[:0]
        return self.voice_tokens[self.voice_offsets[number] : self.voice_offsets[number + 1]]

    def lengths_of(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids of some transcripts (int64[n] to int64[n])."""
        return self.offsets[samples + 1] - self.offsets[samples]

    def voice_lengths_of(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids of some samples' voice descriptions, 0 where there is none (int64[n] to int64[n])."""
        numbers = self.voice_of[samples].astype(np.int64)
        has = numbers >= 0
        found = np.zeros(len(samples), np.int64)
        found[has] = self.voice_offsets[numbers[has] + 1] - self.voice_offsets[numbers[has]]
        return found


def cached_transcripts(cache: Path, corpus: Corpus, group: Group, tokenizer: TextTokenizer) -> str:
    """Name, inside `cache`, of the folder with the group's ids; made if it is not there, or is damaged."""
    key = hash_json([corpus.id, group.stream, group.language, group.tier, tokenizer.hash, "transcripts-1"])[:20]
    name = f"transcripts/{key}"
    derive(cache / name, lambda folder: _tokenize(folder, group, tokenizer))
    return name


def _tokenize(folder: Path, group: Group, tokenizer: TextTokenizer) -> None:
    texts = _Ids(folder, "", tokenizer)
    for batch in group.texts("transcript", _BATCH):
        texts.append([text or "" for text in batch])
    texts.close()
    # Few descriptions in many samples. An empty one is none. Those that were seen are forgotten when there are too many
    # to remember, so that one that comes again is stored again.
    voices = _Ids(folder, "voice_", tokenizer)
    known: dict[str, int] = {}
    first = 0
    voice_of = GrowingArray(folder / "voice_of.npy", np.dtype(np.int32))
    for batch in group.texts("voice_description", _BATCH):
        numbers = [known.setdefault(voice, first + len(known)) if voice else -1 for voice in batch]
        voice_of.append(np.array(numbers, dtype=np.int32))
        if len(known) > _MOST_VOICES:
            voices.append(list(known))
            first += len(known)
            known.clear()
    voice_of.close()
    voices.append(list(known))
    voices.close()


class _Ids:
    """Ids and offsets of texts that come in lists; they grow on disk, as a corpus has more than fit in memory."""

    def __init__(self, folder: Path, prefix: str, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens = GrowingArray(folder / f"{prefix}tokens.npy", np.dtype(np.uint32))
        self._offsets = GrowingArray(folder / f"{prefix}offsets.npy", np.dtype(np.int64))
        self._offsets.append(np.zeros(1, np.int64))

    def append(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), _BATCH):
            ids = self._tokenizer.encode_batch(texts[start : start + _BATCH])
            ends = self._tokens.n + np.cumsum([len(one) for one in ids], dtype=np.int64)
            self._tokens.append(np.fromiter(chain.from_iterable(ids), np.uint32))
            self._offsets.append(ends)

    def close(self) -> None:
        self._tokens.close()
        self._offsets.close()


def _mapped(path: Path) -> NDArray:
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
