"""The report of a build: counts that add up or are said not to, any text shown as text, read at both widths in a real browser."""

from __future__ import annotations

import copy
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from tests.grammar.published_tokenizers import real_texts
from tests.page.browser import browser
from vaak.languages import LANGUAGES
from vaak.text.document import REASONS
from vaak.text.examples import Examples
from vaak.text.lengths import Lengths
from vaak.text.report import miscounted, report_page, write_report

HOSTILE = (
    "<script>window.taken = 1</script>",
    '"><img src=x onerror="window.taken = 2">',
    "</style></section><h1 id=planted>planted</h1>",
    "{{ 7 * 7 }} &lt;b&gt; <!-- ",
    "\u202eright to left\u202c \x00\x1b[31m \u2066isolated",
    "word" * 150,
    "<|endoftext|>\n\n   two  spaces\n",
)


def build_report(languages=tuple(LANGUAGES), per_reason: int = 8) -> dict:
    """As a build counts it, over real sentences that are said to be dropped for each reason in turn."""
    examples, lengths, sources = Examples(seed=3), Lengths(), []
    for language in languages:
        texts = real_texts(language, per_reason * 12)
        for source in ("fineweb", "sangraha"):
            row = {
                "source": source,
                "language": language,
                "read": 0,
                "kept": 0,
                "tokens": 0,
                "characters": 0,
                "dropped": {},
            }
            for number in range(per_reason * (1 + len(REASONS))):
                text = " ".join(texts[(number + k) % len(texts)] for k in range(1 + number % 9))
                reason = ("kept", *REASONS)[number % (1 + len(REASONS))]
                row["read"] += 1
                tokens = len(text) // 3 if reason == "kept" else None
                if tokens is None:
                    row["dropped"][reason] = row["dropped"].get(reason, 0) + 1
                else:
                    row["kept"], row["tokens"] = row["kept"] + 1, row["tokens"] + tokens
                    row["characters"] += len(text)
                lengths.add(language, np.array([len(text)]), None if tokens is None else np.array([tokens]))
                examples.add(language, reason, f"{source}/{language}.jsonl:{number}", text, f"hi 0.{number}", source)
            sources.append(row)
    return {
        "corpus": {"name": "crawl-v1", "folder": "corpora/crawl-v1", "id": "5ba1" * 16},
        "configuration": {"sources": [{"name": "fineweb", "languages": list(languages)}], "numerals": "keep", "limit": None},
        "seconds": 12.5,
        "documents_per_second": sum(row["read"] for row in sources) / 12.5,
        "sources": sources,
        "lengths": lengths.rows(),
        "examples": examples.rows(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def report() -> dict:
    return build_report()


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, report)
    return folder


def test_the_json_is_the_report(report, folder):
    assert json.loads((folder / "report.json").read_text("utf-8")) == report


def test_counts_that_add_up_are_said_to(report):
    assert miscounted(report["sources"]) == []
    html = report_page(report).html()
    assert "read = kept + dropped" in html and "alarm error" not in html
    read = sum(row["read"] for row in report["sources"])
    assert f"{read:,}" in html and f"{sum(row['kept'] for row in report['sources']):,} documents" in html


def test_counts_that_do_not_add_up_are_said_in_red(report):
    wrong = copy.deepcopy(report)
    wrong["sources"][1]["read"] += 2
    wrong["sources"][4]["kept"] += 1
    first, second = miscounted(wrong["sources"])
    assert first == "sangraha, English: 98 read, but 8 kept and 88 dropped (+2)" and "(-1)" in second
    html = report_page(wrong).html()
    assert html.count('class="alarm error"') == 2 and str(escape(first)) in html and "does not hold" in html
    assert "one reason: read = kept + dropped" not in html


def test_every_reason_source_and_language_has_its_row_and_bar(report):
    html = report_page(report).html()
    for language in LANGUAGES.values():
        assert html.count(f"<td>{language.name}</td>") == 4  # two sources, in two tables
        assert f"{language.name}: share of the 192 documents read" in html
        assert f"<section><h3>{language.name}</h3>" in html
    for reason in REASONS:
        assert f'<button type="button">{reason.capitalize()}</button>' in html
        assert html.count(f"<summary>{reason.capitalize()}: 5</summary>") == len(LANGUAGES)


def test_all_chosen_texts_are_there_in_their_language(report):
    html = report_page(report).html()
    for row in report["examples"]:
        assert f'<span lang="{row["language"]}">{escape(row["text"])}</span>' in html


def test_a_build_that_kept_nothing_or_read_nothing_has_a_page():
    empty = build_report(languages=(), per_reason=1)
    assert "0 kept and 0 dropped" in report_page(empty).html()
    nothing_kept = build_report(languages=("hi",), per_reason=1)
    for row in nothing_kept["sources"]:
        row["dropped"] = {"a reason of later": row["read"]}
        row["kept"] = row["tokens"] = row["characters"] = 0
    assert "A reason of later" in report_page(nothing_kept).html()


def test_what_a_browser_would_not_show_is_spelled_out():
    report = build_report(languages=("en",), per_reason=1)
    report["examples"] = [dict(report["examples"][0], text=text, document_id=text, detail=text) for text in HOSTILE]
    html = report_page(report).html()
    hidden = {character for character in html if unicodedata.category(character) in ("Cc", "Cf")} - {"\n", "\t"}
    assert hidden == set() and "[U+202E]right to left" in html and "␀␛[31m" in html


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_read_in_a_browser_at(folder, width):
    from selenium.webdriver.common.by import By

    with browser(width, 900) as driver:
        # A window is not narrower than 500 pixels; what a phone shows is.
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.get((folder / "report.html").as_uri())
        assert driver.execute_script("return innerWidth") == width
        assert driver.title == "Text corpus crawl-v1"
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        folded = driver.find_elements(By.CSS_SELECTOR, "section[id] details")
        assert len(folded) == len(LANGUAGES) * (1 + len(REASONS))
        shown = "return [...document.querySelectorAll('details .card')].filter(card => card.checkVisibility()).length"
        assert driver.execute_script(shown) == 0
        for language in ("English", "Malayalam"):
            tabs = driver.find_elements(By.XPATH, f"//*[@role='tab'][.='{language}']")
            assert len(tabs) == 3  # reasons, lengths, documents
            driver.execute_script("arguments[0].click()", tabs[2])
        near = driver.find_element(By.XPATH, "//section[not(@hidden)]/details[summary='Near duplicate: 5']")
        driver.execute_script("arguments[0].firstElementChild.click()", near)
        cards = near.find_elements(By.CSS_SELECTOR, ".card")
        assert len(cards) == 5 == driver.execute_script(shown)
        text = cards[0].find_element(By.CSS_SELECTOR, "[lang=ml]")
        assert re.search("[\u0d00-\u0d7f]{3}", text.text) and text.rect["width"] <= width
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
def test_hostile_text_is_only_text(tmp_path):
    report = build_report(languages=("en",), per_reason=1)
    report["corpus"] = {"name": HOSTILE[0], "folder": HOSTILE[1], "id": HOSTILE[2]}
    report["configuration"] = {HOSTILE[0]: HOSTILE[1]}
    sample = report["examples"][0]
    report["examples"] = [dict(sample, text=one, document_id=one, detail=one, source=one) for one in HOSTILE]
    report["sources"][0] |= {"source": HOSTILE[1]}
    write_report(tmp_path, report)
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report
    with browser(1280, 900) as driver:
        driver.get((tmp_path / "report.html").as_uri())
        assert driver.execute_script("return window.taken === undefined && !document.getElementById('planted')")
        assert driver.execute_script("return document.images.length") == 0
        shown = driver.execute_script(
            "return [...document.querySelectorAll('.card [lang]')].map(one => one.textContent)"
        )
        assert shown[:4] == list(HOSTILE[:4]) and shown[5:] == list(HOSTILE[5:])
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
