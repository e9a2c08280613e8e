"""The Grafana dashboards: made from code, whole, and each panel says what it shows. No Grafana rendered them."""

from __future__ import annotations

import json
import re

import pytest

from tests.ops.expressions import DASHBOARDS, ROOT, alerts, panels

dashboards = pytest.importorskip(
    "ops.dashboards", reason="grafana-foundation-sdk is not installed (pip install vaak[dev])"
)


def test_the_committed_ones_are_those_that_the_code_makes():
    made = {f"{name}.json": dashboards.as_json(one) for name, one in dashboards.dashboards().items()}
    assert {path.name: path.read_text() for path in DASHBOARDS} == made, (
        "run `make generated` and commit what it writes"
    )


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_each_panel_has_a_title_a_unit_an_expression_and_says_what_it_means(path):
    found = panels(path)
    for panel in found:
        title = panel["title"]
        assert title, path
        assert re.search(r"docs/(metrics|ops)\.md", panel["description"]) and len(panel["description"]) > 20, title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["targets"] and all(target["expr"] for target in panel["targets"]), title
        assert panel["datasource"]["uid"] == "${datasource}", title
    assert len({panel["title"] for panel in found}) == len(found)


def test_a_number_is_that_of_now_and_not_the_last_one_of_a_process_that_died():
    asked = [
        target
        for path in DASHBOARDS
        for panel in panels(path)
        if panel["type"] == "stat"
        for target in panel["targets"]
    ]
    assert len(asked) > 10
    assert all(target["instant"] and not target["range"] for target in asked)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_lie_beside_each_other_and_not_on_one_another(path):
    taken: dict[tuple[int, int], str] = {}
    every = json.loads(path.read_text())["panels"]
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in every}) == len(every)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_what_is_chosen_at_the_top_is_used_and_what_is_used_can_be_chosen(path):
    board = json.loads(path.read_text())
    offered = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board["panels"])))
    assert used == offered


def test_runs_hosts_and_languages_can_be_chosen():
    offered = {
        path.stem: {one["name"] for one in json.loads(path.read_text())["templating"]["list"]} for path in DASHBOARDS
    }
    assert {"run", "language"} <= offered["run"] and {"run", "language"} <= offered["evaluation"]
    assert {"host", "gpu"} <= offered["node-gpu"]


def test_the_first_row_of_a_run_answers_what_is_asked_first():
    titles = [panel["title"].partition(":")[0] for panel in panels(ROOT / "ops/grafana/dashboards/run.json")[:6]]
    assert titles == ["Alive", "Alive", "Fast", "Learning", "Saved", "Evaluated"]


def test_alerts_that_panels_name_exist():
    named = {
        name
        for path in DASHBOARDS
        for panel in panels(path)
        for name in re.findall(r"\b(?:Vaak|Gpu|Node|Disk|Exporter)[A-Z]\w+", panel["description"])
    }
    assert named <= set(alerts())
    assert len(named) > 20
