"""The screen of a run as a person has it before their eyes: on a real pseudo-terminal, in several sizes, and without one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.evaluate.small_pack import make_pack
from tests.evaluate.synthetic_run import synthetic_run
from tests.launch.on_a_terminal import Terminal, started
from tests.launch.screen_process import STEPS, row_of
from tests.speak.tiny_speaker import ToneCodec
from tests.train.toy_stage import make_corpus, make_recipe
from vaak.checkpoint import list_checkpoints
from vaak.evaluate import open_results
from vaak.evaluate.store import Result
from vaak.launch.console import Console
from vaak.launch.evaluated import NewestEvaluation
from vaak.launch.live_screen import LiveScreen
from vaak.launch.run_figures import RunFigures, direction, duration, sparkline
from vaak.launch.screen_lines import plain_line, screen_lines
from vaak.recipe import save_recipe
from vaak.track import JsonlTracker, read_jsonl

LAST = row_of(STEPS)
FIGURES = {
    "loss": f"{LAST['loss']:.4f}", "audio": f"{LAST['loss/audio']:.4f}", "text": f"{LAST['loss/text']:.4f}",
    "tokens/s": "12,040", "audio seen": "0.040 h", "data wait": "1.2%", "fill": "97.9%", "lr": "7.50e-06",
    "gradient": "1.54", "skipped": "3", "GPU memory": "61.2 GB",
}  # fmt: skip


def begun(
    tmp_path: Path, how: str, columns: int = 80, lines: int = 24, nohup: bool = False, **environment: str
) -> Terminal:
    (tmp_path / "recipe.yaml").write_text("name: pt-s1-tiny\n")
    arguments = ["-m", "tests.launch.screen_process", str(tmp_path), how]
    return started(arguments, columns, lines, nohup, **environment)


def seen(text: str) -> dict[str, str]:
    """Each figure by its name, as the eye finds it: a name and what stands right of it."""
    found = {}
    for name in FIGURES:
        match = re.search(rf"(?:^|\s){re.escape(name)}\s\s+(\S+(?: h| GB)?)", text, re.M)
        found[name] = match[1] if match else ""
    return found


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50), (60, 30)])
def test_every_figure_on_the_screen_is_that_of_the_last_row(tmp_path, columns, lines):
    terminal = begun(tmp_path, "waits", columns, lines)
    drawn: list[str] = []  # looked at once: the terminal is in the middle of the next picture meanwhile

    def whole() -> bool:
        drawn.append(terminal.shown)
        return all(part in drawn[-1] for part in (FIGURES["loss"], "pt-s1-tiny", "validation"))

    terminal.until(whole)
    shown = drawn[-1]
    assert seen(shown) == FIGURES
    assert "step 40 of 100" in shown and "40.0%" in shown and "2 min 0 s left" in shown  # 60 steps of 2 s
    assert re.search(r"1 min 2\d s elapsed", shown)
    assert "checkpoint   step 20; the next at step 50, in about 20 s" in shown
    assert "validation   step 20: loss 5.4321, audio 6.1000" in shown
    assert "trackio missed 7 rows" in shown and "1 not finite" in shown
    assert "step 20 was skipped: its gradient is not finite" in shown  # said above the screen
    terminal.press(b"\x03")
    assert terminal.until_end() == 0


def test_ctrl_c_ends_it_cleanly_with_the_cursor_and_its_last_figures(tmp_path):
    terminal = begun(tmp_path, "waits")
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    assert b"\x1b[?25l" in terminal.raw
    terminal.press(b"\x03")
    assert terminal.until_end() == 0
    assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")
    shown = terminal.shown
    assert "ended 1" in shown  # no thread is left
    assert "step 40 of 100" not in shown and f"train 40/100, loss {FIGURES['loss']}" in " ".join(shown.split())
    assert "its gradient is not finite" in terminal.scrolled + shown


def test_a_low_terminal_keeps_what_matters_most(tmp_path):
    terminal = begun(tmp_path, "waits", 80, 9)
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    assert FIGURES["loss"] in terminal.shown and "trackio missed 7 rows" in terminal.shown
    assert "validation" not in terminal.shown
    terminal.press(b"\x03")
    assert terminal.until_end() == 0


def test_a_terminal_that_changes_its_size_is_filled_anew(tmp_path):
    terminal = begun(tmp_path, "waits", 120, 30)
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    terminal.resize(70, 20)
    before = len(terminal.raw)
    terminal.until(lambda: len(terminal.raw) > before + 3000)
    last = terminal.raw.decode()[-1500:]
    assert "step 40 of 100" in terminal.shown and "step 40 of 100" in last
    terminal.press(b"\x03")
    assert terminal.until_end() == 0


def test_a_screen_that_cannot_be_drawn_harms_nothing(tmp_path):
    terminal = begun(tmp_path, "broken")
    assert terminal.until_end() == 0
    assert "ended 1" in terminal.shown and "Traceback" not in terminal.raw.decode()


def test_a_terminal_that_is_closed_asks_the_run_to_stop_and_harms_nothing(tmp_path):
    terminal = begun(tmp_path, "waits")
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    os.close(terminal.master)
    assert terminal.process.wait(60) >= 0  # by itself, not by the signal
    assert (tmp_path / "ended").exists()


def test_a_terminal_that_is_closed_is_no_matter_under_nohup(tmp_path):
    terminal = begun(tmp_path, "short", nohup=True)
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    os.close(terminal.master)
    terminal.process.wait(60)
    assert (tmp_path / "ended").read_text() == "not asked to stop"


def test_colours_are_left_out_where_nobody_wants_them(tmp_path):
    terminal = begun(tmp_path, "waits", NO_COLOR="1")
    terminal.until(lambda: "step 40 of 100" in terminal.shown)
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", terminal.raw)
    terminal.press(b"\x03")
    assert terminal.until_end() == 0


@pytest.mark.parametrize("how", ["a pipe", "a dumb terminal"])
def test_without_a_terminal_there_are_plain_lines(tmp_path, how):
    if how == "a pipe":
        command = [sys.executable, "-m", "tests.launch.screen_process", str(tmp_path), "at once"]
        text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    else:
        terminal = begun(tmp_path, "at once", 400, 24, TERM="dumb")
        assert terminal.until_end() == 0
        text = terminal.raw.decode()
    assert "\x1b" not in text
    [line] = [line.strip() for line in text.splitlines() if "40/100" in line]
    assert line.startswith(f"train 40/100, loss {FIGURES['loss']}, audio {FIGURES['audio']}, text {FIGURES['text']}, ")
    assert "12,040 tokens/s, 2 min 0 s left, gradient 1.54, skipped 3; not told: trackio missed 7 rows" in line
    assert text.index("step 20 was skipped") < text.index("40/100")


def test_a_plain_line_comes_every_quarter_of_a_minute(tmp_path, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("vaak.launch.live_screen.time.monotonic", lambda: now[0])
    with LiveScreen(Console(), "train", tmp_path) as screen:
        for step in range(1, 41):
            now[0] = float(step)
            screen.figures.log(row_of(step), step)
            screen.on_step(step, 100)
    steps = [int(line.split("/")[0].split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert steps == [15, 30, 40]


def figures_of(rows, steps: int = 0) -> RunFigures:
    figures = RunFigures()
    figures.steps = steps
    for row in rows:
        figures.log(row, row["step"])
    return figures


def test_how_long_is_left_does_not_believe_the_first_steps():
    slow = [{"step": step, "time": 30.0 * step} for step in (1, 2, 3, 4, 5)]  # caches, compiling
    quick = [{"step": 5 + step, "time": 150.0 + 0.5 * step} for step in range(1, 6)]
    figures = figures_of(slow + quick, 1010)
    assert figures.step_s == pytest.approx(0.5) and figures.seconds_until(1010) == pytest.approx(500)
    # In the long run what comes between steps counts: here a validation of 60 s every 100 steps.
    rows = [{"step": step, "time": step + 60.0 * (step // 100)} for step in range(1, 1001)]
    assert figures_of(rows, 2000).step_s == pytest.approx(1.6, rel=0.05)
    assert figures_of(rows[:1]).step_s is None and figures_of(rows[:1], 9).seconds_until(9) is None


def test_a_run_that_goes_on_from_an_earlier_step_forgets_what_came_after_it():
    rows = [{"step": step, "time": 2.0 * step, "loss": 3.0} for step in range(1, 501)]
    rows.insert(400, {"step": 400, "val/loss": 5.0})
    again = [{"step": step, "time": 1.0 * step, "loss": 2.0} for step in range(301, 304)]
    figures = figures_of([*rows, *again], 1000)
    assert figures.step == 303 and figures.course("loss") == [2.0] * 3 and figures.validation is None
    assert figures.step_s == pytest.approx(1.0) and figures.seconds_until(1000) == pytest.approx(697)
    more = [{"step": step, "time": 0.5 * step, "loss": 2.0} for step in range(304, 312)]
    assert figures_of([*rows, *again, *more]).course("loss") == [2.0] * 11
    # A validation before the step that it goes on from stands.
    assert figures_of([*rows, {"step": 450, "time": 1.0}]).validation == (400, rows[400])


def test_an_alignment_shows_its_rewards_in_place_of_losses():
    row = {"step": 7, "time": 70.0, "step_s": 9.9, "loss": 0.01, "reward": 0.4321, "reward/content": 0.5, "kl": 0.002,
           "reward/language/hi": 0.3, "gated": 0.125, "dropped": 0.25, "skipped": 0, "lr": 1e-6, "grad_norm": 0.5}  # fmt: skip
    text = screen_lines(figures_of([row], 100), "align", 100, 20).plain
    for name, value in (("reward", "0.4321"), ("content", "0.5000"), ("kl", "0.0020"), ("gated", "0.1250"), ("dropped", "0.2500")):  # fmt: skip
        assert re.search(rf"{name}\s+{value}", text), name
    assert "hi" not in text and "audio" not in text
    assert "reward 0.4321, content 0.5000" in plain_line(figures_of([row], 100), "align")
    pairs = {"step": 1, "time": 1.0, "loss": 0.6931, "preferred": 0.5, "margin": 0.1}
    assert re.search(r"preferred\s+0.5000", screen_lines(figures_of([pairs]), "align", 80, 24).plain)


def test_a_loss_that_is_not_finite_is_said_and_lines_never_grow_too_wide():
    rows = [{"step": step, "time": float(step), "loss": float("nan"), "grad_norm": float("inf")} for step in (1, 2, 3)]
    for width in (20, 40, 79, 199):
        for height in (1, 3, 22):
            text = screen_lines(figures_of(rows, 10**7), "train " + "x" * 300, width, height, "e" * 300, "n" * 300)
            lines = text.plain.split("\n")
            assert len(lines) <= height and all(len(line) <= max(20, width) for line in lines)
    assert "not finite" in screen_lines(figures_of(rows), "train", 80, 24).plain


def test_a_run_of_another_process_is_followed_by_its_file(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    screen = LiveScreen(Console(quiet=True), "pt-s1", tmp_path)
    screen.follow()
    screen.on_step(0, 1, "job 12 is pending")
    assert screen.figures.step == 0 and "job 12 is pending" in plain_line(screen.figures, "x", screen._note)
    lines = [json.dumps({"step": step, "time": float(step), "loss": 3.0}) + "\n" for step in range(1, 6)]
    metrics.write_text("".join(lines[:3]) + lines[3][:9])
    screen.on_step(3, 9, "loss 3.0000")
    assert screen.figures.step == 3 and not screen._note
    with metrics.open("a") as file:
        file.write(lines[3][9:] + lines[4])
    screen.on_step(5, 9, "loss 3.0000")
    assert screen.figures.step == 5 and len(screen.figures.course("loss")) == 5
    # The run goes on from step 2: its file is written anew.
    (tmp_path / "new").write_text("".join(lines[:2]) + json.dumps({"step": 3, "time": 3.0, "loss": 1.0}) + "\n")
    (tmp_path / "new").rename(metrics)
    screen.on_step(3, 9, "loss 1.0000")
    assert screen.figures.number("loss") == 1.0


def test_figures_of_a_followed_run_that_are_not_finite_are_numbers_as_they_were(tmp_path):
    rows = [
        {"time": 1.0, "loss": 3.0, "grad_norm": 1.0},
        {"time": 2.0, "loss": float("nan"), "grad_norm": float("inf")},
    ]
    with JsonlTracker(tmp_path / "metrics.jsonl") as tracker:
        for step, row in enumerate(rows, 1):
            tracker.log({**row, "val/loss": float("nan")}, step)
    screen = LiveScreen(Console(quiet=True), "pt-s1", tmp_path)
    screen.follow()
    screen.on_step(2, 9, "loss nan")
    text = screen._drawn().plain
    assert re.search(r"loss\s+not finite", text) and re.search(r"gradient\s+inf", text)
    assert "validation   step 2: loss nan" in text and "cannot be drawn" not in text


def test_the_line_that_stays_of_a_followed_run_is_of_its_last_step(tmp_path, capsys):
    with JsonlTracker(tmp_path / "metrics.jsonl") as tracker, LiveScreen(Console(), "pt-s1", tmp_path) as screen:
        screen.follow()
        for step in (1, 2):
            tracker.log({"time": float(step), "loss": 3.0 - step}, step)
            screen.on_step(step, 3)
        tracker.log({"time": 3.0, "loss": 0.5}, 3)  # it ends before anybody looks again
    assert capsys.readouterr().out.strip().startswith("pt-s1 3/3, loss 0.5000")


def test_what_is_kept_of_a_run_does_not_grow():
    figures = figures_of(row_of(step) | {"step": step} for step in range(1, 2001))
    assert len(figures.course("loss")) == len(figures.course("lr")) == 300


def test_courses_and_times_in_words():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█" and sparkline([3.0], 8) == ""
    assert sparkline([1, 1, 1, 1], 4) == "▄▄▄▄" and sparkline([1, float("nan"), 2, 3], 4) == "▁ ▅█"
    assert len(sparkline(list(range(300)), 20)) == 20
    assert (
        direction(list(range(20))) == "↗" and direction(list(range(20, 0, -1))) == "↘" and direction([1, 2] * 10) == "→"
    )
    assert direction([1, 2]) == ""
    assert duration(59.4) == "59 s" and duration(3700) == "1 h 1 min"


def test_nothing_is_printed_by_a_process_that_is_not_the_first(tmp_path, capsys):
    screen = LiveScreen(Console(quiet=True), "train", tmp_path)
    with screen:
        screen.figures.log(row_of(1), 1)
        screen.on_step(1, 2)
        screen.say("hm")
    assert capsys.readouterr().out == ""


def test_the_newest_evaluation_of_the_run_is_a_sentence(tmp_path):
    newest = NewestEvaluation(str(tmp_path / "results.db"), "run")
    assert newest(9000) == "" and not (tmp_path / "results.db").exists()
    synthetic_run(tmp_path, make_pack(tmp_path), ToneCodec(), 3)
    said = newest(9000)
    assert re.fullmatch(r"step 3,000 \(full\): stopped by itself \d+%, DNSMOS \d\.\d\d, similarity \d\.\d\d", said), (
        said
    )
    assert newest(9000) == said and NewestEvaluation(str(tmp_path / "results.db"), "another")(9000) == ""


def test_the_newest_evaluation_is_of_the_last_step_whatever_was_finished_last(tmp_path):
    results = open_results(tmp_path / "results.db")
    newest = NewestEvaluation(str(tmp_path / "results.db"), "run")

    def scored(step: int, level: str, version: str, stopped: float) -> None:
        identity = f"run/{step}/{step:064x}"
        results.write([Result(identity, "p", "stopped", version, "hi", f"{step}-{n}", stopped) for n in range(4)])
        results.finish(identity, "p", level, version, 4, 1.0)

    scored(2000, "quick", "1", 0.5)
    scored(1000, "full", "1", 0.25)  # an older one, which was asked for later
    assert newest(3000) == "step 2,000 (quick): stopped by itself 50%"
    scored(2000, "full", "2", 1.0)  # scored again, by another version
    assert newest(3000) == "step 2,000 (full): stopped by itself 100%"
    assert newest(1500) == "step 1,000 (full): stopped by itself 25%"  # the run goes on from an earlier step
    results.close()


def test_a_results_server_that_does_not_answer_holds_neither_the_screen_nor_its_end(tmp_path):
    asked, begun, answers = [], threading.Event(), threading.Event()

    def evaluated(step: int) -> str:
        asked.append(step)
        begun.set()
        answers.wait(60)
        return "step 5 (quick)"

    with LiveScreen(Console(quiet=True), "pt-s1", tmp_path, evaluated) as screen:
        screen._ask()
        assert not asked  # before the first step there is nothing
        screen.figures.log(row_of(5), 5)
        for _ in range(3):
            screen._asked = -1000.0
            screen._ask()
            assert begun.wait(30)
        assert asked == [5] and not screen._evaluation
    answers.set()
    assert screen._asking is not None
    screen._asking.join(30)
    assert screen._evaluation == "step 5 (quick)"


@pytest.mark.slow
def test_a_real_training_whose_terminal_is_closed_saves_where_it_is(tmp_path):
    recipe = make_recipe(make_corpus(tmp_path), length={"steps": 5000})
    save_recipe(recipe, tmp_path / "recipe.yaml")
    arguments = ["-m", "vaak.cli.main", "train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]
    terminal = started([*arguments, "--track", f"jsonl:{tmp_path / 'told.jsonl'}"], OMP_NUM_THREADS="1")
    terminal.until(lambda: re.search(r"step [1-9]\d* of 5,000", terminal.shown) is not None, 180)
    os.close(terminal.master)
    assert terminal.process.wait(120) >= 0
    rows, told = (read_jsonl(tmp_path / name) for name in ("run/metrics.jsonl", "told.jsonl"))
    steps = [row["step"] for row in rows if "loss" in row]
    newest = list_checkpoints(tmp_path / "run")[-1]
    assert newest.complete and newest.full and newest.step == steps[-1] < 5000
    assert [row["step"] for row in told if "loss" in row] == steps


@pytest.mark.slow
def test_a_real_training_leaves_the_figures_of_its_last_row(tmp_path):
    recipe = make_recipe(make_corpus(tmp_path), validation={"every": 6, "samples": 4})
    save_recipe(recipe, tmp_path / "recipe.yaml")
    arguments = ["-m", "vaak.cli.main", "train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]
    terminal = started(arguments, 200, 40, OMP_NUM_THREADS="1")
    assert terminal.until_end(180) == 0, terminal.shown
    rows = read_jsonl(tmp_path / "run" / "metrics.jsonl")
    last, measured = ([row for row in rows if name in row][-1] for name in ("loss", "val/loss"))
    everything = terminal.scrolled + "\n" + terminal.shown
    assert f"train 12/12, loss {last['loss']:.4f}, audio {last['loss/audio']:.4f}" in everything
    assert f"validation: step 12: loss {measured['val/loss']:.4f}" in " ".join(everything.split())
    assert "done; the last checkpoint is" in everything
