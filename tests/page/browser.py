"""Opens a page in a real headless Chromium and says what happened there: console errors, players, their lengths.

`pytest.skip` with the reason where Chromium, its driver or selenium is not installed.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# Nothing of the browser's own may reach for the network; the page itself cannot (its Content-Security-Policy).
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)

# Opens every tab and fold, then waits until each player knows its length or has failed.
_LOAD_PLAYERS = """
const done = arguments[arguments.length - 1];
for (const fold of document.querySelectorAll("details")) fold.open = true;
const players = [...document.querySelectorAll("audio")];
Promise.all(players.map(audio => audio.readyState >= 1 || audio.error ? null : new Promise(resolve => {
  audio.addEventListener("loadedmetadata", resolve, {once: true});
  audio.addEventListener("error", resolve, {once: true});
  if (audio.networkState === 0 || audio.preload === "none") audio.load();
}))).then(() => done(players.map(audio => ({
  label: audio.getAttribute("aria-label") || "",
  error: audio.error ? audio.error.message || String(audio.error.code) : null,
  duration: audio.readyState >= 1 ? audio.duration : 0,
}))));
"""

_PLAY = """
const done = arguments[arguments.length - 1], players = [...document.querySelectorAll("audio")].slice(0, arguments[0]);
(async () => {
  const failures = [];
  for (const audio of players) {
    audio.muted = true;
    try { await audio.play(); audio.pause(); } catch (error) { failures.push(`${audio.ariaLabel}: ${error}`); }
  }
  done(failures);
})();
"""

_REQUESTS = (
    "return performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('data:'))"
)


@dataclass(frozen=True)
class PageProbe:
    """What a browser found on a page. `players` are durations in seconds, 0 for one that did not load."""

    title: str
    console_errors: list[str]
    players: list[float]
    player_labels: list[str]
    player_errors: list[str]
    play_failures: list[str]
    requests: list[str]
    images_broken: int
    overflow_px: int
    load_seconds: float
    results: dict[str, Any] = field(default_factory=dict)


@contextmanager
def browser(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Any]:
    """A fresh headless Chromium as a selenium driver, closed at the end; skips the test where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver_path = shutil.which("chromedriver")
    if chromium is None or driver_path is None:
        pytest.skip("Chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for option in (*_OPTIONS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
            options.add_argument(option)
        if dark:
            options.add_argument("--blink-settings=preferredColorScheme=0")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(driver_path))
        driver.set_script_timeout(120)
        try:
            yield driver
        finally:
            driver.quit()


def open_page(
    path: str | Path,
    *,
    play: int = 6,
    scripts: dict[str, str] | None = None,
    screenshot: str | Path | None = None,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
) -> PageProbe:
    """Open a file, load every player, play the first `play` of them muted, run `scripts` (name -> JavaScript body
    with a `return`) into `results`, and write a PNG of the first `height` pixels to `screenshot` if it is given."""
    with browser(width, height, dark) as driver:
        started = time.monotonic()
        driver.get(Path(path).resolve().as_uri())
        loaded = time.monotonic() - started
        if screenshot is not None:
            driver.save_screenshot(str(screenshot))
        overflow = driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        results = {name: driver.execute_script(script) for name, script in (scripts or {}).items()}
        players = driver.execute_async_script(_LOAD_PLAYERS)
        failures = driver.execute_async_script(_PLAY, play)
        broken = driver.execute_script(
            "return [...document.images].filter(image => image.complete && image.naturalWidth === 0).length"
        )
        requests = driver.execute_script(_REQUESTS)
        errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        return PageProbe(
            title=driver.title,
            console_errors=errors,
            players=[player["duration"] for player in players],
            player_labels=[player["label"] for player in players],
            player_errors=[f"{player['label']}: {player['error']}" for player in players if player["error"]],
            play_failures=failures,
            requests=requests,
            images_broken=broken,
            overflow_px=overflow,
            load_seconds=loaded,
            results=results,
        )
