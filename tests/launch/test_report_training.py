"""The training figures of the page: each says what the run's metrics say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.train.toy_stage import make_recipe
from vaak.launch.project import Stage
from vaak.launch.report_training import StageRun, profiles, stage_table, step_seconds
from vaak.storage.files import write_bytes
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


def test_each_stage_has_its_profile_and_the_way_to_its_own_report(tmp_path: Path) -> None:
    runs = []
    for name, profile in (("one", True), ("two", False)):
        recipe = make_recipe(tmp_path, profile=profile)
        folder = tmp_path / "stages" / name
        runs.append(StageRun(Stage(name=name, recipe="toy.yaml"), folder, recipe, Curves(), None, None, 0))
    write_bytes(runs[0].folder / "report.html", b"")
    write_bytes(runs[0].folder / "profile" / "trace-early.json.gz", b"")
    html = "".join(map(str, profiles(runs, tmp_path)))
    assert re.findall('href="([^"]+)"', html) == ["stages/one/report.html", "stages/one/profile/trace-early.json.gz"]
    assert "no profile: this recipe has `profile: false`" in html and f"vaak report {runs[1].folder}" in html


def test_seconds_in_steps_are_their_sum_or_follow_from_the_speed() -> None:
    timed: dict[str, Curves] = {"every step": Curves(), "none": Curves(), "the last third": Curves()}
    for step in range(1, 3001):
        timed["every step"].add([{"step": step, "step_s": 0.5, "tokens_per_s": 2048.0}])
        timed["none"].add([{"step": step, "tokens_per_s": 2048.0}])
        late = {"step_s": 0.5} if step > 2000 else {}
        timed["the last third"].add([{"step": step, "tokens_per_s": 2048.0, **late}])
    assert {name: step_seconds(curves, 1024) for name, curves in timed.items()} == dict.fromkeys(timed, 1500.0)
