from __future__ import annotations

import pytest

from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> TextTokenizer:
    """A small byte-level tokenizer over a few sentences in three scripts."""
    lines = [
        "the cat sat on the mat, isn't it?",
        "मेरी बेटी घर पर है।",
        "আমার মেয়ে বাড়িতে আছে",
        "in 1984 there were 42 cats",
    ]
    return train_tokenizer(lines * 20, 420)
