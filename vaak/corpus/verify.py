"""Is a frozen corpus still what it was?"""

from __future__ import annotations

from pathlib import Path

from vaak.corpus.manifest import damaged_files
from vaak.corpus.writer import FORMAT


def verify_corpus(folder: str | Path) -> list[str]:
    """One line for each damaged, missing or extra file, every byte hashed again on all cores; empty means whole."""
    return damaged_files(Path(folder), FORMAT)
