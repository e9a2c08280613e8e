"""The speech language model: an ordinary transformers causal LM, its vocabulary, and the packed training loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vaak.grammar.vocabulary import Vocabulary
from vaak.model.attention import DocLens, DocMasks, doc_bounds, no_mask, row_masks
from vaak.model.loss import token_losses


class Batch(Protocol):
    """What the loss needs of a packed batch (`vaak.mixture.PackedBatch` has it)."""

    @property
    def input_ids(self) -> np.ndarray: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def position_ids(self) -> np.ndarray: ...
    @property
    def doc_lens(self) -> Any: ...
    @property
    def doc_bias(self) -> Any: ...


@dataclass(frozen=True)
class LossOutput:
    """sum: scalar with gradient, the summed cross-entropy in nats; per_token: float32[B, L], 0 where no target."""

    sum: Tensor
    per_token: Tensor
    n_targets: int


class SpeechLM(nn.Module):
    """`lm` is the transformers model (`Qwen3ForCausalLM` or `LlamaForCausalLM`); all parameters live in it."""

    def __init__(self, lm: nn.Module, vocabulary: Vocabulary) -> None:
        super().__init__()
        rows = lm.get_input_embeddings().weight.shape[0]  # pyright: ignore
        if rows != vocabulary.padded_size:
            raise ValueError(f"the embedding has {rows} rows, the vocabulary needs {vocabulary.padded_size}")
        self.lm: Any = lm
        self.vocabulary = vocabulary

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.lm.config

    @property
    def device(self) -> torch.device:
        return next(self.lm.parameters()).device

    @property
    def head(self) -> Tensor:
        """Weight of the output layer, [padded vocabulary, hidden]; tied models share it with the embedding. With LoRA it is
        put together anew each time."""
        return self.lm.get_output_embeddings().weight

    @property
    def n_parameters(self) -> int:
        """All numbers, a tied matrix counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def hidden(
        self, input_ids: Tensor, position_ids: Tensor, doc_lens: DocLens, doc_masks: DocMasks | Tensor | None = None
    ) -> Tensor:
        """Last hidden states of packed rows, [B, L, hidden]; no document sees another.

        input_ids, position_ids: int64[B, L], positions starting at 0 in each document; doc_lens: per row, sums to L;
        doc_masks: what is added to the attention logits of some documents; or `row_masks`, which say it all.
        """
        device = input_ids.device
        whole_rows = isinstance(doc_masks, Tensor)
        at_once = device.type == "cuda" and torch.is_autocast_enabled("cuda") and doc_masks is None
        states = self.lm.get_input_embeddings()(input_ids)
        output = self.lm.model(
            # The stream between layers is float32 at least, also where the embedding is gathered from other ranks in bfloat16.
            inputs_embeds=states.to(torch.promote_types(states.dtype, torch.float32)),
            position_ids=position_ids,
            attention_mask=doc_masks if whole_rows else no_mask(device),
            use_cache=False,
            # A compiled layer would be compiled anew for every list of lengths.
            doc_lens=None if at_once or whole_rows else doc_lens,
            doc_masks=None if whole_rows else doc_masks,
            doc_bounds=doc_bounds(doc_lens, device) if at_once else None,
        )
        return output.last_hidden_state

    def forward_loss(self, batch: Batch) -> LossOutput:
        """Cross-entropy of a packed batch; labels are already shifted and -100 marks positions without a target."""
        where = np.flatnonzero(batch.labels.reshape(-1) >= 0)
        labels = self._tensor(batch.labels.reshape(-1)[where])
        lens = [[int(n) for n in row] for row in batch.doc_lens]
        masks = None if batch.doc_bias is None else self._masks(lens, batch.doc_bias)
        states = self.hidden(self._tensor(batch.input_ids), self._tensor(batch.position_ids), lens, masks)
        states = states.reshape(-1, states.shape[-1])
        everything = len(where) == len(states)
        if not everything:  # masked positions never reach the head, the dearest product of a small model
            index = self._tensor(where)
            states = states.index_select(0, index)
        total, losses = token_losses(states, self.head, labels, self.vocabulary.size)
        if everything:
            per_token = losses
        else:
            per_token = torch.zeros(batch.labels.size, dtype=losses.dtype, device=self.device)
            per_token[index] = losses  # pyright: ignore[reportPossiblyUnboundVariable]
        return LossOutput(total, per_token.view(batch.labels.shape), len(where))

    def forward(self, batch: Batch) -> LossOutput:
        """The loss, so that what wraps or cuts a module for several processes finds it under its usual name."""
        return self.forward_loss(batch)

    def _masks(
        self, doc_lens: DocLens, doc_bias: Sequence[Sequence[np.ndarray | None]]
    ) -> list[list[Tensor | None]] | Tensor:
        """Biases with minus infinity where a token would see one behind it."""
        if self.device.type == "cuda":
            dtype = torch.bfloat16 if torch.is_autocast_enabled("cuda") else torch.float32
            return row_masks(doc_lens, doc_bias, self.device, dtype)

        def causal(bias: np.ndarray | None) -> Tensor | None:
            if bias is None:
                return None
            return torch.from_numpy(np.where(np.tri(len(bias), dtype=bool), bias, -np.inf)).to(self.device)

        return [[causal(bias) for bias in row] for row in doc_bias]

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
        if self.device.type == "cuda":
            # From pinned memory the copy goes on while the next work is queued.
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)
