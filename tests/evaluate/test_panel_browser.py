"""The panel in a real Chromium, of 3 and of 300 checkpoints: it plays, answers mouse and keyboard, and fetches nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.evaluate.small_pack import make_pack
from tests.evaluate.synthetic_run import synthetic_run
from tests.page.browser import browser, open_page
from tests.speak.tiny_speaker import ToneCodec
from vaak.evaluate import write_panel
from vaak.evaluate.panel import LARGEST_BYTES

pytestmark = pytest.mark.slow

# Pictures and drawings that say nothing to who cannot see them; swatches of legends are hidden from screen readers.
UNNAMED = """
return [...document.images].filter(image => !image.alt).length
  + [...document.querySelectorAll("svg:not([aria-hidden=true])")].filter(svg => !svg.getAttribute("aria-label")).length
  + [...document.querySelectorAll("audio")].filter(audio => !audio.getAttribute("aria-label")).length
"""
TABLES = """
return [...document.querySelectorAll("figure.chart")].filter(figure => !figure.parentElement.querySelector("details table caption")).length
"""
IDS = "const ids = [...document.querySelectorAll('[id]')].map(one => one.id); return ids.length - new Set(ids).size"


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """The page of so many checkpoints, made once."""
    folder = tmp_path_factory.mktemp("panels")
    pack, codec = make_pack(folder), ToneCodec()

    @cache
    def made(count: int) -> Path:
        run = synthetic_run(folder / str(count), pack, codec, count)
        given = {"pack": pack.folder, "db": run.parent / "results.db", "codec": codec}
        return write_panel(run, run.parent / "panel.html", **given)

    return made


@pytest.mark.parametrize("count", [3, 300])
def test_it_plays_names_every_picture_and_fetches_nothing(page_of, count):
    probe = open_page(page_of(count), play=5, scripts={"unnamed": UNNAMED, "without table": TABLES, "double ids": IDS})
    assert probe.console_errors == [] and probe.requests == [] and probe.images_broken == 0
    assert probe.player_errors == [] and probe.play_failures == []
    assert len(probe.players) >= 3 * (2 + min(count, 5)) and min(probe.players) > 0.1
    assert probe.results == {"unnamed": 0, "without table": 0, "double ids": 0}
    assert probe.overflow_px <= 0 and page_of(count).stat().st_size < LARGEST_BYTES


def test_tabs_and_tables_answer_mouse_and_keyboard(page_of):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    with browser(width=500, height=900) as driver:
        driver.get(page_of(300).as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        lists = driver.find_elements(By.CSS_SELECTOR, "[role=tablist]")
        assert [one.get_attribute("aria-label") for one in lists] == [
            "languages of the players",
            "languages of the curves",
        ]
        for tablist in lists:
            tabs = tablist.find_elements(By.CSS_SELECTOR, "[role=tab]")
            panels = [driver.find_element(By.ID, tab.get_attribute("aria-controls") or "") for tab in tabs]
            driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", tabs[1])
            tabs[1].click()
            assert [panel.is_displayed() for panel in panels] == [at == 1 for at in range(len(tabs))]
            tabs[1].send_keys(Keys.ARROW_RIGHT)
            assert driver.switch_to.active_element == tabs[2] and panels[2].is_displayed()
            tabs[2].send_keys(Keys.HOME)
            assert panels[0].is_displayed()
        fold = driver.find_element(By.CSS_SELECTOR, "[role=tabpanel]:not([hidden]) .grid details summary")
        fold.send_keys(Keys.ENTER)
        table = fold.find_element(By.XPATH, "..").find_element(By.CSS_SELECTOR, "table")
        assert table.is_displayed() and len(table.find_elements(By.CSS_SELECTOR, "tbody tr")) >= 300
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
