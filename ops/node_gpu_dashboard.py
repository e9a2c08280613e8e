"""The dashboard of machines and their GPUs: which one is broken, hot, idle or full."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from ops.panels import Panels, Query, curves, dashboard, listed, number

_HOST = 'host=~"$host"'
_GPU = f'{_HOST},gpu=~"$gpu"'
_ONE = "{{host}} {{gpu}}"
# Filesystems that are no disk.
_DISK = f'{_HOST},fstype!~"tmpfs|ramfs|devtmpfs|squashfs|iso9660|efivarfs"'
_RED: tuple[tuple[float | None, str], ...] = ((None, "green"), (1, "red"))
_GPUS = "\n\nIts alerts and DCGM's fields: docs/ops.md."


def _dcgm(field: str, more: str = "") -> str:
    return f"DCGM_FI_{field}{{{_GPU}{more}}}"


def _share_of_ns(field: str) -> str:
    return f"rate({_dcgm(field)}[$__rate_interval]) / 1e9"


def _top() -> Panels:
    return (
        number("Machines that answer", "none", "Those whose node exporter answers, of all. docs/ops.md: NodeDown.",
               Query(f'sum(up{{job="node",{_HOST}}})', "up")),
        number("GPUs seen", "none", "By DCGM on these machines. docs/ops.md: GpuLost.", Query(f"count(DCGM_FI_DEV_SM_CLOCK{{{_HOST}}})", "GPUs"),
               none="no DCGM exporter"),
        number("Least busy GPU", "percentunit", "Share of ten minutes that it computed. docs/ops.md: GpuIdleDuringRun.",
               Query(f"min(gpu:busy:mean10m{{{_GPU}}})", "least"), levels=((None, "red"), (0.1, "orange"), (0.7, "green"))),
        number("Hottest GPU", "celsius", "docs/ops.md: GpuThermalThrottling.", Query(f"max({_dcgm('DEV_GPU_TEMP')})", "hottest"),
               levels=((None, "green"), (80, "orange"), (87, "red"))),
        number("GPUs with errors", "none", "An XID of the last minutes, an uncorrectable memory error, or a row that was not replaced. "
               "docs/ops.md: GpuXid, GpuEccDoubleBit, GpuRowRemapFailed.",
               Query(f'count(count by (host, gpu) (DCGM_EXP_XID_ERRORS_COUNT{{{_GPU},xid!~"0?"}} > 0 or {_dcgm("DEV_ECC_DBE_VOL_TOTAL")} > 0 '
                     f'or {_dcgm("DEV_ROW_REMAP_FAILURE")} > 0)) or vector(0)', "with errors"), levels=_RED),
        number("Fullest disk", "percentunit", "Share that is taken. docs/ops.md: DiskNearlyFull.",
               Query(f"max(1 - node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}})", "taken"),
               levels=((None, "green"), (0.8, "orange"), (0.9, "red"))),
        listed("Alerts that fire now", "Of these machines. Each has a section in docs/ops.md.", f'ALERTS{{alertstate="firing",{_HOST}}}'),
    )  # fmt: skip


def _compute() -> Panels:
    return (
        curves("Busy", "percentunit", f"Share of time with anything computing. A GPU that waits for others in NCCL counts as busy.{_GPUS}",
               Query(_dcgm("PROF_GR_ENGINE_ACTIVE"), _ONE), least=0, most=1),
        curves("Multiprocessors active", "percentunit", f"Mean over all of them. Waiting in NCCL shows here: a tenth or two.{_GPUS}",
               Query(_dcgm("PROF_SM_ACTIVE"), _ONE), least=0, most=1),
        curves("Tensor cores active", "percentunit", f"What a fast step is made of.{_GPUS}", Query(_dcgm("PROF_PIPE_TENSOR_ACTIVE"), _ONE), least=0, most=1),
        curves("Memory interface active", "percentunit", f"High, with tensor cores low: bound by memory.{_GPUS}",
               Query(_dcgm("PROF_DRAM_ACTIVE"), _ONE), least=0, most=1),
        curves("Occupancy", "percentunit", f"Warps on the multiprocessors over what they hold.{_GPUS}", Query(_dcgm("PROF_SM_OCCUPANCY"), _ONE), least=0, most=1),
        curves("Memory taken", "percentunit", f"Share of each GPU's memory. docs/ops.md: GpuMemoryNearlyFull.{_GPUS}",
               Query(f"gpu:memory_used:share{{{_GPU}}}", _ONE), least=0, most=1),
    )  # fmt: skip


def _clocks() -> Panels:
    return (
        curves("Clock", "rotmhz", f"Of the multiprocessors, MHz: one below its like sets the pace of all.{_GPUS}",
               Query(_dcgm("DEV_SM_CLOCK"), _ONE), least=0),
        curves("Power", "watt", f"Drawn, and the limit that is set.{_GPUS}", Query(_dcgm("DEV_POWER_USAGE"), _ONE),
               Query(_dcgm("DEV_POWER_MGMT_LIMIT"), "{{host}} {{gpu}} limit"), least=0),
        curves("Temperature", "celsius", f"Of the GPU and of its memory.{_GPUS}", Query(_dcgm("DEV_GPU_TEMP"), _ONE),
               Query(_dcgm("DEV_MEMORY_TEMP"), "{{host}} {{gpu}} memory")),
        curves("Slowed down by heat", "percentunit", f"Share of time. docs/ops.md: GpuThermalThrottling.{_GPUS}",
               Query(_share_of_ns("DEV_THERMAL_VIOLATION"), _ONE), least=0, most=1),
        curves("Slowed down by power", "percentunit", "Share of time. At full load this is ordinary; see the clock. docs/ops.md: "
               f"GpuPowerThrottling.{_GPUS}", Query(_share_of_ns("DEV_POWER_VIOLATION"), _ONE),
               Query(_share_of_ns("DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS"), "{{host}} {{gpu}} power brake"), least=0, most=1),
        curves("Reasons for a low clock", "none", f"Readings of the last five minutes with each.{_GPUS}",
               Query(f"sum by (host, gpu, clock_event) (DCGM_EXP_CLOCK_EVENTS_COUNT{{{_GPU}}})", "{{host}} {{gpu}} {{clock_event}}"), least=0),
    )  # fmt: skip


def _links() -> Panels:
    return (
        curves("NVLink", "Bps", f"Sent and received.{_GPUS}", Query(_dcgm("PROF_NVLINK_TX_BYTES"), "{{host}} {{gpu}} sent"),
               Query(_dcgm("PROF_NVLINK_RX_BYTES"), "{{host}} {{gpu}} received"), least=0),
        curves("PCIe", "Bps", f"Sent and received.{_GPUS}", Query(_dcgm("PROF_PCIE_TX_BYTES"), "{{host}} {{gpu}} sent"),
               Query(_dcgm("PROF_PCIE_RX_BYTES"), "{{host}} {{gpu}} received"), least=0),
        curves("Errors of links", "none", "In a quarter of an hour. docs/ops.md: GpuNvlinkErrors, GpuPcieReplays.",
               Query(f"gpu:nvlink_errors:increase15m{{{_GPU}}}", "{{host}} {{gpu}} {{kind}}"),
               Query(f"increase({_dcgm('DEV_PCIE_REPLAY_COUNTER')}[15m])", "{{host}} {{gpu}} PCIe"), least=0),
        curves("Memory errors", "none", f"Corrected and uncorrectable since the driver was loaded. docs/ops.md: GpuEccDoubleBit.{_GPUS}",
               Query(_dcgm("DEV_ECC_SBE_VOL_TOTAL"), "{{host}} {{gpu}} corrected"),
               Query(_dcgm("DEV_ECC_DBE_VOL_TOTAL"), "{{host}} {{gpu}} uncorrectable"), least=0),
        curves("Rows and pages replaced", "none", "In the life of the GPU, and what waits for a reset. docs/ops.md: GpuRowRemapPending.",
               Query(_dcgm("DEV_CORRECTABLE_REMAPPED_ROWS"), "{{host}} {{gpu}} corrected"),
               Query(_dcgm("DEV_UNCORRECTABLE_REMAPPED_ROWS"), "{{host}} {{gpu}} uncorrectable"),
               Query(_dcgm("DEV_ROW_REMAP_PENDING"), "{{host}} {{gpu}} pending"),
               Query(_dcgm("DEV_RETIRED_PENDING"), "{{host}} {{gpu}} pages pending"), least=0),
        curves("XID errors", "none", "In the last five minutes, by number. docs/ops.md: GpuXid.",
               Query(f'DCGM_EXP_XID_ERRORS_COUNT{{{_GPU},xid!~"0?"}}', "{{host}} {{gpu}} XID {{xid}}"), least=0),
    )  # fmt: skip


def _nodes() -> Panels:
    see = "\n\nMachines: docs/ops.md."
    return (
        curves("Processors busy", "percentunit", f"Share of all cores.{see}",
               Query(f'1 - avg by (host) (rate(node_cpu_seconds_total{{mode="idle",{_HOST}}}[$__rate_interval]))', "{{host}}"), least=0, most=1),
        curves("Memory available", "bytes", f"What processes can still have. docs/ops.md: NodeMemoryNearlyFull.{see}",
               Query(f"node_memory_MemAvailable_bytes{{{_HOST}}}", "{{host}}"), least=0),
        curves("Disk free", "bytes", f"docs/ops.md: DiskNearlyFull, DiskFullInHours.{see}",
               Query(f"node_filesystem_avail_bytes{{{_DISK}}}", "{{host}} {{mountpoint}}"), least=0),
        curves("Disks", "Bps", f"Read and written.{see}",
               Query(f"sum by (host) (rate(node_disk_read_bytes_total{{{_HOST}}}[$__rate_interval]))", "{{host}} read"),
               Query(f"sum by (host) (rate(node_disk_written_bytes_total{{{_HOST}}}[$__rate_interval]))", "{{host}} written"), least=0),
        curves("Network", "Bps", f"Received and sent, without the loopback. InfiniBand is not in it.{see}",
               Query(f'sum by (host) (rate(node_network_receive_bytes_total{{device!="lo",{_HOST}}}[$__rate_interval]))', "{{host}} received"),
               Query(f'sum by (host) (rate(node_network_transmit_bytes_total{{device!="lo",{_HOST}}}[$__rate_interval]))', "{{host}} sent"), least=0),
        curves("Load", "none", f"Processes that run or wait, mean of five minutes.{see}", Query(f"node_load5{{{_HOST}}}", "{{host}}"), least=0),
    )  # fmt: skip


def dashboard_of_machines() -> build.Dashboard:
    variables = (
        ("host", "Host", 'label_values(up{job=~"node|dcgm"}, host)'),
        ("gpu", "GPU", 'label_values(DCGM_FI_DEV_SM_CLOCK{host=~"$host"}, gpu)'),
    )
    rows = (
        ("Is anything broken, hot, idle or full", _top()), ("GPUs: what they compute", _compute()), ("GPUs: clock, power, heat", _clocks()),
        ("GPUs: links and errors", _links()), ("Machines", _nodes()),
    )  # fmt: skip
    return dashboard(
        "vaak-node-gpu", "Vaak: machines and GPUs", "Node exporter and DCGM. Alerts: docs/ops.md.", variables, rows
    )
