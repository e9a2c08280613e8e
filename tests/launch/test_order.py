"""What an evaluation depends on: with any of it changed, an earlier one does not pass for it."""

from types import SimpleNamespace

import pytest

from vaak.errors import CheckFailed
from vaak.evaluate import open_results
from vaak.evaluate.generations import DECODING
from vaak.evaluate.store import Result
from vaak.launch import order
from vaak.launch.follower import Follower


def test_speech_that_is_drawn_or_measured_in_another_way_is_evaluated_again(monkeypatch):
    evidence = {"sft": {"checkpoint": "c"}, "pack": {"pack": "p"}}
    project = SimpleNamespace(evaluate=SimpleNamespace(final="sft", db=None), codec="embedded")
    launch = SimpleNamespace(project=project, evidence=evidence.__getitem__)
    before = order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    assert before == order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv("VAAK_ASR", "another")
    assert order._evaluation_inputs(launch) != before  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(order, "DECODING", "t0.1-k0-p1")
    drawn = order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    assert drawn != before
    monkeypatch.setitem(order.VERSIONS, "wer", 99)
    assert order._evaluation_inputs(launch) not in (before, drawn)  # pyright: ignore[reportArgumentType]


def test_a_quick_look_is_no_evaluation_on_the_whole_pack(tmp_path):
    project = SimpleNamespace(evaluate=SimpleNamespace(final="sft", where="beside"), codec="embedded")
    evidence = {"sft": {"checkpoint": "c"}}.__getitem__
    launch = SimpleNamespace(project=project, out=tmp_path, db=str(tmp_path / "results.db"), evidence=evidence)
    results = open_results(tmp_path / "results.db")
    results.finish("c", "p", "quick", "asr", 1, 1.0)
    results.close()
    follower = Follower(launch)  # pyright: ignore[reportArgumentType]
    with pytest.raises(CheckFailed, match="ended without scoring c on the whole pack"):
        follower._evidence(SimpleNamespace(id="p", prompts=[]))  # pyright: ignore[reportArgumentType]


def test_progress_counts_what_is_drawn_as_it_is_now(tmp_path):
    project = SimpleNamespace(evaluate=SimpleNamespace(final="sft", where="beside"))
    evidence = {"sft": {"checkpoint": "c"}}.__getitem__
    launch = SimpleNamespace(project=project, out=tmp_path, db=str(tmp_path / "results.db"), evidence=evidence)
    follower = Follower(launch)  # pyright: ignore[reportArgumentType]
    assert follower._scored("p") == 0
    results = open_results(tmp_path / "results.db")
    for sampling, items in (("t0.1-k0-p1", ("one", "two", "three")), (DECODING, ("one",))):
        results.write([Result("c", "p", "stopped", f"1+{sampling}", "en", item, 1.0) for item in items])
    results.close()
    assert follower._scored("p") == 1
