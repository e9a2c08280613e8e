"""W&B and trackio themselves, fed from a results database: what they hold is what the database says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.evaluated import results
from tests.speak.tiny_speaker import ToneCodec
from tests.track.trackio_process import in_child, needs_trackio, rows_of
from tests.track.wandb_files import history, offline_runs, own_axes, tables
from vaak.corpus.pack import open_pack
from vaak.evaluate import drain_outbox, open_results, summary
from vaak.evaluate.generations import generations_folder
from vaak.evaluate.tracker_sounds import heard_prompts
from vaak.evaluate.trackers import RunTrackers
from vaak.track import tracker_opener

__all__ = ["results"]  # a fixture


def _tell(choice: str, folder: str, pack_folder: str) -> None:
    opened = open_results(Path(folder) / "r.db")
    opener = tracker_opener(choice, job="evaluate", folder=folder, say=print)
    told = RunTrackers(opener, opened, open_pack(pack_folder), ToneCodec(), print)
    told.tell()
    told.close()
    opened.close()


def _figures(results, identity: str, level: str) -> dict[str, float]:
    """Some figures as the database's own summary has them, by the names that trackers know."""
    found = summary(results, identity)
    figures = {
        f"evaluate/{level}/{name}": found["all"][name] for name in ("stop_rate", "dnsmos", "loop_share", "items")
    }
    for code, one in found["languages"].items():
        figures[f"evaluate/{level}/stop_rate/language/{code}"] = one["stop_rate"]
    return figures


def test_wandb_holds_the_database_s_figures_backwards_steps_too_and_plays_the_sounds(
    results, pack, tmp_path, monkeypatch
):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'vaak[wandb]'")
    for name, value in (("MODE", "offline"), ("ERROR_REPORTING", "false"), ("CACHE_DIR", str(tmp_path))):
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    _tell("wandb", str(results.folder), str(pack.folder))
    assert drain_outbox(results.database, lambda entry: pytest.fail("told already")) == 0
    b, a = sorted(offline_runs(results.folder), key=lambda run: len(history(run)))
    assert own_axes(a)["evaluate/*"] == "evaluate/step"
    rows = [row for row in history(a) if "evaluate/checkpoint" in row]
    assert [row["evaluate/step"] for row in rows] == [10, 5]  # the newer one first, and none is dropped
    for row, level in zip(rows, ("full", "quick"), strict=True):
        figures = _figures(results, row["evaluate/checkpoint"], level)
        assert {name: row[name] for name in figures} == figures
    assert len(history(b)) == 2
    for (table, files), row in zip(tables(a), rows, strict=True):
        _sounds_are_those_kept(results, pack, row["evaluate/checkpoint"], table, files)


def _sounds_are_those_kept(results, pack, identity: str, table: dict, files: dict[str, Path]) -> None:
    assert [row[0] for row in table["data"]] == [prompt.item for prompt in heard_prompts(pack)]
    folder = generations_folder(results.folder, identity, pack.id)
    for row in table["data"]:
        cells = dict(zip(table["columns"], row, strict=True))
        kept = (folder / f"{cells['item']}.npy").stat().st_size > 128  # more than the head of an empty array
        assert (cells["sound"] is not None) == kept
        if kept:
            assert files[cells["sound"]["path"]].stat().st_size > 100


@needs_trackio
def test_trackio_holds_the_database_s_figures_backwards_steps_too_and_plays_the_sounds(results, tmp_path, pack):
    results.database.close()
    in_child(
        "tests.evaluate.test_tracker_packages",
        "_tell",
        tmp_path / "t",
        "trackio",
        str(results.folder),
        str(pack.folder),
    )
    again = open_results(results.folder / "r.db")
    rows = rows_of(tmp_path / "t", "vaak")
    figures = [(run, step, values) for run, step, values in rows if "evaluate/checkpoint" in values]
    assert [(run, step) for run, step, _ in figures] == [("a", 10), ("a", 5), ("b", 5)]
    for (_, _, values), level in zip(figures, ("full", "quick", "quick"), strict=True):
        expected = _figures(again, values["evaluate/checkpoint"], level)
        assert {name: values[name] for name in expected} == expected
    with_sounds = [values for _, _, values in rows if "evaluate/sounds" in values]
    assert len(with_sounds) == 3
    for values in with_sounds:
        players = {name: one for name, one in values.items() if name.startswith("evaluate/sounds/")}
        named = {row["sound"] for row in values["evaluate/sounds"]["_value"]} - {None}
        assert named == set(players)
        assert all((tmp_path / "t" / "media" / one["file_path"]).stat().st_size > 100 for one in players.values())
    assert drain_outbox(again.database, lambda entry: pytest.fail("told already")) == 0
    again.close()
