"""Readers by the names that the configuration knows them under."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vaak.text.document import Raw
from vaak.text.readers import fineweb, indiccorp_v2, jsonl, oig, parquet, plain, redpajama_v2, sangraha
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row
from vaak.text.sources import Source


@dataclass(frozen=True)
class Reader:
    """read: the documents of a file. documents: of rows that came in another way. columns: the fields that these need.
    suffixes: of the files that are meant where only a folder is named."""

    read: Callable[[InputFile, Source], Iterator[Raw]]
    documents: Callable[[Iterable[Row], Where, Source], Iterator[Raw]]
    columns: Callable[[Source], tuple[str, ...]]
    suffixes: tuple[str, ...]


_PACKED = ("", ".gz", ".zst")
_JSON = tuple(kind + packed for kind in (".jsonl", ".json", ".ndjson") for packed in _PACKED)
_TEXT = tuple(".txt" + packed for packed in _PACKED)
_PARQUET = (".parquet",)

BY_NAME = {
    "redpajama-v2": Reader(redpajama_v2.read, redpajama_v2.documents, redpajama_v2.columns, _JSON),
    "fineweb": Reader(fineweb.read, fineweb.documents, fineweb.columns, _PARQUET),
    "indiccorp-v2": Reader(indiccorp_v2.read, indiccorp_v2.documents, indiccorp_v2.columns, _TEXT),
    "sangraha": Reader(sangraha.read, sangraha.documents, sangraha.columns, _PARQUET),
    "oig": Reader(oig.read, oig.documents, oig.columns, _JSON),
    "jsonl": Reader(jsonl.read, jsonl.documents, jsonl.columns, _JSON),
    "parquet": Reader(parquet.read, parquet.documents, parquet.columns, _PARQUET),
    "plain": Reader(plain.read, plain.documents, plain.columns, _TEXT),
}
