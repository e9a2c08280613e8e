"""Which documents are shown depends on their ids and the seed alone; lengths add up over any division of the work."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.text.examples import SHOWN_CHARACTERS, Examples
from vaak.text.lengths import CHARACTER_EDGES, TOKEN_EDGES, Lengths

documents = st.lists(
    st.tuples(
        st.sampled_from(["hi", "ta"]),
        st.sampled_from(["kept", "too short", "near duplicate"]),
        st.sampled_from(["1", "2", "a/3", "b:4", "५", "x" * 50]) | st.text(max_size=3),  # ids come twice, too
        st.text(max_size=5),
        st.just("score 0.5"),
        st.sampled_from(["fineweb", "sangraha"]),
    ),
    max_size=40,
)


def chosen(documents, seed=7, n=3):
    examples = Examples(seed, n)
    for one in documents:
        examples.add(*one)
    return examples


@given(documents=documents, shuffled=st.data())
def test_no_order_and_no_division_of_the_work_shows(documents, shuffled):
    whole = chosen(documents)
    again = shuffled.draw(st.permutations(documents))
    cut = shuffled.draw(st.integers(0, len(documents)))
    first, second = chosen(again[:cut]), chosen(again[cut:] + again[:cut])  # resumed: a part was read twice
    second.merge(Examples.from_json(json.loads(json.dumps(first.to_json()))))
    assert second.rows() == whole.rows() and second.to_json() == whole.to_json()


@given(documents=documents)
def test_each_language_and_reason_has_its_n_or_all_there_are(documents):
    def strip(one):  # as it is kept: no file can hold a lone surrogate
        return tuple(part.encode("utf-8", "replace").decode() for part in one)

    distinct = Counter((one[0], one[1]) for one in {strip(one) for one in documents})
    found = Counter((row["language"], row["reason"]) for row in chosen(documents).rows())
    assert found == {place: min(3, count) for place, count in distinct.items()}


def test_the_draw_is_even_and_the_seed_matters():
    ids = [("en", "kept", str(number), "text") for number in range(400)]
    drawn = Counter(row["document_id"] for seed in range(500) for row in chosen(ids, seed, 4).rows())
    # 2,000 draws, 5 of each on average: a Poisson count of 5 is above 20 once in 10^7.
    assert sum(drawn.values()) == 2000 and max(drawn.values()) <= 20 and len(drawn) > 380


def test_the_same_id_in_another_source_is_another_document():
    examples = chosen([("en", "kept", "1", "text", "", "books"), ("en", "kept", "1", "text", "", "web")])
    assert {row["source"] for row in examples.rows()} == {"books", "web"}


def test_a_text_is_cut_and_can_be_written():
    (row,) = chosen([("en", "kept", "1", "é\ud800" * 1000, "\udfff")]).rows()
    assert len(row["text"]) == SHOWN_CHARACTERS and json.dumps(row, ensure_ascii=False).encode()


@given(documents=documents, cut=st.integers(0, 40))
def test_those_that_are_not_wanted_would_not_be_kept(documents, cut):
    batch = [(f"{i % 30}", "text", "", "web") for i in range(len(documents[cut:]))]
    before = chosen(documents[:cut])
    every = Examples.from_json(before.to_json())
    for name, *rest in batch:
        every.add("hi", "kept", name, *rest)
    wanted = before.wanted("hi", "kept", [name for name, *_ in batch], "web")
    for name, *rest in (batch[i] for i in wanted):
        before.add("hi", "kept", name, *rest)
    assert before.to_json() == every.to_json()


def test_other_draws_do_not_mix():
    with pytest.raises(ValueError, match="do not fit seed 2"):
        Examples(2).merge(Examples(1))
    with pytest.raises(ValueError, match="do not fit"):
        Examples(2, 5).merge(Examples(2, 4))


counted = st.lists(
    st.tuples(st.sampled_from(["hi", "ta"]), st.integers(0, 10**7), st.none() | st.integers(0, 10**6)), max_size=40
)


def lengths_of(documents):
    lengths = Lengths()
    for language, characters, tokens in documents:
        lengths.add(language, np.array([characters]), None if tokens is None else np.array([tokens]))
    return lengths


@given(documents=counted)
def test_lengths_count_every_document_once(documents):
    whole = lengths_of(documents).rows()
    for language, measures in whole.items():
        mine = [tokens for code, _, tokens in documents if code == language]
        kept = sum(tokens is not None for tokens in mine)
        assert sum(measures["characters"]["kept"]) == sum(measures["tokens"]["kept"]) == kept
        assert sum(measures["characters"]["dropped"]) == len(mine) - kept


@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_lengths_of_many_are_those_of_each(lengths):
    together = Lengths()
    together.add("hi", np.array(lengths, np.int64), np.array(lengths, np.int64))
    if lengths:
        assert together.rows() == lengths_of([("hi", n, n) for n in lengths]).rows()
    for edges, counts in ((CHARACTER_EDGES, "characters"), (TOKEN_EDGES, "tokens")):
        plain = [bisect_right(edges, n) - 1 for n in lengths]
        bins = Counter(min(max(one, 0), len(edges) - 2) for one in plain)
        assert together.rows()["hi"][counts]["kept"] == [bins[at] for at in range(len(edges) - 1)]


def test_the_limits_are_edges_and_the_ends_hold_what_is_beyond():
    assert 128 in CHARACTER_EDGES and 4096 in TOKEN_EDGES
    rows = lengths_of([("hi", 127, None), ("hi", 128, 4096), ("hi", 0, 4095), ("hi", 10**9, 0)]).rows()["hi"]
    at = CHARACTER_EDGES.index(128)
    assert rows["characters"]["dropped"][at - 1] == 1 and rows["characters"]["kept"][at] == 1
    assert rows["characters"]["kept"][0] == rows["characters"]["kept"][-1] == 1
    at = TOKEN_EDGES.index(4096)
    assert rows["tokens"]["kept"][at - 1 : at + 1] == [1, 1] and rows["tokens"]["kept"][0] == 1
