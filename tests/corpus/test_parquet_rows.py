"""Rows that come in any pieces make the same parquet file, and few of them wait."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vaak.corpus.parquet_rows import ParquetRows
from vaak.corpus.samples import QUALITY, SCHEMA, TABLE_SCHEMA, Sample, to_row

NAMES = [one.name for one in SCHEMA if one.name not in QUALITY]


def rows_of(n: int) -> pa.RecordBatch:
    samples = [to_row(Sample(f"s{i}", "made" if i % 3 else "other", "hi", transcript=f"t{i}")) for i in range(n)]
    return pa.Table.from_pylist(samples, schema=TABLE_SCHEMA).to_batches()[0]


def test_rows_one_by_one_and_all_at_once_are_the_same_bytes(tmp_path):
    batch = rows_of(4500)
    whole, single = ParquetRows(tmp_path / "whole"), ParquetRows(tmp_path / "single")
    whole.add(batch, NAMES)
    most = 0
    for i in range(len(batch)):
        single.add(batch.slice(i, 1), NAMES)
        most = max(most, len(single._waiting))
    assert whole.finish(NAMES) and single.finish(NAMES)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "single").read_bytes()
    # A batch holds much beside its rows: thousands of small ones would fill the memory.
    assert most <= 33
    assert pq.read_table(tmp_path / "whole").column("transcript").to_pylist() == [f"t{i}" for i in range(4500)]


def test_a_file_that_lacks_a_column_is_said_to_be_wrong(tmp_path):
    rows = ParquetRows(tmp_path / "rows")
    rows.add(rows_of(5000), NAMES)
    assert not rows.finish([*NAMES, "dnsmos"])


def test_a_full_disk_leaves_no_thread(tmp_path):
    rows = ParquetRows(tmp_path / "no folder" / "rows")
    rows.add(rows_of(10), NAMES)
    with pytest.raises(OSError):
        rows.finish(NAMES)
    assert rows._thread._shutdown
