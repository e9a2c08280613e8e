"""What starts it all: Prometheus's configuration, the compose file, Alertmanager's, the units of systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.ops.expressions import OPS, needs_promtool
from tests.ops.programs import missing

CONFIGURATION = OPS / "prometheus" / "prometheus.yml"
COMPOSE = OPS / "compose.yaml"
UNITS = sorted((OPS / "systemd").glob("*.service"))
# Of each job, as the exporters have them.
PORTS = {"trainer": 9471, "sidecar": 9472, "publisher": 9473, "node": 9100, "dcgm": 9400}


def jobs() -> dict[str, dict]:
    return {job["job_name"]: job for job in yaml.safe_load(CONFIGURATION.read_text())["scrape_configs"]}


def relabelled(job: dict, labels: dict[str, str]) -> dict[str, str]:
    """What Prometheus makes of a target by the job's rules, each a replacement."""
    labels = dict(labels)
    for rule in job["relabel_configs"]:
        source = ";".join(labels.get(name, "") for name in rule["source_labels"])
        found = re.fullmatch(rule["regex"], source)
        if found:
            replacement = re.sub(r"\$\{?(\d)\}?", r"\\\1", rule.get("replacement", "$1"))
            labels[rule["target_label"]] = found.expand(replacement)
    return labels


