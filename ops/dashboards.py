"""Writes the Grafana dashboards: python -m ops.dashboards (what `make generated` does). No Grafana is needed, and none rendered them here.

The first row of each answers what somebody woken at night asks; the rows below it say why.
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ops import evaluation_dashboard, node_gpu_dashboard, run_dashboard

FOLDER = Path(__file__).parent / "grafana" / "dashboards"


def dashboards() -> dict[str, build.Dashboard]:
    """Each by the name of its file."""
    return {
        "run": run_dashboard.dashboard_of_runs(),
        "node-gpu": node_gpu_dashboard.dashboard_of_machines(),
        "evaluation": evaluation_dashboard.dashboard_of_evaluation(),
    }


def as_json(one: build.Dashboard) -> str:
    return json.dumps(one.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, one in dashboards().items():
        (FOLDER / f"{name}.json").write_text(as_json(one), encoding="utf-8")
        print(FOLDER / f"{name}.json")


if __name__ == "__main__":
    main()
