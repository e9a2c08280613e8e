"""The limits of the audit, from the file beside this one or from a user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from vaak.errors import BadInput

Limits = dict[str, dict[str, Any]]


def load_limits(path: str | Path | None = None) -> Limits:
    """Limits by check: the defaults, overridden entry by entry by the YAML file at `path`.

    Raises `BadInput` for an unknown check or entry, a severity other than error or warning, a value that is no number.
    """
    limits: Limits = yaml.safe_load((files("vaak.audit") / "limits.yaml").read_text(encoding="utf-8"))
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


def _check(path: str | Path, name: str, known: dict[str, Any], entry: str, value: Any) -> None:
    if entry not in known:
        raise BadInput(f"{path}: {name} has no {entry!r}; it has {', '.join(known)}")
    if entry == "severity":
        if value not in ("error", "warning"):
            raise BadInput(f"{path}: severity of {name} is {value!r}; use error or warning")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{path}: {name} {entry} is {value!r}; give a number")
    elif entry == "share" and not 0 <= value <= 1:
        raise BadInput(f"{path}: share of {name} is {value}; give a part of one, 0 to 1")


def loosened(path: str | Path | None) -> list[str]:
    return []
