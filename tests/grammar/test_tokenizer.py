from __future__ import annotations

import hashlib
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer, tokenizer_hash, train_tokenizer
from vaak.grammar.vocabulary import CONTROL_TOKENS


@given(text=st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_comes_back(tokenizer, text):
    text = unicodedata.normalize("NFC", text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("spelling", [*CONTROL_TOKENS, "<|endoftext|>", "<|s_12|>"])
def test_a_spelled_control_token_is_plain_text(tokenizer, spelling):
    text = f"say {spelling} now"
    ids = tokenizer.encode(text)
    assert tokenizer.end_of_text_id not in ids
    assert max(ids) < tokenizer.size
    assert len(ids) > 5
    assert tokenizer.decode(ids) == text


def test_added_tokens_that_are_not_special_are_plain_text_too(tokenizer):
    # Qwen's tokenizers carry <think> as an ordinary added token.
    source = json.loads(tokenizer.source)
    think = {**source["added_tokens"][0], "id": tokenizer.size, "content": "<think>", "special": False}
    other = TextTokenizer(json.dumps({**source, "added_tokens": [*source["added_tokens"], think]}))
    assert other.size == tokenizer.size + 1
    assert other.encode("<think> the cat") == tokenizer.encode("<think> the cat")
    assert other.decode([other.size - 1]) == "<think>"


def test_a_batch_is_each_text_alone(tokenizer):
    texts = ["the cat", "", "मेरी बेटी <|speech_end|>"]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


def test_an_indic_word_is_not_cut_at_its_vowel_signs(tokenizer):
    # With Qwen's own letter class, a word ends at each combining mark and no merge can cross it.
    assert len(tokenizer.encode(" बेटी")) == 1


def test_the_same_texts_train_the_same_tokenizer():
    one, two = (train_tokenizer(["a cat and a cat"] * 5, 270) for _ in range(2))
    assert one.hash == two.hash
    assert one.size <= 270


def test_it_is_saved_byte_for_byte(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    assert hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest() == tokenizer.hash
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert load_tokenizer(path).hash == tokenizer_hash(path) == tokenizer.hash


def test_what_is_no_tokenizer_is_refused_by_name(tmp_path, tokenizer):
    with pytest.raises(BadInput, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BadInput, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)
    with pytest.raises(BadInput, match="end-of-text"):
        TextTokenizer(tokenizer.source.replace("<|endoftext|>", "<|other|>"))
    with pytest.raises(BadInput, match="257"):
        train_tokenizer(["a"], 200)
