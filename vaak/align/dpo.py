"""Direct preference optimization (Rafailov et al. 2023) by TRL's trainer, on ids, over codes and the stop token alone.

TRL keeps its loop, accumulation, processes, loss and figures. Two things are replaced: it tokenises nothing, and the
log-probabilities that it asks the model and the reference for are those of `vaak.align.log_probabilities`, by which what is
said was drawn. Pairs come by their number; the optimizer, the rates, what is logged and what is saved are as in every stage.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerFast, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.utils import FusedCausalLMOutput

from vaak.align.grpo import on_one_gpu
from vaak.align.log_probabilities import log_probabilities
from vaak.align.pairs import PairOrder
from vaak.host import Precision
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import AlignRecipe

# The word of transformers for a position that is no target.
_NO_LABEL = -100


class SpeechDPO(DPOTrainer):
    """TRL's trainer with a policy over codes and the stop token. reference: the parent, frozen."""

    def __init__(
        self,
        model: SpeechLM,
        reference: SpeechLM,
        pairs: PairOrder,
        tokenizer: PreTrainedTokenizerFast,
        optimizers: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR],
        recipe: AlignRecipe,
        config: DPOConfig,
        first_number: int,
        callbacks: list[TrainerCallback],
    ) -> None:
        assert recipe.precision != "auto"
        count = config.max_steps * recipe.prompts_per_step
        super().__init__(
            model=model.lm,
            ref_model=reference.lm,
            args=config,
            train_dataset=Dataset.from_dict({"number": list(range(first_number, first_number + count))}),
            data_collator=_Collator(pairs, model.vocabulary.end_of_text_id),
            processing_class=tokenizer,
            optimizers=optimizers,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        # Over the heads that TRL has just put there, whose softmax is over the whole vocabulary.
        for one in (model, reference):
            _score_by_policy(one, recipe.rollouts.temperature, recipe.precision)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """As it is: it has numbers of pairs, and they have ids."""
        return dataset


class _Collator:
    """From numbers of pairs to the batch of TRL's own collator: rows of chosen completions, then as many of rejected ones."""

    def __init__(self, pairs: PairOrder, padding: int) -> None:
        self._pairs, self._collate = pairs, DataCollatorForPreference(pad_token_id=padding)

    def __call__(self, examples: Sequence[dict[str, int]]) -> dict[str, Any]:
        pairs = [self._pairs[one["number"]] for one in examples]
        return self._collate.torch_call(
            [
                {
                    "prompt_ids": pair.prompt.tolist(),
                    "chosen_ids": pair.chosen.tolist(),
                    "rejected_ids": pair.rejected.tolist(),
                }
                for pair in pairs
            ]
        )


def _score_by_policy(model: SpeechLM, temperature: float, precision: Precision) -> None:
    """Let `model.lm(…, labels=…, fused_lm_head=True)`, TRL's question for log-probabilities, be answered by those of the policy."""
    before = model.lm.forward

    def forward(
        self: Any, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        fused_lm_head: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        if not fused_lm_head:
            return before(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)
        assert input_ids is not None and attention_mask is not None and labels is not None
        return _scored(model, input_ids, attention_mask.bool(), labels != _NO_LABEL, temperature, precision)

    model.lm.forward = types.MethodType(forward, model.lm)


def _scored(
    model: SpeechLM, ids: Tensor, there: Tensor, said: Tensor, temperature: float, precision: Precision
) -> FusedCausalLMOutput:
    """ids int64[rows, L], padded where `there` is false; said: bool[rows, L], the tokens of completions.

    Gives float32[rows, L - 1] for every token but the first, 0 where it is of no completion. Two of TRL's fields, of which
    only figures are made that no run here logs, are zeros.
    """
    prompts = [row[mask & ~of] for row, mask, of in zip(ids, there, said, strict=True)]
    completions = [row[of] for row, of in zip(ids, said, strict=True)]
    found, entropies = log_probabilities(model, prompts, completions, temperature=temperature, precision=precision)
    targets = said[:, 1:]
    empty = torch.zeros(targets.shape, device=ids.device)
    return FusedCausalLMOutput(
        log_probs=empty.masked_scatter(targets, found),
        entropy=empty.masked_scatter(targets, entropies),
        mean_logits=empty,
        is_top1=torch.zeros_like(targets),
    )  # pyright: ignore


def dpo_config(recipe: AlignRecipe, folder: Path, *, steps: int, world: int, device: torch.device) -> DPOConfig:
    """TRL's settings of a run of `steps` steps (those that are left); nothing is saved, reported or evaluated by TRL."""
    config = DPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=recipe.microbatch // 2,
        gradient_accumulation_steps=recipe.completions_per_step // world // recipe.microbatch,
        beta=recipe.kl,
        loss_type=["sigmoid"],
        max_length=None,
        max_grad_norm=recipe.optimizer.grad_clip,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        gradient_checkpointing=False,
        bf16=False,
        seed=recipe.seed,
        use_cpu=device.type == "cpu",
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    return on_one_gpu(config)
