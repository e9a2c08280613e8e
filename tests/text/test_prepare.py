from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.cleaning.fuzz import strings
from tests.text.dumps import all_documents, small_tokenizer
from vaak.languages import LANGUAGES
from vaak.text.document import REASONS, Raw
from vaak.text.prepare import Steps, plain, prepare

# Of the real documents so many have the fate that a person wrote down for them.
AS_EXPECTED = 0.98


def steps(**changes):
    known = {
        "source": "web",
        "languages": tuple(LANGUAGES),
        "language": None,
        "policies": dict.fromkeys(LANGUAGES, "keep"),
        "min_characters": 128,
        "max_tokens": 4096,
        "seed": 0,
    }
    return Steps(**{**known, **changes})


def encode(text):
    return np.array(small_tokenizer().encode(text), np.uint32)


def prepared(documents, **changes):
    return prepare(documents, steps(**changes), encode, 7)


def fates(language):
    rows = all_documents(language)
    done = prepared([Raw(row["text"], row["id"], language) for row in rows], max_tokens=10**6)
    return {one.document_id: one.reason for one in done.dropped} | {one.document_id: "keep" for one in done.kept}


def test_real_documents_have_the_fate_that_a_person_wrote_down():
    wrong, seen = [], 0
    for language in LANGUAGES:
        found = fates(language)
        for row in all_documents(language):
            seen += 1
            if found[row["id"]] not in {row["expect"], *(row.get("also") or ())}:
                wrong.append(f"{row['id']}: {row['expect']}, not {found[row['id']]}")
    assert len(wrong) <= (1 - AS_EXPECTED) * seen, "\n".join([f"{len(wrong)} of {seen}", *wrong])


def test_what_is_kept_stands_in_rows_and_a_line_of_ids():
    rows = [row for row in all_documents("en") if row["expect"] == "keep"][:6]
    done = prepared([Raw(row["text"], row["id"], "en") for row in rows])
    assert done.signatures.shape == (6, 128) and done.hashes.shape == (6, 2)
    at = 0
    for row, one in zip(rows, done.kept, strict=True):
        text = plain(row["text"], "en")
        assert one.document_id == row["id"] and one.digest == hashlib.sha256(text.encode()).digest()
        assert done.ids[at : at + one.n_ids].tolist() == [*encode(text), 7]
        at += one.n_ids
    assert at == len(done.ids)


def test_the_neighbours_of_a_document_change_nothing():
    rows = [Raw(row["text"], row["id"], "hi") for row in all_documents("hi")]
    together = prepared(rows)
    alone = [prepared([row]) for row in rows]
    assert [one.digest for one in together.kept] == [one.digest for part in alone for one in part.kept]
    assert together.dropped == [one for part in alone for one in part.dropped]
    assert (together.signatures == np.concatenate([part.signatures for part in alone])).all()


def test_too_many_tokens_are_found_by_the_beginning_alone():
    seen = []

    def counting(text):
        seen.append(len(text))
        return np.arange(len(text) // 2, dtype=np.uint32)

    story = "\n\n".join(row["text"] for row in all_documents("en") if row["expect"] == "keep")
    done = prepare([Raw(story, "long", "en")], steps(max_tokens=500), counting, 7)
    assert [one.reason for one in done.dropped] == ["too long"]
    assert len(seen) == 1 and 2900 < seen[0] <= 3000 < len(story)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_the_limit_of_tokens_is_met_exactly(off):
    row = next(row for row in all_documents("en") if row["expect"] == "keep")
    n = len(encode(plain(row["text"], "en")))
    done = prepared([Raw(row["text"], "a", "en")], max_tokens=n + off)
    assert len(done.kept) == (off >= 0)


def test_rows_that_are_no_documents_and_languages_not_asked_for_are_counted():
    rows = [Raw("", "a", "en", "row 0 is not valid JSON"), Raw("x" * 500, "b", "hi"), Raw("y" * 500, "c")]
    done = prepared(rows, languages=("en",))
    assert Counter(one.reason for one in done.dropped) == {"unreadable": 1, "other language": 2}
    assert done.dropped[0].detail == "row 0 is not valid JSON"


@settings(max_examples=300)
@given(st.text(), st.sampled_from(sorted(LANGUAGES)))
def test_cleaning_what_is_clean_changes_nothing(text, language):
    once = plain(text, language)
    assert plain(once, language) == once


@pytest.mark.slow
def test_no_string_breaks_a_step_and_all_settle():
    for i, text in enumerate(strings(11, 30_000)):
        language = list(LANGUAGES)[i % len(LANGUAGES)]
        once = plain(text, language)
        assert plain(once, language) == once
        once.encode()
    policies = dict.fromkeys(LANGUAGES, "words")
    rows = [Raw(text, str(i), list(LANGUAGES)[i % 12]) for i, text in enumerate(strings(12, 5_000))]
    done = prepared(rows, min_characters=1, policies=policies)
    assert len(done.kept) + len(done.dropped) == 5_000
    assert {one.reason for one in done.dropped} <= set(REASONS)
