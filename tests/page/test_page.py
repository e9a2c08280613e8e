"""A page is one file: its text is escaped, its sound and pictures are inside, and it reads without scripts."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from vaak.page import Cell, KeyFigure, Page, alarm, details, grid, in_language, key_figures, table, tabs

EVIL = '<script>alert("1")</script>'


def test_every_text_of_a_user_is_escaped():
    page = Page(EVIL, EVIL)
    page.section(
        EVIL,
        EVIL,
        alarm("error", EVIL),
        key_figures([KeyFigure(EVIL, EVIL, EVIL)]),
        table([[EVIL, Cell(1, EVIL)]], [EVIL, EVIL], caption=EVIL),
        tabs({EVIL: EVIL}, EVIL),
        details(EVIL, EVIL),
        grid(EVIL),
        in_language(EVIL, EVIL),
    )
    html = page.html()
    assert EVIL not in html
    assert html.count("<script>") == 1  # the page's own


def test_the_file_names_nothing_outside_itself():
    page = Page("Offline")
    page.section("One", alarm("note", "text"))
    html = page.html()
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:|//)", html)


def test_sections_are_numbered_and_listed():
    page = Page("Report")
    page.add("before every heading")
    page.section("Loss")
    page.section("Sound")
    html = page.html()
    assert '<a href="#section-1">Loss</a>' in html and '<section id="section-2"' in html
    assert html.index("before every heading") < html.index('id="section-1"')


def test_writing_replaces_the_whole_file(tmp_path):
    Page("first").write(tmp_path / "out" / "report.html")
    Page("second").write(tmp_path / "out" / "report.html")
    assert "<h1>second</h1>" in (tmp_path / "out" / "report.html").read_text()
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    "level,word", [("error", "Failed"), ("warning", "Warning"), ("note", "Note"), ("good", "Holds")]
)
def test_an_alarm_says_in_words_what_its_colour_means(level, word):
    assert f"<strong>{word}:</strong> disk full" in alarm(level, "disk full")


def test_a_judged_figure_says_whether_it_holds():
    html = key_figures(
        [KeyFigure("WER", "31%", good=True), KeyFigure("Stop rate", "91%", good=False), KeyFigure("Steps", "400")]
    )
    assert html.count("✓ holds") == 1 and html.count("✗ does not hold") == 1


def test_tables_mark_numbers_and_keep_ready_html():
    html = table(
        [["hi", 0.123456, Markup("<b>x</b>"), None], ["en", None, "y", None]], ["language", "WER", "player", "note"]
    )
    assert '<th scope="row">hi</th>' in html and "<b>x</b>" in html
    assert '<td class="number" data-sort="0.123456">0.1235</td>' in html
    assert '<td class="number">–</td>' in html  # an empty cell of a column of numbers
    with pytest.raises(ValueError, match="2 cells where the table has 1 column"):
        table([[1, 2]], ["a"])
