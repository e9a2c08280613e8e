"""What both of TRL's trainers get from here: settings, rates by the step, a tokenizer, and log-probabilities of the policy."""

from __future__ import annotations

import math
import types
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Trainer
from trl.trainer.utils import FusedCausalLMOutput

from vaak.align.log_probabilities import log_probabilities
from vaak.align.stage import AlignStage
from vaak.grammar.export import export_tokenizer
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import AlignRecipe
from vaak.train.schedule import learning_rate

# The word of transformers for a position that is no target.
_NO_LABEL = -100


def trl_folder(stage: AlignStage) -> Path:
    """Where TRL and vLLM are given files; nothing of it is read to resume."""
    return stage.folder / "trl"


def shared_settings(stage: AlignStage) -> dict[str, Any]:
    """Settings of either trainer, for the steps that are left; nothing is saved, reported, cast or evaluated by TRL."""
    recipe = stage.recipe
    return {
        "output_dir": str(trl_folder(stage)),
        "max_steps": recipe.steps - stage.step,
        "gradient_accumulation_steps": recipe.completions_per_step // stage.world.size // recipe.microbatch,
        "max_grad_norm": recipe.optimizer.grad_clip,
        "seed": recipe.seed,
        "use_cpu": stage.world.device.type == "cpu",
        "ddp_find_unused_parameters": False,
        "gradient_checkpointing": False,
        "bf16": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
    }


def on_one_gpu(config: Any) -> Any:
    """TRL's settings, of which a process has one GPU, also where it sees more: others would make transformers divide batches."""
    config._n_gpu = min(config.n_gpu, 1)
    return config


class SaysBrokenLoss(Trainer):
    """Before one of TRL's trainers: it logs a loss of NaN where that of a microbatch in any process was not finite.

    transformers leaves such a one out of its sum (`logging_nan_inf_filter`), so that the step says 0.0; without that filter the
    sum, which is reset by subtracting it from itself, would be NaN in every later step, too.
    """

    _broken: Tensor | None = None

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss = super().training_step(*args, **kwargs)
        # A tensor, which is asked once for a step: that waits for the GPU.
        broken = (~torch.isfinite(loss.detach())).float().reshape(1)
        self._broken = broken if self._broken is None else self._broken + broken
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._broken is not None:
            anywhere: Any = self.accelerator.gather(self._broken)
            logs["loss"] = math.nan if float(anywhere.sum()) else logs["loss"]
            self._broken = None
        super().log(logs, start_time)


def optimizers(stage: AlignStage) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """A stage's optimizer, and the closed form of its rate as a scheduler that begins where the run stands."""
    recipe, first = stage.recipe, stage.step
    for group in stage.optimizer.param_groups:
        group["initial_lr"] = group["lr"] = recipe.schedule.peak_lr
    return stage.optimizer, torch.optim.lr_scheduler.LambdaLR(
        stage.optimizer,
        lambda done: learning_rate(recipe.schedule, first + done, recipe.steps) / recipe.schedule.peak_lr,
    )


def trl_tokenizer(stage: AlignStage) -> PreTrainedTokenizerFast:
    """A Hugging Face tokenizer with the same ids, of which TRL asks the stop token and the padding."""
    folder, vocabulary = trl_folder(stage), stage.model.vocabulary
    with stage.world.first_before_others():
        if stage.world.is_first:
            folder.mkdir(exist_ok=True)
            export_tokenizer(stage.tokenizer, vocabulary, folder)
    found = PreTrainedTokenizerFast.from_pretrained(folder)
    found.eos_token = found.convert_ids_to_tokens(vocabulary.speech_end)
    found.pad_token = found.convert_ids_to_tokens(vocabulary.end_of_text_id)
    return found


def score_by_policy(model: SpeechLM, recipe: AlignRecipe) -> None:
    """Let `model.lm(…, labels=…, fused_lm_head=True)`, TRL's question for log-probabilities, be answered by those of the policy.

    By its own call, so that what wraps it for several processes hears of it; over the head that TRL has put there when its
    trainer was made, whose softmax is over the whole vocabulary.
    """
    before = model.lm.forward

    def forward(
        self: Any, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        fused_lm_head: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        if not fused_lm_head:
            return before(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)
        assert input_ids is not None and attention_mask is not None and labels is not None
        return _scored(model, input_ids, attention_mask.bool(), labels != _NO_LABEL, recipe)

    model.lm.forward = types.MethodType(forward, model.lm)


def _scored(model: SpeechLM, ids: Tensor, there: Tensor, said: Tensor, recipe: AlignRecipe) -> FusedCausalLMOutput:
    """ids int64[rows, L], padded where `there` is false; said: bool[rows, L], the tokens of completions.

    Gives float32[rows, L - 1] for every token but the first, 0 where it is of no completion. Two of TRL's fields, of which
    only figures are made that no run here logs, are zeros.
    """
    assert recipe.precision != "auto"  # `prepare` has settled it
    prompts = [row[mask & ~of] for row, mask, of in zip(ids, there, said, strict=True)]
    completions = [row[of] for row, of in zip(ids, said, strict=True)]
    found, entropies = log_probabilities(
        model, prompts, completions, temperature=recipe.rollouts.temperature, precision=recipe.precision
    )
    targets = said[:, 1:]
    empty = torch.zeros(targets.shape, device=ids.device)
    return FusedCausalLMOutput(
        log_probs=empty.masked_scatter(targets, found),
        entropy=empty.masked_scatter(targets, entropies),
        mean_logits=empty,
        is_top1=torch.zeros_like(targets),
    )  # pyright: ignore
