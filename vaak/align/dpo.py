"""Direct preference optimization (Rafailov et al. 2023) by TRL's trainer, on ids, over codes and the stop token alone.

TRL keeps its loop, accumulation, processes, loss and figures. Two things are replaced: it tokenises nothing, and the
log-probabilities that it asks the model and the reference for are those of `vaak.align.log_probabilities`, by which what is
said was drawn. Pairs come by their number; the optimizer, the rates, what is logged and what is saved are as in every stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from vaak.align.pairs import PairOrder
from vaak.align.stage import AlignStage, open_reference
from vaak.align.trl_border import (
    SaysBrokenLoss,
    on_one_gpu,
    optimizers,
    score_by_policy,
    shared_settings,
    trl_tokenizer,
)


class SpeechDPO(SaysBrokenLoss, DPOTrainer):
    """TRL's trainer with a policy over codes and the stop token, for the steps of a stage that are left."""

    def __init__(self, stage: AlignStage[PairOrder], callbacks: list[TrainerCallback]) -> None:
        recipe, reference = stage.recipe, open_reference(stage)
        first, end = recipe.prompts_by(stage.step), recipe.prompts_by(recipe.steps)
        super().__init__(
            model=stage.model.lm,
            ref_model=reference.lm,
            args=dpo_config(stage),
            train_dataset=Dataset.from_dict({"number": list(range(first, end))}),
            data_collator=_collator(stage.prompts, stage.model.vocabulary.end_of_text_id),
            processing_class=trl_tokenizer(stage),
            optimizers=optimizers(stage),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        for one in (stage.model, reference):
            score_by_policy(one, recipe)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """As it is: it has numbers of pairs, and they have ids."""
        return dataset


def _collator(pairs: PairOrder, padding: int) -> Any:
    """From numbers of pairs to the batch of TRL's own collator: rows of chosen completions, then as many of rejected ones."""
    collate = DataCollatorForPreference(pad_token_id=padding)

    def collated(examples: Sequence[dict[str, int]]) -> dict[str, Any]:
        chosen = [pairs[one["number"]] for one in examples]
        return collate.torch_call(
            [
                {
                    "prompt_ids": pair.prompt.tolist(),
                    "chosen_ids": pair.chosen.tolist(),
                    "rejected_ids": pair.rejected.tolist(),
                }
                for pair in chosen
            ]
        )

    return collated


def dpo_config(stage: AlignStage[PairOrder]) -> DPOConfig:
    """TRL's settings of a run."""
    recipe = stage.recipe
    config = DPOConfig(
        **shared_settings(stage),
        per_device_train_batch_size=recipe.microbatch // 2,
        beta=recipe.kl,
        loss_type=["sigmoid"],
        max_length=None,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
    )
    return on_one_gpu(config)
