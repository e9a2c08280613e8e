"""The configuration of an alignment: which prompts are spoken, how often, what is rewarded, and how far a model may move."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from vaak.languages import language_of
from vaak.mixture.settings import Frozen
from vaak.recipe.tree import CheckpointSettings, Count, OptimizerSettings, Positive, ScheduleSettings
from vaak.score.reward_settings import RewardSettings

Engine = Literal["own", "vllm_colocated", "vllm_server"]
Kind = Literal["grpo", "dpo"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class PromptSettings(Frozen):
    """Which paired samples give the texts that are spoken, and the voices that they are to be spoken in.

    languages: share of the prompts of each. tiers, sources: of these alone; all where it is not given. most_seconds: longer
    samples are left out. cloned: share of the prompts that also bring another sample of their speaker, whose voice the model
    is to continue. Held-out samples, and those of the recipe's pack, are never among them.
    """

    languages: dict[str, Positive]
    tiers: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    most_seconds: Positive = 20.0
    cloned: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: dict[str, float]) -> dict[str, float]:
        if not languages:
            raise ValueError("names no language; give shares, as in languages={en: 0.6, hi: 0.4}")
        named = [language_of(code) for code in languages]
        if twice := {one for one in named if named.count(one) > 1}:
            raise ValueError(f"names {sorted(twice)[0]} twice, in two spellings; give each language one share")
        return dict(zip(named, languages.values(), strict=True))


class JudgeSettings(Frozen):
    """Who judges. asr: as `vaak.score.asr.open_asr` takes it; the recogniser of the evaluations if it is not given.

    A judge that takes longer than `seconds` for one sample has failed; `threads` samples are judged at once.
    """

    asr: str | None = None
    seconds: Positive = 60.0
    threads: Count = 2


class RolloutSettings(Frozen):
    """How completions are drawn. Always from the whole distribution of codes and the stop token: a truncated one would be
    another policy than the one that is trained.

    engine: Vaak's own loop, or vLLM (the extra `vllm`, a GPU): beside the training on its GPUs, or a server of TRL's at
    `server`. batch: completions that the own loop draws at once; judging goes on beside the next ones.
    """

    engine: Engine = "own"
    batch: Count = 32
    temperature: Positive = 1.0
    server: str | None = None
    gpu_memory: Annotated[float, Field(gt=0, lt=1)] = 0.3

    @model_validator(mode="after")
    def _server_named(self) -> RolloutSettings:
        if (self.engine == "vllm_server") != (self.server is not None):
            raise ValueError(
                "engine vllm_server and server belong together: give both, as in http://host:8000, or neither"
            )
        return self


class AlignOptimizerSettings(OptimizerSettings):
    """As in training, without weight decay unless a recipe asks for it."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class AlignRecipe(Frozen):
    """One alignment, whole. `parent` is a checkpoint, a run or an export, fine-tuned; `example:model` is the shipped one.

    grpo: `group` completions of each of `prompts_per_step` prompts are judged; those better than their group become likelier
    (Shao et al. 2024). Each batch of them is used for `updates_per_batch` steps. dpo: learns from `pairs` that
    `vaak align pairs` made with the settings of prompts, `group`, rollouts, judges and reward here or elsewhere, of better and
    worse completions (Rafailov et al. 2023); each of a step's prompts is one pair.
    kl: weight of the divergence from the parent (grpo; 0: no reference is kept), or DPO's beta. clip: the ratio of new to old
    probability counts within 1 ± clip. normalise: whether a group's advantages are divided by their deviation.
    microbatch: completions in one forward pass. `pack` decides with its recordings in which languages the recogniser is
    trusted; `results` keeps that, in the run's folder if it is not given.
    """

    name: str
    kind: Kind
    seed: Annotated[int, Field(ge=0)] = 1
    parent: str
    corpora: tuple[str, ...]
    pack: str | None = None
    results: str | None = None
    codec: str
    prompts: PromptSettings
    pairs: str | None = None
    prompts_per_step: Count
    group: Annotated[int, Field(ge=2)] = 8
    microbatch: Count = 8
    steps: Count
    updates_per_batch: Count = 1
    optimizer: AlignOptimizerSettings = AlignOptimizerSettings()
    schedule: ScheduleSettings
    kl: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    normalise: bool = True
    rollouts: RolloutSettings = RolloutSettings()
    reward: RewardSettings = RewardSettings()
    judges: JudgeSettings = JudgeSettings()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    activation_checkpointing: Literal["none", "selective", "full"] = "none"
    checkpoints: CheckpointSettings = CheckpointSettings(every=50, model_only_every=None, milestones=None)

    @model_validator(mode="after")
    def _whole(self) -> AlignRecipe:
        if self.kind == "dpo" and self.pairs is None:
            raise ValueError(
                "kind dpo learns from pairs; make them with `vaak align pairs`, and name the folder in pairs"
            )
        if self.kind == "dpo" and self.kl == 0:
            raise ValueError("kind dpo needs kl above 0, its beta; 0.1 is usual")
        if self.kind == "dpo" and (self.microbatch % 2 or self.updates_per_batch > 1):
            raise ValueError(
                "kind dpo takes both completions of a pair in one forward pass, and each batch once; give an even microbatch, "
                "and updates_per_batch 1"
            )
        if self.completions_per_step % self.microbatch:
            each = self.completions_per_step // self.prompts_per_step
            raise ValueError(
                f"{self.prompts_per_step} prompts of {each} completions do not divide by a microbatch of {self.microbatch}"
            )
        every = [one for _, one in self.checkpoints.intervals]
        every += [one for one in (self.checkpoints.model_only_every, self.checkpoints.milestones) if one]
        if any(one % self.updates_per_batch for one in every) or self.steps % self.updates_per_batch:
            raise ValueError(
                f"checkpoints and the end fall inside the {self.updates_per_batch} updates of a batch; give multiples of it"
            )
        return self

    def prompts_by(self, step: int) -> int:
        """How many prompts, or pairs, a run has been through after so many steps: a batch serves `updates_per_batch` of them."""
        return step // self.updates_per_batch * self.prompts_per_step

    @property
    def completions_per_step(self) -> int:
        """How many completions one step learns from."""
        return self.prompts_per_step * (2 if self.kind == "dpo" else self.group)
