"""The reader in docs/corpus.md is ten lines of numpy and pyarrow, and it works."""

from __future__ import annotations

import re
from pathlib import Path

from tests.corpus.inworld import write_split
from vaak.corpus import open_corpus
from vaak.corpus.field_names import FIELD_NAMES

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


def test_the_documented_import_imports(tmp_path):
    source = write_split(tmp_path / "src")
    example = re.search(r"```python example\n(.*?)```", (DOCS / "corpus-import.md").read_text(), re.S)
    assert example is not None
    names = {"source": source, "out": tmp_path / "out", "aside": tmp_path / "aside"}
    exec(example[1], names)
    assert names["report"].kept == 5 and open_corpus(tmp_path / "out").name == "dataset-v1"


def test_every_reason_and_every_name_of_a_field_is_documented():
    text = (DOCS / "corpus-import.md").read_text()
    lists = (DOCS / "corpus-encode.md").read_text()
    kinds = {"id out of range"}
    for path in sorted((DOCS.parent / "vaak" / "corpus").glob("import_*.py")):
        kinds |= set(re.findall(r"""(?:Fault\(|fault\(i, )"([^"]+)",""", path.read_text()))
    assert len(kinds) > 10 and [kind for kind in kinds if f"`{kind}`" not in text] == []
    named = [name for ours, names in FIELD_NAMES.items() for name in names if len(names) > 1]
    assert [name for name in named if f"`{name}`" not in text and name not in FIELD_NAMES["path"]] == []
    assert [name for name in FIELD_NAMES["path"] if f"`{name}`" not in lists] == []
