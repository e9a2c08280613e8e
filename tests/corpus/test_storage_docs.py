"""The examples in docs/corpus-storage.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from vaak.corpus import open_corpus, verify_corpus

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documented_examples_run(corpus_folder, s3, tmp_path, capsys):
    examples = re.findall(r"```python example\n(.*?)```", (DOCS / "corpus-storage.md").read_text(), re.S)
    assert len(examples) == 2
    names = {"folder": corpus_folder, "url": s3, "copy": tmp_path / "copy", "cache": tmp_path / "cache"}
    for example in examples:
        exec(example, names)
    assert verify_corpus(tmp_path / "copy") == []
    groups = open_corpus(corpus_folder).groups.values()
    size = sum(one["size"] for one in open_corpus(corpus_folder).manifest["files"] if "tokens.npy" in one["path"])
    assert f"{size} bytes fetched" in capsys.readouterr().out
    # The last shard's sum is the one that is left in `total`.
    last = names["shards"][-1]
    group = next(one for one in groups if last.startswith(f"{one.stream}/{one.language}/{one.tier}/"))
    assert 0 < names["total"] <= int(group.flat(0, group.n_tokens).sum())
