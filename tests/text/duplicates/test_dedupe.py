"""Duplicates within a language: which one stays, that order and blocks do not show, and a plain reference."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rensa", reason="near duplicates need the extra `text` (rensa)")

from vaak.errors import BadInput
from vaak.text.duplicates import bands, exact
from vaak.text.duplicates.bands import BANDS, NEIGHBOURS, ORDERS, ROWS, band_keys, pairs_of
from vaak.text.duplicates.dedupe import EXACT, KEPT, NEAR, THRESHOLD, DedupeStore
from vaak.text.duplicates.signatures import SLOTS, agreement, fingerprints

WORDS = [f"word{number}" for number in range(5000)]
Doc = tuple[str, str]  # key, text


def text(seed: int, words: int = 60) -> str:
    random = Random(seed)
    return " ".join(random.choice(WORDS) for _ in range(words))


def edited(original: str, seed: int, changes: int) -> str:
    random, words = Random(seed), original.split()
    for at in random.sample(range(len(words)), changes):
        words[at] = random.choice(WORDS)
    return " ".join(words)


def store_of(folder, docs: list[Doc], block: int = 1000) -> DedupeStore:
    store = DedupeStore(folder)
    for start in range(0, len(docs), block):
        part = docs[start : start + block]
        hashes, rows = fingerprints([one for _, one in part])
        store.add(hashes, rows, [key for key, _ in part], np.array([len(one) for _, one in part]))
    return store


def outcome(folder, docs: list[Doc], block: int = 1000) -> dict[str, list]:
    """By key: the reason, the key of the one that stays for it, the similarity."""
    store = store_of(folder, docs, block)
    decisions = store.decide()
    store.check(decisions)
    assert not (folder / "work").exists()
    keys = [key for key, _ in docs]
    of = [None if number < 0 else keys[number] for number in decisions.of.tolist()]
    return {
        key: one for key, *one in zip(keys, decisions.reason.tolist(), of, decisions.similarity.tolist(), strict=True)
    }


def crawl(n: int, seed: int = 0) -> list[Doc]:
    """Documents of three sources: a third new, a third exact copies in other capitals, a third edited copies."""
    random, docs = Random(seed), []
    for number in range(n):
        kind = random.randrange(3) if docs else 0
        one = text(seed * n + number, random.randrange(20, 120)) if kind == 0 else random.choice(docs)[1]
        if kind == 1:
            one = one.upper().replace(" ", ", ")
        elif kind == 2:
            one = edited(one.lower(), number, len(one.split()) // 15)
        docs.append((f"{random.choice(['books', 'news', 'web'])}\0{number:04}", one))
    return docs


def test_exact_duplicates_across_sources_leave_the_first_by_source_and_id(tmp_path):
    docs = [("web\x007", text(1)), ("news\x002", text(1).upper()), ("news\x001", text(1) + "."), ("web\x009", text(2))]
    assert outcome(tmp_path, docs) == {
        "web\x007": [EXACT, "news\x001", 1.0],
        "news\x002": [EXACT, "news\x001", 1.0],
        "news\x001": [KEPT, None, 1.0],
        "web\x009": [KEPT, None, 1.0],
    }


def test_the_longest_of_near_duplicates_stays_whatever_its_source(tmp_path):
    longer = text(3) + " and a last remark"
    found = outcome(tmp_path, [("a\0a", text(3)), ("b\0b", edited(text(3), 0, 2)), ("z\0z", longer)])
    assert [found[key][:2] for key in found] == [[NEAR, "z\0z"], [NEAR, "z\0z"], [KEPT, None]]
    assert all(THRESHOLD <= found[key][2] < 1 for key in ("a\0a", "b\0b"))


def test_a_chain_is_one_component(tmp_path):
    a = text(4, 100)
    b = edited(a, 1, 9) + " x"
    c = edited(b, 2, 12) + " y y y y y y y y y y"
    rows = fingerprints([a, b, c])[1]
    assert agreement(rows[:1], rows[1:2]) >= THRESHOLD and agreement(rows[1:2], rows[2:]) >= THRESHOLD
    assert agreement(rows[:1], rows[2:]) < THRESHOLD
    found = outcome(tmp_path, [("s\0a", a), ("s\0b", b), ("s\0c", c)])
    longest = max(("s\0a", a), ("s\0b", b), ("s\0c", c), key=lambda doc: len(doc[1]))[0]
    assert [key for key, one in found.items() if one[0] == KEPT] == [longest]
    assert found["s\0a"][1] == longest and found["s\0a"][2] < THRESHOLD


def test_an_exact_duplicate_of_a_near_duplicate_points_to_what_is_kept(tmp_path):
    docs = [("b\0", text(5).upper()), ("a\0", text(5)), ("c\0", edited(text(5), 0, 2) + " longer than it was")]
    found = outcome(tmp_path, docs)
    assert [found[key][:2] for key in ("a\0", "b\0", "c\0")] == [[NEAR, "c\0"], [EXACT, "c\0"], [KEPT, None]]


def test_languages_are_apart(tmp_path):
    for code in ("hi", "mr"):
        assert outcome(tmp_path / code, [("web\x001", text(6))]) == {"web\x001": [KEPT, None, 1.0]}


@settings(max_examples=15)
@given(st.integers(0, 3), st.randoms(use_true_random=False), st.integers(1, 60))
def test_order_and_blocks_do_not_show(tmp_path_factory, seed, random, block):
    docs = crawl(60, seed)
    want = outcome(tmp_path_factory.mktemp("store"), docs)
    random.shuffle(docs)
    assert outcome(tmp_path_factory.mktemp("store"), docs, block) == want


def plain(docs: list[Doc], pairs: str) -> dict[str, tuple[int, str | None]]:
    """The same by dictionaries, all pairs and recursion. `pairs`: all, or those with a band in common."""
    texts, by_hash = dict(docs), defaultdict(list)
    fingerprint = {key: fingerprints([one]) for key, one in docs}
    for key in sorted(texts, key=str.encode):
        by_hash[fingerprint[key][0].tobytes()].append(key)
    distinct = [keys[0] for keys in by_hash.values()]
    rows = {key: fingerprint[key][1][0] for key in distinct}
    near = defaultdict(set)
    for a, b in combinations(distinct, 2):
        bands_of = [rows[key][: BANDS * ROWS].reshape(BANDS, ROWS) for key in (a, b)]
        candidate = pairs == "all" or (bands_of[0] == bands_of[1]).all(1).any()
        if candidate and (rows[a] == rows[b]).mean() >= THRESHOLD:
            near[a].add(b)
            near[b].add(a)
    result = {}
    for key in distinct:
        component, todo = set(), [key]
        while todo:
            one = todo.pop()
            component.add(one)
            todo += near[one] - component
        best = min(component, key=lambda one: (-len(texts[one]), tuple(fingerprint[one][0][0])))
        result[key] = (KEPT, None) if best == key else (NEAR, best)
    for keys in by_hash.values():
        for copy in keys[1:]:
            result[copy] = (EXACT, result[keys[0]][1] or keys[0])
    return result


@pytest.mark.parametrize("seed", range(3))
def test_what_is_decided_is_what_all_pairs_with_a_common_band_say(tmp_path, seed):
    docs = crawl(250, seed)
    found = {key: tuple(one[:2]) for key, one in outcome(tmp_path, docs).items()}
    want = plain(docs, "banded")
    assert found == want
    assert {reason for reason, _ in want.values()} == {KEPT, EXACT, NEAR}
    # What bands miss of all pairs that agree that much.
    everything = plain(docs, "all")
    assert sum(want[key] != everything[key] for key in want) <= 3


def test_many_parts_decide_as_one(tmp_path, monkeypatch):
    docs = crawl(300, 7)
    want = outcome(tmp_path / "one", docs)
    for module, most, block in ((exact, 20, 7), (bands, 50, 11)):
        monkeypatch.setattr(module, "PARTITION", most)
        monkeypatch.setattr(module, "BLOCK", block)
    assert outcome(tmp_path / "many", docs, 13) == want


def test_many_copies_of_one_text_are_one_component(tmp_path):
    """Buckets of hundreds: each document is compared with some of the others only, and they still hang together."""
    original = text(8, 200)
    docs = [("web\0original", original + " " + text(9, 5))]
    docs += [(f"web\0{number:03}", edited(original, number, 10)) for number in range(400)]
    found = outcome(tmp_path, docs)
    assert sum(one[0] == KEPT for one in found.values()) == 1
    assert found["web\0original"][0] == KEPT


def one_bucket(n: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Records of one key, and unlike signatures but for the first `pairs` pairs of neighbours, which agree in 70%."""
    random = np.random.default_rng(0)
    rows = random.integers(0, 1 << 32, (n, SLOTS), np.uint32)
    alike = random.random((pairs, SLOTS)) < 0.7
    rows[1 : 2 * pairs : 2] = np.where(alike, rows[0 : 2 * pairs : 2], rows[1 : 2 * pairs : 2])
    records = np.empty(n, [("key", "<u8"), ("rank", "<i8")])
    records["key"], records["rank"] = 99, random.permutation(n)
    return records, rows


