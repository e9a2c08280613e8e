"""What a training stage costs before it is begun: time, money, memory of a GPU, disk and traffic. No data, weights or GPU needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from vaak.errors import BadInput
from vaak.launch.cost_memory import Memory, TracedStep, full_logits_bytes, largest_microbatch, step_memory
from vaak.launch.cost_model import Parameters, Shape, parameters, shape_of, sizes
from vaak.launch.cost_plan import stage_steps
from vaak.launch.cost_storage import bytes_per_token, densest_interval, full_bytes, model_bytes, most_kept
from vaak.launch.hardware import Hardware, filled, gpu_named, room_for_tensors
from vaak.model.flops import training_flops
from vaak.recipe import Recipe, split_batch
from vaak.train.parallel import check_shards
from vaak.train.world import World

# What of a cost needs the length of a stage, where passes over corpora decide it.
NEEDS_CORPORA = (
    "its length is in passes, so tokens, days and money need the corpora and the tokenizer: --set 'corpora=[FOLDER]' --set "
    "tokenizer=FOLDER"
)


@dataclass(frozen=True)
class StageCost:
    """Of one stage. None stands where the length of the stage is not known, and for memory that was not traced.

    tokens: positions in rows; flops_per_token: model FLOPs of training, rows taken as one document each, every position a target;
    hours: of training alone; price: in dollars; checkpoint bytes: of one; disk_bytes: of all that are kept, at the fullest moment;
    corpus_bytes_read: over all passes; staging_bytes_per_s: what all ranks together read at that speed, from a disk of
    `staging_limit_bytes`; upload_bytes_per_s: if a full checkpoint is to be away before the next one; microbatch_rows ×
    accumulation × GPUs: rows of a step; largest_microbatch: rows that fit into `room_bytes` of tensors (None: not even one does);
    full_logits_bytes: what the loss would take at once without chunks.
    """

    name: str
    parameters: Parameters
    vocabulary_size: int
    tokens: int | None
    steps: int | None
    tokens_per_step: int
    flops_per_token: float
    step_seconds: float
    tokens_per_s_per_gpu: float
    hours: float | None
    gpu_hours: float | None
    price: float | None
    checkpoint_full_bytes: int
    checkpoint_model_bytes: int
    disk_bytes: int
    corpus_bytes_read: int | None
    staging_bytes_per_s: float
    staging_limit_bytes: int
    upload_bytes_per_s: float
    microbatch_rows: int
    accumulation: int
    largest_microbatch: int | None
    memory: Memory | None
    room_bytes: int
    full_logits_bytes: int
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool | None:
        """Whether the recipe's own microbatch fits, as far as tensors tell."""
        return None if self.memory is None else self.memory.most <= self.room_bytes

    @property
    def largest_accumulation(self) -> int | None:
        """Microbatches of a step that follow from the largest ones."""
        rows = self.microbatch_rows * self.accumulation
        return None if self.largest_microbatch is None else rows // self.largest_microbatch

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "fits": self.fits, "largest_accumulation": self.largest_accumulation}


