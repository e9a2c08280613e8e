"""The reader in docs/corpus.md is ten lines of numpy and pyarrow, and it works."""

from __future__ import annotations

import re
from pathlib import Path

from vaak.corpus import open_corpus

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documented_reader_reads(corpus_folder):
    example = re.search(r"```python example\n(.*?)```", (DOCS / "corpus.md").read_text(), re.S)
    assert example is not None
    names = {"folder": corpus_folder}
    exec(example[1], names)
    group = next(iter(open_corpus(corpus_folder).groups.values()))
    assert names["row"]["sample_id"] == group.sample(3).sample_id
    assert names["codes"].tolist() == group.tokens(3).tolist()


def test_every_column_is_documented():
    from vaak.corpus.samples import FIELDS

    text = "".join(path.read_text() for path in sorted(DOCS.glob("corpus*.md")))
    assert [name for name in FIELDS if f"`{name}`" not in text] == []
