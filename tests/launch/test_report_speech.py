"""The figures of the page: figures of two ways to measure are never put together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from vaak.evaluate import open_results
from vaak.evaluate.reference import ORIGINAL, WRONG_TEXT, round_trip_id
from vaak.evaluate.store import Result
from vaak.launch.report_speech import Speech


def wer(subject: str, version: str, item: str, wrong: int) -> Result:
    detail = {"hits": 10 - wrong, "sub": wrong, "dele": 0, "ins": 0, "ref": 10}
    return Result(subject, "pack", "wer", version, "en", item, wrong / 10, detail)


def test_a_checkpoint_scored_under_two_samplings_is_judged_by_the_later_one(tmp_path) -> None:
    items = ("one", "two")
    results = open_results(tmp_path / "results.db")
    for subject in (ORIGINAL, WRONG_TEXT, round_trip_id("codec")):
        results.write([wer(subject, "1+asr", item, 1) for item in items])
    results.write([wer("sft/1", "1+asr+t0.5", item, 9) for item in items])
    results.write([wer("sft/1", "1+asr+t0.8", item, 2) for item in items])
    prompts = [
        SimpleNamespace(
            item=one, language="en", kind="native", seen_voice=True, voice_description="Clara", speaker="heart"
        )
        for one in items
    ]
    pack, codec = SimpleNamespace(id="pack", prompts=prompts), SimpleNamespace(hash="codec")
    speech = Speech(cast(Any, pack), cast(Any, codec), results, "sft/1")
    assert speech.english["generated"].rate == pytest.approx(0.2)
    assert speech.english["generated"].items == speech.english["original"].items == 2
    assert speech.english_voices["Clara"]["generated"].rate == pytest.approx(0.2)
