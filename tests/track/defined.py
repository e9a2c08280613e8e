"""Whether the names that rows have are those of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vaak.track.metric import Metric, metric_of


def undefined(rows: Iterable[Mapping[str, Any]], metrics: Iterable[Metric]) -> set[str]:
    """Names in these rows that none of the metrics has."""
    known = tuple(metrics)
    return {name for name in _names(rows) if metric_of(name, known) is None}


def occurring(rows: Iterable[Mapping[str, Any]], metrics: Iterable[Metric]) -> set[str]:
    """Names of the metrics that these rows have numbers of."""
    known = tuple(metrics)
    found = (metric_of(name, known) for name in _names(rows))
    return {one[0].name for one in found if one is not None}


def _names(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Of numbers: where a checkpoint lies is told as `reference/checkpoint`."""
    return {name for row in rows for name in row if not name.startswith("reference/")} - {"step"}
