"""What can be refused before any data is read: a rented machine should not plan for an hour to hear it then."""

from __future__ import annotations

from math import prod
from pathlib import Path

from vaak.checkpoint import find_checkpoint
from vaak.codec import code_levels
from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.open import check_base
from vaak.recipe import Recipe, check_peak, load_recipe, resolve_path


def check_start(recipe: Recipe) -> None:
    """The model is of a family that can be trained, and the rate falls after the parent's.

    Raises `BadInput`. Reads a configuration and a recipe at most, no weights and no corpus.
    """
    if recipe.parent is None:
        check_base(recipe.model)
    else:
        check_peak(recipe, load_recipe(find_checkpoint(resolve_path(recipe.parent)).path / "recipe.yaml"))


def check_vocabulary(recipe: Recipe, vocabulary: Vocabulary) -> None:
    """The codec that the recipe names and the model that it starts from have the corpora's codes and the tokenizer's ids.

    vocabulary: as tokenizer and corpora give it. Raises `BadInput`.
    """
    levels = code_levels(recipe.codec)
    if levels is not None and prod(levels) != vocabulary.codebook_size:
        raise BadInput(
            f"recipe {recipe.name} names the codec {recipe.codec} with {prod(levels)} codes, its corpora have codes of "
            f"{vocabulary.codebook_size}; name the codec that encoded them"
        )
    if recipe.parent is not None:
        folder = find_checkpoint(resolve_path(recipe.parent)).path
    elif recipe.model.path is not None and (Path(recipe.model.path) / "vocabulary.json").is_file():
        folder = Path(recipe.model.path)
    else:
        return
    known = Vocabulary.load(folder)
    if known != vocabulary:
        raise BadInput(
            f"{folder} has the vocabulary {known}, this recipe's tokenizer and corpora give {vocabulary}; use the tokenizer "
            "and the codec of that model"
        )
