"""The base model's text tokenizer, with one rule added: what a text spells never becomes a control token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.storage.files import write_bytes

END_OF_TEXT = "<|endoftext|>"

# How the supported families spell the end of a text: Qwen and our own, then Llama 3.
_END_OF_TEXT_SPELLINGS = (END_OF_TEXT, "<|end_of_text|>")

# Pre-tokens in the manner of Qwen's (contractions, words with one leading mark, single digits, punctuation, space), with
# one change: combining marks belong to their word. Indic vowel signs are marks, and without them every word would fall
# apart at each of its vowels, where no merge could join it again.
OWN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}\x{200C}\x{200D}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TextTokenizer:
    """A `tokenizers` tokenizer that reads every text as plain text.

    `source` is the text of a `tokenizer.json`. Special and added tokens keep their ids but are never matched in a text,
    and no begin-of-text is added. Raises `BadInput` if the file is no tokenizer or has no end-of-text token.
    """

    def __init__(self, source: str, name: str = "the tokenizer") -> None:
        self.source = source
        try:
            # With no added tokens and no post-processor the model sees only the text's own pieces.
            plain = {
                **json.loads(source),
                "added_tokens": [],
                "post_processor": None,
                "truncation": None,
                "padding": None,
            }
            self._decoder = Tokenizer.from_str(source)
            self._encoder = Tokenizer.from_str(json.dumps(plain))
        except Exception as error:  # the library raises bare Exception for a malformed file
            raise BadInput(f"{name} is not a tokenizer.json that can be read ({error})") from error
        vocabulary = self._decoder.get_vocab(with_added_tokens=True)
        self.size: int = max(vocabulary.values()) + 1
        self.hash: str = _hash(source)
        known = [vocabulary[spelling] for spelling in _END_OF_TEXT_SPELLINGS if spelling in vocabulary]
        if not known:
            raise BadInput(f"{name} has no end-of-text token; it must hold one of {', '.join(_END_OF_TEXT_SPELLINGS)}")
        self.end_of_text_id: int = known[0]

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without any special token: `"<|speech_start|>"` gives the pieces of its letters."""
        return self._encoder.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts, on all cores."""
        return [one.ids for one in self._encoder.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of base tokenizer ids; special tokens are written out as they are spelled."""
        return self._decoder.decode([int(one) for one in ids], skip_special_tokens=False)

    def byte_lengths(self) -> np.ndarray:
        """How many bytes of UTF-8 each id stands for, int64[size]; 0 for ids that are not in the tokenizer's file."""
        lengths = np.zeros(self.size, np.int64)
        for spelling, one in self._encoder.get_vocab(with_added_tokens=False).items():
            lengths[one] = len(spelling)  # byte-level tokenizers spell each byte as one character
        return lengths

    def vocabulary(self, codebook_size: int) -> Vocabulary:
        """The vocabulary of a model on this tokenizer and a codec of `codebook_size` codes."""
        return Vocabulary(self.size, codebook_size, self.end_of_text_id)

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json`, byte for byte as it was read: `hash` is the SHA-256 of that file."""
        write_bytes(Path(folder) / "tokenizer.json", self.source.encode())


def load_tokenizer(path: str | Path) -> TextTokenizer:
    """Read a `tokenizer.json`, named itself or by its folder. Raises `BadInput` naming the file."""
    file, source = _read(Path(path))
    return TextTokenizer(source, str(file))


def tokenizer_hash(path: str | Path) -> str:
    """The `hash` of `load_tokenizer(path)`, without the second that opening a large one takes."""
    return _hash(_read(Path(path))[1])


def _read(path: Path) -> tuple[Path, str]:
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        return file, file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{file} cannot be read as a tokenizer ({error}); name a tokenizer.json or its folder"
        ) from error


def _hash(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def train_tokenizer(texts: Iterable[str], size: int) -> TextTokenizer:
    """A byte-level BPE tokenizer of at most `size` ids over `texts`: NFC, 256 bytes, merges, and `<|endoftext|>`.

    The same texts in the same order give the same tokenizer. Raises `BadInput` if `size` has no room for the bytes.
    """
    if size < 257:
        raise BadInput(f"a byte-level tokenizer needs at least 257 ids (256 bytes and end-of-text), not {size}")
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(OWN_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return TextTokenizer(tokenizer.to_str(pretty=True))
