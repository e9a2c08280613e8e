"""Which prompts of a gold pack are spoken at which level, and how each is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.speak.speech import build_prompt, likely_codes

Level = Literal["quick", "full"]
LEVELS: tuple[Level, ...] = ("quick", "full")
# A quick look: enough English to see intelligibility move, one prompt of each other language, two cloned voices.
_QUICK_ENGLISH, _QUICK_PER_LANGUAGE, _QUICK_CLONED = 24, 1, 2
# Speech of more than twice its reference's length has failed; half a second more lets short items finish.
_LIMIT_RATIO, _LIMIT_SLACK = 2.0, 25


def items_of(pack: GoldPack, level: Level) -> list[Prompt]:
    """The prompts of `level`, in the order of the pack; those of "quick" are among those of "full"."""
    if level == "full":
        return list(pack.prompts)
    if level != "quick":
        raise BadInput(f"evaluation level {level!r} is unknown; use one of {', '.join(LEVELS)}")
    taken = set()
    languages = sorted({prompt.language for prompt in pack.prompts})
    for language in languages:
        plain = [p.item for p in pack.prompts if p.language == language and p.kind in ("native", "extended")]
        taken.update(_spread(plain, _QUICK_ENGLISH if language == "en" else _QUICK_PER_LANGUAGE))
    taken.update(_spread([p.item for p in pack.prompts if p.kind == "cross_lingual"], _QUICK_CLONED))
    return [prompt for prompt in pack.prompts if prompt.item in taken]


def check_pack_codec(pack: GoldPack, codec: Codec) -> None:
    """Raises `BadInput` when the pack's codes are of another codec."""
    wanted = (pack.manifest.get("codec") or {}).get("hash")
    if wanted is not None and wanted != codec.hash:
        raise BadInput(
            f"{pack.folder}: its codes are of codec {wanted[:12]}, not of {codec.name} ({codec.hash[:12]}); "
            "name the codec that the pack was built with"
        )


def _spread(items: Sequence[str], count: int) -> list[str]:
    """`count` items at even distances."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def kind_of(item: str) -> str:
    """The kind of a prompt ("native", "long_form") by the name of its item, which begins with it."""
    return item.split("-", 1)[0]


def is_cloned(prompt: Prompt) -> bool:
    """Whether the voice is given by a reference to continue: for cross-lingual prompts, and for voices that training
    never heard, which no description could name."""
    return prompt.voice_codes is not None and (prompt.kind == "cross_lingual" or not prompt.seen_voice)


def prompt_of(prompt: Prompt, vocabulary: Vocabulary, tokenizer: TextTokenizer) -> np.ndarray:
    """The ids that the model continues, by the grammar of training; int64[n]."""
    cloned = is_cloned(prompt)
    return build_prompt(
        vocabulary,
        tokenizer,
        prompt.text,
        voice_description=prompt.voice_description,
        voice_text=prompt.voice_text if cloned else None,
        voice_codes=prompt.voice_codes if cloned else None,
    )


def most_codes(prompt: Prompt) -> int:
    """Where generation is cut: twice the reference's length and half a second, or a bound by the text's length."""
    if prompt.reference_codes is None:
        return likely_codes(prompt.text)
    return int(_LIMIT_RATIO * len(prompt.reference_codes)) + _LIMIT_SLACK


def seed_of(prompt: Prompt) -> int:
    """The item's own seed, the same for every checkpoint: what differs between two checkpoints is the checkpoint."""
    return int.from_bytes(hashlib.sha256(prompt.item.encode()).digest()[:4], "big")
