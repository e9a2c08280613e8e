"""What is wrong with a part of the configuration, in words that name the key and the nearest known one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError


def first_fault(error: ValidationError, whole: type[BaseModel], parts: Mapping[str, type[BaseModel]]) -> str:
    """The fault to mend first in the settings of `whole`, whose keys `parts` have settings of their own."""
    faults = error.errors()
    # An unknown key comes first: a misspelled one is also missing under its right name.
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    # Which of several types was tried is said in brackets; it is no key.
    key = ".".join(str(part) for part in fault["loc"] if "[" not in str(part))
    if fault["type"] == "extra_forbidden":
        above, _, name = key.rpartition(".")
        known = list(parts.get(above, whole).model_fields)
        near = difflib.get_close_matches(name, known, n=1)
        return f"unknown key '{key}'; " + (f"did you mean '{near[0]}'?" if near else f"use {', '.join(known)}")
    if fault["type"] == "missing":
        return f"'{key}' is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{f'{key!r}: ' if key else ''}{message}; correct it"
