"""The embedding and the head of a text model, made to fit a vocabulary with speech."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary


def extend_rows(lm: nn.Module, vocabulary: Vocabulary, seed: int) -> None:
    """Give a base model `vocabulary.padded_size` rows in embedding and head, in place; tied ones stay tied.

    The first `base_size` rows are kept. All others, the base model's spare rows included, are drawn anew.
    Raises `BadInput` if the base model has fewer rows than the tokenizer has ids.
    """
    source, target = lm.get_input_embeddings(), lm.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    if source.weight.shape[0] < vocabulary.base_size:
        raise BadInput(
            f"the base model has {source.weight.shape[0]} vocabulary rows, its tokenizer {vocabulary.base_size} ids; "
            "name the tokenizer that belongs to this model"
        )
    tied = source.weight is target.weight
    generator = torch.Generator().manual_seed(seed)
    source.weight = nn.Parameter(_extended(source.weight.detach(), vocabulary, generator))
    target.weight = source.weight if tied else nn.Parameter(_extended(target.weight.detach(), vocabulary, generator))
    source.num_embeddings = target.out_features = vocabulary.padded_size
    lm.config.vocab_size = vocabulary.padded_size  # pyright: ignore
    lm.vocab_size = lm.model.vocab_size = vocabulary.padded_size  # pyright: ignore


def _extended(base: Tensor, vocabulary: Vocabulary, generator: torch.Generator) -> Tensor:
    """The kept rows, then rows drawn from a diagonal Gaussian with their mean and spread in each dimension.

    Distinct rows of the kept ones' scale: copies of the mean alone would be nearly identical, and take long to part.
    """
    kept = base[: vocabulary.base_size].float()
    noise = torch.randn(vocabulary.padded_size - vocabulary.base_size, base.shape[1], generator=generator)
    return torch.cat([kept, kept.mean(0) + noise * kept.std(0)]).to(base.dtype)
