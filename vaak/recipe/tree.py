"""The one configuration tree of a training stage. Each room's own part stands in that room; here they meet."""

from __future__ import annotations

import sys
from math import ceil
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vaak.mixture.settings import Frozen, MixtureSettings
from vaak.model.settings import LoraSettings, ModelSettings

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Length(Frozen):
    """How long a stage is, in exactly one unit: tokens in rows, optimizer steps, or passes over the available targets."""

    tokens: Count | None = None
    steps: Count | None = None
    passes: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Length:
        if sum(value is not None for value in (self.tokens, self.steps, self.passes)) != 1:
            raise ValueError(
                "needs exactly one of tokens, steps and passes; replace it whole, as in length={steps: 100}"
            )
        return self


class OptimizerSettings(Frozen):
    """AdamW for everything, or `muon` (vaak/train/muon.py) for matrices but the embedding and the head.

    Weight decay acts on matrices only, and on the embedding (with a tied head) only with `decay_embedding`; `momentum` is
    Muon's, `betas` and `eps` are AdamW's.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    eps: Positive = 1e-8
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    decay_embedding: bool = False
    grad_clip: Positive = 1.0


class ScheduleSettings(Frozen):
    """Linear warm-up over `warmup_ratio` of the steps to `peak_lr`, then down to `min_lr` at the last step."""

    peak_lr: Positive
    min_lr: Annotated[float, Field(ge=0)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    kind: Literal["cosine", "linear"] = "cosine"

    @model_validator(mode="after")
    def _falls(self) -> ScheduleSettings:
        if self.min_lr > self.peak_lr:
            raise ValueError(f"min_lr {self.min_lr:g} is above peak_lr {self.peak_lr:g}; a stage's rate only falls")
        return self


class Ramp(Frozen):
    """A number that changes over a stage: in a straight line from `start` to `end`, reached after `until` of its steps."""

    start: Annotated[float, Field(ge=0, le=1)] = 0.0
    end: Annotated[float, Field(ge=0, le=1)] = 0.0
    until: Annotated[float, Field(gt=0, le=1)] = 1.0

    def at(self, step: int, steps: int) -> float:
        """The number for the step after `step` steps of `steps`."""
        done = min(step / steps / self.until, 1.0)
        return self.start + done * (self.end - self.start)


class Cadence(Frozen):
    """Save `every` so many steps up to step `until` (for good if it is null)."""

    every: Count
    until: Count | None = None


class CheckpointSettings(Frozen):
    """When checkpoints are saved and which stay. Steps are counted within the stage.

    `every` is a number of steps, or cadences in the order of their `until`; at multiples of `model_only_every` where no full
    checkpoint is due the model alone is saved, for the evaluator. Steps that are multiples of `milestones` stay for good; of
    the others the last `keep_last_full` whole and the last `keep_last_model_only` as models.
    """

    every: Count | tuple[Cadence, ...] = (
        Cadence(every=1_000, until=10_000),
        Cadence(every=5_000, until=50_000),
        Cadence(every=10_000),
    )
    model_only_every: Count | None = 5_000
    milestones: Count | None = 50_000
    keep_last_full: Count = 5
    keep_last_model_only: Annotated[int, Field(ge=0)] = 20

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """`(up to this step, every so many steps)` in rising order; the last holds beyond its end."""
        if isinstance(self.every, int):
            return ((self.every, self.every),)
        return tuple((one.until or sys.maxsize, one.every) for one in self.every)


class ValidationSettings(Frozen):
    """In-loop cross-entropy over the first `samples` samples of the gold pack, `every` so many steps."""

    every: Count = 500
    samples: Count = 1_000


class ParallelSettings(Frozen):
    """How the model lies on several processes; with one process it says nothing.

    kind: `ddp` keeps a whole copy on each, `fsdp` cuts parameters, gradients and optimizer among them.
    shards: with `fsdp`, how many processes share one copy (say the 8 GPUs of a machine, so that only gradients travel
        between machines); all of them if not given.
    """

    kind: Literal["ddp", "fsdp"] = "fsdp"
    shards: Count | None = None

    @model_validator(mode="after")
    def _shards_of_fsdp(self) -> ParallelSettings:
        if self.kind == "ddp" and self.shards is not None:
            raise ValueError("shards is for kind fsdp: with ddp every process holds the whole model")
        return self


class StagingSettings(Frozen):
    """Where the shards of corpora at `s3://` addresses come to before they are read, at most `limit_gb` (10^9 bytes)."""

    folder: str = "~/.cache/vaak/shards"
    limit_gb: Positive = 200.0


class Recipe(Frozen):
    """One training stage, whole: data, model, length, optimization, and what is kept.

    Paths (`corpora`, `pack`, `tokenizer`, `parent`, `model.path`) are folders; in a recipe file relative to that file.
    A corpus may be an address, `s3://bucket/prefix`, to which it was pushed: see `staging`. `example:corpus` and
    `example:tokenizer` name the embedded example. `tokens_per_step` counts positions in rows, so a step has
    `tokens_per_step / context` rows on any number of processes.
    """

    name: str
    kind: Literal["pretrain", "sft"]
    seed: Annotated[int, Field(ge=0)] = 1
    corpora: tuple[str, ...] = ()
    staging: StagingSettings = StagingSettings()
    pack: str | None = None
    tokenizer: str
    codec: str
    model: ModelSettings
    # Train adapters and new vocabulary rows alone, over a base model or a parent (vaak/model/lora.py).
    lora: LoraSettings | None = None
    context: Count
    tokens_per_step: Count
    microbatch_rows: Count | None = None
    length: Length
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings
    # `cuda` refuses to start where there is no GPU; `auto` then takes the CPU.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    parallel: ParallelSettings = ParallelSettings()
    # Share of the codes in the context that are replaced while training (vaak/train/context_noise.py).
    context_noise: Ramp = Ramp()
    # How strongly attention is drawn to the text that is being said (vaak/train/alignment_prior.py).
    alignment_prior: Ramp = Ramp()
    # What the backward pass computes again instead of keeping it: nothing, all but matrix products and attention, or all of
    # each layer.
    activation_checkpointing: Literal["none", "selective", "full"] = "full"
    # Compile each layer (torch.compile): for long stages, since it takes minutes.
    compile: bool = False
    # Write profiles of the first 500 steps and of a later window beside the run (vaak/train/profiling.py).
    profile: bool = False
    # Processes that build batches ahead, on every rank; without any a thread does.
    loader_workers: Annotated[int, Field(ge=0)] = 0
    mixture: MixtureSettings
    checkpoints: CheckpointSettings = CheckpointSettings()
    validation: ValidationSettings = ValidationSettings()
    parent: str | None = None
    allow_higher_peak: bool = False

    @model_validator(mode="after")
    def _whole_rows(self) -> Recipe:
        if self.tokens_per_step % self.context:
            raise ValueError(
                f"tokens_per_step {self.tokens_per_step:,} is not a multiple of the context {self.context:,}"
            )
        return self

    @property
    def rows_per_step(self) -> int:
        return self.tokens_per_step // self.context

    @property
    def planned_steps(self) -> int | None:
        """Optimizer steps of the stage, or None where passes over the data decide and a plan is needed."""
        if self.length.tokens is not None:
            return ceil(self.length.tokens / self.tokens_per_step)
        return self.length.steps
