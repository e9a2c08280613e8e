"""Held-out judges: measured where asked, beside the usual metrics and never in their place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tests.evaluate.small_pack import AsrDouble
from tests.evaluate.test_measures import said
from vaak.errors import BadInput
from vaak.evaluate import item_results, measures, open_results, reference_scores, summary
from vaak.evaluate.checkpoint import evaluate_checkpoint, instruments
from vaak.evaluate.held_out import VERSIONS, HeldOut, open_held_out
from vaak.evaluate.measures import measure, metrics_of
from vaak.evaluate.recognition import ORIGINAL, trusted_languages
from vaak.score.asr import is_installed, open_asr


def second_of(pack, deaf=False) -> AsrDouble:
    asr = AsrDouble(pack, deaf=deaf)
    asr.name, asr.hash = "second-double", "e" * 64
    return asr


@pytest.fixture
def held_out(pack):
    return HeldOut(second_of(pack))


def test_without_it_nothing_changes_and_with_it_its_metrics_are_added(pack, codec, asr, held_out):
    english, hindi = (
        next(p for p in pack.prompts if p.language == code and p.kind == "native") for code in ("en", "hi")
    )
    for prompt, words in ((english, set()), (hindi, {"held_out_wer", "held_out_cer"})):
        usual = metrics_of(prompt, asr, generated=True, has_voice=True)
        more = metrics_of(prompt, asr, generated=True, has_voice=True, held_out=held_out) - usual
        assert not usual & VERSIONS.keys() and more == VERSIONS.keys() - words
    of_recording = metrics_of(english, asr, generated=False, has_voice=False, held_out=held_out)
    assert "copied" not in of_recording and "held_out_wer" in of_recording
    before, after = measures.versions(asr), measures.versions(asr, held_out=held_out)
    assert after.items() > before.items() and after.keys() - before.keys() == VERSIONS.keys()
    assert after["held_out_wer"].startswith("1+second-double@eeeeeeeeeeee+t")
    assert len({instruments(asr), instruments(asr, held_out), instruments(asr, HeldOut(None))}) == 3


def test_every_figure_is_finite_and_silence_has_the_worst(pack, codec, asr, held_out):
    prompt = next(p for p in pack.prompts if p.language == "en" and p.kind == "native")
    names = metrics_of(prompt, asr, generated=True, has_voice=False, held_out=held_out)
    for codes in ([], [5], prompt.reference_codes):
        found = measure(said(prompt, codec, codes), asr, names, held_out)
        assert names == found.keys() and all(np.isfinite(one.value) for one in found.values())
        if not len(codes):
            worst = {name: found[name].value for name in VERSIONS}
            assert worst == {
                "held_out_wer": 1.0, "held_out_cer": 1.0, "plcmos": 1.0, "f0_spread": 0.0, "speaking_rate": 0.0,
                "level_db": -120.0, "copied": 0.0,
            }  # fmt: skip
    assert (
        found["copied"].value == 1.0 and found["held_out_wer"].value == 0.0
    )  # the recording's own codes, heard aright


def test_what_each_recogniser_heard_is_kept_apart(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    monkeypatch.setattr("vaak.evaluate.checkpoint.open_held_out", lambda first, threads: second_of(pack, deaf=True))
    db = open_results(tmp_path / "r.db")
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=asr, held_out=True)
    rows = [row for row in db.read(identity) if row.language == "en"]
    assert {row.value for row in rows if row.metric == "held_out_wer"} == {1.0}
    assert {row.detail["held_out_heard"] for row in rows if row.metric == "held_out_wer"} == {""}
    assert any(item.get("heard") for item in item_results(db, identity).values())
    calls = asr.calls
    assert evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=asr) == identity and asr.calls == calls


def test_trust_is_measured_on_the_recordings_for_each_recogniser_by_itself(pack, codec, asr, tmp_path):
    """The first hears every recording aright; the second hears none of them."""
    db, deaf = open_results(tmp_path / "r.db"), second_of(pack, deaf=True)
    reference_scores(pack, codec, asr, db, held_out=HeldOut(deaf))
    assert trusted_languages(db, pack.id, f"{asr.name}@{asr.hash[:12]}") == {"en"}
    assert trusted_languages(db, pack.id, f"{deaf.name}@{deaf.hash[:12]}") == frozenset()
    english = summary(db, ORIGINAL, pack.id)["languages"]["en"]
    assert english["wer"]["rate"] == 0 and english["held_out_wer"] is None
    assert english["untrusted"]["held_out_wer"]["rate"] == 1.0
    better = second_of(pack)
    better.hash = "f" * 64
    reference_scores(pack, codec, asr, db, held_out=HeldOut(better))
    assert trusted_languages(db, pack.id, f"{better.name}@{better.hash[:12]}") == {"en"}


def test_the_second_recogniser_is_never_the_first(monkeypatch):
    monkeypatch.delenv("VAAK_HELD_OUT_ASR", raising=False)
    if not (is_installed("whisper-tiny.en") and is_installed("pocketsphinx")):
        pytest.skip("Whisper tiny.en and pocketsphinx are not both installed")
    tiny = open_held_out(cast(Any, SimpleNamespace(hash="another", name="another")))
    assert tiny is not None and tiny.name.startswith("whisper-tiny.en")
    other = open_held_out(tiny)
    assert other is not None and other.name == "pocketsphinx-en-us"
    monkeypatch.setenv("VAAK_HELD_OUT_ASR", "pocketsphinx")
    named = open_held_out(tiny)
    assert named is not None and named.hash == other.hash
    with pytest.raises(BadInput, match="pocketsphinx-en-us, which is the first recogniser too"):
        open_held_out(open_asr("pocketsphinx"))