@needs_promtool
def test_prometheus_accepts_its_configuration():
    done = subprocess.run(
        ["promtool", "check", "config", str(CONFIGURATION)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "warning" not in done.stdout.lower(), done.stdout + done.stderr


def test_every_job_has_its_port_unless_a_target_names_one():
    for name, job in jobs().items():
        assert relabelled(job, {"__address__": "gpu-0"})["__address__"] == f"gpu-0:{PORTS[name]}"
        assert relabelled(job, {"__address__": "gpu-0:1234"})["__address__"] == "gpu-0:1234"
        assert relabelled(job, {"__address__": "[fe80::1]"})["__address__"] == f"[fe80::1]:{PORTS[name]}"
    assert set(jobs()) == set(PORTS)


@pytest.mark.parametrize(
    ("target", "host", "group"),
    [
        ({"__address__": "gpu-0"}, "gpu-0", "gpu-0"),
        ({"__address__": "10.0.0.7:9500"}, "10.0.0.7", "10.0.0.7"),
        ({"__address__": "[fe80::1]:9500"}, "fe80::1", "fe80::1"),
        ({"__address__": "gpu-0", "group": "first"}, "gpu-0", "first"),
        ({"__address__": "127.0.0.1", "host": "gpu-0"}, "gpu-0", "gpu-0"),
    ],
)
def test_the_series_of_a_machine_share_their_host_and_group_whatever_their_ports(target, host, group):
    for job in jobs().values():
        found = relabelled(job, target)
        assert (found["host"], found["group"]) == (host, group)


def test_hosts_are_named_in_target_files_alone_and_each_is_read():
    read = {file for job in jobs().values() for one in job["file_sd_configs"] for file in one["files"]}
    there = {f"targets/{path.name}" for path in (OPS / "prometheus" / "targets").glob("*.yml")}
    assert read == there
    # A target may name a port, which would be of one exporter: no two jobs read the same file.
    assert len(read) == len(jobs())
    for name in there:
        for group in yaml.safe_load((OPS / "prometheus" / name).read_text()):
            assert group["targets"] == ["localhost"]


@pytest.mark.skipif(bool(missing("amtool")), reason=missing("amtool"))
def test_alertmanager_accepts_its_configuration():
    done = subprocess.run(
        ["amtool", "check-config", str(OPS / "alertmanager" / "alertmanager.yml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_follows_its_schema():
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed (pip install vaak[dev])")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_pinned_watched_restarted_and_closed_to_other_machines():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services) == {"prometheus", "alertmanager", "grafana", "node-exporter", "dcgm-exporter"}
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), name
        assert service["healthcheck"]["test"] and service["restart"] == "unless-stopped", name
        said = str(service.get("command", "")) + str(service.get("environment", ""))
        assert "127.0.0.1" in said and not re.search(r"(?i)password[^_]{0,3}:\s*\w", said), name


def test_what_the_compose_file_mounts_is_there():
    for service in yaml.safe_load(COMPOSE.read_text())["services"].values():
        for mount in service["volumes"]:
            source = mount.partition(":")[0]
            assert not source.startswith("./") or (OPS / source).exists(), mount


def test_grafana_finds_its_source_and_its_dashboards():
    provisioning = OPS / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://127.0.0.1:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "vaak.yml").read_text())["providers"]
    mounts = yaml.safe_load(COMPOSE.read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)
def test_systemd_accepts_the_units(tmp_path):
    for path in UNITS:
        # It wants each program to be there; what they are told is looked at elsewhere.
        text = re.sub(r"(?m)^(Exec\w+=)(\S+)", r"\1/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    files = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "vaak-" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize(
    "path", [path for path in UNITS if "@" in path.name or "exporter" in path.name], ids=lambda path: path.stem
)
def test_one_file_opens_all_exporters_of_a_machine(path):
    assert "\nEnvironmentFile=-/etc/vaak/exporters.env\n" in path.read_text()


@pytest.mark.parametrize("path", [path for path in UNITS if "@" in path.name], ids=lambda path: path.stem)
def test_bad_input_is_not_started_for_ever(path):
    text = path.read_text()
    assert "Restart=on-failure" in text and re.search(r"^RestartPreventExitStatus=2$", text, re.MULTILINE)
    assert re.search(r"^StartLimitBurst=\d$", text, re.MULTILINE) and "StartLimitIntervalSec=1h" in text
    # torchrun makes 1 of every exit.
    assert ("SuccessExitStatus=130" in text) == ("torchrun" not in text)


def test_a_training_may_save_for_as_long_as_torchrun_waits_for_it():
    (said,) = re.findall(r"SHUTDOWN_TIMEOUT:-(\d+)\}", (OPS / "train-torchrun.sh").read_text())
    (killed,) = re.findall(r"^TimeoutStopSec=(\d+)$", (OPS / "systemd/vaak-train@.service").read_text(), re.MULTILINE)
    assert 1800 <= int(said) < int(killed)


def muted(source: dict[str, str], target: dict[str, str]) -> bool:
    """Whether Alertmanager keeps back the alert with these labels while the other one fires."""

    def matched(matchers: list[str], labels: dict[str, str]) -> bool:
        parts = [re.fullmatch(r'(\w+)=~?"(.*)"', one) for one in matchers]
        return all(one and re.fullmatch(one[2], labels.get(one[1], "")) for one in parts)

    rules = yaml.safe_load((OPS / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"]
    return any(
        matched(rule["source_matchers"], source)
        and matched(rule["target_matchers"], target)
        and all(source.get(name, "") == target.get(name, "") for name in rule["equal"])
        for rule in rules
    )


def test_an_ended_run_mutes_no_other_of_its_machine():
    machine = {"host": "gpu-0", "group": "gpu-0"}
    ended = {"alertname": "VaakTrainerGone", "instance": "gpu-0:9471", **machine}
    slow = {"alertname": "VaakThroughputDropped", "run": "other", **machine}
    assert muted(ended, {**slow, "instance": "gpu-0:9471"})
    assert not muted(ended, {**slow, "instance": "gpu-0:9500"})
    idle = {"alertname": "GpuIdleDuringRun", "gpu": "3", **machine}
    assert not muted(ended, idle)
    assert muted({**ended, "alertname": "VaakRunStalled", "run": "one"}, idle)


@pytest.mark.skipif(not ((OPS.parent / ".git").exists() and shutil.which("git")), reason="this is no checkout of git")
def test_a_key_beside_alertmanagers_configuration_is_never_committed():
    def ignored(name: str) -> bool:
        asked = ["git", "check-ignore", "-q", "--no-index", f"ops/alertmanager/{name}"]
        return subprocess.run(asked, cwd=OPS.parent, timeout=60).returncode == 0

    assert ignored("webhook-url") and not ignored("alertmanager.yml")


def test_each_sidecar_of_a_machine_has_its_own_stop_file():
    assert " --stop-file sidecar-%i.stop " in (OPS / "systemd" / "vaak-sidecar@.service").read_text()
