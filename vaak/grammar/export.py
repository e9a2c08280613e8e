"""A model's tokenizer as an ordinary Hugging Face one: text, control tokens and codes with the ids they were trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import CONTROL_TOKENS, Vocabulary
from vaak.storage.files import write_bytes, write_json


def speech_token(code: int) -> str:
    """How an exported tokenizer spells a code. Only exports spell codes; training adds integers."""
    return f"<|s_{code}|>"


def export_tokenizer(tokenizer: TextTokenizer, vocabulary: Vocabulary, folder: str | Path) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and `vocabulary.json` for `AutoTokenizer.from_pretrained(folder)`.

    Control tokens are special, codes are ordinary added tokens, so that decoding with special tokens skipped keeps
    them. Unlike training, a Hugging Face tokenizer does match these spellings inside a text. No begin-of-text is added.
    Raises `BadInput` if the vocabulary is of another tokenizer or the tokenizer holds one of the new spellings.
    """
    if (vocabulary.base_size, vocabulary.end_of_text_id) != (tokenizer.size, tokenizer.end_of_text_id):
        raise BadInput(
            f"the vocabulary counts {vocabulary.base_size} text ids and the tokenizer {tokenizer.size}; "
            "export with the tokenizer that the model was made with"
        )
    spellings = [*CONTROL_TOKENS, *(speech_token(code) for code in range(vocabulary.codebook_size))]
    file = json.loads(tokenizer.source)
    own = {one["content"] for one in file["added_tokens"]} | file["model"]["vocab"].keys()
    clash = own.intersection(spellings)
    if clash:
        raise BadInput(f"the tokenizer already holds {min(clash)!r}; export from the base model's own tokenizer")
    controls = range(vocabulary.base_size, vocabulary.first_speech_id)
    file["added_tokens"] += [
        _added(vocabulary.base_size + i, spelling, special=vocabulary.base_size + i in controls)
        for i, spelling in enumerate(spellings)
    ]
    file["post_processor"] = None
    folder = Path(folder)
    write_bytes(folder / "tokenizer.json", json.dumps(file, ensure_ascii=False).encode())
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": CONTROL_TOKENS[1],
            "pad_token": tokenizer.decode([tokenizer.end_of_text_id]),
            "clean_up_tokenization_spaces": False,
        },
    )
    vocabulary.save(folder / "vocabulary.json")


def text_tokenizer(tokenizer: TextTokenizer, vocabulary: Vocabulary) -> TextTokenizer:
    """The tokenizer of text alone, as `export_tokenizer` got it: of an export without its spellings, any other as it is."""
    if tokenizer.size != vocabulary.size:
        return tokenizer
    file = json.loads(tokenizer.source)
    file["added_tokens"] = [one for one in file["added_tokens"] if one["id"] < vocabulary.base_size]
    return TextTokenizer(json.dumps(file, ensure_ascii=False))


def _added(number: int, spelling: str, special: bool) -> dict[str, Any]:
    return {
        "id": number,
        "content": spelling,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }
