"""Rows of codes begin where the codec's grid has them: neighbours alike, strangers not, none the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from vaak.codec import code_levels
from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary
from vaak.model import ModelSettings, create_model

LEVELS = (8, 8, 8, 8)
VOCABULARY = Vocabulary(base_size=300, codebook_size=4096, end_of_text_id=0)


def architecture(tied: bool) -> ModelSettings:
    return ModelSettings(
        config={
            "model_type": "qwen3",
            "hidden_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
            "head_dim": 64,
            "intermediate_size": 64,
            "tie_word_embeddings": tied,
        }
    )


def rows(levels: tuple[int, ...] | None, tied: bool = True) -> np.ndarray:
    model = create_model(architecture(tied), VOCABULARY, 1, levels)
    return model.head.detach()[VOCABULARY.first_speech_id :][:4096].numpy()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def code(*digits: int) -> int:
    """Mixed radix, first digit fastest, as `vaak.codec.network.Quantiser` counts."""
    return sum(digit * 8**place for place, digit in enumerate(digits))


def test_neighbours_begin_alike_and_strangers_do_not() -> None:
    table = rows(LEVELS)
    near = np.mean([cosine(table[code(a, b, 3, 4)], table[code(a + 1, b, 3, 4)]) for a in range(7) for b in range(8)])
    far = np.mean([cosine(table[code(a, b, 1, 1)], table[code(7 - a, 7 - b, 6, 6)]) for a, b in np.ndindex(4, 4)])
    assert near > 0.7 and abs(far) < 0.3
    plain = rows(None)
    assert abs(np.mean([cosine(plain[i], plain[i + 1]) for i in range(500)])) < 0.1


def test_every_row_is_its_own_and_the_same_for_the_same_seed() -> None:
    table = rows(LEVELS)
    assert len(np.unique(table, axis=0)) == 4096
    for other in itertools.islice(range(1, 4096), 0, None, 97):
        assert cosine(table[0], table[other]) < 0.98
    np.testing.assert_array_equal(table, rows(LEVELS))


def test_only_the_rows_of_codes_are_drawn_anew_and_a_tie_stays_tied() -> None:
    for tied in (True, False):
        placed = create_model(architecture(tied), VOCABULARY, 1, LEVELS)
        plain = create_model(architecture(tied), VOCABULARY, 1)
        first = VOCABULARY.first_speech_id
        torch.testing.assert_close(placed.head[:first], plain.head[:first], rtol=0, atol=0)
        assert (placed.head is placed.lm.get_input_embeddings().weight) == tied


def test_a_grid_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match="4096 codes"):
        rows((8, 8, 8))


def test_the_embedded_codec_names_its_grid_and_an_unknown_one_has_none() -> None:
    assert code_levels("embedded") == LEVELS
    assert code_levels("no-such-codec") is None
