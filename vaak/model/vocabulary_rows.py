"""The embedding and the head of a text model, made to fit a vocabulary with speech."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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


# The matrices with a row for each id, by the names of the supported families.
_MATRICES = ("model.embed_tokens.weight", "lm_head.weight")


def without_padding(weights: Mapping[str, Tensor], vocabulary: Vocabulary) -> dict[str, Tensor]:
    """The weights of a model with only those rows of embedding and head that mean something."""
    return {name: one[: vocabulary.size] if name in _MATRICES else one for name, one in weights.items()}


def with_padding(weights: Mapping[str, Tensor], vocabulary: Vocabulary) -> dict[str, Tensor]:
    """The inverse of `without_padding`; the rows are zeros, and stay so: they are no target, no input, and get no gradient."""
    found = dict(weights)
    for name in _MATRICES:
        if name in found and len(found[name]) == vocabulary.size:
            rows = found[name].new_zeros(vocabulary.padded_size - vocabulary.size, *found[name].shape[1:])
            found[name] = torch.cat([found[name], rows])
    return found


def _extended(base: Tensor, vocabulary: Vocabulary, generator: torch.Generator) -> Tensor:
    """The kept rows, then rows drawn from a diagonal Gaussian with their mean and spread in each dimension.

    Distinct rows of the kept ones' scale: copies of the mean alone would be nearly identical, and take long to part.
    """
    kept = base[: vocabulary.base_size].float()
    noise = torch.randn(vocabulary.padded_size - vocabulary.base_size, base.shape[1], generator=generator)
    return torch.cat([kept, kept.mean(0) + noise * kept.std(0)]).to(base.dtype)


# How alike the rows of neighbouring levels are (a Gaussian kernel's width, in levels), what part of a row is its own, and
# how long rows are beside ordinary ones: Adam moves every element of every row in each step, and short rows forget their
# place before it has been of use.
_REACH, _OWN, _LENGTH = 1.5, 0.3, 2.0


def place_codes(lm: nn.Module, vocabulary: Vocabulary, levels: Sequence[int], seed: int) -> None:
    """Draw the rows of the speech codes by where each code lies in the codec's grid, in place; tied ones stay tied.

    `levels` are those of a finite scalar quantiser whose codes are mixed-radix numbers, first digit fastest. A row is
    the sum of one smooth random curve per digit, taken at that digit's level, and a part of its own: codes that differ
    by a level begin as near each other as they sound, and what is learned of one is not lost on its neighbours. Rows
    stay distinct. Raises `BadInput` if the levels do not multiply to the codebook size.
    """
    if math.prod(levels) != vocabulary.codebook_size:
        raise BadInput(f"a grid of {tuple(levels)} levels has not the codebook's {vocabulary.codebook_size} codes")
    generator = torch.Generator().manual_seed(seed + 1)
    source, target = lm.get_input_embeddings(), lm.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    first = vocabulary.first_speech_id
    matrices = [source.weight] if source.weight is target.weight else [source.weight, target.weight]
    for weight in matrices:
        ordinary = float(weight[:first].detach().float().std())
        with torch.no_grad():
            rows = _on_grid(levels, weight.shape[1], generator) * (_LENGTH * ordinary)
            weight[first : first + vocabulary.codebook_size] = rows.to(weight.dtype)


def _on_grid(levels: Sequence[int], width: int, generator: torch.Generator) -> Tensor:
    """[codes, width] with elements of variance one."""
    codes = torch.arange(math.prod(levels))
    rows = torch.zeros(len(codes), width)
    below = 1
    for count in levels:
        place = torch.arange(count, dtype=torch.float64)
        kernel = torch.exp(-0.5 * ((place[:, None] - place[None, :]) / _REACH) ** 2)
        root = torch.linalg.cholesky(kernel + 1e-6 * torch.eye(count, dtype=torch.float64)).float()
        curve = root @ torch.randn(count, width, generator=generator)
        rows += curve[(codes // below) % count] / math.sqrt(len(levels))
        below *= count
    own = torch.randn(rows.shape, generator=generator)
    return math.sqrt(1 - _OWN**2) * rows + _OWN * own
