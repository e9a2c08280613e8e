"""What a stage came to, from its metrics: the figures that its gate judges."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.train.toy_stage import make_corpus, make_recipe
from vaak.launch.outcome import FREE_SKIPS, Outcome, outcome_of
from vaak.train.loop import train


def of(tmp_path: Path, *rows: dict, torn: str = "") -> Outcome:
    text = "".join(json.dumps({"step": step, **row}) + "\n" for step, row in enumerate(rows, 1))
    (tmp_path / "metrics.jsonl").write_text(text + torn)
    return outcome_of(tmp_path)


def test_the_end_of_a_stage_stands_over_its_beginning(tmp_path: Path) -> None:
    losses = [4.0] * 10 + [3.0] * 80 + [2.0] * 10
    rows = [{"loss": loss} for loss in losses]
    rows[20]["val/loss"], rows[-1]["val/loss"] = 3.0, 3.3
    found = of(tmp_path, *rows, torn='{"step": 101, "lo')
    assert found.loss == 0.5 and found.held_out == pytest.approx(1.1) and found.skipped == 0


def test_a_loss_that_is_no_number_counts_as_skipped_and_in_no_mean(tmp_path: Path) -> None:
    rows = [{"loss": 2.0, "skipped": 0}] * 99 + [{"loss": "NaN", "skipped": 1}]
    assert of(tmp_path, *rows) == Outcome(loss=1.0, held_out=None, skipped=0.0, mass=None)
    validated = [{"loss": 2.0, "val/loss": 2.0}, {"loss": 2.0, "val/loss": "NaN"}]
    held_out = of(tmp_path, *validated).held_out
    assert held_out is not None and math.isnan(held_out)


@pytest.mark.parametrize(("skipped", "share"), [(0, 0.0), (FREE_SKIPS, 0.0), (FREE_SKIPS + 1, 0.01), (13, 0.1)])
def test_a_few_skipped_steps_are_free_and_the_rest_is_a_share(tmp_path: Path, skipped: int, share: float) -> None:
    assert of(tmp_path, *[{"loss": 2.0, "skipped": min(step, skipped)} for step in range(100)]).skipped == share


def test_nothing_measured_is_nothing_and_not_zero(tmp_path: Path) -> None:
    assert of(tmp_path) == outcome_of(tmp_path / "nowhere") == Outcome(None, None, None, None)


def test_of_a_real_run_the_mass_is_what_the_checkpoint_served(tmp_path: Path) -> None:
    """2,000 rows of a toy: what was served is what was planned, to a fraction of a point."""
    recipe = make_recipe(
        make_corpus(tmp_path), length={"steps": 4}, tokens_per_step=64_000, microbatch_rows=50, checkpoints={"every": 4}
    )
    train(recipe, tmp_path / "run", say=lambda _: None)
    found = outcome_of(tmp_path / "run")
    assert found.mass is not None and found.mass < 1.0
    assert found.loss is not None and found.loss < 1.0
