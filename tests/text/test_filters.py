"""Which documents the filters drop: by hand-written documents, and by a plain reference that has no fast paths."""

from __future__ import annotations

import random
import re
import unicodedata
import zlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.filter_documents import KEPT, REPEATED, SYMBOLS
from vaak.demo.texts import long_form
from vaak.languages import LANGUAGES
from vaak.text import filters
from vaak.text.filters import filter_reason, has_repeated_runs

EXPECTED = [
    (name, text, verdict)
    for verdict, documents in ((None, KEPT), ("repetition", REPEATED), ("symbols", SYMBOLS))
    for name, text in documents.items()
]


@pytest.mark.parametrize(
    ("text", "verdict"), [pytest.param(text, verdict, id=name) for name, text, verdict in EXPECTED]
)
def test_documents(text, verdict):
    assert len(text) >= 90
    assert filter_reason(text) == verdict
    assert plain_reason(text) == verdict


@pytest.mark.parametrize("language", LANGUAGES)
def test_passages_of_the_example_stay(language):
    passages = long_form(language, random.Random(3), 40)
    assert [text for text in passages if filter_reason(text)] == []


# Few words make many repeats; the rest is for the counts of characters.
WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd", "ee", "#", "5", "काम", "है।", "..."]), max_size=60)
DISTINCT = st.integers(0, 400).map(lambda n: [f"w{number}" for number in range(n)])


@given(st.lists(st.one_of(WORDS, DISTINCT), max_size=6), st.integers(1, 4))
def test_repeated_runs_equal_the_plain_reference(parts, times):
    words = [word for part in parts for word in part * times]
    assert has_repeated_runs(words) == plain_repeated_runs(words)


@given(
    st.lists(st.text(st.sampled_from("ab क#.5\n*•\u200d🙂"), max_size=12), max_size=40),
    st.sampled_from([" ", "\n", ""]),
)
def test_a_verdict_equals_the_plain_reference(parts, between):
    text = between.join(parts)
    assert filter_reason(text) == plain_reason(text)


def test_numbers_of_runs_do_not_overflow_in_a_document_of_many_words():
    """With 100,000 different words a run of 4 has more possible numbers than 64 bits hold."""
    words = [f"w{number}" for number in range(100_000)]
    assert not has_repeated_runs(words)
    assert has_repeated_runs(words + words)
    assert not has_repeated_runs(words + words[:20_000])


@given(st.text(max_size=200))
def test_no_string_raises(text):
    assert filter_reason(text) in (None, "repetition", "symbols")


@pytest.mark.parametrize(
    "piece", ["a", "a ", "a\n", "\n", ".", "... ", "क", "क ख\n", "\0", "\ud800 ", "<", "•\n", "9 ", "\U0001f600"]
)
def test_a_megabyte_of_anything_gives_a_verdict(piece):
    assert filter_reason(piece * (1_000_000 // len(piece))) in (None, "repetition", "symbols")


def test_limits_hold_for_words_and_not_for_characters():
    """The same pattern of words has the same verdict, however long the words of the language are."""
    pattern = [0, 1, 2, 3, 4, 0, 1, 5, 6, 7, 8, 0, 1, 9, 10, 0, 1, 11, 12, 13, 14, 15, 0, 1]
    for letters in (2, 6, 14):
        words = ["கஙசஞடணதநபமயரலவழள"[number] * letters for number in pattern]
        assert filter_reason(" ".join(words)) == "repetition"  # one pair of words five times among 24
        assert filter_reason(" ".join(words[:-2])) is None  # four times


def plain_reason(text: str) -> str | None:
    """The rules as they are written, one after another, without gates and tables."""
    words = text.split()
    if not words:
        return None
    if len(text) > filters.LONG_WORDS * (len(words) + 1):
        data = text.encode("utf-8", "surrogatepass")
        return "repetition" if len(zlib.compress(data, 1)) < filters.PRESSED * len(data) else "symbols"
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if "\n" in text and len(lines) >= filters.LEAST_LINES:
        again = sum(lines.index(line) < place for place, line in enumerate(lines))
        if again / len(lines) > filters.DUPLICATE_LINES:
            return "repetition"
    if plain_repeated_runs(words):
        return "repetition"
    classes = Counter(plain_class(char) for char in text)
    full = classes.total() - classes["space"]
    limits = {"symbol": filters.SYMBOLS, "punctuation": filters.PUNCTUATION, "digit": filters.DIGITS}
    if any(classes[name] > limit * full for name, limit in limits.items()):
        return "symbols"
    if "\n" in text and len(lines) >= filters.LEAST_LINES:
        bullets = [line for line in lines if re.match(r"[•‣●▪■◦○►▶*\-–·]", line)]
        teasers = [line for line in lines if re.search(r"(\.\.\.|…)$", line)]
        if len(bullets) > filters.BULLETS * len(lines) or len(teasers) > filters.ELLIPSES * len(lines):
            return "symbols"
    return None


def plain_repeated_runs(words: list[str]) -> bool:
    for n, limit in filters.TOP_RUNS.items():
        counts = Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
        times = max(counts.values(), default=0)
        if times >= filters.LEAST_TIMES and times * n > limit * len(words):
            return True
    for n, limit in filters.REPEATED_RUNS.items():
        seen, covered = set(), set()
        for start in range(len(words) - n + 1):
            run = tuple(words[start : start + n])
            if run in seen:
                covered |= set(range(start, start + n))
            seen.add(run)
        if len(covered) >= filters.LEAST_REPEATED and len(covered) > limit * len(words):
            return True
    return False


def plain_class(char: str) -> str:
    if char in ".,;:!?'\"()-–—।॥…‘’“”«»/%&₹$£€॰۔၊":
        return "punctuation"
    if unicodedata.category(char)[0] in "LM" or char in "\u200c\u200d":
        return "letter" if char <= "\uffff" else "symbol"
    if unicodedata.category(char)[0] == "N":
        return "digit"
    return "space" if char.isspace() else "symbol"
