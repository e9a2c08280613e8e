"""What an evaluation depends on: with any of it changed, an earlier one does not pass for it."""

from types import SimpleNamespace

from vaak.launch import order


def test_speech_that_is_drawn_or_measured_in_another_way_is_evaluated_again(monkeypatch):
    evidence = {"sft": {"checkpoint": "c"}, "pack": {"pack": "p"}}
    project = SimpleNamespace(evaluate=SimpleNamespace(final="sft"), codec="embedded")
    launch = SimpleNamespace(project=project, evidence=evidence.__getitem__)
    before = order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    assert before == order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(order, "DECODING", "t0.1-k0-p1")
    drawn = order._evaluation_inputs(launch)  # pyright: ignore[reportArgumentType]
    assert drawn != before
    monkeypatch.setitem(order.VERSIONS, "wer", 99)
    assert order._evaluation_inputs(launch) not in (before, drawn)  # pyright: ignore[reportArgumentType]
