"""`clean` on the real documents of tests/data/text: what a person said must stay stays, what must go is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("ftfy", reason="cleaning needs the extra `text` (ftfy)")

from vaak.text.cleaning.clean import clean

FILES = sorted((Path(__file__).parents[2] / "data" / "text").glob("*.jsonl"))


@pytest.mark.skipif(not FILES, reason="tests/data/text holds no documents")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_documents_keep_their_words_and_lose_their_markup(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        left = clean(document["text"])
        assert clean(left) == left
        words = " ".join(left.split())
        missing = [piece for piece in document.get("clean_has") or [] if " ".join(piece.split()) not in words]
        present = [piece for piece in document.get("clean_lacks") or [] if piece in left]
        assert (missing, present) == ([], []), document["id"]
