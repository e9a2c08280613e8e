"""The real thing: Debian's Prometheus, with this project's jobs and rules, reads a training, a sidecar, a publisher and a machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.ops.expressions import OPS, ROOT, listed_names, named_metrics
from tests.ops.programs import free_ports, missing, running, started, text_at

pytest.importorskip("vaak.track.prometheus_exporter", reason="the exporter is not there yet")
MISSING = missing("prometheus", "prometheus-node-exporter")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

# Longest wait for a number, on a machine that does other things as well.
WITHIN = 240
SETTINGS = ["length={steps: 100000}", "tokens_per_step=512", "validation={every: 2, samples: 8}",
            "checkpoints={every: 3, milestones: null, keep_last_full: 2, keep_last_model_only: 2}"]  # fmt: skip
_ALIGNED = "only aligned runs tell it; the walk of one is minutes, see tests/align"
_EVALUATED = "an evaluation takes minutes; how its figures are exported is tested in tests/evaluate"
ABSENT = {
    "vaak_memory_gb": "only on a GPU",
    "vaak_shard_wait_s": "only with a corpus in object storage",
    "vaak_untold_tracker_total": "only when a tracker loses rows",
    "vaak_publish_seconds": "only after an upload, and this publisher's storage does not answer",
    "vaak_publish_step": "likewise",
    "vaak_sidecar_outbox": "only where a sidecar also tells a tracker",
    "vaak_sidecar_seconds": _EVALUATED,
    "vaak_sidecar_evaluated_step": _EVALUATED,
    "vaak_evaluate_step": _EVALUATED,
    "vaak_evaluate_level_figure": _EVALUATED,
    "vaak_evaluate_level_figure_language": _EVALUATED,
    "vaak_evaluate_level_figure_kind": _EVALUATED,
    "vaak_evaluate_held_out_alarm": _EVALUATED,
    "vaak_evaluate_held_out_change_figure": _EVALUATED,
    **dict.fromkeys(
        ("vaak_dead", "vaak_drawing_s", "vaak_dropped", "vaak_entropy", "vaak_gated", "vaak_judging_s", "vaak_length_ratio",
         "vaak_reward", "vaak_reward_chosen", "vaak_reward_language", "vaak_reward_part", "vaak_reward_rejected"), _ALIGNED),
}  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A Prometheus that answers."""

    url: str

    def ask(self, path: str, **query: str) -> dict:
        return json.loads(text_at(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"))["data"]

    def names(self) -> set[str]:
        return set(self.ask("label/__name__/values"))  # type: ignore[arg-type]

    def values(self, expression: str) -> list[dict]:
        return self.ask("query", query=expression)["result"]


@contextmanager
def prometheus(folder: Path, targets: dict[str, str]) -> Iterator[Server]:
    """A server with the project's configuration, faster, and other hosts. targets: the address in each file of targets/."""
    shutil.copytree(OPS / "prometheus", folder / "prometheus")
    configuration = folder / "prometheus" / "prometheus.yml"
    text = configuration.read_text().replace(": 15s", ": 3s").replace("scrape_timeout: 10s", "scrape_timeout: 3s")
    configuration.write_text(text)
    for path in (folder / "prometheus" / "targets").glob("*.yml"):
        groups = [{"targets": [targets[path.stem]]}] if path.stem in targets else []
        path.write_text(yaml.safe_dump(groups))
    with running(
        ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"],
        "--web.listen-address=127.0.0.1:{port}",
    ) as port:
        yield Server(f"http://127.0.0.1:{port}")


def vaak(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vaak.cli.main", *arguments]


@contextmanager
def processes(folder: Path, port: int) -> Iterator[list[Path]]:
    """A trainer, a sidecar and a publisher of one run, whose ports begin at `port`: the files with what they print."""
    track = ["--track", f"prometheus:{port}"]
    # Storage that nobody answers for: what waits is what is looked at.
    alone = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "CUDA_VISIBLE_DEVICES": "",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "none",
    }  # fmt: skip
    settings = [part for one in (*SETTINGS, f"pack={folder / 'pack'}") for part in ("--set", one)]
    with ExitStack() as stack:

        def start(*arguments: str) -> Path:
            return stack.enter_context(started(vaak(*arguments), folder=folder, environment=alone))

        said = [start("train", "pt-s1-tiny", "--out", "run", *settings, *track)]
        wait_for(folder / "run" / "checkpoints", "step-*/COMPLETE.json", said)
        said += [
            start("sidecar", "run", "--pack", str(folder / "pack"), "--db", "results.db", *track),
            start("checkpoint", "publish", "run", "--to", "s3://nowhere/run", "--follow", *track),
        ]
        yield said


def wait_for(folder: Path, pattern: str, said: list[Path]) -> None:
    end = time.monotonic() + WITHIN
    while not list(folder.glob(pattern)):
        assert time.monotonic() < end, said[0].read_text()[-2000:]
        time.sleep(0.2)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory) -> Iterator[tuple[Server, set[str]]]:
    """A server that has read everything, and the metrics of Vaak that were to be there."""
    folder = tmp_path_factory.mktemp("ops")
    make_pack(folder / "pack")
    port, wanted = free_ports(3), {name for name in named_metrics() if name.startswith("vaak_")} - ABSENT.keys()
    with (
        processes(folder, port) as said,
        running(["prometheus-node-exporter"], "--web.listen-address=127.0.0.1:{port}") as node,
    ):
        targets = {"trainers": port, "sidecars": port + 1, "publishers": port + 2, "nodes": node}
        with prometheus(folder, {name: f"127.0.0.1:{at}" for name, at in targets.items()}) as server:
            end = time.monotonic() + WITHIN
            while not wanted <= server.names() and time.monotonic() < end:
                time.sleep(1)
            lacking = sorted(wanted - server.names())
            assert not lacking, f"{lacking}\n" + "\n".join(path.read_text()[-1500:] for path in said)
            time.sleep(7)  # the rules are looked at every three seconds
            yield server, wanted


def make_pack(folder: Path) -> None:
    """A gold pack of the embedded example."""
    from vaak.corpus import open_corpus
    from vaak.corpus.pack import build_pack
    from vaak.demo import corpus_folder

    build_pack(open_corpus(corpus_folder()), folder, seed=0, n_ce=60)


def test_every_metric_that_a_rule_or_a_dashboard_names_is_there(scraped):
    server, wanted = scraped
    assert wanted <= server.names()
    assert {name for name in listed_names() if name.startswith(("node_", "process_"))} <= server.names()


def test_what_is_excused_is_named_and_not_there_by_chance(scraped):
    server, _ = scraped
    assert ABSENT.keys() <= named_metrics().keys()
    assert server.names() & ABSENT.keys() == set()


def test_every_target_answers_and_all_of_a_machine_share_its_host(scraped):
    server, _ = scraped
    targets = server.ask("targets")["activeTargets"]
    wanted = ("trainer", "sidecar", "publisher", "node")
    assert sorted(one["labels"]["job"] for one in targets) == sorted(wanted)
    # On a machine that does other things as well a single answer may come too late.
    assert {one["metric"]["job"] for one in server.values("max_over_time(up[5m]) == 1")} == set(wanted)
    assert {(one["labels"]["host"], one["labels"]["group"]) for one in targets} == {("127.0.0.1", "127.0.0.1")}


def test_every_rule_can_be_worked_out(scraped):
    server, _ = scraped
    rules = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert len(rules) > 50


def test_a_run_that_does_well_raises_no_alert_of_a_run(scraped):
    server, _ = scraped
    firing = {one["metric"]["alertname"] for one in server.values('ALERTS{alertstate="firing"}')}
    # The publisher's storage does not answer, and that is said; the machine's disks are its own matter.
    assert {name for name in firing if name.startswith("Vaak")} <= {"VaakPublishFailing"}


def test_the_job_of_a_process_does_not_hide_the_job_that_read_it(scraped):
    server, _ = scraped
    found = {
        (one["metric"]["job"], one["metric"]["exported_job"])
        for one in server.values("last_over_time(vaak_run_info[5m])")
    }
    assert found == {("trainer", "train"), ("sidecar", "evaluate"), ("publisher", "publish")}


def test_a_metric_of_a_run_meets_that_of_its_machine(scraped):
    server, _ = scraped
    joined = "last_over_time(node_load5[5m]) and on (host) last_over_time(vaak_step{job='trainer'}[5m])"
    assert len(server.values(joined)) == 1
