"""Group relative policy optimization (Shao et al. 2024) by TRL's trainer, on ids, over codes and the stop token alone.

TRL has the loss, the accumulation and the processes. From here come the completions and their rewards (`rollout_func`), and
log-probabilities over what can be drawn; and the optimizer, the rates, what is logged and what is saved, as in every stage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback

# What TRL says of `rollout_func`, that it may change, is known: the version is pinned.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from vaak.align.prompts import PromptOrder
from vaak.align.rollouts import Rollout, completion_ids
from vaak.align.stage import AlignStage, open_reference
from vaak.align.trl_border import (
    SaysBrokenLoss,
    on_one_gpu,
    optimizers,
    score_by_policy,
    shared_settings,
    trl_tokenizer,
)

# From numbers of prompts in the run to their completions, judged.
RollOut = Callable[[Sequence[int]], list[Rollout]]


class SpeechGRPO(SaysBrokenLoss, GRPOTrainer):
    """TRL's trainer with a policy over codes and the stop token, for the steps of a stage that are left."""

    def __init__(
        self,
        stage: AlignStage[PromptOrder],
        roll_out: RollOut,
        vllm: dict[str, Any],
        callbacks: list[TrainerCallback],
    ) -> None:
        """vllm: of `vaak.align.vllm_rollouts.vllm_settings`."""
        recipe = stage.recipe
        self._roll_out, self._recipe, self._vocabulary = roll_out, recipe, stage.model.vocabulary
        self._last = torch.zeros(0)
        self._differences: list[Tensor] = []
        first, end = recipe.prompts_by(stage.step), recipe.prompts_by(recipe.steps)
        super().__init__(
            model=stage.model.lm,
            reward_funcs=[_reward],
            args=grpo_config(stage, vllm),
            train_dataset=Dataset.from_dict({"prompt": [str(number) for number in range(first, end)]}),
            processing_class=trl_tokenizer(stage),
            rollout_func=self._completions,
            optimizers=optimizers(stage),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        score_by_policy(stage.model, recipe)
        if recipe.kl:
            # TRL would read it from where the model came from, which may be no folder that transformers opens.
            reference = open_reference(stage)
            score_by_policy(reference, recipe)
            self.ref_model, self.beta = reference.lm, recipe.kl

    def _completions(self, prompts: list[str], trainer: GRPOTrainer) -> dict[str, Any]:
        """What TRL asks for: ids and what was judged, for each prompt of the list, in which one stands `group` times in a row."""
        numbers = [int(one) for one in prompts[:: self._recipe.group]]
        # TRL shuffles what it gets here between the microbatches of a step.
        torch.manual_seed(self._recipe.seed + numbers[0])
        np.random.seed((self._recipe.seed + numbers[0]) % (1 << 32))
        rollouts = self._roll_out(numbers)
        said = [one for rollout in rollouts for one in rollout.generations]
        ids = [completion_ids(self._vocabulary, one) for one in said]
        counted = [not rollout.dropped for rollout in rollouts for _ in rollout.generations]
        drawn_with = [one.log_probabilities.tolist() for one in said if one.log_probabilities is not None]
        return {
            "prompt_ids": [rollout.prompt.ids.tolist() for rollout in rollouts for _ in rollout.generations],
            "completion_ids": ids,
            "logprobs": drawn_with if len(drawn_with) == len(said) else None,
            # A dropped group has no token that counts, not even for the mean over tokens.
            "env_mask": [[int(counts)] * len(one) for one, counts in zip(ids, counted, strict=True)],
            "judged": [one.reward for rollout in rollouts for one in rollout.judged],
        }

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's own, of which `_compute_loss` keeps what it is compared with."""
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._last = found[0].detach()
        return found

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss = super()._compute_loss(model, inputs)
        drawn_with = inputs.get("sampling_per_token_logps")
        if drawn_with is not None and self.state.global_step % self._recipe.updates_per_batch == 0:
            there = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
            away = (self._last - drawn_with)[there].abs()
            self._differences.append(away[~away.isnan()])  # of another engine, where it gave none
        return loss

    def difference(self) -> dict[str, float]:
        """Between the log-probabilities that the last batch was drawn with and those that training computed before it had
        learned from it, mean and largest, in nats: both are of one policy, so they differ by rounding, or something is wrong."""
        away = torch.cat(self._differences) if self._differences else torch.zeros(0)
        self._differences = []
        if not len(away):
            return {}
        return {"logp_difference": float(away.mean()), "logp_difference_most": float(away.max())}


def _reward(judged: list[float | None], **_: Any) -> list[float | None]:
    """What the judges have said already; None drops a completion, and a failed judge has dropped its whole group."""
    return judged


def grpo_config(stage: AlignStage[PromptOrder], vllm: dict[str, Any]) -> GRPOConfig:
    """TRL's settings of a run. vllm: of `vaak.align.vllm_rollouts.vllm_settings`."""
    recipe, shared = stage.recipe, shared_settings(stage)
    config = GRPOConfig(
        **shared,
        per_device_train_batch_size=recipe.microbatch,
        # One batch is drawn for each step, and used for `updates_per_batch` of them.
        steps_per_generation=shared["gradient_accumulation_steps"],
        num_iterations=recipe.updates_per_batch,
        num_generations=recipe.group,
        max_completion_length=max(prompt.limit for prompt in stage.prompts.all),
        temperature=recipe.rollouts.temperature,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        use_bias_correction_kl=False,
        epsilon=recipe.clip,
        loss_type="dapo",
        scale_rewards="group" if recipe.normalise else "none",
        shuffle_dataset=False,
        **vllm,
    )
    return on_one_gpu(config)
