"""The Hugging Face Trainer as a side of benchmarks/step.py, and all sides in turn, step by step."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from _step_sides import LR, SETTINGS, Padded, synchronise
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from vaak.train.host import Precision


class _InTurn(TrainerCallback):
    """Stops the clock after each step of the Trainer, and lets the other sides take theirs before it goes on."""

    def __init__(
        self, others: Mapping[str, Callable[[int], Any]], device: torch.device, seconds: dict[str, list[float]]
    ):
        self.others, self.device, self.seconds = others, device, seconds
        self.began = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        synchronise(self.device)
        self.seconds["trainer"].append(time.perf_counter() - self.began)
        for name, step in self.others.items():
            began = time.perf_counter()
            step(state.global_step - 1)
            synchronise(self.device)
            self.seconds[name].append(time.perf_counter() - began)
        self.began = time.perf_counter()


def steps_in_turn(
    trainer_model: Any,
    steps: Sequence[Padded],
    others: Mapping[str, Callable[[int], Any]],
    precision: Precision,
    folder: Path,
) -> dict[str, list[float]]:
    """Seconds of each step of each side, step by step in turn; the Trainer's are under `trainer`.

    The clock of the Trainer runs from the end of one step to the end of the next: fetching is in it, its start and end
    are not. What it logs and saves is switched off. All steps have equally many microbatches.
    """
    device = next(trainer_model.parameters()).device
    seconds: dict[str, list[float]] = {name: [] for name in ("trainer", *others)}
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=len(steps), per_device_train_batch_size=1,
        gradient_accumulation_steps=len(steps[0]), learning_rate=LR, lr_scheduler_type="constant",
        optim="adamw_torch_fused", adam_beta1=SETTINGS.betas[0], adam_beta2=SETTINGS.betas[1],
        adam_epsilon=SETTINGS.eps, weight_decay=SETTINGS.weight_decay, max_grad_norm=SETTINGS.grad_clip,
        bf16=precision == "bf16", use_cpu=device.type == "cpu", logging_strategy="no", save_strategy="no",
        report_to=[], disable_tqdm=True, remove_unused_columns=False, train_sampling_strategy="sequential",
    )  # fmt: skip
    logging.getLogger("transformers").setLevel(logging.ERROR)
    flat = [{name: part.cpu() for name, part in one.items()} for step in steps for one in step]
    trainer = Trainer(
        model=trainer_model,
        args=arguments,
        train_dataset=flat,  # pyright: ignore[reportArgumentType]
        data_collator=lambda items: items[0],  # padded already, as the plain loop's are
        callbacks=[_InTurn(others, device, seconds)],
    )
    trainer.remove_callback(PrinterCallback)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    return seconds
