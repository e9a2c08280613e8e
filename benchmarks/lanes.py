"""Microbatches of a small model side by side on the cores of a CPU, against one after the other on all of them.

One run, turn about, on real rows of the example's second stage. Prints one line: `python benchmarks/lanes.py [--json PATH]`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from codec import at_least

from vaak.host import keep_freed_memory
from vaak.model.open import create_model
from vaak.recipe import load_recipe
from vaak.train.speed import first_round
from vaak.train.stage import open_data
from vaak.train.step import gradients

ROUNDS, STEPS = 5, 4


def seconds(model, batches, lanes: int) -> float:
    """For `STEPS` gradients of all batches."""
    began = time.perf_counter()
    for _ in range(STEPS):
        gradients(model, batches, "fp32", lanes)
        model.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    keep_freed_memory()
    recipe = load_recipe("pt-s2-tiny")
    cores = torch.get_num_threads()
    batches = first_round(recipe)
    model = create_model(recipe.model, open_data(recipe).vocabulary, 0)
    for lanes in (1, cores):  # to warm up
        seconds(model, batches, lanes)
    pairs = [(seconds(model, batches, 1), seconds(model, batches, cores)) for _ in range(ROUNDS)]
    ratio = float(np.median([one / side for one, side in pairs]))
    figure = at_least("lanes, speed", ratio, 1.2, f"one microbatch after the other on {cores} cores", "x")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure)]))
    return 0 if figure.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
