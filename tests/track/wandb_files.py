"""Reading back what W&B wrote offline: a LevelDB log of protobuf records, and the files that these name."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEADER = 32768, 7
_WHOLE, _LAST = 1, 4


def records(run: Path) -> Iterator[Any]:
    """Every record of a run's folder, in the order in which it was written."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    [file] = run.glob("*.wandb")
    data, at, parts = file.read_bytes(), _HEADER, b""
    assert data[:4] == b":W&B"
    while at + _HEADER <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + _HEADER])
        if at + _HEADER + length > len(data):  # it is being written
            return
        parts += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_WHOLE, _LAST):
            record = Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def offline_runs(folder: Path) -> list[Path]:
    """The folders of runs in `folder/wandb`, each once it is whole: W&B's service closes a file just after `finish`."""
    found, until = sorted((folder / "wandb").glob("offline-run-*")), time.monotonic() + 60
    for run in found:
        while not any(record.WhichOneof("record_type") == "exit" for record in records(run)):
            assert time.monotonic() < until, f"{run} was never ended"
            time.sleep(0.05)
    return found


def history(run: Path) -> list[dict[str, Any]]:
    """The rows that were logged; of a table what W&B says of it, by `NAME/KEY`."""
    return [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in records(run)
        if record.WhichOneof("record_type") == "history"
    ]


def own_axes(run: Path) -> dict[str, str]:
    """Metric, or glob of metrics -> the metric that it is plotted over."""
    metrics = [record.metric for record in records(run) if record.WhichOneof("record_type") == "metric"]
    return {one.glob_name or one.name: one.step_metric for one in metrics}


def tables(run: Path) -> list[tuple[dict[str, Any], dict[str, Path]]]:
    """Each table that was logged, and the files beside it: path in the table -> file on this disk."""
    found = []
    for record in records(run):
        if record.WhichOneof("record_type") == "artifact":
            files = {one.path: Path(one.local_path) for one in record.artifact.manifest.contents}
            found += [
                (json.loads(file.read_bytes()), files) for path, file in files.items() if path.endswith(".table.json")
            ]
    return found
