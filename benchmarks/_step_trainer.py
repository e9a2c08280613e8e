"""The Hugging Face Trainer as a side of benchmarks/step.py, and all sides in turn, step by step."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from _step_sides import LR, SETTINGS, Padded, synchronise
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from vaak.host import Precision


class Spent(NamedTuple):
    """Seconds of one step: on the clock, and of all threads of this process. The latter hardly notice other processes."""

    clock: float
    work: float


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


class _InTurn(TrainerCallback):
    """Stops the clock after each step of the Trainer, and lets the other sides take theirs before it goes on."""

    def __init__(self, others: Mapping[str, Callable[[int], Any]], device: torch.device) -> None:
        self.others, self.device = others, device
        self.spent: dict[str, list[Spent]] = {name: [] for name in ("trainer", *others)}
        self.began = _now()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = _now()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._note("trainer")
        for name, step in self.others.items():
            step(state.global_step - 1)
            self._note(name)

    def _note(self, name: str) -> None:
        synchronise(self.device)
        now = _now()
        self.spent[name].append(Spent(now.clock - self.began.clock, now.work - self.began.work))
        self.began = _now()


def steps_in_turn(
    trainer_model: Any,
    steps: Sequence[Padded],
    others: Mapping[str, Callable[[int], Any]],
    precision: Precision,
    folder: Path,
) -> dict[str, list[Spent]]:
    """What each step of each side took, step by step in turn; the Trainer's are under `trainer`.

    The clock of the Trainer runs from the end of one step to the end of the next: fetching is in it, its start and end
    are not. What it logs and saves is switched off. All steps have equally many microbatches.
    """
    device = next(trainer_model.parameters()).device
    in_turn = _InTurn(others, device)
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
        callbacks=[in_turn],
    )
    trainer.remove_callback(PrinterCallback)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    return in_turn.spent
