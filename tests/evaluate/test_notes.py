"""A published model's notes are the figures of its newest finished evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaak.errors import BadInput
from vaak.evaluate import evaluation_notes, open_results
from vaak.evaluate.store import Result


def test_notes_wait_for_a_finished_evaluation_and_show_its_figures(tmp_path: Path) -> None:
    db = tmp_path / "results.db"
    with pytest.raises(BadInput, match="is not there"):
        evaluation_notes(db, "run/10/x")
    results = open_results(db)
    for item, language, stopped in (("a", "en", 1.0), ("b", "hi", 0.0)):
        results.write([Result("run/10/x", "pack1", "stopped", "1", language, item, stopped)])
    results.write(
        [Result("run/10/x", "pack1", "similarity", "1", "hi", "b", 0.5, {"reference": "decoded codes (a proxy)"})]
    )
    assert evaluation_notes(db, "run/10/x") is None
    results.finish("run/10/x", "pack1", "quick", "asr@1", 2, 1.0)
    results.close()
    notes = evaluation_notes(db, "run/10/x")
    assert notes is not None
    lines = notes.splitlines()
    assert lines[0].startswith("| language | items | stopped |") and lines[1].startswith("| --- |")
    assert [line.split(" | ")[:3] for line in lines[2:5]] == [
        ["| en", "1", "1.000"], ["| hi", "1", "0.000"], ["| all", "2", "0.500"]]  # fmt: skip
    assert "in place of a recording, 1 of 1 in hi." in notes
    assert "quick evaluation of 2 items of pack `pack1` with asr@1" in notes
    assert evaluation_notes(db, "run/20/y") is None
