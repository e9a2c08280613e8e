"""The fast encoder gives the tokenizer's own ids, text by text and code point by code point, or says why it does not try."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grammar.published_tokenizers import published, real_texts
from tests.grammar.test_published_tokenizers import DELICATE, NUKTA
from vaak.grammar.fast_encoding import Encoder, encoder_elsewhere, fast_encoder
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer, train_tokenizer
from vaak.languages import LANGUAGES

pytest.importorskip("tiktoken", reason="tiktoken is not installed (pip install vaak[text])")

# What the patterns tell apart, and texts that only just differ from what a rule is about.
PIECES = [
    *DELICATE.values(), NUKTA, "'s", "'S", "'ſ", "'LL", "’s", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\u0085", "1", "12", "१२३४",
    "Ⅻ", "²", "a", "Z", "é", "e\u0301", "क", "\u093f", "\u094d", "\u200d", "\u200c", "।", "!", "<|", "|>", "\x00", "𝔸", "中", "한",
]  # fmt: skip


@pytest.fixture(scope="module")
def own() -> TextTokenizer:
    return train_tokenizer([text for language in LANGUAGES for text in real_texts(language, 200)], 3000)


@pytest.fixture(scope="module", params=["qwen3", "llama3_1", "own"])
def both(request) -> tuple[TextTokenizer, Encoder]:
    name = request.param
    tokenizer = request.getfixturevalue("own") if name == "own" else load_tokenizer(published(name))
    encoder = fast_encoder(tokenizer)
    assert (encoder.library, encoder.why_not) == ("tiktoken", None)
    return tokenizer, encoder


def equal(both: tuple[TextTokenizer, Encoder], texts: list[str]) -> None:
    tokenizer, encoder = both
    for text, ids in zip(texts, tokenizer.encode_batch(texts), strict=True):
        found = encoder.encode(text)
        assert found.dtype == np.uint32 and found.tolist() == ids, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_texts_have_the_tokenizer_s_ids(both, language):
    equal(both, real_texts(language, 300))


def test_delicate_texts_and_the_empty_one(both):
    equal(both, [*DELICATE.values(), NUKTA, "", " ", "\n"])


@given(texts=st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.sampled_from(PIECES)).map("".join)), max_size=5))  # fmt: skip
def test_any_text_has_the_tokenizer_s_ids(both, texts):
    equal(both, texts)


@pytest.mark.slow
def test_every_code_point_is_read_alike(both):
    """Two engines split words, each with its own table of what is a letter, a digit or a space."""
    # Of the planes in which Unicode has characters: 0 to 3 up to the last ideographs, and 14.
    for start in (*range(0, 0x34000, 4096), 0xE0000):
        points = [chr(point) for point in range(start, start + 4096) if not 0xD800 <= point < 0xE000]
        equal(both, [f"a{one}b1{one} {one}{one}'{one}" for one in points])


@pytest.mark.parametrize("text", ["a", " ", "\n", " \n", "क", "'s", "र्"], ids=repr)
def test_a_long_run_of_anything_is_read(both, text):
    equal(both, [text * (300_000 // len(text)) + "end"])


def test_a_run_at_the_limit_of_length_is_read(both):
    equal(both, [" " * 99_999 + "x", " " * 100_000, " " * 100_001, "\n " * 50_000])


def test_without_tiktoken_the_tokenizer_does_it(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    encoder = fast_encoder(own)
    assert encoder.library == "tokenizers" and "not installed" in (encoder.why_not or "")
    equal((own, encoder), real_texts("hi", 20))


def _swapped(source):
    merges = source["model"]["merges"]
    merges[0], merges[1] = merges[1], merges[0]


def _unmade(source):
    """The first half of the last merge, itself a merge, is never made: so the last token cannot come out."""
    model = source["model"]
    products = {left + right: [left, right] for left, right in model["merges"]}
    half = next(left for left, _ in reversed(model["merges"]) if left in products)
    model["merges"] = [pair for pair in model["merges"] if pair != products[half]]


def _prefixed(source):
    source["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True


def _other_words(source):
    source["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+|\S+"


def _lower(source):
    source["normalizer"] = {"type": "Lowercase"}


def _bytes_missing(source):
    del source["model"]["vocab"]["ÿ"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_swapped, "order of their ids"),
        (_unmade, "do not come out of their own bytes"),
        (_prefixed, "words are not those"),
        (_other_words, "words are not those"),
        (_lower, "other ways than NFC"),
        (_bytes_missing, "not every byte"),
    ],
)
def test_a_tokenizer_of_another_kind_is_left_to_its_library(own, damage, message):
    source = json.loads(own.source)
    damage(source)
    tokenizer = TextTokenizer(json.dumps(source))
    encoder = fast_encoder(tokenizer)
    assert encoder.library == "tokenizers" and message in (encoder.why_not or "")
    equal((tokenizer, encoder), real_texts("en", 20))


def test_another_process_has_the_same_ids_without_another_look_at_the_table(both):
    tokenizer, encoder = both
    texts = [*PIECES, *real_texts("hi", 20), "a " * 60_000]  # the last one is left to the tokenizer
    for library in (encoder.library, "tokenizers"):
        encode = encoder_elsewhere(tokenizer.source, library)
        assert all(encode(text).tolist() == encoder.encode(text).tolist() for text in texts)
