"""The published `tokenizer.json` of Qwen3 and of Llama 3 in twelve languages, against tiktoken on the families' own token tables."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass

import numpy as np
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.grammar.published_tokenizers import HASHES, published, real_texts
from tests.grammar.real_tokenizers import LLAMA3, QWEN3
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.languages import LANGUAGES

TABLES = {"qwen3": QWEN3, "llama3_1": LLAMA3}

# What the rules of pre-tokens and of normalisation are about, each with its own code points written out.
DELICATE = {
    "zero width joiners inside words": "क्\u200dष श्री\u200d నెట్\u200cవర్క్ নেট\u200cওয়ার্ক അവന്\u200d र\u200d्य",
    "new lines": "one\ntwo\r\n\r\nthree \n \n\n  four\u2028five\n",
    "digits of nine scripts": "0123456789 १२३४५ ১২৩ ௧௨௩ ౧౨౩ ૧૨૩ ೧೨೩ ൧൨൩ ੧੨੩ ୧୨୩ 1,00,000.50",
    "emoji, joined and coloured": "👩🏽‍🚀 🇮🇳 ❤️‍🔥 🙏🏿 1️⃣",
    "spelled control tokens": "a <|endoftext|><|im_end|> b <|end_of_text|><|eot_id|> <think>c</think> <|speech_start|>",
    "spaces and tabs": "  two  \t\t three   \u00a0 \u3000 end ",
    "marks alone, NUL, replacement, private": "\u093f \u0300\x00\ufffd\ue000\ufeff",
    "danda and quotes": "“है।” ‘है॥’ – — … ₹1,00,000/-",
}

# What Unicode itself composes or takes apart again: letters of Devanagari, Bengali, Gurmukhi and Odia with a nukta.
NUKTA = "\u0958\u0959\u095b\u095c \u09dc\u09dd\u09df \u0a33\u0a36 \u0b5c\u0b5d"


@dataclass(frozen=True)
class Family:
    name: str
    tokenizer: TextTokenizer
    reference: tiktoken.Encoding

    def reference_ids(self, text: str) -> list[int]:
        """Of the families only Qwen's tokenizer brings a text to NFC first; tiktoken's tables know nothing of it."""
        if self.name == "qwen3":
            text = unicodedata.normalize("NFC", text)
        return self.reference.encode(text, disallowed_special=())


@pytest.fixture(scope="module", params=list(TABLES))
def family(request):
    return Family(request.param, load_tokenizer(published(request.param)), TABLES[request.param].reference())


def test_it_is_the_published_file_with_the_published_sizes(family):
    tokenizer = family.tokenizer
    assert tokenizer.hash == HASHES[family.name]
    sizes = {"qwen3": (151_669, 151_643, 217_216), "llama3_1": (128_256, 128_001, 193_920)}
    assert (tokenizer.size, tokenizer.end_of_text_id, tokenizer.vocabulary(65536).padded_size) == sizes[family.name]
    spelling = {"qwen3": "<|endoftext|>", "llama3_1": "<|end_of_text|>"}[family.name]
    assert tokenizer.decode([tokenizer.end_of_text_id]) == spelling


def test_ids_that_anyone_can_look_up(family):
    known = {"qwen3": [9707, 11, 1879, 0], "llama3_1": [9906, 11, 1917, 0]}
    assert family.tokenizer.encode("Hello, world!") == known[family.name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_sentences_have_the_reference_s_ids_and_come_back(family, language):
    tokenizer, texts = family.tokenizer, real_texts(language)
    lengths = tokenizer.byte_lengths()
    together = tokenizer.encode_batch(texts)
    for text, ids in zip(texts, together, strict=True):
        assert ids == tokenizer.encode(text) == family.reference_ids(text)
        as_read = unicodedata.normalize("NFC", text) if family.name == "qwen3" else text
        assert tokenizer.decode(ids) == as_read
        assert lengths[ids].sum() == len(as_read.encode())
    assert max(max(ids) for ids in together) < len(TABLES[family.name].ranks())


@pytest.mark.parametrize("text", DELICATE.values(), ids=DELICATE)
def test_delicate_text_comes_back_whole(family, text):
    assert unicodedata.is_normalized("NFC", text)
    ids = family.tokenizer.encode(text)
    assert ids == family.reference_ids(text)
    assert family.tokenizer.decode(ids) == text
    assert max(ids) < len(TABLES[family.name].ranks())  # a spelled control token is text


def test_only_qwen_brings_text_to_nfc(family):
    """So a corpus is normalised before it is tokenized: else its hashes and near duplicates would not be the model's text."""
    tokenizer = family.tokenizer
    composed = unicodedata.normalize("NFC", NUKTA)
    assert composed != NUKTA and tokenizer.decode(tokenizer.encode(composed)) == composed
    assert tokenizer.decode(tokenizer.encode(NUKTA)) == (composed if family.name == "qwen3" else NUKTA)


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_any_text_comes_back_and_a_batch_equals_its_texts_one_by_one(family, texts):
    tokenizer = family.tokenizer
    together = tokenizer.encode_batch(texts)
    assert together == [tokenizer.encode(text) for text in texts]
    for text, ids in zip(texts, together, strict=True):
        assert tokenizer.decode(ids) == (unicodedata.normalize("NFC", text) if family.name == "qwen3" else text)


def test_transformers_reads_the_same_ids(family):
    """As a trainer of the base model sees a text; beginnings of text and special tokens are not asked for."""
    peer = PreTrainedTokenizerFast(tokenizer_file=str(published(family.name) / "tokenizer.json"))
    for language in LANGUAGES:
        for text in real_texts(language, 8):
            assert peer(text, add_special_tokens=False)["input_ids"] == family.tokenizer.encode(text)


def test_end_of_text_is_not_the_end_of_a_turn(family):
    """A document ends with the base model's end of text; what the configuration calls end is the chat's."""
    settings = json.loads((published(family.name) / "tokenizer_config.json").read_text("utf-8"))
    assert settings["eos_token"] == {"qwen3": "<|im_end|>", "llama3_1": "<|eot_id|>"}[family.name]
    assert family.tokenizer.decode([family.tokenizer.end_of_text_id]) != settings["eos_token"]


def test_ids_fit_the_corpus(family):
    ids = np.asarray(family.tokenizer.encode(DELICATE["new lines"]), np.uint32)
    assert ids.max() < family.tokenizer.size and family.tokenizer.decode(ids) == DELICATE["new lines"]
