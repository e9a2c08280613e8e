"""Text to ids for whole corpora: the same ids as the tokenizer's own, several times as fast, by tiktoken.

tiktoken merges the adjacent pair whose bytes are the token of the lowest id; `tokenizers` merges the pair of the lowest
merge. For the tables of Qwen and Llama these are the same pair at every step, and `fast_encoder` checks that of each
table before it trusts it:

- every single byte is a token, and merges are in the order of the ids that they make;
- every token comes out of its own bytes by merges alone. Then its bytes, wherever in a word they stand undivided, have gone
  through the same merges as alone, and the last pair is the one that is in the list;
- or, for a tokenizer that looks whole words up first (`ignore_merges`, as tiktoken does), a token that does not come out of
  its bytes has all of its halves in the list. If two of them ever stood side by side it would come out after all: so they
  never do, and only a whole word gives it.

The third part, where words begin and end, is a pattern that two engines read: only patterns are taken for which the tests
have compared all code points (tests/grammar/test_fast_encoding.py).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer, pre_tokenizers

from vaak.grammar.tokenizer import OWN_PATTERN, TextTokenizer

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# Of Qwen2 to Qwen3, of Llama 3, and of the tokenizers that we train.
PATTERNS = (_WORDS + r"\p{N}" + _REST, _WORDS + r"\p{N}{1,3}" + _REST, OWN_PATTERN)

# tiktoken's engine gives up on a run of white space somewhere between 10^5 and 10^6 characters; so long a text is a rare
# one, which the tokenizer itself takes as fast as need be.
_LONGEST = 100_000


@dataclass(frozen=True)
class Encoder:
    """`encode(text)` is uint32[n], the ids of `TextTokenizer.encode`; `library` does it, and `why_not` tiktoken, if not."""

    encode: Callable[[str], np.ndarray]
    library: str
    why_not: str | None = None


def fast_encoder(tokenizer: TextTokenizer) -> Encoder:
    """The fastest way there is to the ids of `tokenizer`, on one core: 9 to 16 MB/s of UTF-8 against 2 to 4.

    Takes 2 s to check the table. A tokenizer that is not of the kind, or a missing tiktoken, gives one that calls
    `tokenizer.encode`. Texts must be well formed (no lone surrogates), as for `encode`.
    """
    source = json.loads(tokenizer.source)
    why_not = _why_not(source)
    if why_not is None:
        try:
            import tiktoken
        except ImportError:
            why_not = "tiktoken is not installed (pip install vaak[text])"
        else:
            return Encoder(_by_tiktoken(source, lambda: tokenizer, tiktoken), "tiktoken")
    return Encoder(lambda text: np.asarray(tokenizer.encode(text), np.uint32), "tokenizers", why_not)


def encoder_elsewhere(source: str, library: str) -> Callable[[str], np.ndarray]:
    """In another process, the `encode` of the encoder that `fast_encoder` gave for the tokenizer of this `source`.

    `library` is the one that it found. The table is not checked again and, for tiktoken, the tokenizer itself not opened
    before it is needed: one second in place of five.
    """
    if library == "tiktoken":
        import tiktoken

        return _by_tiktoken(json.loads(source), cache(lambda: TextTokenizer(source)), tiktoken)
    tokenizer = TextTokenizer(source)
    return lambda text: np.asarray(tokenizer.encode(text), np.uint32)


def _by_tiktoken(
    source: dict[str, Any], tokenizer: Callable[[], TextTokenizer], tiktoken: Any
) -> Callable[[str], np.ndarray]:
    ranks = {_bytes_of(spelling): one for spelling, one in _made(source["model"]).items()}
    # No special tokens: what spells one is text.
    encoding = tiktoken.Encoding("base", pat_str=_pattern(source), mergeable_ranks=ranks, special_tokens={})
    composes = source["normalizer"] is not None

    def encode(text: str) -> np.ndarray:
        if len(text) > _LONGEST:
            return np.asarray(tokenizer().encode(text), np.uint32)
        if composes:
            text = unicodedata.normalize("NFC", text)
        return encoding.encode_to_numpy(text, disallowed_special=())

    return encode


def _why_not(source: dict[str, Any]) -> str | None:
    """Why tiktoken may give other ids than this tokenizer; None: it gives the same."""
    model = source["model"]
    plain = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback")
    if model["type"] != "BPE" or any(model.get(name) for name in plain):
        return "it is not a plain byte-level BPE"
    if source["normalizer"] not in (None, {"type": "NFC"}):
        return "it changes a text in other ways than NFC before it reads it"
    if _pattern(source) not in PATTERNS:
        return "its words are not those of Qwen, of Llama 3 or our own"
    vocabulary = _made(model)
    if not _BYTES.keys() <= vocabulary.keys():
        return "not every byte is a token"
    merges = _merges(model)
    if (np.diff([vocabulary[left + right] for left, right in merges]) < 0).any():
        return "its merges are not in the order of their ids"
    lost = _not_from_their_bytes(source, vocabulary)
    listed = set(merges)
    halves = ((one[:at], one[at:]) for one in lost for at in range(1, len(one)))
    if lost and not model.get("ignore_merges"):
        return f"{len(lost):,} of its tokens do not come out of their own bytes"
    if any(left in vocabulary and right in vocabulary and (left, right) not in listed for left, right in halves):
        return "a token that does not come out of its own bytes has halves that it does not merge"
    return None


def _merges(model: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs in their order; files of both forms are about, `"a b"` and `["a", "b"]`."""
    pairs = (one.split(" ") if isinstance(one, str) else one for one in model["merges"])
    return [(left, right) for left, right in pairs]


def _made(model: dict[str, Any]) -> dict[str, int]:
    """The tokens that a text can give: without those that are neither a byte nor merged, unless words are looked up whole."""
    if model.get("ignore_merges"):
        return model["vocab"]
    products = {left + right for left, right in _merges(model)}
    return {one: at for one, at in model["vocab"].items() if one in products or one in _BYTES}


def _pattern(source: dict[str, Any]) -> str | None:
    """The pattern by which a text is split before its bytes are spelled, None if that is not all that happens to it."""
    outer = source["pre_tokenizer"] or {}
    steps = outer.get("pretokenizers", []) if outer.get("type") == "Sequence" else []
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"]:
        return None
    split, spell = steps
    if split["behavior"] != "Isolated" or split["invert"] or spell["add_prefix_space"] or spell["use_regex"]:
        return None
    return split["pattern"].get("Regex")


def _not_from_their_bytes(source: dict[str, Any], vocabulary: dict[str, int]) -> list[str]:
    """Tokens that the merges alone do not make of their bytes."""
    bare = {
        **source,
        "model": {**source["model"], "ignore_merges": False},
        **dict.fromkeys(("normalizer", "pre_tokenizer", "post_processor", "truncation", "padding")),
        "added_tokens": [],
    }
    merging = Tokenizer.from_str(json.dumps(bare))
    spellings = list(vocabulary)
    encoded = merging.encode_batch_fast(spellings, add_special_tokens=False)
    return [one for one, result in zip(spellings, encoded, strict=True) if result.ids != [vocabulary[one]]]


def _byte_values() -> dict[str, int]:
    """Which byte each character of the byte-level alphabet stands for."""
    # The printable bytes stand for themselves, the others for the characters from U+0100 on, in their order.
    printable = [byte for byte in range(256) if chr(byte) in pre_tokenizers.ByteLevel.alphabet()]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTES = _byte_values()


def _bytes_of(spelling: str) -> bytes:
    return bytes(_BYTES[character] for character in spelling)
