"""Identification on real text that it was not tuned on: the documents of `tests/data/text`, sentence by sentence."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.text.dumps import FILES, all_documents
from vaak.languages import LANGUAGES

pytest.importorskip("pycld2", reason="pycld2 is not installed: pip install 'vaak[text]'")
pytest.importorskip("py3langid", reason="py3langid is not installed: pip install 'vaak[text]'")

from vaak.text.identifying.identify import identify
from vaak.text.prepare import plain

LEAST_WORDS = 5
IDENTIFIED, CAUGHT = 0.98, 0.95
_END = re.compile(r"(?<=[.?!।॥])\s+|\n+")


def rows() -> list[dict[str, str]]:
    """Every document of the folder."""
    return [row for name in FILES for row in all_documents(name)]


def sentences(text: str) -> list[str]:
    """The sentences of five or more words that have a letter."""
    parts = (" ".join(part.split()) for part in _END.split(text))
    return [part for part in parts if len(part.split()) >= LEAST_WORDS and any(char.isalpha() for char in part)]


def accuracy(documents: list[dict[str, str]], source: str | None = None) -> tuple[dict[str, float], Counter]:
    """Share of right verdicts per language (and "all"), and the table (language, reason, found) -> sentences.

    Native script: right if the verdict has no reason and finds the language; Latin script ("script": "Latn"): if it says
    "romanised". `source`: the language that the source is said to be of, None: the right one.
    """
    table: Counter[tuple[str, str | None, str | None]] = Counter()
    right: Counter[str] = Counter()
    for document in documents:
        language = document["language"]
        # As the pipeline has it: a document is cleaned before it is identified.
        for sentence in sentences(plain(document["text"], language)):
            verdict = identify(sentence, source or language)
            table[language, verdict.reason, verdict.language] += 1
            if document.get("script") == "Latn":
                right[language] += verdict.reason == "romanised"
            else:
                right[language] += verdict.language == language and verdict.reason != "romanised"
    seen: Counter[str] = Counter()
    for (language, _, _), count in table.items():
        seen[language] += count
    shares = {language: right[language] / seen[language] for language in sorted(seen)}
    return shares | {"all": right.total() / max(1, seen.total())}, table


def printed(shares: dict[str, float], table: Counter) -> str:
    lines = [f"{language}: {share:.4f}" for language, share in shares.items()]
    lines += [f"  {language} -> {reason}, {found}: {count}" for (language, reason, found), count in sorted(
        table.items(), key=lambda item: (item[0][0], -item[1])
    )]  # fmt: skip
    return "\n".join(lines)


def native(documents: list[dict[str, str]]) -> list[dict[str, str]]:
    """The documents that are of the language they are said to be: the others are planted under a false name."""
    return [row for row in documents if row.get("expect") == "keep" and row["language"] in LANGUAGES]


def test_sentences_in_native_script_are_identified():
    shares, table = accuracy(native(rows()))
    assert shares["all"] >= IDENTIFIED, printed(shares, table)


@pytest.mark.parametrize("source", [None, "en"], ids=["its own source", "an English source"])
def test_romanised_sentences_are_caught(source):
    romanised = [row for row in rows() if row.get("script") == "Latn" and row["language"] != "en"]
    shares, table = accuracy(romanised, source)
    assert min(shares.values()) >= CAUGHT, printed(shares, table)


def test_the_measure_itself():
    documents = [
        {"language": "hi", "text": "यह एक छोटा सा वाक्य है। दो शब्द। क्या यह दूसरा वाक्य भी है?"},
        {"language": "mr", "text": "यह वाक्य हिंदी का है मराठी का नहीं।"},
        {"language": "hi", "text": "Yeh vakya hindi ka hai lekin Latin mein.", "script": "Latn"},
    ]
    shares, table = accuracy(documents)
    assert shares == {"hi": 1.0, "mr": 0.0, "all": 0.75}
    assert (
        table["hi", None, "hi"] == 2
        and table["mr", "wrong language", "hi"] == 1
        and table["hi", "romanised", "hi"] == 1
    )
    assert "mr -> wrong language, hi: 1" in printed(shares, table)
