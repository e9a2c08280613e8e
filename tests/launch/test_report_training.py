"""The training figures of the page: each says what the run's metrics say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.train.toy_stage import make_recipe
from vaak.launch.project import Stage
from vaak.launch.report_training import StageRun, stage_table
from vaak.track.curves import Curves


def test_the_table_shows_how_many_steps_were_skipped_in_all(tmp_path: Path) -> None:
    # Every row says how many steps were skipped so far: here the second of four.
    rows = [
        {"step": step, "loss": 3.0, "tokens": 1024.0 * step, "tokens_per_s": 512.0, "skipped": int(step >= 2)}
        for step in (1, 2, 3, 4)
    ]
    stage = Stage(name="one", recipe="toy.yaml")
    curves = Curves()
    curves.add(rows)
    table = stage_table([StageRun(stage, tmp_path, make_recipe(tmp_path), curves, None, None, 0)])
    cells = re.findall(r"<td[^>]*>(.*?)</td>", str(table))
    assert cells[-1] == "1"
