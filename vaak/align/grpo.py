"""Group relative policy optimization (Shao et al. 2024) by TRL's trainer, on ids, over codes and the stop token alone.

TRL has the loss, the accumulation and the processes. From here come the completions and their rewards (`rollout_func`), and
log-probabilities over what can be drawn; and the optimizer, the rates, what is logged and what is saved, as in every stage.
"""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerFast, PrinterCallback, TrainerCallback

# What it says of `rollout_func`, that it may change, is known: the version is pinned.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from vaak.align.log_probabilities import log_probabilities
from vaak.align.rollouts import Rollout, completion_ids
from vaak.host import Precision
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import AlignRecipe

# From numbers of prompts in the run to their completions, judged.
RollOut = Callable[[Sequence[int]], list[Rollout]]


class SpeechGRPO(GRPOTrainer):
    """TRL's trainer with a policy over codes and the stop token. reference: the parent, frozen, where `kl` has a weight."""

    def __init__(
        self,
        model: SpeechLM,
        reference: SpeechLM | None,
        roll_out: RollOut,
        tokenizer: PreTrainedTokenizerFast,
        optimizers: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR],
        recipe: AlignRecipe,
        config: GRPOConfig,
        first_number: int,
        callbacks: list[TrainerCallback],
    ) -> None:
        self._roll_out, self._recipe, self._speech = roll_out, recipe, model
        self._differences: list[Tensor] = []
        assert recipe.precision != "auto"
        count = (config.max_steps // recipe.updates_per_batch) * recipe.prompts_per_step
        numbers = [str(first_number + i) for i in range(count)]
        super().__init__(
            model=model.lm,
            reward_funcs=[_reward],
            args=config,
            train_dataset=Dataset.from_dict({"prompt": numbers}),
            processing_class=tokenizer,
            rollout_func=self._completions,
            optimizers=optimizers,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        add_log_probabilities(model, recipe.rollouts.temperature, recipe.precision)
        if reference is not None:
            # TRL would read it from where the model came from, which may be no folder that transformers opens.
            add_log_probabilities(reference, recipe.rollouts.temperature, recipe.precision)
            self.ref_model, self.beta = reference.lm, recipe.kl

    def _completions(self, prompts: list[str], trainer: GRPOTrainer) -> dict[str, Any]:
        """What TRL asks for: ids and what was judged, for each prompt of the list, in which one stands `group` times in a row."""
        numbers = [int(one) for one in prompts[:: self._recipe.group]]
        # TRL shuffles what it gets here between the microbatches of a step.
        torch.manual_seed(self._recipe.seed + numbers[0])
        np.random.seed((self._recipe.seed + numbers[0]) % (1 << 32))
        rollouts = self._roll_out(numbers)
        said = [one for rollout in rollouts for one in rollout.generations]
        ids = [completion_ids(self._speech.vocabulary, one) for one in said]
        counted = [not rollout.dropped for rollout in rollouts for _ in rollout.generations]
        own = [one.log_probabilities for one in said]
        return {
            "prompt_ids": [rollout.prompt.ids.tolist() for rollout in rollouts for _ in rollout.generations],
            "completion_ids": ids,
            "logprobs": [one.tolist() for one in own if one is not None]
            if all(one is not None for one in own)
            else None,
            # A dropped group has no token that counts, not even for the mean over tokens.
            "env_mask": [[int(counts)] * len(one) for one, counts in zip(ids, counted, strict=True)],
            "judged": [one.reward for rollout in rollouts for one in rollout.judged],
        }

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, batch_size: int | None = None,
        compute_entropy: bool = False, **_: Any,
    ) -> tuple[Tensor, Tensor | None, None]:  # fmt: skip
        """float32[rows, logits_to_keep] each, 0 where a row has no completion any more."""
        found, entropies = [], []
        for start in range(0, len(input_ids), batch_size or len(input_ids)):
            rows = slice(start, start + (batch_size or len(input_ids)))
            logps, entropy = _padded(model, input_ids[rows], attention_mask[rows], logits_to_keep)
            found.append(logps)
            entropies.append(entropy)
        self._last = torch.cat(found)
        return self._last, torch.cat(entropies) if compute_entropy else None, None

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss = super()._compute_loss(model, inputs)
        drawn = inputs.get("sampling_per_token_logps")
        if drawn is not None and self.state.global_step % self._recipe.updates_per_batch == 0:
            there = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
            away = (self._last.detach() - drawn)[there].abs()
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


def add_log_probabilities(model: SpeechLM, temperature: float, precision: Precision) -> None:
    """Let `model.lm(prompts=…, completions=…)` give `log_probabilities`: by its own call, so that what wraps it for several
    processes hears of it."""
    before = model.lm.forward

    def forward(self: Any, *args: Any, prompts: Any = None, completions: Any = None, **kwargs: Any) -> Any:
        if prompts is None:
            return before(*args, **kwargs)
        return log_probabilities(model, prompts, completions, temperature=temperature, precision=precision)

    model.lm.forward = types.MethodType(forward, model.lm)


def _padded(model: Any, ids: Tensor, mask: Tensor, keep: int) -> tuple[Tensor, Tensor]:
    """The log-probabilities of padded rows: prompts to the left, completions to the right, [rows, keep] each."""
    prompts = [row[:-keep][there[:-keep].bool()] for row, there in zip(ids, mask, strict=True)]
    said = mask[:, -keep:].bool()
    completions = [row[-keep:][there] for row, there in zip(ids, said, strict=True)]
    logps, entropies = model(prompts=prompts, completions=completions)
    empty = torch.zeros(said.shape, device=ids.device)
    return empty.masked_scatter(said, logps), empty.masked_scatter(said, entropies)


def grpo_config(
    recipe: AlignRecipe,
    folder: Path,
    *,
    steps: int,
    world: int,
    device: torch.device,
    longest: int,
    vllm: dict[str, Any],
) -> GRPOConfig:
    """TRL's settings of a run of `steps` steps (those that are left); nothing is saved, reported or evaluated by TRL.

    longest: most codes of a completion. vllm: of `vaak.align.vllm_rollouts.vllm_settings`.
    """
    completions = recipe.prompts_per_step * recipe.group // world
    config = GRPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=recipe.microbatch,
        gradient_accumulation_steps=completions // recipe.microbatch,
        steps_per_generation=completions // recipe.microbatch,
        num_iterations=recipe.updates_per_batch,
        num_generations=recipe.group,
        max_completion_length=longest,
        temperature=recipe.rollouts.temperature,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        use_bias_correction_kl=False,
        epsilon=recipe.clip,
        loss_type="dapo",
        scale_rewards="group" if recipe.normalise else "none",
        max_grad_norm=recipe.optimizer.grad_clip,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=False,
        seed=recipe.seed,
        use_cpu=device.type == "cpu",
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
        **vllm,
    )
    return on_one_gpu(config)


def on_one_gpu(config: Any) -> Any:
    """TRL's settings, of which a process has one GPU, also where it sees more: others would make transformers divide batches."""
    config._n_gpu = min(config.n_gpu, 1)
    return config