def found_pairs(records, rows) -> list[tuple[int, int]]:
    numbers = np.arange(len(rows))
    return [
        tuple(sorted(pair))
        for first, second in pairs_of(records, rows, numbers)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    ]


def test_a_large_bucket_costs_a_bounded_number_of_comparisons_each_and_shows_what_is_alike():
    records, rows = one_bucket(5000, 500)
    pairs = found_pairs(records, rows)
    assert len(pairs) <= len(records) * (NEIGHBOURS * (1 + ORDERS) + 1)
    planted = {(2 * one, 2 * one + 1) for one in range(500)}
    # Three orders by one slot each, in which 70% agree: 1 - 0.3^3 = 0.973.
    assert len(planted & set(pairs)) >= 0.95 * len(planted)


def test_a_small_bucket_is_compared_completely():
    records, rows = one_bucket(NEIGHBOURS + 1, 0)
    assert set(found_pairs(records, rows)) == set(combinations(range(NEIGHBOURS + 1), 2))


def test_band_keys_are_equal_where_all_slots_of_a_band_are():
    rows = np.random.default_rng(0).integers(0, 2, (300, SLOTS), np.uint32)
    keys = band_keys(rows)
    assert keys.shape == (300, BANDS) and keys.dtype == np.uint64
    groups = rows[:, : BANDS * ROWS].reshape(-1, BANDS, ROWS)
    want = (groups[:, None] == groups[None]).all(3)
    assert np.array_equal(keys[:, None] == keys[None], want)
    assert len(np.unique(keys)) == sum(len(np.unique(groups[:, band], axis=0)) for band in range(BANDS))


