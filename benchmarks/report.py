"""What a report of a long run takes: seconds and memory for a million steps, with a spike of one step still on the page.

A synthetic metrics.jsonl has every figure of a training in 12 languages from 8 sources, and a validation every 1000 steps. Prints
one line per figure: `python benchmarks/report.py [--rows 1000000] [--json PATH]`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson

LANGUAGES = ("en", "hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "or", "as")
SOURCES = tuple(f"source-{number}" for number in range(8))
STREAMS = ("raw", "paired", "text")
TOKENS_PER_STEP, STEP_S, SPIKE = 1 << 19, 1.7, 123.5
# Rows whose figures are drawn together; what follows repeats them until the loss has fallen by a sixteenth of its way.
_DRAWN, _PARTS = 4096, 16
RECIPE = {
    "name": "pt-s1", "kind": "pretrain", "corpora": ["/data/speech"], "codec": "xcodec2", "profile": False,
    "tokens_per_step": TOKENS_PER_STEP, "model": {"path": "base"},
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    want: str
    holds: bool
    against: str

    def line(self) -> str:
        met = "met" if self.holds else "NOT MET"
        return f"{self.name} {self.value:.3f} {self.unit} (want {self.want}, against {self.against}): {met}"


def at_most(name: str, value: float, want: float, against: str, unit: str = "") -> Figure:
    figure = Figure(name, value, unit, f"≤ {want:g}", value <= want, against)
    print(figure.line(), flush=True)
    return figure


def at_least(name: str, value: float, want: float, against: str, unit: str = "") -> Figure:
    figure = Figure(name, value, unit, f"≥ {want:g}", value >= want, against)
    print(figure.line(), flush=True)
    return figure


def write_run(folder: Path, rows: int) -> int:
    """A run folder with so many training rows, a spike of `SPIKE` in the loss at one of them, one that is NaN, and a validation
    every 1000 steps; returns the size of its metrics.jsonl in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_bytes(orjson.dumps(RECIPE | {"length": {"steps": rows}}))  # JSON is YAML
    rng, metrics = np.random.default_rng(0), folder / "metrics.jsonl"
    each = max(1, -(-rows // _PARTS))
    with metrics.open("wb", buffering=1 << 20) as file:
        for first in range(1, rows + 1, each):
            tails, validation = _figures(rng, first / rows)
            for step in range(first, min(first + each, rows + 1)):
                head = b'{"step":%d,"tokens":%d,"time":%.3f,' % (step, step * TOKENS_PER_STEP, step * STEP_S)
                file.write(head + tails[step % len(tails)])
                if step == rows // 3:
                    file.write(b'{"step":%d,"loss":%f}\n' % (step, SPIKE))
                if step == rows // 2:
                    file.write(b'{"step":%d,"grad_norm":"NaN"}\n' % step)
                if step % 1000 == 0:
                    file.write(b'{"step":%d,' % step + validation)
    return metrics.stat().st_size


def _figures(rng: np.random.Generator, along: float) -> tuple[list[bytes], bytes]:
    """Ends of rows with the figures of a run that is `along` of its way (0 to 1), and that of a validation."""
    names = ["loss", "loss/audio", "loss/text", *(f"loss/stream/{one}" for one in STREAMS)]
    names += [*(f"loss/language/{one}" for one in LANGUAGES), *(f"loss/source/{one}" for one in SOURCES)]
    losses = 2 + 5 * np.exp(-4 * along) + rng.normal(0, 0.05, (_DRAWN, len(names)))
    others = {
        "grad_norm": rng.lognormal(0, 0.2, _DRAWN), "lr": np.full(_DRAWN, 3e-4 * (1 - along)),
        "audio_hours": np.full(_DRAWN, 9e4 * along), "tokens_per_s": rng.normal(3.1e5, 4e3, _DRAWN),
        "targets_per_s": rng.normal(3.0e5, 4e3, _DRAWN), "audio_s_per_s": rng.normal(5e3, 50, _DRAWN),
        "step_s": rng.normal(STEP_S, 0.02, _DRAWN), "data_wait": rng.uniform(0, 0.02, _DRAWN),
        "padding": rng.uniform(0.01, 0.03, _DRAWN), "skipped": np.full(_DRAWN, round(20 * along)),
        "nonfinite": np.full(_DRAWN, round(5 * along)), "spikes": np.full(_DRAWN, round(15 * along)),
        "memory_gb": np.full(_DRAWN, 61.2),
    }  # fmt: skip
    columns = {**dict(zip(names, losses.T, strict=True)), **others}
    plain = {name: column.tolist() for name, column in columns.items()}
    tails = [orjson.dumps({name: plain[name][at] for name in plain})[1:] + b"\n" for at in range(_DRAWN)]
    held_out = ["val/loss", "val/audio", "val/text", *(f"val/stream/{one}" for one in STREAMS)]
    held_out += [f"val/language/{one}" for one in LANGUAGES]
    return tails, orjson.dumps({name: float(2 + 5 * np.exp(-4 * along)) for name in held_out})[1:] + b"\n"


def report(run: Path) -> tuple[float, float]:
    """(seconds, peak memory in MB) of `vaak report` in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "vaak.cli.main", "report", str(run)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"vaak report {run} ended with exit code {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        few, many = Path(scratch) / "few", Path(scratch) / "many"
        write_run(few, max(1, chosen.rows // 100))
        size = write_run(many, chosen.rows) / 1e9
        few_s, few_mb = report(few)
        many_s, many_mb = report(many)
        page = (many / "report.html").read_text(encoding="utf-8")
    print(f"{chosen.rows:,} steps are {size:.2f} GB; the page {len(page) / 1e6:.2f} MB; of {chosen.rows // 100:,}: {few_s:.1f} s, "
          f"{few_mb:.0f} MB")  # fmt: skip
    figures = [
        at_most(f"report of {chosen.rows:,} steps", many_s, 60.0, "a person who waits", "s"),
        at_most("its peak memory", many_mb / few_mb, 1.3, "that of a run of a hundredth of the steps", "times"),
        at_least("a spike of one step is named", float(f"{SPIKE:g}" in page), 1.0, "the page"),
        at_least("a value that is NaN is named", float("gradient norm: not finite in 1 step" in page), 1.0, "the page"),
    ]
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", encoding="utf-8")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
