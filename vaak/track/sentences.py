"""What went wrong, in words for a person, without the keys that an error may quote."""

from __future__ import annotations

import os
import re

_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW", re.IGNORECASE)
# A password that should have been spelled may have `/` and `@`: it is taken to end at the last `@` of its word.
_CREDENTIALS = re.compile(r"(?<=://)(?:[^/\s]*:\S*|[^/@\s]+)@")
# A value shorter than this is no key, and would take words out of a sentence.
_SHORTEST_KEY = 6
_LONGEST = 300


def sentence_of(error: BaseException) -> str:
    """The kind of an error and its first line."""
    lines = f"{type(error).__name__}: {error}".splitlines()
    return without_keys(lines[0])[:_LONGEST]


def without_keys(text: str) -> str:
    """The text with `***` for what the environment holds as keys, and for names and passwords in addresses."""
    secrets = [value for name, value in os.environ.items() if _SECRET_NAMES.search(name)]
    for value in sorted(secrets, key=len, reverse=True):  # of one that begins as another does no end is left
        if len(value) >= _SHORTEST_KEY:
            text = text.replace(value, "***")
    return _CREDENTIALS.sub("***@", text)
