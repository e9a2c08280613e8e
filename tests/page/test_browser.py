"""The page in a real Chromium: players load and play, nothing is fetched, tabs and tables answer the keyboard."""

from __future__ import annotations

import numpy as np
import pytest

from tests.page.browser import browser, open_page
from vaak.page import Cell, Page, bar_chart, details, grid, histogram, line_chart, player, sound, table, tabs


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 16000)) / 16000)).astype(np.float32)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    page = Page("A report", "With everything that a page can hold.")
    x = np.arange(300)
    page.section(
        "Curves", line_chart({"en": (x, 5 / (1 + x)), "hi": (x, 6 / (1 + x))}, "Loss", "step", "nats", smooth=9)
    )
    page.section("Bars", bar_chart({"raw": {"wanted": 0.8, "realised": 0.79}}, "Mass"), histogram(x, "Duration"))
    panels = {
        name: grid(*(sound(tone(200 + 50 * k, 0.5 + 0.25 * k), 16000, f"{name} {k}") for k in range(2)))
        for name in ("English", "हिन्दी", "தமிழ்")
    }
    page.section("Sound", tabs(panels, "Languages"), details("More", player(tone(300, 2.0), 16000, "folded away")))
    page.section(
        "Numbers",
        table([["b", Cell(10, "10 h")], ["a", Cell(9, "9 h")], ["c", None]], ["name", "hours"], caption="Hours"),
    )
    return page.write(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.slow
def test_the_page_loads_plays_and_fetches_nothing(page_file):
    probe = open_page(page_file, play=7)
    assert probe.title == "A report"
    assert probe.console_errors == [] and probe.requests == [] and probe.images_broken == 0
    assert probe.player_errors == [] and probe.play_failures == []
    wanted = [0.5, 0.75] * 3 + [2.0]
    assert len(probe.players) == 7 and all(
        abs(got - want) < 0.15 for got, want in zip(probe.players, wanted, strict=True)
    )


@pytest.mark.slow
def test_a_narrow_screen_needs_no_sideways_scrolling(page_file):
    with browser(width=500, height=800) as driver:
        driver.get(page_file.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_tabs_tables_and_legends_answer(page_file):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    with browser() as driver:
        driver.get(page_file.as_uri())
        first, second, third = driver.find_elements(By.CSS_SELECTOR, "[role=tab]")
        first.send_keys(Keys.ARROW_LEFT)  # round the corner, to the last
        assert third.get_attribute("aria-selected") == "true" and driver.switch_to.active_element == third
        shown = [panel.is_displayed() for panel in driver.find_elements(By.CSS_SELECTOR, "[role=tabpanel]")]
        assert shown == [False, False, True] and second.get_attribute("tabindex") == "-1"

        names = "return [...document.querySelectorAll('tbody th')].map(cell => cell.textContent).join('')"
        hours = driver.find_elements(By.CSS_SELECTOR, "thead button")[1]
        hours.send_keys(Keys.ENTER)
        assert driver.execute_script(names) == "abc"  # 9 before 10, the empty cell last
        hours.send_keys(Keys.ENTER)
        assert driver.execute_script(names) == "bac"
        assert hours.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"

        legend = driver.find_element(By.CSS_SELECTOR, ".legend button")
        legend.send_keys(Keys.SPACE)
        assert legend.get_attribute("aria-pressed") == "false"
        assert not driver.find_element(By.CSS_SELECTOR, "g[data-series='0']").is_displayed()
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
def test_three_hundred_players_on_one_page_all_load(tmp_path):
    page = Page("Many")
    page.section("Sound", grid(*(player(tone(200 + k, 1.0), 16000, f"number {k}") for k in range(300))))
    probe = open_page(page.write(tmp_path / "many.html"), play=1)
    assert len(probe.players) == 300 and min(probe.players) > 0.9 and probe.console_errors == []
