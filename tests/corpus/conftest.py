from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.toy import LevelCodec, write_corpus


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture
def codec() -> LevelCodec:
    return LevelCodec()
