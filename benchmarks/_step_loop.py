"""How much of the training loop's time is neither forward, nor backward, nor optimizer: for benchmarks/step.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from _step_documents import MIXTURE
from _step_sides import synchronise

from vaak.grammar.tokenizer import TextTokenizer
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import Recipe
from vaak.train.loop import train

Span = tuple[float, float]


@dataclass(frozen=True)
class LoopTime:
    """Seconds of `steps` whole steps of the loop, and of those the seconds in which model or optimizer were at work."""

    steps: int
    whole: float
    working: float
    forward: float
    backward: float
    optimizer: float

    @property
    def overhead(self) -> float:
        return 1 - self.working / self.whole


def covered(spans: Iterable[Span], begin: float, end: float) -> float:
    """Seconds between begin and end that lie in at least one of the spans, which may overlap."""
    total, at = 0.0, begin
    for first, last in sorted(spans):
        first, last = max(first, at), min(last, end)
        if last > first:
            total += last - first
            at = last
    return total


class Clock:
    """When functions ran, in whatever thread: microbatches are computed side by side on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self.spans: dict[str, list[Span]] = {"forward": [], "backward": [], "optimizer": []}
        self.device, self.lock = device, threading.Lock()

    def around(self, kind: str, owner: Any, name: str) -> AbstractContextManager:
        """While this is entered, every call of `owner.name` counts as `kind`. On a GPU calls are waited for, which lets the
        loop look slower than it is."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            synchronise(self.device)
            began = time.perf_counter()
            result = function(*args, **kwargs)
            synchronise(self.device)
            with self.lock:
                self.spans[kind].append((began, time.perf_counter()))
            return result

        return patch.object(owner, name, timed)


def loop_recipe(corpus: Path, tokenizer_folder: Path, body: dict[str, Any], **more: Any) -> Recipe:
    tree: dict[str, Any] = {
        "name": "overhead",
        "kind": "sft",
        "corpora": [str(corpus)],
        "tokenizer": str(tokenizer_folder),
        "codec": "xcodec2",
        "model": {"config": body},
        "schedule": {"peak_lr": 1e-4, "min_lr": 1e-5, "warmup_ratio": 0.1},
        "mixture": MIXTURE,
        "activation_checkpointing": "none",
        "checkpoints": {"every": 1_000_000, "milestones": None},
    }
    return Recipe.model_validate({**tree, **more})


def time_loop(recipe: Recipe, run: Path, device: torch.device) -> LoopTime:
    """Trains the recipe with `vaak.train` and times all steps but the first.

    A step lasts from one call of the progress callback to the next: loader, step, meters, metrics.jsonl and the other
    callbacks are in it. No validation (the recipe has no pack); the one checkpoint comes after the last call. Clipping,
    the reading of losses and adding up the gradients of microbatches count as overhead.
    """
    clock, ends = Clock(device), []
    optimizer = torch.optim.AdamW
    with ExitStack() as timed:
        timed.enter_context(clock.around("forward", SpeechLM, "forward_loss"))
        timed.enter_context(clock.around("backward", torch.autograd, "grad"))
        timed.enter_context(clock.around("backward", torch.Tensor, "backward"))
        timed.enter_context(clock.around("optimizer", optimizer, "step"))
        train(recipe, run, on_step=lambda *_: ends.append(time.perf_counter()), say=lambda _: None)
    begin, end = ends[0], ends[-1]
    kinds = {kind: covered(spans, begin, end) for kind, spans in clock.spans.items()}
    working = covered([span for spans in clock.spans.values() for span in spans], begin, end)
    return LoopTime(len(ends) - 1, end - begin, working, **kinds)


def save_tokenizer(tokenizer: TextTokenizer, folder: Path) -> Path:
    tokenizer.save(folder)
    return folder
