"""Where the time of a step goes, on a page: the profiler's dearest operations, and its traces as links."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vaak.errors import BadInput
from vaak.page import Cell, alarm, details, table
from vaak.storage.files import read_json

# (file, what it shows)
_TRACES = (("trace-early.json.gz", "three early steps"), ("trace-steady.json.gz", "three steps once all is warm"))
_OPEN = (
    "A trace opens in a browser: ui.perfetto.dev, “Open trace file” (it is read in the browser and sent nowhere), or in Chrome "
    "chrome://tracing, “Load”. Both take the .gz as it is."
)


def profile_parts(run: Path, page_folder: Path, profiled: bool | None) -> list[Markup | str]:
    """The profile of a run folder, its links as they work from a page in `page_folder`.

    profiled: whether the recipe asks for one, None where that is unknown.
    """
    folder = run / "profile"
    traces = [(folder / name, what) for name, what in _TRACES if (folder / name).is_file()]
    summary = _summary(folder)
    if summary is None and not traces:
        if profiled is False:
            return [
                alarm("note", "no profile: this recipe has `profile: false`; with `--set profile=true` a run has one")
            ]
        words = "no profile yet: its traces are written after steps 8 and 603, its table after step 500 or the last"
        return [alarm("note", words)] if profiled else []
    parts: list[Markup | str] = []
    if summary is not None:
        parts += [_in_words(summary), *_operations(summary)]
    if traces:
        links = Markup(" · ").join(link(path, page_folder, f"{path.name} ({what})") for path, what in traces)
        parts.append(Markup("<p>{}. {}</p>").format(links, _OPEN))
    return parts


def link(path: Path, page_folder: Path, words: str) -> Markup:
    """A link to a file or folder that works from a page in `page_folder`, wherever both are moved to together."""
    way = Path(os.path.relpath(path.resolve(), page_folder.resolve())).as_posix()
    return Markup('<a href="{}">{}</a>').format(_quoted(way), words)


def _quoted(way: str) -> str:
    from urllib.parse import quote

    return quote(way)


def _summary(folder: Path) -> dict[str, Any] | None:
    try:
        summary = read_json(folder / "summary.json")
        return summary if summary["operations"] is not None else None
    except (BadInput, OSError, KeyError, TypeError, ValueError):
        return None


def _in_words(summary: dict[str, Any]) -> str:
    return (
        f"Of the first {summary['steps']:,} steps: median {1e3 * summary['step_s_median']:,.1f} ms, 95% within "
        f"{1e3 * summary['step_s_p95']:,.1f} ms, {summary['data_wait']:.1%} of the time waiting for data. The operations are of "
        f"{summary['profiled_steps']} of them."
    )


def _operations(summary: dict[str, Any]) -> list[Markup]:
    found: list[dict[str, Any]] = summary["operations"]
    if not found:
        return [alarm("note", "no step was profiled for the table: the run was too short")]
    on_device = any(one["device_ms_per_step"] for one in found)
    key = "device_ms_per_step" if on_device else "host_ms_per_step"
    whole = sum(one[key] for one in found) or 1.0
    rows = [
        (
            one["name"],
            Cell(one["calls_per_step"], f"{one['calls_per_step']:,.1f}"),
            Cell(one["host_ms_per_step"], f"{one['host_ms_per_step']:,.3f}"),
            *([Cell(one["device_ms_per_step"], f"{one['device_ms_per_step']:,.3f}")] if on_device else []),
            Cell(one[key] / whole, f"{one[key] / whole:.1%}"),
        )
        for one in found
    ]
    columns = ["operation", "calls", "host ms", *(["device ms"] if on_device else []), "share of these"]
    dearest = ", ".join(f"{one['name']} {one[key] / whole:.0%}" for one in found[:3])
    listed = table(rows, columns, caption="The dearest operations, each per step")
    return [details(f"The {len(rows)} dearest operations: {dearest}", listed)]
