"""The rules and dashboards of ops/ as data: their alerts, their expressions, and the metrics that these name."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from vaak.track.metric import Metric

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "ops"
RULES = sorted((OPS / "prometheus" / "rules").glob("*.yml"))
CASES = sorted((OPS / "prometheus" / "tests").glob("*.yml"))
DASHBOARDS = sorted((OPS / "grafana" / "dashboards").glob("*.json"))

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)

# Prometheus makes these itself.
OWN = {"up", "ALERTS"}
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_ASIDE = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\boffset\s+\w+"
)
_NAMES = re.compile(r"(?<![\w.:])[A-Za-z_:][\w:]*(?!\s*\()(?![\w:])")
_WORDS = {"and", "or", "unless", "bool", "inf", "nan"}


@dataclass(frozen=True)
class Expression:
    """One expression, and where it stands."""

    place: str
    text: str


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """Every rule of every file."""
    return tuple(
        rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
    )


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def panels(path: Path) -> list[dict[str, Any]]:
    """Those of a dashboard, without its rows."""
    return [one for one in json.loads(path.read_text())["panels"] if one["type"] != "row"]


def expressions() -> Iterator[Expression]:
    """Of all rules and panels, with Grafana's own variables filled in."""
    for rule in rules():
        yield Expression(rule.get("alert") or rule["record"], rule["expr"])
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                yield Expression(f"{path.name}: {panel['title']}", target["expr"].replace("$__rate_interval", "5m"))


def names_in(expression: str) -> set[str]:
    """The metrics that an expression names."""
    bare = _ASIDE.sub(" ", _STRINGS.sub('""', expression))
    return {name for name in _NAMES.findall(bare) if name.lower() not in _WORDS}


def named_metrics() -> dict[str, str]:
    """All metrics that rules and dashboards name, without what rules record: each with one place that names it."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return {
        name: one.place
        for one in expressions()
        for name in names_in(one.text)
        if name not in recorded and name not in OWN
    }


def vaak_metrics() -> dict[str, Metric]:
    """What every process of Vaak may export, by its name for Prometheus."""
    found: dict[str, Metric] = {}
    rooms = sorted(path.parent.name for path in (ROOT / "vaak").glob("*/metrics.py"))
    for module in (*(f"vaak.{room}.metrics" for room in rooms), "vaak.track.prometheus_exporter"):
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, tuple):
                found |= {one.exported: one for one in value if isinstance(one, Metric)}
    return found


def listed_names() -> list[str]:
    """The names of the node and DCGM exporters that rules and dashboards may use."""
    lines = (OPS / "prometheus" / "exporter-metrics.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
