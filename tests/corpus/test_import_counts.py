"""Whatever is wrong with a source: in = kept + set aside, and each kept sample has its own codes."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.inworld import samples_of, target
from vaak.corpus.import_inworld import import_inworld
from vaak.errors import BadInput

BROKEN_ROWS = st.sampled_from(
    [
        None,
        None,
        {"language": "xx"},
        {"duration": float("nan")},
        {"transcript": ""},
        {"transcript": None},
        {"transcript": 5},
        {"id": "same"},
        {"language": "gu", "sample_rate": 8000.0},
        {"tier": "wild"},
        "not JSON",
    ]
)


@settings(max_examples=40)
@given(
    rows=st.lists(BROKEN_ROWS, min_size=1, max_size=30),
    entries=st.lists(st.tuples(st.integers(0, 29), st.integers(-3, 40), st.integers(-3, 40)), max_size=4),
    surplus=st.integers(-2, 2),
    codes=st.lists(st.tuples(st.integers(0, 90), st.sampled_from([-1, 1000, 70000])), max_size=3),
)
def test_in_is_kept_and_set_aside_whatever_is_wrong(tmp_path_factory, rows, entries, surplus, codes):
    folder = tmp_path_factory.mktemp("any")
    source = folder / "src"
    source.mkdir()
    n = len(rows)
    made = [row if isinstance(row, str) else json.dumps({"id": f"x-{i}", "language": "en", "transcript": "a", **(row or {})})
            for i, row in enumerate(rows)]  # fmt: skip
    (source / "train_samples.jsonl").write_text("".join(f"{line}\n" for line in made))
    held = np.arange(3 * n, dtype=np.int32) % 1000
    for at, value in codes:
        held[at % len(held)] = value
    held.tofile(source / "train_codes.npy")
    m = max(n + surplus, 1)
    pairs = np.stack([np.arange(m) * 3, np.arange(m) * 3 + 3], 1)
    for i, start, end in entries:
        pairs[i % m] = (start, end)
    np.save(source / "train_codes_index.npy", pairs)
    try:
        report = import_inworld(source, target(folder / "out", quarantine=folder / "aside", shard_tokens=17))
    except BadInput as error:
        assert "can be imported" in str(error)
        return
    assert report.set_aside_file is not None
    records = [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert report.read == max(n, m) == report.kept + len(records)
    kept = samples_of(folder / "out")
    # Every kept sample has the codes of its own entry, and no two share one.
    aside = {one["row"] for one in records}
    ranges = sorted(tuple(pairs[i].tolist()) for i in range(min(n, m)) if i not in aside)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    wanted = sorted(held[start:end].tolist() for start, end in ranges)
    assert sorted(tokens for _, _, tokens in kept.values()) == wanted and len(kept) == report.kept
    assert all(0 <= code < 1000 for _, _, tokens in kept.values() for code in tokens)
