"""Each check at its limit, from both sides: just inside nothing is found, just outside the sample is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.audit.clean import tokenizer
from tests.audit.items import AROUND, LIMITS, facts_of, faults, item
from vaak.audit import codes, duplicates, provenance, rates, sources, transcripts, writing
from vaak.audit.checks import CORPUS_CHECKS, ITEM_CHECKS
from vaak.audit.finding import HOLDS, PASSED_BY, UNKNOWN, Finding
from vaak.audit.item import Item
from vaak.corpus.samples import PROVENANCE

RANDOM = np.random.default_rng(2)
PLAIN = RANDOM.permutation(4000)[:400]  # 400 different codes
KNOWN: dict[str, Any] = {name: "x" for name in PROVENANCE["paired"]} | {
    "start_ms": 0,
    "end_ms": 2000,
    "sample_rate": 16000,
    "normalisation": (),
}


def run(n: int, period: int = 1) -> np.ndarray:
    """Different codes with n in the middle that repeat."""
    return np.concatenate([PLAIN[:100], np.resize(4000 + np.arange(period), n), PLAIN[100:200]])


def twice(n: int) -> np.ndarray:
    """Different codes in which n stand again."""
    return np.concatenate([PLAIN[:150], PLAIN[200:300], PLAIN[40 : 40 + n], PLAIN[300:]])


def document(*changes: int, n: int = 20) -> np.ndarray:
    return np.array([*range(5, n + 4), tokenizer().end_of_text_id, *changes])


def replace_sample(one: Item, fields: dict[str, Any]) -> Item:
    return replace(one, sample=replace(one.sample, **fields))


def words(n: int, word: str = "na") -> str:
    return " ".join([*["one", "two"], *[word] * n, "end"])


WITH_TOKENIZER = replace(AROUND, tokenizer=tokenizer(), tokenizer_hash=tokenizer().hash)

# Check: (what is just inside, what is just outside), and so on in pairs.
OF_ONE_SAMPLE = {
    codes.codes_in_range: (item(codes=[0, 4095]), item(codes=[0, 4096])),
    codes.codes_in_vocabulary: (item(codes=[0, 4095]), item(codes=[0, 4096])),
    codes.codec_is_the_same: (item(codec_hash="c" * 64), item(codec_hash="c" * 63 + "d")),
    codes.duration_matches_codes: (
        *(item(duration_s=2.04), item(duration_s=2.0401), item(duration_s=1.96), item(duration_s=1.9599)),
        *(item(start_ms=500, end_ms=2540), item(start_ms=500, end_ms=2541)),
    ),
    codes.no_repeated_codes: (
        *(item(codes=run(99)), item(codes=run(100)), item(codes=run(99, 4)), item(codes=run(100, 4))),
        *(item(codes=run(100, 5)), item(codes=run(100, 3))),
    ),
    codes.no_repeated_phrase: (
        *(item(codes=twice(49)), item(codes=twice(50)), item(codes=run(84, 35)), item(codes=run(85, 35))),
        *(item(codes=run(90)), item(codes=run(90, 5))),  # a hum of one to four codes is the check's above
    ),
    codes.codes_vary: (
        *(item(codes=np.resize([*[7] * 50, *range(100, 150)], 100)), item(codes=[*[7] * 51, *range(100, 149)])),
        *(item(codes=np.resize(np.arange(10), 100)), item(codes=np.resize(np.arange(9), 100))),
        *(item(codes=[5] * 49), item(codes=[5] * 50)),
    ),
    codes.text_documents_have_length: (
        *(item(None, codes=8, stream="text"), item(None, codes=7, stream="text")),
        *(item(None, codes=1_000_000, stream="text"), item(None, codes=1_000_001, stream="text")),
    ),
    codes.text_ids_in_tokenizer: (
        item(None, codes=[0, tokenizer().size - 1], stream="text"), item(None, codes=[0, tokenizer().size], stream="text"),
    ),
    codes.text_documents_end: (
        *(item(None, codes=document(), stream="text"), item(None, codes=document(3), stream="text")),
        *(item(None, codes=document(), stream="text"), item(None, codes=document(3, tokenizer().end_of_text_id), stream="text")),
    ),
    transcripts.transcript_has_words: (
        *(item("७"), item(" …!।"), item("a"), item("ा"), item("क।"), item("")),
    ),
    transcripts.transcript_does_not_loop: (
        *(item(words(5)), item(words(6)), item(words(5, "na ba")), item(words(6, "na ba"))),
        *(item(words(6, "a b c d e f g h i")), item(words(6, "a b c d e f g h"))),  # of up to eight words
    ),
    transcripts.script_matches_language: (
        *(item("क" * 6 + "x" * 4), item("क" * 59 + "x" * 41), item("१२ 34", "hi"), item("ம்மா", "hi")),
        *(item("x", transcript_kind="romanised"), item("x", transcript_kind=None)),
        *(item("x", transcript_kind="tagged"), item("x")),
    ),
    transcripts.letters_match_language: (
        *(item("ৰ র", "as"), item("র", "as"), item("র", "bn"), item("র ৰ", "bn"), item("র", "hi"), item("ৱ", "bn")),
    ),
    transcripts.kind_matches_script: (
        *(item("क" * 6 + "x" * 4), item("क" * 59 + "x" * 41)),
        *(item("x" * 9 + "क", transcript_kind="romanised"), item("x" * 89 + "क" * 11, transcript_kind="romanised")),
        *(item("x" * 3 + "क" * 97, transcript_kind="code_mixed"), item("x" * 2 + "क" * 98, transcript_kind="code_mixed")),
        *(item("x" * 97 + "क" * 3, transcript_kind="code_mixed"), item("x" * 98 + "क" * 2, transcript_kind="code_mixed")),
        *(item("hello", "en"), item("hello", "en", transcript_kind="code_mixed")),
    ),
    writing.characters_are_text: (
        *(item("क्‍ष न्‌"), item("क\u200bष"), item("a\tb\r\n"), item("a\x0bb"), item("a\ud7ff"), item("a\ue000")),
        *(item("\uf900"), item("\uf8ff"), item("\ufffc"), item("\ufffd"), item("é"), item("\x85"), item("~"), item("\x7f")),
    ),
    writing.text_is_composed: (item("q\u0300 é কো ড\u09bc"), item("e\u0301"), item("কো"), item("ক\u09c7\u09be")),
    writing.bytes_were_read_right: (
        *(item("déjà vu, naïve “quotes” — 10 €", "en"), item("d\u00c3\u00a9j\u00c3\u00a0 vu", "en")),
        *(item("नहीं"), item("नहीं".encode().decode("latin-1")), item("don’t", "en"), item("donâ€™t", "en")),
    ),
    writing.no_markup: (
        *(item("3 < 4 and 5 > 2", "en"), item("3 <b> 4", "en"), item("AT&T; R&D", "en"), item("R&amp;D", "en")),
        *(item("http is a word", "en"), item("http://x", "en"), item("a/b", "en"), item("</p>", "en")),
        *(item("[laughs] well", "en"), item("[[Link]]", "en")),
        *(item("<laugh> well", "en", transcript_kind="tagged"), item("&quot; well", "en", transcript_kind="tagged")),
    ),
    writing.no_control_tokens: (
        *(item("| speech start |"), item("a <|speech_start|> b"), item("<speech>"), item("<|im_end|>")),
        *(item(voice_description="A calm voice."), item(voice_description="<|voice_start|> calm")),
    ),
    provenance.provenance_is_known: (replace_sample(item(), KNOWN), replace_sample(item(), KNOWN | {"vad_config_hash": None})),
    provenance.transcript_hash_matches: (
        item("नमस्ते", transcript_hash=hashlib.sha256("नमस्ते".encode()).hexdigest()), item("नमस्ते", transcript_hash="0" * 64),
    ),
    provenance.place_in_source_is_possible: (
        *(item(start_ms=0, end_ms=1), item(start_ms=-1, end_ms=1), item(start_ms=5, end_ms=6), item(start_ms=5, end_ms=5)),
        *(item(start_ms=0, end_ms=2100, duration_s=2.0), item(start_ms=0, end_ms=2101, duration_s=2.0)),
    ),
    provenance.recording_reaches_the_codec: (item(sample_rate=16000), item(sample_rate=15999)),
    provenance.speaker_is_a_name: (item(speaker="Nan"[:2]), item(speaker="NaN"), item(speaker="0017"), item(speaker=" ")),
    provenance.stated_quality_is_fair: (
        *(item(asr_error_rate=0.5), item(asr_error_rate=0.51), item(dnsmos=1.0), item(dnsmos=0.99)),
        *(item(dnsmos=5.0), item(dnsmos=5.01), item(asr_error_rate=0.0), item(asr_error_rate=-0.1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("check", ITEM_CHECKS, ids=lambda check: check.__name__)
def test_a_sample_at_the_limit_of_a_check(check):
    pairs = OF_ONE_SAMPLE[check]
    around = WITH_TOKENIZER if "tokenizer" in check.__name__ or "documents_end" in check.__name__ else AROUND
    for inside, outside in zip(pairs[::2], pairs[1::2], strict=True):
        assert check(inside, around, LIMITS[check.__name__]) in (HOLDS, PASSED_BY), inside
        assert isinstance(check(outside, around, LIMITS[check.__name__]), str), outside


def usual(n: int = 60, **changes) -> list:
    """Samples of a language that are all alike: 24 characters in 2 seconds or 100 codes."""
    return [
        item("क" * 24, codes=RANDOM.permutation(4000)[:100], name=f"u{k}", duration_s=2.0, **changes) for k in range(n)
    ]


def odd(characters: int = 24, seconds: float = 2.0, n: int = 100):
    return item("क" * characters, codes=RANDOM.permutation(4000)[:n], name="odd", duration_s=seconds)


# e^(5 × 0.12) = 1.822 and e^(5 × 0.3) = 4.48 times the usual.
RATE_PAIRS = {
    rates.characters_per_second: (odd(43), odd(44), odd(14), odd(13), odd(seconds=1.11), odd(seconds=1.09)),
    rates.characters_per_code: (odd(43), odd(44), odd(14), odd(13), odd(n=55), odd(n=54)),
    rates.usual_duration: (odd(n=448), odd(n=449), odd(n=23), odd(n=22)),
}


@pytest.mark.parametrize("check", RATE_PAIRS, ids=lambda check: check.__name__)
def test_outliers_at_five_robust_deviations(check):
    for inside, outside in zip(RATE_PAIRS[check][::2], RATE_PAIRS[check][1::2], strict=True):
        assert faults(check, *usual(), inside) == 0 and faults(check, *usual(), outside) == 1
    assert faults(check, *usual(28), RATE_PAIRS[check][1]) == 0  # too few to judge: 29
    assert faults(check, *usual(29), RATE_PAIRS[check][1]) == 1


LONG, SHORT = "क" * 20, "क" * 19
A, B, HELD = {"name": "a"}, {"name": "b"}, {"name": "b", "held_out": True}


def cut(name: str, start: int, end: int):
    return item(name=name, source_id="tape", start_ms=start, end_ms=end)


OF_A_CORPUS = {
    duplicates.no_duplicate_codes: (
        *((item(codes=24, **A), item(codes=24, **B)), (item(codes=25, **A), item(codes=25, **B))),
        # Streams may share their sound.
        *((item(**A), item(stream="raw", **B)), (item(stream="raw", **A), item(stream="raw", **B))),
    ),
    duplicates.no_duplicate_documents: (
        (item(None, codes=[1, 2], stream="text", **A), item(None, codes=[1, 3], stream="text", **B)),
        (item(None, codes=[1, 2], stream="text", **A), item(None, codes=[1, 2], stream="text", **B)),
    ),
    duplicates.no_duplicate_transcripts: (
        *((item("मेरी बेटी", **A), item("मारा बाटा", **B)), (item("मेरी बेटी", **A), item("मेरी, बेटी।", **B))),
        *((item(speaker="x", **A), item(speaker="y", **B)), (item(speaker="x", **A), item(speaker="x", **B))),
    ),
    duplicates.held_out_codes_unseen: (
        *((item(codes=24, **A), item(codes=24, **HELD)), (item(codes=25, **A), item(codes=25, **HELD))),
        *((item(**HELD), item(held_out=True, **A)), (item(stream="raw", **A), item(**HELD))),
    ),
    duplicates.held_out_transcripts_unseen: (
        (item(SHORT, **A), item(SHORT, **HELD)), (item(LONG, **A), item(LONG, **HELD)),
    ),
    duplicates.held_out_speakers_unseen: (
        *((item(speaker="x", **A), item(speaker="y", **HELD)), (item(speaker="x", **A), item(speaker="x", **HELD))),
        *((item(**A), item(**HELD)), (item(speaker="x", language="ta", **A), item(speaker="x", **HELD))),
    ),
    duplicates.segments_do_not_overlap: (
        *((cut("a", 0, 2000), cut("b", 1750, 4000)), (cut("a", 0, 2000), cut("b", 1749, 4000))),
        # Where most overlap, nobody cut a recording: two of three, but not two of four.
        *(
            (cut("a", 0, 9000), cut("b", 100, 900), cut("c", 300, 900)),
            (cut("a", 0, 9000), cut("b", 100, 900), cut("c", 300, 900), cut("d", 9000, 9900)),
        ),
    ),
    sources.sources_name_speakers: (
        tuple(item(speaker="x", language=language, name=language) for language in ("hi", "ta")),
        tuple(item(speaker="x", language=language, name=language) for language in ("hi", "ta", "te")),
    ),
    sources.lengths_differ: (
        *((usual(9) + [odd(n=200 + k) for k in range(21)]), (usual(10) + [odd(n=200 + k) for k in range(20)])),
        *(([odd(n=100 + 7 * k) for k in range(60)] + [odd(n=900)] * 9), ([odd(n=100 + 7 * k) for k in range(60)] + [odd(n=900)] * 10)),
        *(usual(29), usual(30)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("check", OF_A_CORPUS, ids=lambda check: check.__name__)
def test_samples_beside_each_other_at_the_limit_of_a_check(check):
    pairs = OF_A_CORPUS[check]
    for inside, outside in zip(pairs[::2], pairs[1::2], strict=True):
        assert faults(check, *inside) == 0 and faults(check, *outside) >= 1


def source(name: str, different: int, most: float = 0.0, n: int = 5000) -> list:
    """One source: n codes, `different` ones equally often, but for one that is the share `most` of all."""
    own = np.resize(np.arange(different), n)
    own[: round(most * n)] = 4000
    return [item(codes=own[k : k + 100], name=f"{name}-{k}", source=name) for k in range(0, n, 100)]


@pytest.mark.parametrize(
    "inside,outside",
    [
        (source("bad", 100), source("bad", 99)),  # a quarter of the others' 400
        (source("bad", 900, 0.4), source("bad", 900, 0.402)),
        (source("bad", 9, n=4900), source("bad", 9, n=5000)),
    ],
)
def test_a_source_is_as_varied_as_the_others(inside, outside):
    others = [*source("one", 400), *source("other", 400), *source("third", 400)]
    assert faults(sources.source_codes_vary, *others, *inside) == 0
    assert faults(sources.source_codes_vary, *others, *outside) == len(outside)


def test_a_source_alone_is_worth_32_codes():
    assert faults(sources.source_codes_vary, *source("one", 32, n=6400)) == 0
    assert faults(sources.source_codes_vary, *source("one", 31)) == 50


def test_every_check_is_in_one_of_the_tables():
    tables = [*OF_ONE_SAMPLE, *RATE_PAIRS, *OF_A_CORPUS, sources.source_codes_vary]
    assert set(tables) == {*ITEM_CHECKS, *CORPUS_CHECKS}


def test_what_is_unknown_is_not_judged():
    unknown = item()
    for check in (
        codes.duration_matches_codes, codes.codec_is_the_same, provenance.transcript_hash_matches,
        provenance.place_in_source_is_possible, provenance.recording_reaches_the_codec, provenance.speaker_is_a_name,
        provenance.stated_quality_is_fair,
    ):  # fmt: skip
        assert check(unknown, AROUND, LIMITS[check.__name__]) is UNKNOWN
    few = rates.characters_per_code(
        facts_of([item(name=str(k)) for k in range(29)]), AROUND, LIMITS["characters_per_code"]
    )
    assert few == Finding(0, (), "too few samples to judge: hi native")


def test_pieces_of_a_flat_stream_have_no_ends_and_one_length():
    around = replace(WITH_TOKENIZER, pieces=True)
    piece = item("\ufffdक।\ufffd", codes=document(1, 2), stream="text")
    assert faults(codes.text_documents_end, piece, around=around) == 0
    assert faults(writing.characters_are_text, piece, around=around) == 0
    assert faults(sources.lengths_differ, *usual(60, stream="raw"), around=around) == 0
