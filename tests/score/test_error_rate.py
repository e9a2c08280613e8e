"""Counts against an independent implementation, and what a corpus rate means."""

import random

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.score.error_rate import Counts, align, bootstrap_interval, char_counts, total, word_counts

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12)


@given(WORDS.filter(bool), WORDS)
def test_errors_are_those_of_jiwer(reference, hypothesis):
    ours = align(reference, hypothesis)
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis) or "")
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.ref == len(reference)
    assert len(hypothesis) - len(reference) == ours.ins - ours.dele


def test_random_sentences_give_jiwers_rate():
    draw = random.Random(7)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "ran", "far", "away", "from", "it"]
    pairs = [
        (draw.choices(words, k=draw.randint(1, 20)), draw.choices(words, k=draw.randint(0, 20))) for _ in range(300)
    ]
    ours = total(align(reference, hypothesis) for reference, hypothesis in pairs)
    theirs = jiwer.process_words([" ".join(r) for r, _ in pairs], [" ".join(h) for _, h in pairs])
    assert ours.rate == pytest.approx(theirs.wer)


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
