"""The listening panel of a run with 3 and with 300 checkpoints: seconds until it is written, and its size.

The run is synthetic: random codes of the embedded codec and drawn figures, on a gold pack of 112 prompts of the example.
Prints one line per figure: `python benchmarks/panel.py [--json PATH]`. Needs the `dev` extra.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

# As the command sets it: threads that spin while they wait would measure themselves. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from codec import Figure, at_most

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.evaluate.synthetic_run import synthetic_run
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.demo import corpus_folder
from vaak.evaluate import open_results, write_panel
from vaak.evaluate.panel import LARGEST_BYTES
from vaak.evaluate.panel_figures import Figures, evaluations_of

CHECKPOINTS = (3, 300)
MOST_SECONDS = 30.0


def figures_of(folder: Path, checkpoints: int) -> list[Figure]:
    codec = open_codec("embedded")
    pack = open_pack(folder / "pack")
    here = folder / str(checkpoints)
    run = synthetic_run(here, pack, codec, checkpoints)
    results = open_results(here / "results.db")
    began = time.perf_counter()
    evaluations, _ = evaluations_of(results.finished(pack.id), "run", [])
    Figures(results, pack.id, codec.hash, evaluations)
    reading = time.perf_counter() - began
    results.close()
    began, worked = time.perf_counter(), time.process_time()
    page = write_panel(run, here / "panel.html", pack=folder / "pack", db=here / "results.db", codec=codec)
    seconds = time.perf_counter() - began
    worked = time.process_time() - worked
    name = f"{checkpoints} synthetic checkpoints"
    of = f"{worked:.1f} s of processor time; its rows of {len(pack.prompts)} prompts each alone are read in {reading:.1f} s"
    megabytes = page.stat().st_size / 1e6
    return [
        at_most(f"{name}, page written", seconds, MOST_SECONDS, of, "s"),
        at_most(f"{name}, page", megabytes, LARGEST_BYTES / 1e6, "what the page promises", "MB"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vaak-bench-") as name:
        folder = Path(name)
        sizes = {"per_language": 4, "cross_lingual": 12, "long_form": 4, "probes": 0, "extended": {"en": 48}}
        build_pack(open_corpus(corpus_folder()), folder / "pack", 2026, n_ce=5, **sizes)
        figures = [one for count in CHECKPOINTS for one in figures_of(folder, count)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of the process: {peak:.0f} MB")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
