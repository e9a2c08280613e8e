"""Blocks of lines read in one go, against the same lines read one by one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.inworld import ROWS
from vaak.corpus.import_rows import field_names, parse_one_by_one
from vaak.corpus.json_columns import read_columns

NAMES = field_names([])
TEXTS = ("id", "sample_id", "dataset_name", "language", "speaker_id", "transcript", "text", "vad_config_hash")
NUMBERS = ("duration", "sample_rate", "start_ms", "end_ms", "snr")


def lines_of(*rows: dict[str, Any]) -> list[bytes]:
    return [f"{json.dumps(row, ensure_ascii=False)}\n".encode() for row in rows]


def read_the_same(lines: list[bytes]) -> bool:
    """Whether the block is read in one go; if so it must be as if read line by line."""
    read = read_columns(lines, NAMES)
    if read is None:
        return False
    rows = parse_one_by_one(lines, NAMES)
    assert not rows.faults
    assert {name: column.to_pylist() for name, column in read[0].items()} == {
        name: column.to_pylist() for name, column in rows.columns.items()
    }
    assert {name: column.type for name, column in read[0].items()} == {
        name: column.type for name, column in rows.columns.items()
    }
    assert read[1] == rows.left
    return True


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{**row, "speaker_id": "asha"} for row in ROWS], id="as the trainer writes them"),
        pytest.param(
            [{"id": "a"}, {"sample_id": "b", "transcript": "t"}, {"text": "u"}], id="other names in each line"
        ),
        pytest.param([{"id": "a", "duration": -1, "sample_rate": -1}], id="all unknown"),
        pytest.param([{"id": "a", "transcript": ""}, {"id": "b", "transcript": "x"}], id="an empty text"),
        pytest.param([{"id": "a", "transcript": "2020-01-01 00:00:00"}], id="a text that looks like a time"),
        pytest.param(
            [{"id": "a", "start_ms": 2**62, "end_ms": 2**63 - 1}, {"end_ms": None}], id="large numbers and none"
        ),
        pytest.param([{"id": "a", "held_out": True}, {"id": "b"}], id="true and false"),
        pytest.param([{"id": "a", "normalisation": ["nfc", "trim"]}, {"id": "b", "normalisation": []}], id="a list"),
        pytest.param(
            [{"id": "a", "emotion": {"kind": [[1], []], "of": {"x": 2.5}}, "when": "2020-01-01"}], id="nested, not ours"
        ),
        pytest.param([{"id": "a", "transcript": 'a \\ " \u0000 \u2028 \t 🙂 {[ }]\r'}], id="strange characters"),
    ],
)
def test_usual_lines_are_read_in_one_go(rows):
    assert read_the_same(lines_of(*rows))


def test_no_line_is_no_column():
    assert read_columns([], NAMES) == ({}, set())


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b'{"id": "a"}{"id": "b"}\n', b"\n"], id="two in one line and none in the next"),
        pytest.param([b'{"id": "a"}{"id":\n', b'"b"}\n'], id="one over two lines"),
        pytest.param([b'{"id": "a"} {"id": {}\n', b'{"id": "b"}}\n'], id="one over two lines that end as they should"),
        pytest.param([b'{"id": "a", "id": "b"}\n'], id="a name twice"),
        pytest.param([b'{"id": "\\ud800"}\n'], id="half a character"),
        pytest.param([b'{"id": "\xff"}\n'], id="no UTF-8"),
        pytest.param([b'{"other": "\xff"}\n'], id="no UTF-8 in a field that is not ours"),
        pytest.param([b'{"duration": NaN}\n'], id="no number"),
        pytest.param([b'{"duration": 1e999}\n'], id="a number that is too large"),
        pytest.param([b'{"sample_rate": 16000.0}\n'], id="a whole number with a point"),
        pytest.param([b'{"sample_rate": 4294967296}\n'], id="more than 32 bits"),
        pytest.param([b'{"duration": 0}\n'], id="nothing where something must be"),
        pytest.param([b'{"id": 7}\n'], id="a number as a name"),
        pytest.param([b'{"normalisation": ["nfc", null]}\n'], id="a list with a hole"),
        pytest.param([b'{"emotion": 1}\n', b'{"emotion": "calm"}\n'], id="a field of two types, not ours"),
        pytest.param([b'{"emotion": [1, "calm"]}\n'], id="a list of two types, not ours"),
        pytest.param([b'[{"id": "a"}]\n'], id="no object"),
        pytest.param([b'{"other": ' + b"[" * 900 + b"]" * 900 + b"}\n"], id="deep"),
        pytest.param([b'{"other": ' + b"[" * 10**6 + b"]" * 10**6 + b"}\n"], id="deeper than a stack"),
        pytest.param([b"{}"], id="an empty object"),
        pytest.param([b'\xef\xbb\xbf{"id": "a"}\n'], id="a byte order mark"),
    ],
)
def test_what_needs_a_closer_look_is_left_to_it(lines):
    assert read_columns(lines, NAMES) is None


def test_a_name_that_two_fields_of_unlike_types_want_is_left_to_a_closer_look():
    assert read_columns(lines_of({"x": "1"}), field_names(["transcript=x", "duration_s=x"])) is None


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.text(max_size=2)),
)
likely = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.one_of(st.text(max_size=6), st.none()) for name in TEXTS},
        **{name: st.one_of(st.integers(-1, 50_000), st.none()) for name in NUMBERS},
        "duration": st.floats(-1, 1e6),
        "held_out": st.booleans(),
        "emotion": st.text(max_size=3),
    },
)
anything = st.dictionaries(st.sampled_from((*TEXTS, *NUMBERS, "held_out", "emotion", "normalisation")), values)


@settings(max_examples=300)
@given(st.lists(st.one_of(likely, anything), min_size=1, max_size=6))
def test_a_block_is_read_as_line_by_line_or_not_at_all(rows):
    read_the_same(lines_of(*rows))


@settings(max_examples=300)
@given(st.lists(likely, min_size=1, max_size=3), st.data())
def test_damaged_lines_too(rows, data):
    text = bytearray(b"".join(lines_of(*rows)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"{", b"}", b'"', b",", b"\n", b"\\"])
        )
    read_the_same(list(io.BytesIO(text)))
