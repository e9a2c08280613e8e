"""Small files as the data sets ship them: every field and every folder, with invented content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaak.text.document import Raw
from vaak.text.inputs import Input, list_inputs
from vaak.text.sources import read_source

HINDI = "गंगा भारत की एक नदी है। उसके तट पर अनेक नगर बसे हैं।"
TAMIL = "காவிரி தென்னிந்தியாவின் ஒரு ஆறு. அதன் கரையில் பல ஊர்கள் உள்ளன."


def inputs_of(folder: Path, **source: Any) -> list[Input]:
    """The inputs of a source whose configuration stands in `folder`."""
    return list_inputs(read_source({"name": "tested", **source}, "text.yaml: sources.0"), folder)


def documents_of(folder: Path, **source: Any) -> list[Raw]:
    return [raw for one in inputs_of(folder, **source) for raw, _ in one.open_documents()]


def redpajama_row(text: str, language: str = "en") -> dict[str, Any]:
    return {
        "url": "http://example.org/page",
        "date_download": "2023-01-26T23:30:32Z",
        "digest": "sha1:SXH3OZ6N3LBNSDVUQL5NUK2SZ3ZOIYAB",
        "length": len(text),
        "nlines": 1,
        "source_domain": "example.org",
        "title": "A page",
        "raw_content": text,
        "cc_segment": "crawl-data/CC-MAIN-2023-06/segments/1674764494826.88/wet/CC-MAIN-20230126210844-00000.warc.wet.gz",
        "original_nlines": 40,
        "original_length": 2000,
        "line_ids": [3],
        "language": language,
        "language_score": 0.97,
        "perplexity": 312.4,
        "bucket": "head",
    }


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(path: Path, data: bytes, packed: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def write_parquet(path: Path, columns: dict[str, list[Any]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def fineweb_columns(texts: list[str], languages: list[str] | None = None) -> dict[str, list[Any]]:
    n = len(texts)
    return {
        "text": texts,
        "id": [f"<urn:uuid:{i:08x}-0000-4000-8000-000000000000>" for i in range(n)],
        "dump": ["CC-MAIN-2024-10"] * n,
        "url": ["http://example.org/page"] * n,
        "date": ["2024-02-21T01:02:03Z"] * n,
        "file_path": ["s3://commoncrawl/crawl-data/CC-MAIN-2024-10/segments/x/warc/y.warc.gz"] * n,
        "language": languages or ["en"] * n,
        "language_score": [0.93] * n,
        "token_count": [12] * n,
    }


def write_sangraha(folder: Path) -> Path:
    """Two languages of the verified part and one of the synthetic, as in the repository, with its card."""
    for language, text in (("hin", HINDI), ("tam", TAMIL), ("nep", "नेपाल")):
        for part in range(2):
            columns = {
                "doc_id": [f"{language}-{part}-0", f"{language}-{part}-1"],
                "type": ["web", "pdf"],
                "text": [text, text],
            }
            write_parquet(folder / f"verified/{language}/data-{part}.parquet", columns)
    write_parquet(folder / "synthetic/hin_Latn/0000.parquet", {"doc_id": ["s-0"], "text": ["ganga ek nadi hai"]})
    configs = "".join(
        f"  - split: {language}\n    path: verified/{language}/*.parquet\n" for language in ("hin", "tam", "nep")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: verified\n  data_files:\n{configs}---\n# Card\n")
    return folder
