"""Token ids of transcripts and voice descriptions, made once per corpus and tokenizer, so that no loader tokenizes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.corpus.arrays import GrowingArray
from vaak.grammar.tokenizer import TextTokenizer
from vaak.storage.files import hash_json

_BATCH = 8192


class Transcripts:
    """The cached ids of one paired group. Voice descriptions repeat, so each is stored once."""

    def __init__(self, folder: Path) -> None:
        self.tokens = _mapped(folder / "tokens.npy")
        self.offsets = _mapped(folder / "offsets.npy")
        self.voice_of = _mapped(folder / "voice_of.npy")
        self.voice_tokens = _mapped(folder / "voice_tokens.npy")
        self.voice_offsets = _mapped(folder / "voice_offsets.npy")

    def transcript(self, sample: int) -> NDArray[np.uint32]:
        return self.tokens[self.offsets[sample] : self.offsets[sample + 1]]

    def voice(self, sample: int) -> NDArray[np.uint32]:
        """Ids of the sample's voice description, empty if it has none."""
        number = self.voice_of[sample]
        if number < 0:
            return self.voice_tokens[:0]
        return self.voice_tokens[self.voice_offsets[number] : self.voice_offsets[number + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Ids of each transcript (int64[n])."""
        return np.diff(self.offsets)

    @property
    def voice_lengths(self) -> NDArray[np.int64]:
        """Ids of each sample's voice description, 0 where there is none (int64[n])."""
        lengths = np.append(np.diff(self.voice_offsets), 0)
        return lengths[self.voice_of]


def cached_transcripts(cache: Path, corpus: Corpus, group: Group, tokenizer: TextTokenizer) -> str:
    """Name, inside `cache`, of the folder with the group's ids; made if it is not there."""
    key = hash_json([corpus.id, group.stream, group.language, group.tier, tokenizer.hash, "transcripts-1"])[:20]
    name = f"transcripts/{key}"
    write_once(cache / name, lambda folder: _tokenize(folder, group, tokenizer))
    return name


def write_once(target: Path, make: Callable[[Path], None]) -> None:
    """Fill `target` through a folder beside it that is renamed when whole: many processes may try, one result stays."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        make(unfinished)
        os.rename(unfinished, target)
    except OSError:
        # Another process was first; its folder has the same content.
        if not target.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _tokenize(folder: Path, group: Group, tokenizer: TextTokenizer) -> None:
    _write_ids(folder, "", ([text or "" for text in texts] for texts in group.texts("transcript", _BATCH)), tokenizer)
    # Few descriptions in many samples. An empty one is none.
    known: dict[str, int] = {}
    voice_of = GrowingArray(folder / "voice_of.npy", np.dtype(np.int32))
    for batch in group.texts("voice_description", _BATCH):
        numbers = [known.setdefault(voice, len(known)) if voice else -1 for voice in batch]
        voice_of.append(np.array(numbers, dtype=np.int32))
    voice_of.close()
    voices = list(known)
    _write_ids(folder, "voice_", (voices[i : i + _BATCH] for i in range(0, len(voices), _BATCH)), tokenizer)


def _write_ids(folder: Path, prefix: str, texts: Iterable[Sequence[str]], tokenizer: TextTokenizer) -> None:
    """Ids and offsets of texts that come in batches; they grow on disk, as a corpus has more than fit in memory."""
    tokens = GrowingArray(folder / f"{prefix}tokens.npy", np.dtype(np.uint32))
    offsets = GrowingArray(folder / f"{prefix}offsets.npy", np.dtype(np.int64))
    offsets.append(np.zeros(1, np.int64))
    for batch in texts:
        ids = tokenizer.encode_batch(batch)
        ends = tokens.n + np.cumsum([len(one) for one in ids], dtype=np.int64)
        tokens.append(np.fromiter(chain.from_iterable(ids), np.uint32))
        offsets.append(ends)
    tokens.close()
    offsets.close()


def _mapped(path: Path) -> NDArray:
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
