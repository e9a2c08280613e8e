"""The figures of the page: figures of two ways to measure are never put together."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vaak.evaluate import open_results
from vaak.evaluate.recognition import ORIGINAL
from vaak.evaluate.reference import WRONG_TEXT, round_trip_id
from vaak.evaluate.store import Result
from vaak.launch.report_speech import Speech, kind_table, language_table


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


def counted(subject: str, metric: str, item: str, language: str, wrong: int) -> Result:
    detail = {"sub": wrong, "dele": 0, "ins": 0, "ref": 10}
    return Result(subject, "pack", metric, "1+asr@1", language, item, wrong / 10, detail)


def test_untrusted_figures_are_grey_and_proxies_are_named(tmp_path) -> None:
    results = open_results(tmp_path / "results.db")
    items = {language: [f"native-{language}-{number}" for number in range(4)] for language in ("en", "hi", "ta")}
    for language, wrong in (("en", 1), ("hi", 1), ("ta", 6)):
        metric = "wer" if language == "en" else "cer"
        for subject in (ORIGINAL, "sft/1"):
            results.write([counted(subject, metric, item, language, wrong) for item in items[language]])
    for detail, item in (
        ({"reference": "recording"}, "native-hi-0"),
        ({"reference": "decoded codes (a proxy)"}, "native-hi-1"),
    ):
        results.write([Result("sft/1", "pack", "similarity", "1", "hi", item, 0.5, detail)])
    speech = Speech(cast(Any, SimpleNamespace(id="pack")), cast(Any, SimpleNamespace(hash="c")), results, "sft/1")
    page = str(language_table(speech))
    assert "<td>0.10 words</td>" in page and "<td>0.10 units</td>" in page
    assert '<span class="undecided">0.60 units</span>' in page
    assert re.search(r">0\.500</td>\s*<td[^>]*>1</td>", page)  # the similarity, and how many are to a proxy
    assert "native" in str(kind_table(speech)) and "0.60 " not in str(kind_table(speech))
