from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from random import Random
from unicodedata import category

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rensa", reason="near duplicates need the extra `text` (rensa)")

from vaak.text.duplicates import signatures as module
from vaak.text.duplicates.signatures import SLOTS, agreement, fingerprints, mixed, signatures, text_hash

ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("aZßİ१क्षि\u200d\u00ad \n.,\ud800\0"), max_size=60)


def plain_words(text: str) -> list[str]:
    """Runs of letters, marks and digits, one character at a time."""
    words, inside = [], False
    for char in text.casefold():
        kind = category(char)
        if kind[0] in "LMN":
            if not inside:
                words.append("")
            words[-1] += char
            inside = True
        elif kind != "Cf":
            inside = False
    return words


def plain_shingles(text: str) -> set[tuple[str, ...]]:
    words = plain_words(text)
    return {(word,) for word in words} | set(pairwise(words))


def jaccard(first: set, second: set) -> float:
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    "first,second",
    [
        ("The cat – sat.", "the CAT\n\nsat"),
        ("Straße", "STRASSE"),
        ("मेरी बेटी घर पर है।", "मेरी, बेटी घर पर है"),
        ("ന്‍", "ന്"),  # a joiner
        ("co\u00adoperate", "cooperate"),
        ("...", ""),
    ],
)
def test_capitals_punctuation_spacing_and_joiners_do_not_matter_to_the_hash(first, second):
    assert text_hash(first) == text_hash(second)


@pytest.mark.parametrize("first,second", [("मेरी", "मेरा"), ("मेर", "मेरा"), ("room 12", "room 13"), ("ab", "ba")])
def test_letters_marks_and_digits_do(first, second):
    assert text_hash(first) != text_hash(second)


@given(ANY)
def test_the_hash_is_that_of_the_characters_seen_one_at_a_time(text):
    seen = "".join(plain_words(text))
    assert text_hash(text) == blake2b(seen.encode("utf-32-le"), digest_size=16).digest()


@given(st.lists(ANY, max_size=8))
def test_a_text_has_the_same_fingerprint_alone_and_among_others(texts):
    hashes, rows = fingerprints(texts)
    assert hashes.shape == (len(texts), 2) and hashes.dtype == np.uint64
    assert rows.shape == (len(texts), SLOTS) and rows.dtype == np.uint32
    assert [one.tobytes() for one in hashes] == [text_hash(text) for text in texts]
    for text, row in zip(texts, rows, strict=True):
        assert np.array_equal(signatures([text])[0], row)


@given(st.lists(ANY, max_size=8), st.integers(1, 40))
def test_batches_do_not_show(texts, points):
    whole = fingerprints(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH_POINTS", points)
        parts = fingerprints(texts)
    assert np.array_equal(whole[0], parts[0]) and np.array_equal(whole[1], parts[1])


@given(st.lists(ANY, min_size=1, max_size=6))
def test_words_are_hashed_as_a_plain_loop_would(texts):
    """The sum of c_i B^i of each word, and its shingles: itself and it with the next of the same text."""
    want = []
    for text in texts:
        sums = [sum(ord(c) * pow(module._BASE, i, 1 << 64) for i, c in enumerate(word)) for word in plain_words(text)]
        words = [int(mixed(np.array([one % (1 << 64)], np.uint64))[0]) for one in sums]
        pairs = [(a + b * int(module._SECOND)) % (1 << 64) for a, b in pairwise(words)]
        want.append({*words, *(int(mixed(np.array([pair], np.uint64))[0]) for pair in pairs)})
    letters, starts, ends = module._letters([module._folded(text) for text in texts])
    shingles, shingle_ends = module._shingles(module._words(letters, starts), np.searchsorted(starts, ends))
    got = [set(shingles[a:b].tolist()) for a, b in pairwise([0, *shingle_ends.tolist()])]
    assert got == want


@pytest.mark.parametrize("n", [15, 100, 1000])
@pytest.mark.parametrize("changed", [0.02, 0.1, 0.5])
def test_agreement_estimates_the_jaccard_similarity_of_words_and_pairs_of_words(n, changed):
    random = Random(n)
    texts, exact = [], []
    for _ in range(20):
        words = [f"शब्द{random.randrange(3 * n)}" for _ in range(n)]
        other = [f"other{random.randrange(n)}" if random.random() < changed else word for word in words]
        texts += [" ".join(words), ", ".join(other).upper()]
        exact.append(jaccard(plain_shingles(texts[-2]), plain_shingles(texts[-1])))
    rows = signatures(texts)
    errors = agreement(rows[::2], rows[1::2]) - np.array(exact)
    # Of one estimate the standard deviation is sqrt(s (1 - s) / 128), 0.044 at most; so five of them, and their mean.
    assert np.abs(errors).max() < 0.22
    assert abs(errors.mean()) < 5 * 0.044 / 20**0.5


def test_texts_without_words_have_the_empty_signature():
    assert (signatures(["", "…", "\ud800", "\u200d"]) == 2**32 - 1).all()
    assert signatures([]).shape == (0, SLOTS)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a " * 500_000, "<" * 1_000_000, "ि" * 1_000_000, "\u200d" * 1_000_000]
)
def test_a_megabyte_of_anything_is_a_text(text):
    hashes, rows = fingerprints([text, "ordinary text"])
    assert np.array_equal(rows[1], signatures(["ordinary text"])[0])
    assert hashes[0].tobytes() == text_hash(text)
