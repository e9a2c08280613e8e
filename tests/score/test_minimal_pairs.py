"""The whole table of minimal pairs holds, and holds what it says it does."""

from collections import Counter

import pytest

from tests.score.minimal_pairs import INVENTORIES, pairs
from vaak.languages import LANGUAGES
from vaak.score.error_rate import char_counts, grapheme_counts, word_counts

TABLE = pairs()


@pytest.mark.parametrize("language", INVENTORIES)
@pytest.mark.parametrize("counts", [word_counts, grapheme_counts, char_counts])
def test_every_pair_counts_as_an_error_or_as_none(language, counts):
    of = [pair for pair in TABLE if pair.language == language]
    wrong = [pair for pair in of if (counts(pair.one, pair.other, language).errors == 0) != pair.same]
    assert wrong == []


def test_the_table_covers_every_indic_language_and_both_kinds():
    assert set(INVENTORIES) == set(LANGUAGES) - {"en"}
    kinds = Counter((pair.language, pair.same) for pair in TABLE)
    assert all(kinds[language, True] >= 50 and kinds[language, False] >= 100 for language in INVENTORIES)
    words = Counter(pair.language for pair in TABLE if pair.of == "word")
    assert min(words.values()) >= 12


def test_no_pair_is_two_equal_strings_or_stands_in_both_kinds():
    assert [pair for pair in TABLE if pair.one == pair.other] == []
    kinds = {(pair.language, frozenset((pair.one, pair.other)), pair.same) for pair in TABLE}
    assert len({(language, both) for language, both, _ in kinds}) == len(kinds)