def stage_cost(
    recipe: Recipe, hardware: Hardware, *, vocabulary_size: int | None = None, trace: bool = True, largest: bool = True
) -> StageCost:
    """What a recipe costs on this hardware.

    vocabulary_size: ids that mean something, instead of what tokenizer and codec say. trace: find the memory of a GPU, which takes
    some seconds for a large model, and with `largest` the largest microbatch, which takes some traces more; no other process group
    may be there meanwhile. Raises `BadInput` for an unknown GPU, base model or codec, and where the step does not divide by the GPUs.
    """
    hardware = filled(hardware)
    assert hardware.mfu is not None and hardware.price_per_gpu_hour is not None
    gpu = gpu_named(hardware.gpu)
    rows, accumulation = split_batch(recipe.rows_per_step, hardware.gpus, recipe.microbatch_rows)
    check_shards(recipe.parallel, World(size=hardware.gpus))
    shape = shape_of(recipe, vocabulary_size)
    numbers = parameters(shape, recipe)
    length = recipe.context
    flops = training_flops(sizes(shape), shape.vocabulary.size, [length], length - 1) / length
    speed = gpu.flops * hardware.mfu / flops
    steps = stage_steps(recipe)
    tokens = None if steps is None else steps * recipe.tokens_per_step
    seconds = recipe.tokens_per_step / (speed * hardware.gpus)
    hours = None if steps is None else steps * seconds / 3600
    full, model = full_bytes(numbers, recipe), model_bytes(numbers, recipe)
    held_full, held_models = most_kept(recipe.checkpoints, steps)
    of_corpus = bytes_per_token(recipe.mixture)
    room = room_for_tensors(gpu)
    step = _step(recipe, shape, hardware.gpus, rows, accumulation)
    memory = _memory(step) if trace else None
    most_rows = largest_microbatch(step, rows * accumulation, room, _memory) if trace and largest else None
    return StageCost(
        name=recipe.name,
        parameters=numbers,
        vocabulary_size=shape.vocabulary.size,
        tokens=tokens,
        steps=steps,
        tokens_per_step=recipe.tokens_per_step,
        flops_per_token=flops,
        step_seconds=seconds,
        tokens_per_s_per_gpu=speed,
        hours=hours,
        gpu_hours=None if hours is None else hours * hardware.gpus,
        price=None if hours is None else hours * hardware.gpus * hardware.price_per_gpu_hour,
        checkpoint_full_bytes=full,
        checkpoint_model_bytes=model,
        disk_bytes=held_full * full + held_models * model,
        corpus_bytes_read=None if tokens is None else int(tokens * of_corpus),
        staging_bytes_per_s=speed * hardware.gpus * of_corpus,
        staging_limit_bytes=int(recipe.staging.limit_gb * 1e9),
        upload_bytes_per_s=full / (densest_interval(recipe.checkpoints) * seconds),
        microbatch_rows=rows,
        accumulation=accumulation,
        largest_microbatch=most_rows,
        memory=memory,
        room_bytes=room,
        full_logits_bytes=full_logits_bytes(shape.vocabulary, rows * (length - 1)),
        notes=tuple(_notes(recipe, steps, trace)),
    )


def curriculum_totals(stages: Sequence[StageCost]) -> dict[str, float | None]:
    """Tokens, hours, gpu_hours, price and disk_bytes of stages one after the other; None where a stage's is not known."""
    totals: dict[str, float | None] = {}
    for name in ("tokens", "hours", "gpu_hours", "price", "corpus_bytes_read", "disk_bytes"):
        values = [getattr(stage, name) for stage in stages]
        totals[name] = None if None in values else sum(values)
    return totals


def _precision(recipe: Recipe) -> Any:
    return "fp32" if recipe.precision == "fp32" else "bf16"  # `auto` is bf16 on every GPU of the table


def _step(recipe: Recipe, shape: Shape, gpus: int, rows: int, accumulation: int) -> TracedStep:
    """The recipe's step. Rows are one document each: kernels for documents of any length hold as much for many short ones."""
    return TracedStep(
        config=shape.config,
        vocabulary=shape.vocabulary,
        rows=rows,
        documents=(recipe.context,),
        accumulation=accumulation,
        ranks=gpus,
        precision=_precision(recipe),
        checkpointing=recipe.activation_checkpointing,
        optimizer=recipe.optimizer,
        parallel=recipe.parallel,
        lora=recipe.lora,
        biased=max(recipe.alignment_prior.start, recipe.alignment_prior.end) > 0,
    )


# What was traced already, by what describes it: the stages of a curriculum often have one step.
_MEMORIES: dict[str, Memory] = {}


def _memory(step: TracedStep) -> Memory:
    # From the third microbatch on a trace is the same.
    key = repr(replace(step, accumulation=min(step.accumulation, 3)))
    if key not in _MEMORIES:
        _MEMORIES[key] = step_memory(step)
    return _MEMORIES[key]


def _notes(recipe: Recipe, steps: int | None, trace: bool) -> list[str]:
    notes = []
    if steps is None:
        notes.append(NEEDS_CORPORA)
    if recipe.lora is not None:
        notes.append("FLOPs are those of training all weights; with LoRA a step takes fewer")
    if recipe.kind == "sft":
        notes.append(
            "FLOPs and the loss count every position as a target; prompts and padding of fine-tuning have none"
        )
    if trace and recipe.compile:
        notes.append("memory is that of layers that are not compiled; compiled ones keep less")
    return notes


def checked(recipe: Recipe, microbatch: int | None) -> Recipe:
    """The recipe with another microbatch, if one is given. Raises `BadInput` for less than a row."""
    if microbatch is None:
        return recipe
    if microbatch < 1:
        raise BadInput(f"a microbatch of {microbatch} rows is impossible; give --microbatch 1 or more")
    return recipe.model_copy(update={"microbatch_rows": microbatch})
