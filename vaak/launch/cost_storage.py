"""Bytes that a stage writes and reads: checkpoints, what is kept of them, and the corpus."""

from __future__ import annotations

from dataclasses import dataclass

from vaak.checkpoint.policy import Policy, due, kept, model_due
from vaak.launch.cost_model import Parameters
from vaak.mixture.settings import MixtureSettings
from vaak.recipe import Recipe

# Codes are stored as uint16, ids of text as uint32; the model and the optimizer as float32.
CODE_BYTES, TEXT_BYTES, NUMBER_BYTES = 2, 4, 4


def model_bytes(numbers: Parameters, recipe: Recipe) -> int:
    """A checkpoint of the model alone; adapters are merged into it. Without headers and JSON."""
    merged = numbers.trained_matrices if recipe.lora is not None else 0
    return NUMBER_BYTES * (numbers.total - merged)


def full_bytes(numbers: Parameters, recipe: Recipe) -> int:
    """A checkpoint to go on from: the model, two numbers of AdamW for each that is trained (Muon has one for each of its own), and
    with LoRA what is trained once more, unmerged."""
    states = 2 * numbers.trained
    if recipe.optimizer.kind == "muon":
        states -= numbers.trained_matrices
    unmerged = numbers.trained if recipe.lora is not None else 0
    return model_bytes(numbers, recipe) + NUMBER_BYTES * (states + unmerged)


@dataclass(frozen=True)
class _Saved:
    step: int
    full: bool


def most_kept(policy: Policy, steps: int | None) -> tuple[int, int]:
    """(full checkpoints, models alone) on disk at the fullest moment of a stage, the one that is being written among them.

    Follows every save and what retention leaves after it. steps: None where they are not known yet: then without milestones.
    """
    if steps is None:
        return policy.keep_last_full + 1, policy.keep_last_model_only
    held: list[_Saved] = []
    most = (0, 0)
    for step in _saves(policy, steps):
        held.append(_Saved(step, due(policy, step) or step == steps))
        full = sum(one.full for one in held)
        most = max(most, (full, len(held) - full))
        whole, models = kept(held, policy)
        held = [_Saved(one.step, one.full and one.step in whole) for one in held if one.step in whole | models]
    return most


def _saves(policy: Policy, steps: int) -> list[int]:
    """Steps after which something is saved, in order; not looked for one by one, there may be millions of steps."""
    strides = {every for _, every in policy.intervals} | ({policy.model_only_every} - {None})
    candidates = {step for every in strides if every for step in range(every, steps + 1, every)} | {steps}
    return sorted(step for step in candidates if due(policy, step) or model_due(policy, step) or step == steps)


def bytes_per_token(mixture: MixtureSettings) -> float:
    """Bytes of the corpus behind one token of a row, by the shares of the streams. What is text in paired documents, a small part
    of them, is counted as codes."""
    text = mixture.streams["text"].share if "text" in mixture.streams else 0.0
    return TEXT_BYTES * text + CODE_BYTES * (1 - text)


def densest_interval(policy: Policy) -> int:
    """The fewest steps between two full checkpoints."""
    return min(every for _, every in policy.intervals)
