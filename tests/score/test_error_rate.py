"""Counts against an independent implementation, and what a corpus rate means."""

import random

import jiwer
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.score.minimal_pairs import INVENTORIES
from vaak.languages import LANGUAGES
from vaak.score.error_rate import (
    Counts,
    align,
    bootstrap_interval,
    char_counts,
    grapheme_counts,
    total,
    word_counts,
)
from vaak.score.normalise import normalise_for_scoring

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12)


@given(WORDS.filter(bool), WORDS)
def test_errors_are_those_of_jiwer(reference, hypothesis):
    ours = align(reference, hypothesis)
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis) or "")
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.ref == len(reference)
    assert len(hypothesis) - len(reference) == ours.ins - ours.dele


def random_sentence(draw: random.Random, language: str) -> str:
    """Up to eight words of two to four letters with signs, of so few letters that two sentences have many in common."""
    if language == "en":
        letters, signs = list("abde"), ["", "", "a"]
    else:
        has = INVENTORIES[language]
        letters, signs = has.consonants.split()[::9], ["", has.virama, *has.signs.split()[:2]]
    words = ["".join(draw.choice(letters) + draw.choice(signs) for _ in range(draw.randint(2, 4))) for _ in range(3)]
    return " ".join(draw.choices(words, k=draw.randint(0, 8)))


def test_ten_thousand_random_pairs_have_the_errors_of_jiwer():
    """Each pair by itself and all together; words and code points, texts of all twelve languages, empty ones too."""
    draw, languages = random.Random(7), list(LANGUAGES)
    pairs = [(random_sentence(draw, languages[i % 12]), languages[i % 12]) for i in range(10_000)]
    pairs = [(one, changed(draw, one, language), language) for one, language in pairs]
    for ours, theirs, unit in ((word_counts, jiwer.process_words, ""), (char_counts, jiwer.process_characters, " ")):
        counts = [ours(*pair) for pair in pairs]
        texts = [[normalise_for_scoring(text, language) for text in both] for *both, language in pairs]
        texts = [
            (one.replace(unit, "") if unit else one, other.replace(unit, "") if unit else other) for one, other in texts
        ]
        for count, (one, other) in zip(counts, texts, strict=True):
            if not one:  # of which jiwer makes nothing
                assert (count.ref, count.errors) == (0, len(other if unit else other.split()))
        kept = [(count, both) for count, both in zip(counts, texts, strict=True) if both[0]]
        peer = theirs([one for _, (one, _) in kept], [other for _, (_, other) in kept])
        for (count, both), chunks in zip(kept, peer.alignments, strict=True):
            lengths = [max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx) for c in chunks]
            assert count.errors == sum(n for n, c in zip(lengths, chunks, strict=True) if c.type != "equal"), both
        summed = total(count for count, _ in kept)
        assert summed.ref == peer.hits + peer.substitutions + peer.deletions
        assert summed.errors == peer.substitutions + peer.deletions + peer.insertions
        assert summed.rate > 0.2


def changed(draw: random.Random, text: str, language: str) -> str:
    """`text` with words lost, doubled and replaced by those of another sentence."""
    words, others = text.split(), random_sentence(draw, language).split() or ["a"]
    return " ".join(
        word
        for one in [*words, *others[:1]]
        for word in draw.choice([[one], [one], [one], [], [one, one], [draw.choice(others)]])
    )


def test_an_empty_generation_is_all_deletions():
    assert word_counts("one small step", "", "en") == Counts(dele=3, ref=3)
    assert word_counts("", "", "en").rate == 0.0
    assert word_counts("", "hello", "en").rate == 1.0


def test_corpus_rate_is_the_ratio_of_sums_not_the_mean_of_rates():
    short, long = Counts(sub=1, ref=1), Counts(ref=99)
    assert total([short, long]).rate == 0.01


def test_bootstrap_interval_holds_the_rate_and_narrows_with_items():
    rng = np.random.default_rng(0)
    few = [Counts(sub=int(rng.integers(0, 4)), ref=10) for _ in range(20)]
    many = few * 25
    low, high = bootstrap_interval(few)
    assert low <= total(few).rate <= high
    narrow_low, narrow_high = bootstrap_interval(many)
    assert narrow_high - narrow_low < (high - low) / 2
    assert np.isnan(bootstrap_interval([])).all()


def test_characters_are_code_points_without_spaces():
    assert char_counts("मेरी बेटी", "मारा बाटा", "hi") == Counts(sub=4, ref=8)
    assert char_counts("a b", "ab", "en").errors == 0


def test_graphemes_are_letters_with_what_is_written_on_them():
    assert grapheme_counts("मेरी बेटी", "मारा बाटा", "hi") == Counts(sub=4, ref=4)
    assert grapheme_counts("स्त्री", "स्त्र", "hi") == Counts(sub=1, ref=1)
    assert char_counts("स्त्री", "स्त्र", "hi") == Counts(dele=1, ref=6)
    assert grapheme_counts("राज कुमार", "राजकुमार", "hi").errors == 0
    assert grapheme_counts("", "", "ta").rate == 0.0 and grapheme_counts("அம்மா", "", "ta") == Counts(dele=3, ref=3)
