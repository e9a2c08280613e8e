"""A cost in words and figures for people: rows of a table with a column for each stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vaak.launch.cost import StageCost, curriculum_totals
from vaak.launch.hardware import GIB, Hardware, filled, gpu_named

Rows = list[list[str]]

_UNKNOWN = "–"
# What the parts of memory are called.
_PARTS = {
    "weights": "weights, float32",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations",
    "loss": "loss",
    "gathered": "weights gathered or in bf16",
    "batch": "batch",
}


def headline(hardware: Hardware) -> str:
    """What was assumed, in one sentence."""
    chosen, gpu = filled(hardware), gpu_named(hardware.gpu)
    return (
        f"on {chosen.gpus} × {chosen.gpu} ({gpu.memory_gib:g} GiB, {gpu.flops / 1e12:,.0f} TFLOP/s in bf16), "
        f"{chosen.mfu:.0%} of the peak, {chosen.price_per_gpu_hour:g} dollars per GPU hour"
    )


def time_rows(stages: Sequence[StageCost]) -> Rows:
    """Size, speed, time and money; the last column is the whole curriculum where there are several stages."""
    rows = [
        _row("parameters", stages, lambda one: short(one.parameters.total)),
        _row("  of them vocabulary", stages, lambda one: short(one.parameters.embedding)),
        _row("  of them trained", stages, lambda one: short(one.parameters.trained)),
        _row("tokens", stages, lambda one: short(one.tokens)),
        _row("steps", stages, lambda one: _UNKNOWN if one.steps is None else f"{one.steps:,}"),
        _row("FLOPs per token", stages, lambda one: short(one.flops_per_token)),
        _row("tokens/s per GPU", stages, lambda one: f"{one.tokens_per_s_per_gpu:,.0f}"),
        _row("seconds per step", stages, lambda one: f"{one.step_seconds:.3g}"),
        _row("days", stages, lambda one: _days(one.hours)),
        _row("GPU hours", stages, lambda one: _round(one.gpu_hours)),
        _row("dollars", stages, lambda one: _round(one.price)),
    ]
    if len(stages) > 1:
        totals = curriculum_totals(stages)
        last = {
            "tokens": short(totals["tokens"]),
            "days": _days(totals["hours"]),
            "GPU hours": _round(totals["gpu_hours"]),
            "dollars": _round(totals["price"]),
        }
        rows = [[*row, last.get(row[0], "")] for row in rows]
    return rows


def memory_rows(stages: Sequence[StageCost]) -> Rows:
    """GiB of tensors on one GPU at the fullest moment of a step, and which microbatches fit. Only for stages that were traced."""
    rows = [
        _row("microbatch × accumulation", stages, lambda one: f"{one.microbatch_rows} × {one.accumulation}"),
        *(_row(f"  {text}", stages, _part(part)) for part, text in _PARTS.items()),
        _row("tensors at their peak", stages, lambda one: gib(one.memory.peak if one.memory else 0)),
        _row("  reached in", stages, lambda one: one.memory.doing if one.memory else ""),
        _row("before the first step", stages, lambda one: gib(one.memory.beginning if one.memory else 0)),
        _row("room for tensors", stages, lambda one: gib(one.room_bytes)),
        _row("fits", stages, lambda one: "yes" if one.fits else "NO"),
        _row("largest microbatch", stages, _largest),
        _row("loss without chunks", stages, lambda one: gib(one.full_logits_bytes)),
    ]
    return rows


def storage_rows(stages: Sequence[StageCost]) -> Rows:
    """Checkpoints, corpus and traffic."""
    rows = [
        _row("full checkpoint", stages, lambda one: size(one.checkpoint_full_bytes)),
        _row("model alone", stages, lambda one: size(one.checkpoint_model_bytes)),
        _row("kept on disk, at most", stages, lambda one: size(one.disk_bytes)),
        _row("corpus read", stages, lambda one: size(one.corpus_bytes_read)),
        _row("staging, per second", stages, lambda one: size(one.staging_bytes_per_s)),
        _row("staging disk", stages, lambda one: size(one.staging_limit_bytes)),
        _row("upload, per second", stages, lambda one: size(one.upload_bytes_per_s)),
    ]
    if len(stages) > 1:
        totals = curriculum_totals(stages)
        last = {"kept on disk, at most": size(totals["disk_bytes"]), "corpus read": size(totals["corpus_bytes_read"])}
        rows = [[*row, last.get(row[0], "")] for row in rows]
    return rows


def notes_of(stages: Sequence[StageCost]) -> list[str]:
    """What has to be known beside the figures, each once, with the stages that it is about."""
    about: dict[str, list[str]] = {}
    for stage in stages:
        for note in stage.notes:
            about.setdefault(note, []).append(stage.name)
    return [f"{', '.join(names)}: {note}" for note, names in about.items()]


def _row(name: str, stages: Sequence[StageCost], value: Callable[[StageCost], str]) -> list[str]:
    return [name, *(value(stage) for stage in stages)]


def _largest(stage: StageCost) -> str:
    found = stage.largest_microbatch
    return "none" if found is None else f"{found} × {stage.largest_accumulation}"


def _part(part: str) -> Callable[[StageCost], str]:
    return lambda one: gib(one.memory.parts[part] if one.memory else 0)


def short(number: float | None) -> str:
    """1.85 B for 1,854,268,416."""
    if number is None:
        return _UNKNOWN
    for unit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {suffix}"
    return f"{number:,.0f}"


def size(number: float | None) -> str:
    """22.3 GB for 22,251,220,992: units of 1,000, as disks are sold."""
    if number is None:
        return _UNKNOWN
    for unit, suffix in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {suffix}"
    return f"{number:,.0f} B"


def gib(number: float) -> str:
    """In units of 2^30 bytes, as memory is."""
    return f"{number / GIB:.2f}"


def _days(hours: float | None) -> str:
    return _UNKNOWN if hours is None else f"{hours / 24:.2f}"


def _round(number: float | None) -> str:
    return _UNKNOWN if number is None else f"{number:,.0f}"
