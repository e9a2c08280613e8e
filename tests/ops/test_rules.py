"""The alerts, by the real promtool: each fires when it should, does not when it should not, and says what to do."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.ops.expressions import (
    CASES,
    OPS,
    ROOT,
    RULES,
    alerts,
    expressions,
    listed_names,
    named_metrics,
    names_in,
    needs_promtool,
    rules,
    vaak_metrics,
)
from tests.ops.programs import free_ports, missing, running, text_at

SEVERITIES = {"critical", "warning"}


def promtool(*arguments: str, scratch: Path | None = None) -> None:
    """Run it; what it says is the message when it fails."""
    where = os.environ | ({"TMPDIR": str(scratch)} if scratch else {})
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=300, env=where)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@needs_promtool
@pytest.mark.slow
@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(cases, tmp_path):
    promtool("test", "rules", str(cases), scratch=tmp_path)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    tested: dict[str, set[bool]] = {name: set() for name in alerts()}
    for path in CASES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for one in case["alert_rule_test"]:
                tested[one["alertname"]].add(bool(one["exp_alerts"]))
    assert {name: kinds for name, kinds in tested.items() if kinds != {True, False}} == {}


def test_rules_and_their_cases_stand_in_files_of_the_same_name():
    assert [path.name for path in CASES] == [path.name for path in RULES]


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_says_how_bad_it_is_what_happened_and_where_to_read_on(name):
    rule = alerts()[name]
    assert rule["labels"]["severity"] in SEVERITIES
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert said["runbook"] == f"docs/ops.md#{name.lower()}"
    assert "$value" in said["description"] or "$labels" in said["description"]


def test_each_alert_has_its_section_in_the_runbook_and_there_is_no_other():
    page = (ROOT / "docs" / "ops.md").read_text()
    anchors = re.findall(r"^#### (\w+)$", page, re.MULTILINE)
    assert sorted(anchors) == sorted(alerts())


def test_the_runbook_says_of_each_alert_how_bad_it_is():
    page = (ROOT / "docs" / "ops.md").read_text()
    said = dict(re.findall(r"^#### (\w+)\n+\*(critical|warning)\*", page, re.MULTILINE))
    assert said == {name: rule["labels"]["severity"] for name, rule in alerts().items()}


@needs_promtool
def test_every_expression_of_rules_and_dashboards_parses(tmp_path):
    recorded = [{"record": f"expression:{i}", "expr": one.text} for i, one in enumerate(expressions())]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    assert len(recorded) > 150
    promtool("check", "rules", str(file))


def test_names_are_found_in_an_expression():
    assert names_in(
        'rate(a_total{b="c"}[5m]) / on (host) group_left () (sum by (d) (e:f:g offset 1h) > 1e9) or vector(Inf)'
    ) == {
        "a_total",
        "e:f:g",
    }


def test_every_metric_of_vaak_that_is_named_is_one_that_vaak_defines():
    pytest.importorskip("vaak.evaluate.metrics", reason="the other rooms' metrics are not defined yet")
    named = {name: place for name, place in named_metrics().items() if name.startswith("vaak_")}
    defined = vaak_metrics()
    assert {name: place for name, place in named.items() if name not in defined} == {}
    assert len(named) > 60


def test_every_other_metric_that_is_named_is_on_the_list_and_the_list_has_no_more():
    named = {name for name in named_metrics() if not name.startswith("vaak_")}
    assert sorted(named) == sorted(listed_names())


def counters() -> list[list[str]]:
    """The lines of the DCGM exporter's file, read as it reads them."""
    with (OPS / "dcgm" / "counters.csv").open(newline="") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    return [[part.strip() for part in record] for record in csv.reader(lines)]


def test_the_counters_file_is_one_that_the_exporter_accepts():
    found = counters()
    assert {len(record) for record in found} == {3}
    assert {kind for _, kind, _ in found} <= {"gauge", "counter", "label"}
    names = [name for name, _, _ in found]
    assert len(names) == len(set(names))


def test_every_name_of_dcgm_on_the_list_is_one_that_the_counters_file_asks_for():
    asked = {name for name, kind, _ in counters() if kind != "label"}
    assert {name for name in listed_names() if name.startswith("DCGM_")} <= asked


def test_a_counter_of_dcgm_is_asked_for_its_growth_and_a_gauge_is_not():
    """rate() of a gauge, or a gauge's level of a counter, would be silently wrong."""
    kinds = {name: kind for name, kind, _ in counters()}
    wrong = []
    for one in expressions():
        for name in re.findall(r"\b(?:rate|increase)\((DCGM_\w+)", one.text):
            wrong += [f"{one.place}: {name}"] if kinds[name] != "counter" else []
    assert wrong == []


@contextmanager
def node_exporter() -> Iterator[str]:
    with running(["prometheus-node-exporter"], "--web.listen-address=127.0.0.1:{port}") as port:
        yield text_at(f"http://127.0.0.1:{port}/metrics")


@pytest.mark.skipif(bool(missing("prometheus-node-exporter")), reason=missing("prometheus-node-exporter"))
def test_every_name_of_the_node_exporter_on_the_list_is_in_its_answer():
    with node_exporter() as answer:
        there = set(re.findall(r"^(node_\w+)", answer, re.MULTILINE))
    wanted = {name for name in listed_names() if name.startswith("node_")}
    assert wanted <= there


def test_every_name_of_a_process_on_the_list_is_one_that_vaak_tells_of_itself():
    from vaak.track.prometheus_exporter import PrometheusTracker

    port = free_ports(1)
    tracker = PrometheusTracker("run", job="train", metrics=(), port=port, say=print)
    with closing(tracker):
        there = set(re.findall(r"^(process_\w+)", text_at(f"http://127.0.0.1:{port}/metrics"), re.MULTILINE))
    assert {name for name in listed_names() if name.startswith("process_")} <= there


def test_the_list_has_names_of_these_exporters_alone():
    assert {name for name in listed_names() if not name.startswith(("DCGM_", "node_", "process_"))} == set()


def test_recorded_names_say_what_they_are_of():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for name in recorded if not re.fullmatch(r"(run|gpu|group):\w+:?\w*", name)} == set()
