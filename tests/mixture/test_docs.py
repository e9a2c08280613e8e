"""The worked example of docs/mixture.md prints what the page says."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "mixture.md"


def test_the_example_of_odia_and_assamese():
    found = re.search(r"```python\n(from vaak.mixture.budget.*?)```\n\n```text\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found[1], {})
    assert printed.getvalue() == found[2]


def test_the_figures_of_the_table():
    page, hour = PAGE.read_text(), 3600 * 50
    low, high = (0.08 * total / hours / hour for total, hours in ((200e9, 20e3), (250e9, 15e3)))
    assert f"**{low:.1f}–{high:.1f} epochs** of a bootstrap of 15–20 thousand hours" in page
    low, high = (0.02 * 0.82 * total / hour / 1000 for total in (200e9, 250e9))
    assert f"{low:.0f}–{high:.0f} thousand hours for each language of the rest" in page
    low, high = (0.05 * total / 1704 / hour for total in (28.8e9, 32.4e9))
    assert f"**{low:.1f}–{high:.1f} epochs** of IndicVoices-R's 1,704 hours" in page
