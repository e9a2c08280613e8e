"""The page of the scores prints what it says, and its tables name what there is."""

import contextlib
import io
import re
from pathlib import Path

from tests.score.minimal_pairs import pairs
from vaak.score import sanity

PAGE = (Path(__file__).parents[2] / "docs" / "score.md").read_text(encoding="utf-8")


def test_the_example_of_error_rates():
    found = re.search(r"```python\n(from vaak.score.error_rate import char.*?)```\n\n```text\n(.*?)```", PAGE, re.S)
    assert found is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found[1], {})
    assert printed.getvalue() == found[2]


def test_the_table_of_minimal_pairs_is_as_long_as_the_page_says():
    assert f"has {len(pairs()):,} pairs" in PAGE


def test_every_metric_of_sanity_is_on_the_page():
    named = {
        name
        for name in ("duration_ratio", "repeat_rate", "ngram_repetition", "loop_share", "speech_share", "invalid_rate")
    }
    functions = named | {"stop_failure_rate", "is_truncated", "is_unplayable", "failures", "failure_rates"}
    assert all(hasattr(sanity, name) and f"`{name}`" in PAGE for name in functions)
    for name in ("repeat_rate", "ngram_repetition", "loop_share"):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}`"))
        assert row.endswith(f"| {sanity.LIMITS[name][1]:g} |")
