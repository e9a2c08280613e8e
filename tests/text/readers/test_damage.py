"""Whatever happened to the bytes of a file: documents, rows that are said to be none, or one sentence. Nothing else."""

from __future__ import annotations

import gzip
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.text.readers.shipped import HINDI, documents_of, json_lines, write
from vaak.errors import BadInput
from vaak.text.sources import PLAIN, READERS

TEXTS = [f"{i} {HINDI}" for i in range(400)]


def parquet() -> bytes:
    into = io.BytesIO()
    table = pa.table({"text": TEXTS, "id": TEXTS, "doc_id": TEXTS, "language": ["hi"] * len(TEXTS)})
    pq.write_table(table, into, row_group_size=100, compression="zstd")
    return into.getvalue()


LINES = json_lines([{"text": text, "raw_content": text, "language": "hi"} for text in TEXTS])
WHOLE = {
    "lines": LINES,
    "gzip": gzip.compress(LINES[: len(LINES) // 2]) + gzip.compress(LINES[len(LINES) // 2 :]),
    "zstd": pa.Codec("zstd").compress(LINES, asbytes=True) * 2,
    "parquet": parquet(),
}


def damaged(data: bytes, draw: random.Random) -> bytes:
    kind = draw.choice(("cut", "flip", "hole", "insert", "head"))
    place = draw.randrange(len(data))
    if kind == "cut":
        return data[:place]
    if kind == "flip":
        return data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :]
    if kind == "hole":
        return data[:place] + bytes(50) + data[place + 50 :]
    if kind == "insert":
        return data[:place] + draw.randbytes(30) + data[place:]
    return draw.randbytes(20) + data[draw.randrange(20) :]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", WHOLE)
def test_no_damage_ends_in_anything_but_a_sentence(tmp_path, kind, reader):
    draw, source = random.Random(f"{kind} {reader}"), {"language": "hi"} if reader in PLAIN else {}
    for i in range(25):
        write(tmp_path / "hi.txt", damaged(WHOLE[kind], draw) if i else WHOLE[kind])
        try:
            found = documents_of(tmp_path, reader=reader, files="hi.txt", **source)
        except BadInput as error:
            assert "hi.txt" in str(error) and "\n" not in str(error) and len(str(error)) < 500
            continue
        assert all((raw.problem is None) or (raw.text == "" and "\n" not in raw.problem) for raw in found)
        for raw in found:
            raw.text.encode()
