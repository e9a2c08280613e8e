"""docs/metrics.md is what the definitions give, and the dashboards' names are among them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tests.track.test_metric import PROCESSES

ROOT = Path(__file__).parents[1]


def generator():
    spec = importlib.util.spec_from_file_location("metrics_page", ROOT / "ops" / "metrics_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_gives():
    made = generator()
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run: make generated"


def test_every_metric_stands_on_it():
    page = generator().page()
    for metrics in PROCESSES.values():
        assert [one.name for one in metrics if f"| `{one.name}` |" not in page] == []


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    width = 0
    for line in generator().page().splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not (cells and width) or cells == width, line
        width = cells
