"""The audit finds every planted fault, at exactly the planted samples, and nothing in a clean corpus."""

from __future__ import annotations

import json

import pytest

from tests.audit.planted import PER_LANGUAGE, ToneCodec, build
from vaak.audit import audit_corpus, load_limits
from vaak.errors import BadInput
from vaak.languages import LANGUAGES


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    corpus, tokenizer, truth = build(tmp_path_factory.mktemp("faulty") / "corpus", faults=True)
    report = audit_corpus(corpus, ToneCodec(), seed=3, tokenizer=tokenizer, decode_per_language=2)
    return corpus, tokenizer, truth, report


@pytest.mark.parametrize(
    "check", sorted(load_limits().keys() - {"decodes", "audible"})
)  # those are in test_listening.py
def test_every_planted_fault_is_found_and_nothing_else(faulty, check):
    *_, truth, report = faulty
    (found,) = [one for one in report.checks if one.name == check]
    assert set(found.evidence) == truth[check]
    assert found.examined > 0 and (found.severity == "warning" or not found.passed)


def test_a_clean_corpus_passes_every_check(tmp_path):
    corpus, tokenizer, _ = build(tmp_path / "corpus", faults=False)
    report = audit_corpus(corpus, ToneCodec(), tokenizer=tokenizer, decode_per_language=1)
    assert report.passed and [check.name for check in report.checks if check.evidence] == []
    assert len(report.listening) == len(LANGUAGES)


def test_the_report_names_what_failed_and_is_plain_json(faulty):
    *_, report = faulty
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert not data["passed"] and data["examined"] == data["samples"]
    dots = next(check for check in data["checks"] if check["name"] == "transcript_has_words")
    assert dots["evidence"] == ["dots"] and dots["verdict"] == "fails" and "'… — !'" in dots["detail"]
    counts = data["histograms"]["duration"]["ta"]["counts"]
    assert sum(counts) == 2 * PER_LANGUAGE + 1  # paired, raw and the one of digits


def test_the_same_seed_draws_the_same_samples_from_every_stratum(faulty):
    corpus, *_ = faulty
    first, second, other = (audit_corpus(corpus, None, samples=300, seed=seed).to_dict() for seed in (1, 1, 2))
    assert first == second != other
    assert first["examined"] == 300 and all(one["examined"] >= 1 for one in first["strata"])


def test_without_codec_and_tokenizer_their_checks_say_that_they_examined_nothing(faulty):
    corpus, *_ = faulty
    verdicts = {check.name: check.verdict for check in audit_corpus(corpus, None).checks}
    for name in ("codec_is_the_same", "decodes", "audible", "text_ids_in_tokenizer", "text_documents_end"):
        assert verdicts[name] == "nothing to examine"
    assert verdicts["codes_in_range"] == "fails"


def test_progress_is_told(faulty):
    corpus, *_ = faulty
    told: list[tuple[float, float, str]] = []
    audit_corpus(corpus, ToneCodec(), samples=100, decode_per_language=2, progress=lambda *now: told.append(now))
    assert all(0 <= done <= total for done, total, _ in told)
    assert any(words.startswith("decoding") for *_, words in told)


def test_limits_of_a_user_override_entry_by_entry(faulty, tmp_path):
    corpus, *_ = faulty
    (tmp_path / "limits.yaml").write_text("transcript_has_words: {share: 0.5}\ncodes_in_range: {severity: warning}\n")
    checks = {one.name: one for one in audit_corpus(corpus, None, limits=tmp_path / "limits.yaml").checks}
    assert checks["transcript_has_words"].passed and checks["transcript_has_words"].evidence == ("dots",)
    assert checks["codes_in_range"].severity == "warning" and not checks["codes_in_range"].passed


@pytest.mark.parametrize(
    "text,words",
    [
        ("no_such_check: {share: 0}", "no_such_check"),
        ("audible: {loudness: 3}", "has no 'loudness'"),
        ("audible: {severity: fatal}", "use error or warning"),
        ("audible: {share: 2}", "0 to 1"),
        ("audible: {share: yes}", "give a number"),
        ("- audible", "must map"),
        ("audible: {", "cannot be read"),
    ],
)
def test_wrong_limits_are_refused_in_words(tmp_path, text, words):
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(BadInput, match=words):
        load_limits(tmp_path / "limits.yaml")


def test_the_page_names_each_fault_and_holds_the_sound(faulty, tmp_path):
    *_, truth, report = faulty
    html = report.write_html(tmp_path / "audit.html").read_text()
    for ids in truth.values():
        assert all(name in html for name in ids)
    assert html.count("<audio") == len(report.listening) == 2 * len(LANGUAGES)


@pytest.mark.slow
def test_the_page_opens_in_a_browser(faulty, tmp_path):
    from tests.page.browser import open_page

    *_, report = faulty
    probe = open_page(report.write_html(tmp_path / "audit.html"), play=2)
    assert probe.console_errors == [] and probe.player_errors == [] and probe.play_failures == []
    assert probe.players and min(probe.players) > 0.3
