"""In which languages a recogniser is trusted, and what is shown of one that is not."""

from __future__ import annotations

import pytest

from tests.evaluate.small_pack import AsrDouble
from vaak.evaluate import evaluate_checkpoint, open_results, reference_scores, summary
from vaak.evaluate.recognition import (
    COUNTED,
    HELD_OUT_COUNTED,
    ORIGINAL,
    TRUST_LIMITS,
    first_figure,
    trusted_languages,
    trusted_with,
)
from vaak.evaluate.store import Result


def heard(db, language, wrong, of=100, metric=None, items="abcd", version="1+asr@1"):
    metric = metric or first_figure(language)
    detail = {"sub": wrong, "dele": 0, "ins": 0, "ref": of}
    db.write(Result(ORIGINAL, "p", metric, version, language, language + one, wrong / of, detail) for one in items)


@pytest.fixture
def db(tmp_path):
    results = open_results(tmp_path / "r.db")
    yield results
    results.close()


@pytest.mark.parametrize(("language", "metric"), [("en", "wer"), ("hi", "cer"), ("ta", "cer")])
def test_trust_is_by_the_first_figure_of_the_language_up_to_its_limit(db, language, metric):
    assert first_figure(language) == metric
    heard(db, language, round(100 * TRUST_LIMITS[metric]))
    heard(db, "gu", round(100 * TRUST_LIMITS["cer"]) + 1)
    heard(db, "bn", 0, metric="wer")  # words alone say nothing of an Indic language
    heard(db, "kn", 0, items="abc")  # too few recordings
    assert trusted_languages(db, "p", "asr@1") == {language}
    assert trusted_languages(db, "p", "another@1") == frozenset()


def test_figures_of_another_version_of_the_metric_decide_nothing(db):
    heard(db, "hi", 90)
    assert trusted_languages(db, "p", "asr@1") == frozenset()
    heard(db, "hi", 3, version="2+asr@1")
    assert trusted_languages(db, "p", "asr@1") == {"hi"}


def test_untrusted_figures_are_told_apart_and_no_rate_of_all_has_them(pack, checkpoint, codec, tmp_path):
    asr, db = AsrDouble(pack, languages=["en", "hi"]), open_results(tmp_path / "r.db")
    reference_scores(pack, codec, asr, db)  # six English recordings, and two Hindi ones: too few to trust it there
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=asr)
    found = summary(db, identity)
    assert found["all"]["wer"]["languages"] == found["all"]["cer"]["languages"] == ["en"]
    assert found["languages"]["hi"]["wer"] is None and "0.2 cer" in found["languages"]["hi"]["wer_note"]
    shown = found["languages"]["hi"]["untrusted"]
    assert shown.keys() == COUNTED.keys() and not shown["cer"]["trusted"] and shown["cer"]["languages"] == ["hi"]
    assert "untrusted" not in found["languages"]["en"]


def test_figures_are_summed_by_kind_of_prompt_too(pack, checkpoint, codec, asr, tmp_path):
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    kinds = summary(tmp_path / "r.db", identity)["kinds"]
    assert {kind: one["items"] for kind, one in kinds.items()} == {"native": 6, "cross_lingual": 2, "extended": 4}
    assert kinds["cross_lingual"]["proxies"] == 2 and kinds["native"]["proxies"] == 0
    assert all(0 <= one["failure_rate"] <= 1 for one in kinds.values())


def test_a_recording_that_one_recogniser_heard_under_both_names_counts_once(db):
    heard(db, "en", 3, items="abc")
    heard(db, "en", 3, metric="held_out_wer", items="abc")
    assert trusted_languages(db, "p", "asr@1") == frozenset()  # three recordings, and no six
    heard(db, "en", 3, metric="held_out_wer", items="d")
    assert trusted_languages(db, "p", "asr@1") == {"en"}
    assert trusted_with(db, db.read(ORIGINAL, "p"), HELD_OUT_COUNTED) == {"en"}
