"""A gate that passes only because its limit was loosened is red on every page: the launch's and each stage's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page.browser import browser
from vaak.errors import CheckFailed
from vaak.evaluate.panel_run import gate_alarms
from vaak.launch.console import Console
from vaak.launch.gates import gate_steps
from vaak.launch.ledger import Ledger
from vaak.launch.project import load_project
from vaak.launch.report import write_report
from vaak.launch.status import launch_status
from vaak.launch.walk import Launch, Override, walk

PROJECT = """
name: small
corpora: [example:corpus]
tokenizer: example:tokenizer
codec: embedded
overrides:
  - "model={{config: {{model_type: qwen3, hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 2,
     num_key_value_heads: 1, head_dim: 32, intermediate_size: 64, tie_word_embeddings: true}}}}"
pack: {{ce: 20, per_language: 1, cross_lingual: 0, long_form: 0, probes: 0}}
overfit: {{recipe: sft-tiny, samples: 32, max_seconds: 0.1, {limits}}}
stages: [{{name: sft, recipe: sft-tiny}}]
evaluate: {{final: sft}}
"""


def overfitted(out: Path, limits: str, *overrides: Override) -> Launch:
    """A launch that has walked its overfit gate, in a tenth of a second: far from anything learned."""
    out.mkdir(exist_ok=True)
    (out / "project.yaml").write_text(PROJECT.format(limits=limits))
    ledger = Ledger(out / "ledger.jsonl")
    launch = Launch(load_project(out / "project.yaml"), out, ledger, Console(quiet=True), lambda: False, overrides)
    walk(launch, [one for one in gate_steps(launch) if one.name in ("pack", "overfit")])
    return launch


def page_of(launch: Launch) -> str:
    return write_report(launch.project, launch.out, launch.ledger).read_text(encoding="utf-8")


def test_with_the_shipped_limits_it_fails_and_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(
        CheckFailed, match=r"overfit: loss .*, wanted at most 0\.01; .*look for a fault in data, prompt or loss"
    ):
        overfitted(tmp_path, "loss: 0.01")


def test_with_loosened_limits_it_passes_and_the_page_shows_them_in_red(tmp_path: Path) -> None:
    launch = overfitted(tmp_path, "loss: 9, reproduced: 0")
    record = launch.ledger.newest("overfit")
    assert record is not None and record.status == "done"
    page = page_of(launch)
    for words in ("limit of loss loosened from 0.01 to 9; found", "limit of share regenerated loosened from 0.99 to 0"):
        assert words in page
    assert page.count("holds only because its limit was loosened") == 2
    assert len(gate_alarms(tmp_path)) == 2  # what the panel of a stage shows too
    with browser(1280, 900) as driver:
        driver.get(f"file://{tmp_path / 'index.html'}")
        found = driver.execute_script(
            "return [...document.querySelectorAll('.alarm.error, .verdict.bad')].map(e => [e.innerText, getComputedStyle(e).color,"
            " getComputedStyle(e).borderLeftColor])"
        )
    said = [words for words, _, _ in found]
    assert any("limit of loss loosened from 0.01 to 9" in words for words in said)
    assert any("at most 9, loosened from 0.01" in words for words in said)
    for words, color, border in found:  # and red it is: more red than green and blue together
        values = [[float(n) for n in one[one.index("(") + 1 : -1].split(",")[:3]] for one in (color, border)]
        assert any(red > green + blue for red, green, blue in values), (words, color, border)


def test_an_override_is_red_too_and_stays_when_the_gate_holds_later(tmp_path: Path) -> None:
    launch = overfitted(tmp_path, "loss: 0.01", Override("overfit", "a toy that need not learn"))
    page = page_of(launch)
    assert "Overridden:" in page and "because: a toy that need not learn" in page
    launch.ledger.add("overfit", "done", "x", {})
    assert "a toy that need not learn; later it held" in page_of(launch)


def test_stricter_limits_are_nobody_s_business(tmp_path: Path) -> None:
    launch = overfitted(tmp_path, "loss: 9, reproduced: 0")
    launch.ledger.add("overfit", "done", "x", {"limits": [], "loosened": []})
    assert gate_alarms(tmp_path) == []


@pytest.mark.parametrize("status", ["began", "interrupted", "changed"])
def test_a_loosened_limit_stays_red_until_the_gate_is_judged_again(tmp_path: Path, status: str) -> None:
    launch = overfitted(tmp_path, "loss: 9, reproduced: 0")
    launch.ledger.add("overfit", status, "y", {"inputs": {}} if status == "began" else {"failure": "a file differs"})
    words = "limit of loss loosened from 0.01 to 9"
    assert any(words in alarm for alarm in gate_alarms(tmp_path))
    assert any(words in line for line in launch_status(tmp_path).in_spite)
