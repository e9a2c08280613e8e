"""`clean` on the real documents of tests/data/text: what a person said must stay stays, what must go is gone."""

from __future__ import annotations

import pytest

from tests.text.dumps import FILES, all_documents

pytest.importorskip("ftfy", reason="cleaning needs the extra `text` (ftfy)")

from vaak.text.cleaning.clean import clean


@pytest.mark.parametrize("name", FILES)
def test_documents_keep_their_words_and_lose_their_markup(name):
    for document in all_documents(name):
        left = clean(document["text"])
        assert clean(left) == left
        words = " ".join(left.split())
        missing = [piece for piece in document.get("clean_has") or [] if " ".join(piece.split()) not in words]
        present = [piece for piece in document.get("clean_lacks") or [] if piece in left]
        assert (missing, present) == ([], []), document["id"]
