from __future__ import annotations

import pytest

from vaak.errors import BadInput
from vaak.grammar.export import export_tokenizer, text_tokenizer
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.grammar.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def exported(tokenizer, tmp_path_factory):
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("export")
    export_tokenizer(tokenizer, tokenizer.vocabulary(300), folder)
    return AutoTokenizer.from_pretrained(folder)


def test_text_has_the_same_ids(tokenizer, exported):
    for text in [
        "the cat sat, isn't it?",
        "  two  spaces\n",
        "मेरी बेटी घर पर है।",
        "আমার মেয়ে",
        "1984 unseen 漢字 🙂",
        "<|speech",
    ]:
        assert exported(text)["input_ids"] == tokenizer.encode(text)


def test_controls_and_codes_have_the_same_ids(tokenizer, exported):
    vocabulary = tokenizer.vocabulary(300)
    spelled = "the cat<|speech_start|><|s_0|><|s_2|><|s_10|><|s_299|><|speech_end|>"
    # Codes in numeric order: 10 stands eight after 2, not beside 1.
    assert exported(spelled)["input_ids"] == [
        *tokenizer.encode("the cat"),
        vocabulary.speech_start,
        *vocabulary.speech_ids([0, 2, 10, 299]).tolist(),
        vocabulary.speech_end,
    ]
    assert exported.convert_tokens_to_ids(["<|voice_start|>", "<|voice_end|>"]) == [
        vocabulary.voice_start,
        vocabulary.voice_end,
    ]
    assert len(exported) == vocabulary.size
    assert exported.eos_token_id == vocabulary.speech_end
    assert exported.pad_token_id == tokenizer.end_of_text_id


def test_skipping_special_tokens_keeps_the_codes(tokenizer, exported):
    vocabulary = tokenizer.vocabulary(300)
    ids = [vocabulary.speech_start, *vocabulary.speech_ids([7]), vocabulary.speech_end]
    assert exported.decode(ids, skip_special_tokens=True) == "<|s_7|>"


def test_the_vocabulary_lies_beside_it(tokenizer, tmp_path):
    export_tokenizer(tokenizer, tokenizer.vocabulary(8), tmp_path)
    assert Vocabulary.load(tmp_path) == tokenizer.vocabulary(8)


def test_another_tokenizers_vocabulary_is_refused(tokenizer, tmp_path):
    with pytest.raises(BadInput, match="text ids"):
        export_tokenizer(tokenizer, Vocabulary(tokenizer.size + 1, 8, 0), tmp_path)


def test_an_exported_tokenizer_is_not_exported_again(tokenizer, tmp_path):
    export_tokenizer(tokenizer, tokenizer.vocabulary(8), tmp_path)
    again: TextTokenizer = load_tokenizer(tmp_path)
    with pytest.raises(BadInput, match="already holds"):
        export_tokenizer(again, again.vocabulary(8), tmp_path / "again")


def test_the_text_of_an_export_is_the_tokenizer_that_it_was_made_of(tokenizer, tmp_path):
    vocabulary = tokenizer.vocabulary(300)
    export_tokenizer(tokenizer, vocabulary, tmp_path)
    text = text_tokenizer(load_tokenizer(tmp_path), vocabulary)
    assert (text.size, text.end_of_text_id) == (tokenizer.size, tokenizer.end_of_text_id)
    assert text.encode("the cat<|speech_start|>") == tokenizer.encode("the cat<|speech_start|>")
    assert text_tokenizer(tokenizer, vocabulary) is tokenizer
