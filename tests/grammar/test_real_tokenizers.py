"""The tokenizers of the supported families, from their own token tables, against tiktoken on the same tables."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from tests.grammar.real_tokenizers import LLAMA3, QWEN3
from vaak.grammar.export import export_tokenizer
from vaak.grammar.prompt import paired_ids
from vaak.grammar.tokenizer import load_tokenizer

TEXTS = [
    "The old boat isn't near the bridge; call 12345 at 7:05.",
    "मेरी बेटी घर पर है। १२ बजे",
    "আমার মেয়ে বাড়িতে আছে",
    "ನಮಸ್ಕಾರ, ಹೇಗಿದ್ದೀರಿ?",
    "ਸਤ ਸ੍ਰੀ ਅਕਾਲ  \n\n ଓଡ଼ିଆ",
    "say <|speech_start|> and <|im_end|> and <|end_of_text|> aloud",
]


@pytest.fixture(scope="module", params=[QWEN3, LLAMA3], ids=["qwen3", "llama3"])
def family(request, tmp_path_factory):
    table = request.param
    return table, load_tokenizer(table.tokenizer_json(tmp_path_factory.mktemp("tokenizer")))


def test_its_sizes_are_the_published_ones(family):
    table, tokenizer = family
    vocabulary = tokenizer.vocabulary(65536)
    published = {"qwen3": (151_669, 151_643, 217_216), "llama3": (128_256, 128_001, 193_920)}
    name = "qwen3" if table is QWEN3 else "llama3"
    assert (tokenizer.size, tokenizer.end_of_text_id, vocabulary.padded_size) == published[name]


def test_every_text_has_the_reference_s_ids_and_comes_back(family):
    table, tokenizer = family
    reference = table.reference()
    for text, ids in zip(TEXTS, tokenizer.encode_batch(TEXTS), strict=True):
        # What spells a special token is text for both: the reference is told that none is allowed.
        assert ids == tokenizer.encode(text) == reference.encode(text, disallowed_special=())
        assert tokenizer.decode(ids) == text
        assert max(ids) < len(table.ranks())


def test_a_prompt_has_control_tokens_only_where_the_grammar_puts_them(family):
    _, tokenizer = family
    vocabulary = tokenizer.vocabulary(65536)
    ids = paired_ids(
        vocabulary, tokenizer.encode(TEXTS[-1]), np.array([0, 65535, 7]), tokenizer.encode("<|voice_end|>")
    )
    control = [i for i in ids if vocabulary.base_size <= i < vocabulary.first_speech_id]
    assert control == [vocabulary.voice_start, vocabulary.voice_end, vocabulary.speech_start, vocabulary.speech_end]


def test_bytes_of_every_id(family):
    _, tokenizer = family
    lengths = tokenizer.byte_lengths()
    for text in TEXTS[:5]:
        assert lengths[tokenizer.encode(text)].sum() == len(text.encode())


def test_an_export_reads_the_same_with_all_codes(family, tmp_path):
    _, tokenizer = family
    vocabulary = tokenizer.vocabulary(65536)
    export_tokenizer(tokenizer, vocabulary, tmp_path)
    exported = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS[:5]:
        assert exported(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text)
    spelled = TEXTS[1] + "<|speech_start|><|s_0|><|s_65535|><|s_10|><|speech_end|>"
    assert exported(spelled, add_special_tokens=False)["input_ids"] == [
        *tokenizer.encode(TEXTS[1]), vocabulary.speech_start, *vocabulary.speech_ids([0, 65535, 10]), vocabulary.speech_end
    ]  # fmt: skip
    assert len(exported) == vocabulary.size
