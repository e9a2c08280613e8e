"""docs/report.md: its commands are complete, its screen is what the code draws, its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.launch.test_docs import parsed
from vaak.launch.run_figures import RECENT
from vaak.launch.screen_lines import screen_lines
from vaak.track import JsonlTracker
from vaak.track.curves import MOST_PARTS

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"^vaak .*$", PAGE, re.M))
def test_every_command_of_the_page_is_complete(command: str) -> None:
    parsed(command)


def test_the_screen_of_the_page_has_the_names_that_the_screen_has() -> None:
    from tests.launch.screen_process import STEPS, row_of
    from tests.launch.test_live_screen import figures_of

    [picture] = re.findall(r"```text\n(train pt-s1.*?)```", PAGE, re.S)
    figures = figures_of([row_of(step) | {"step": step, "skipped": 0, "nonfinite": 0, "spikes": 0} for step in range(1, STEPS)], 100)  # fmt: skip
    figures.log({"val/loss": 4.61, "val/audio": 4.8, "val/text": 3.2}, 20)
    figures.log({"checkpoint/step": 20, "checkpoint/next": 60}, 20)
    drawn = screen_lines(figures, "train pt-s1 in runs/one", 79, 22, "step 1,000 (quick): stopped by itself 98%").plain

    def words(text: str) -> list[str]:
        return re.findall(r"[a-zA-Z/]{2,}", re.sub(r"in about .*|\bh\b|e-\d+|min|, DNSMOS.*", "", text))

    assert words(picture.replace(" s elapsed", " elapsed")) == words(drawn.replace(" s elapsed", " elapsed"))


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with JsonlTracker("runs/one/metrics.jsonl") as tracker:
        tracker.log({"loss": 2.5, "loss/language/hi": 2.75, "tokens_per_s": 512.0}, 1)
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(block, {})
    assert capsys.readouterr().out == "[1.] [2.5] [2.5] [2.5] 0\n512.0 ['loss/language/hi']\n"
    assert f"{MOST_PARTS:,} parts" in PAGE and f"the last {RECENT} steps" in PAGE
