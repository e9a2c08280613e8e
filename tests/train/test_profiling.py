"""Profiles lie beside the run and can be opened by what they are made for."""

import gzip
import json

from tests.train.toy_stage import make_recipe
from vaak.train import profiling
from vaak.train.loop import train


def test_a_run_leaves_a_table_and_two_traces(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(profiling, "FIRST_STEPS", 20)
    monkeypatch.setattr(profiling, "EACH", 5)
    monkeypatch.setattr(profiling, "WINDOWS", {"early": (2, 3), "steady": (23, 24)})
    recipe = make_recipe(toy, pack=None, length={"steps": 25}, profile=True)
    train(recipe, tmp_path / "run", say=lambda _: None)
    folder = tmp_path / "run" / "profile"
    assert sorted(one.name for one in folder.iterdir()) == [
        "summary.json", "summary.txt", "trace-early.json.gz", "trace-steady.json.gz",
    ]  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["steps"], summary["profiled_steps"]) == (20, 4)
    assert 0 < summary["step_s_median"] <= summary["step_s_p95"] and 0 <= summary["data_wait"] < 1
    products = [one for one in summary["operations"] if one["name"] in ("aten::mm", "aten::addmm")]
    assert products and all(one["calls_per_step"] > 0 and one["host_ms_per_step"] > 0 for one in products)
    assert "aten::mm" in (folder / "summary.txt").read_text()
    for window in ("early", "steady"):
        with gzip.open(folder / f"trace-{window}.json.gz") as file:
            events = json.load(file)["traceEvents"]
        assert any(event.get("name") == "aten::mm" for event in events)


def test_a_run_shorter_than_its_windows_has_a_table_all_the_same(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(profiling, "WINDOWS", {"early": (2, 9), "steady": (601, 603)})
    train(make_recipe(toy, pack=None, length={"steps": 3}, profile=True), tmp_path / "run", say=lambda _: None)
    assert json.loads((tmp_path / "run" / "profile" / "summary.json").read_text())["steps"] == 3
    assert (tmp_path / "run" / "profile" / "trace-early.json.gz").is_file()