def test_more_can_be_added_after_a_decision_and_an_interrupted_one_leaves_nothing(tmp_path):
    docs = crawl(40, 5)
    store_of(tmp_path / "a", docs[:20]).decide()
    (tmp_path / "a" / "work" / "bands").mkdir(parents=True)
    (tmp_path / "a" / "work" / "bands" / "00000.bin").write_bytes(b"cut")
    store = store_of(tmp_path / "a", docs[20:])
    assert len(store) == 40
    again, whole = store.decide(), store_of(tmp_path / "b", docs).decide()
    assert np.array_equal(again.reason, whole.reason) and np.array_equal(again.of, whole.of)
    assert np.load(tmp_path / "a" / "of.npy").tolist() == whole.of.tolist()
    assert sum(whole.counts().values()) == 40


def test_an_empty_store_decides_nothing(tmp_path):
    decisions = DedupeStore(tmp_path).decide()
    assert len(decisions.reason) == 0 and decisions.counts() == {"kept": 0, "exact duplicate": 0, "near duplicate": 0}


def test_texts_without_words_are_exact_duplicates_of_each_other_and_of_nothing_else(tmp_path):
    found = outcome(tmp_path, [("a\0", "..."), ("b\0", ""), ("c\0", text(1))])
    assert [one[0] for one in found.values()] == [KEPT, EXACT, KEPT]


def test_keys_may_hold_anything(tmp_path):
    keys = ["web\0\ud800", "web\0नमस्ते", "", "web\0" + "x" * 5000]
    found = outcome(tmp_path, [(key, text(1)) for key in keys])
    assert [key for key, one in found.items() if one[0] == KEPT] == [""]


def test_what_does_not_fit_is_refused(tmp_path):
    store = store_of(tmp_path, crawl(10))
    with pytest.raises(ValueError, match="3 keys"):
        store.add(np.zeros((2, 2), np.uint64), np.zeros((2, SLOTS), np.uint32), ["a", "b", "c"], np.zeros(2, np.int64))
    decisions = store.decide()
    kept = int(np.argmax(decisions.reason == KEPT))
    decisions.of[kept] = kept
    with pytest.raises(BadInput, match=f"document {kept} "):
        store.check(decisions)
    store_of(tmp_path, crawl(1, 9))
    with pytest.raises(BadInput, match="has 11 documents, decided 10"):
        store.check(decisions)
    with open(tmp_path / "lengths.bin", "ab") as file:
        file.write(bytes(8))
    with pytest.raises(BadInput, match="left in the middle"):
        DedupeStore(tmp_path)
