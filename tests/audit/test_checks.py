"""Each check at its limit, from both sides, and the pieces that they are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.audit.codes import duration_matches_codes, longest_repeat, no_repeated_codes
from vaak.audit.duplicates import held_out_transcripts_unseen, no_duplicate_codes, same_text
from vaak.audit.finding import Around, Finding
from vaak.audit.limits import load_limits
from vaak.audit.rates import characters_per_code, robust_deviations
from vaak.audit.report import judge
from vaak.audit.sampling import Item, Stratum, allocate
from vaak.audit.transcripts import kind_matches_script, script_matches_language, transcript_has_words
from vaak.corpus import Sample

AROUND = Around(codebook_size=1024, tokens_per_second=50, codec=None, tokenizer=None, tokenizer_hash=None)
LIMITS = load_limits()


def item(
    text: str | None = "नमस्ते", language: str = "hi", codes: int = 100, name: str = "a", stream: str = "paired", **fields
) -> Item:
    sample = Sample(name, "studio", language, transcript=text, transcript_kind="native")
    return Item(stream, replace(sample, **fields), np.arange(codes, dtype=np.uint16))


def faults(check, *items: Item) -> int:
    return len(check(items, AROUND, LIMITS[check.__name__]).evidence)


@pytest.mark.parametrize("off,found", [(0.04, 0), (-0.04, 0), (0.0401, 1), (-0.0401, 1)])
def test_duration_may_be_off_by_one_code_and_20_ms(off, found):
    assert faults(duration_matches_codes, item(duration_s=2.0 + off)) == found


def test_duration_is_taken_from_the_place_in_the_source_if_it_is_not_stated():
    assert faults(duration_matches_codes, item(start_ms=500, end_ms=2540)) == 0
    assert faults(duration_matches_codes, item(start_ms=500, end_ms=2541)) == 1
    unknown = duration_matches_codes([item()], AROUND, LIMITS["duration_matches_codes"])
    assert unknown == Finding(0, (), "duration unknown for 1 samples")


@pytest.mark.parametrize("text,found", [("", 1), (None, 1), (" …!।", 1), ("ा", 1), ("७", 0), ("a", 0), ("क।", 0)])
def test_a_transcript_needs_a_letter_or_a_digit(text, found):
    assert faults(transcript_has_words, item(text)) == found


@pytest.mark.parametrize("own,latin,found", [(6, 4, 0), (59, 41, 1), (10, 0, 0), (0, 10, 1)])
def test_own_script_must_be_three_fifths(own, latin, found):
    assert faults(script_matches_language, item("क" * own + "x" * latin)) == found


@pytest.mark.parametrize(
    "kind,text,found",
    [
        ("romanised", "x" * 9 + "क", 0),
        ("romanised", "x" * 89 + "क" * 11, 1),
        ("code_mixed", "x" * 3 + "क" * 97, 0),
        ("code_mixed", "x" * 2 + "क" * 98, 1),
        ("code_mixed", "x" * 98 + "क" * 2, 1),
    ],
)
def test_kinds_at_their_limits(kind, text, found):
    assert faults(kind_matches_script, item(text, transcript_kind=kind)) == found


def test_english_is_neither_romanised_nor_mixed():
    assert faults(kind_matches_script, item("hello", "en", transcript_kind="romanised")) == 1


@pytest.mark.parametrize("run,found", [(99, 0), (100, 1)])
def test_two_seconds_of_one_code_are_too_many(run, found):
    codes = np.concatenate([np.arange(60), np.full(run, 999), np.arange(100, 160)]).astype(np.uint16)
    assert faults(no_repeated_codes, replace(item(), tokens=codes)) == found


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4))
def test_the_longest_repeat_is_what_a_plain_search_finds(codes, longest_period):
    values = np.array(codes, np.uint16)

    def repeats(start: int, stop: int, period: int) -> bool:
        return all(codes[at] == codes[at - period] for at in range(start + period, stop))

    wanted = max(
        (stop - start for start in range(len(codes)) for stop in range(start + 1, len(codes) + 1)
         for period in range(1, longest_period + 1) if stop - start > period and repeats(start, stop, period)),
        default=min(1, len(codes)),
    )  # fmt: skip
    assert longest_repeat(values, longest_period)[0] == wanted


def test_outliers_are_found_in_both_directions_whatever_their_number():
    random = np.random.default_rng(0)
    rates = [*np.exp(2.5 + 0.2 * random.standard_normal(200)), *([120.0] * 20), *([1.0] * 20)]
    deviations = robust_deviations(rates, 0.05)
    assert (np.abs(deviations[:200]) < 5).all() and (np.abs(deviations[200:]) > 5).all()


def test_few_samples_are_not_judged_and_that_is_said():
    found = characters_per_code([item(name=str(k)) for k in range(29)], AROUND, LIMITS["characters_per_code"])
    assert found == Finding(0, (), "too few samples to judge: hi native")


def test_short_coincidences_are_no_duplicates():
    assert faults(no_duplicate_codes, item(codes=24, name="a"), item(codes=24, name="b")) == 0
    assert faults(no_duplicate_codes, item(codes=25, name="a"), item(codes=25, name="b")) == 1
    assert (
        faults(no_duplicate_codes, item(name="a"), item(name="b", stream="raw")) == 0
    )  # streams may share their sound
    long, short = "क" * 20, "क" * 19
    assert faults(held_out_transcripts_unseen, item(long, name="a"), item(long, name="b", held_out=True)) == 1
    assert faults(held_out_transcripts_unseen, item(short, name="a"), item(short, name="b", held_out=True)) == 0


def test_texts_are_the_same_but_for_case_points_and_spaces():
    assert same_text("Hello,  World!") == same_text("hello world")
    assert same_text("मेरी बेटी") != same_text("मारा बाटा")


@pytest.mark.parametrize("evidence,passed", [(0, True), (10, True), (11, False)])
def test_a_check_holds_up_to_its_share(evidence, passed):
    limit = {"severity": "error", "share": 0.01}
    check = judge("some", "Some.", limit, Finding(1000, tuple(str(k) for k in range(evidence))))
    assert check.passed is passed and check.verdict == ("holds" if passed else "fails")


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(0, 5000))
def test_allocation_uses_everything_and_favours_nobody(sizes, total):
    parts = allocate(sizes, total)
    assert sum(parts) == min(total, sum(sizes)) and all(part <= size for part, size in zip(parts, sizes, strict=True))
    open_parts = [part for part, size in zip(parts, sizes, strict=True) if part < size]
    assert not open_parts or max(parts) - min(open_parts) <= 1


def test_the_rarest_fault_that_a_sample_would_show():
    assert Stratum("raw", "hi", "clean", 1000, 300).rarest_fault == pytest.approx(
        3 / 300, rel=0.01
    )  # the rule of three
    assert Stratum("raw", "hi", "clean", 300, 300).rarest_fault == 0.0
