"""The limits of the audit, from the file beside this one or from a user's own, and which of these are looser than ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from vaak.errors import BadInput

Limits = dict[str, dict[str, Any]]

# Of each entry, by its name, whether a higher or a lower value tolerates more. The least length or number that is judged
# is among them: where it is higher, less is looked at.
_LOOSER = {
    "share": "higher",
    "off_codes": "higher",
    "off_milliseconds": "higher",
    "run_codes": "higher",
    "longest_period": "lower",
    "phrase_codes": "higher",
    "short_period": "higher",
    "vary_codes": "higher",
    "effective": "lower",
    "one_code": "higher",
    "source_codes": "higher",
    "of_usual": "lower",
    "source_one_code": "higher",
    "source_worth": "lower",
    "least_samples": "higher",
    "same": "higher",
    "pile": "higher",
    "pile_samples": "higher",
    "shortest_ids": "lower",
    "longest_ids": "higher",
    "least_codes": "higher",
    "times": "higher",
    "own_script": "lower",
    "native_latin": "higher",
    "romanised_latin": "lower",
    "mixed_least": "lower",
    "deviations": "higher",
    "spread": "higher",
    "rate": "lower",
    "shared_milliseconds": "higher",
    "languages": "higher",
    "error_rate": "higher",
    "least_characters": "higher",
    "least_dbfs": "lower",
}


# Numbers of things: a part of one makes no sense.
_WHOLE = {"run_codes", "longest_period", "phrase_codes", "short_period", "times"}


def load_limits(path: str | Path | None = None) -> Limits:
    """Limits by check: the defaults, overridden entry by entry by the YAML file at `path`.

    Raises `BadInput` for an unknown check or entry, a severity other than error or warning, a value that is no number.
    """
    limits: Limits = {name: dict(entries) for name, entries in _ours().items()}
    if path is None:
        return limits
    try:
        own = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadInput(
            f"{path} cannot be read as YAML ({error}); write one line per check, as the defaults do"
        ) from error
    if not isinstance(own, dict):
        raise BadInput(f"{path} must map names of checks to their limits")
    for name, entries in own.items():
        if name not in limits:
            raise BadInput(f"{path} names the check {name!r}; the checks are {', '.join(limits)}")
        if not isinstance(entries, dict):
            raise BadInput(f"{path}: {name} must map entries to values, e.g. {{share: 0.01}}")
        for entry, value in entries.items():
            _check(path, name, limits[name], entry, value)
        limits[name] = {**limits[name], **entries}
    return limits


@cache
def _ours() -> Mapping[str, Mapping[str, Any]]:
    return yaml.safe_load((files("vaak.audit") / "limits.yaml").read_text(encoding="utf-8"))


def loosened(limits: str | Path | Mapping[str, Mapping[str, Any]] | None) -> list[str]:
    """What of these limits (a user's file, or loaded ones) tolerates more than ours, such as "audible share 0.02 → 0.5".

    Raises `BadInput` as `load_limits` does. None, and a file that only tightens, give an empty list.
    """
    own = limits if isinstance(limits, Mapping) else load_limits(limits)
    return [f"{name} {words}" for name, entries in own.items() for words in loosened_entries(name, entries)]


def loosened_entries(check: str, entries: Mapping[str, Any]) -> tuple[str, ...]:
    """The same for one check, without its name: ("share 0 → 0.05",)."""
    ours = _ours()[check]
    return tuple(
        f"{entry} {ours[entry]} → {value}" for entry, value in entries.items() if _is_looser(entry, ours[entry], value)
    )


def _is_looser(entry: str, ours: Any, value: Any) -> bool:
    if entry == "severity":
        return ours == "error" and value == "warning"
    return value > ours if _LOOSER[entry] == "higher" else value < ours


def _check(path: str | Path, name: str, known: dict[str, Any], entry: str, value: Any) -> None:
    if entry not in known:
        raise BadInput(f"{path}: {name} has no {entry!r}; it has {', '.join(known)}")
    if entry == "severity":
        if value not in ("error", "warning"):
            raise BadInput(f"{path}: severity of {name} is {value!r}; use error or warning")
    elif isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BadInput(f"{path}: {name} {entry} is {value!r}; give a number")
    elif entry == "share" and not 0 <= value <= 1:
        raise BadInput(f"{path}: share of {name} is {value}; give a part of one, 0 to 1")
    elif entry in _WHOLE and not (isinstance(value, int) and value > 0):
        raise BadInput(f"{path}: {name} {entry} is {value}; give a whole number above zero")
