"""One checkpoint on one pack: what is written, once, and what a failure counts as."""

import sqlite3

import numpy as np
import pytest

from vaak.errors import BadInput
from vaak.evaluate import evaluate_checkpoint, item_results, open_results, reference_scores, reference_summary, summary
from vaak.evaluate import generations as generations_module
from vaak.evaluate.checkpoint import Stopped
from vaak.evaluate.generations import generations_folder, load_generation
from vaak.evaluate.items import is_cloned, items_of, most_codes
from vaak.evaluate.reference import reference_scores as measure_references
from vaak.evaluate.store import Result
from vaak.evaluate.summaries import NO_ASR


def test_every_item_of_the_pack_is_measured_and_summed_per_language(pack, checkpoint, codec, asr, tmp_path):
    db = open_results(tmp_path / "results.db")
    measure_references(pack, codec, asr, db)
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=asr)
    found = summary(db, identity, pack.id)
    assert identity == checkpoint.id
    assert found["items"] == len(pack.prompts) == len(item_results(db, identity))
    english = [p for p in pack.prompts if p.language == "en"]
    figures = found["languages"]["en"]
    assert figures["wer"]["items"] == len(english) and figures["wer"]["asr"] == "test-double"
    assert figures["wer"]["low"] <= figures["wer"]["rate"] <= figures["wer"]["high"]
    assert 0 <= figures["stop_rate"] <= 1 and figures["crashed"] == 0
    for code in ("hi", "ta"):
        assert found["languages"][code]["wer"] is None and NO_ASR in found["languages"][code]["wer_note"]
        assert "duration_ratio_median" in found["languages"][code]
    # Without references the same rows give no error rate: nothing has shown that this recogniser can be trusted.
    assert found["all"]["wer"]["languages"] == ["en"]


def test_generations_are_kept_and_a_second_call_does_nothing(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    folder = generations_folder(tmp_path, identity, pack.id)
    for prompt in pack.prompts:
        spoken = load_generation(folder, prompt)
        assert spoken is not None and spoken.text == prompt.text and spoken.codes.dtype == np.uint16
        assert len(spoken.codes) <= most_codes(prompt)
    calls, rows = asr.calls, rows_of(tmp_path / "r.db")
    monkeypatch.setattr(generations_module, "_generate", lambda *_: pytest.fail("decoded twice"))
    assert evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr) == identity
    assert asr.calls == calls and rows_of(tmp_path / "r.db") == rows


def test_a_new_recogniser_scores_the_kept_generations(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    monkeypatch.setattr(generations_module, "_generate", lambda *_: pytest.fail("decoded twice"))
    asr.hash = "e" * 64
    before = asr.calls
    evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    assert asr.calls > before
    versions = {row.metric_version for row in open_results(tmp_path / "r.db").read(identity) if row.metric == "wer"}
    assert len(versions) == 2


def test_interrupted_at_any_item_it_ends_with_the_same_rows(pack, checkpoint, codec, asr, tmp_path):
    evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "whole" / "r.db", asr=asr)
    for patience in (0, 1, 3, 6, 1000):
        countdown = iter(range(patience, -1, -1))
        try:
            evaluate_checkpoint(
                checkpoint.path,
                pack,
                codec,
                tmp_path / "parts" / "r.db",
                asr=asr,
                stop=lambda c=countdown: next(c, 0) == 0,
            )
        except Stopped:
            assert patience < 1000
    assert rows_of(tmp_path / "parts" / "r.db") == rows_of(tmp_path / "whole" / "r.db")


def test_a_crashed_generation_is_an_error_of_its_item(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    victim = next(p for p in pack.prompts if p.language == "en")
    generate = generations_module._generate

    def failing(model, tokenizer, prompts):
        if victim in prompts:
            raise RuntimeError("out of memory")
        return generate(model, tokenizer, prompts)

    monkeypatch.setattr(generations_module, "_generate", failing)
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    items = item_results(tmp_path / "r.db", identity)
    assert len(items) == len(pack.prompts)
    worst = items[victim.item]
    assert worst["wer"] == 1.0 and worst["crashed"] == 1.0 and worst["stopped"] == 0.0
    assert worst["dnsmos"] == 1.0 and worst["similarity"] == 0.0 and worst["silence_share"] == 1.0
    assert sum(item["crashed"] for item in items.values()) == 1


def test_a_failure_that_all_items_share_is_raised_not_scored(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    def failing(model, tokenizer, prompts):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(generations_module, "_generate", failing)
    with pytest.raises(RuntimeError, match="fault of the program"):
        evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    assert rows_of(tmp_path / "r.db") == []


def test_references_order_original_round_trip_and_wrong_text(pack, codec, asr, tmp_path):
    db = open_results(tmp_path / "r.db")
    reference_scores(pack, codec, asr, db)
    found = reference_summary(db, pack.id, codec.hash)
    original, wrong = (found[name]["languages"]["en"]["wer"]["rate"] for name in ("original", "wrong_text"))
    assert original < 0.35 < wrong
    assert found["round_trip"]["languages"]["hi"]["similarity"] > 0.9
    before, calls = rows_of(tmp_path / "r.db"), asr.calls
    reference_scores(pack, codec, asr, db)
    assert asr.calls == calls and rows_of(tmp_path / "r.db") == before


def test_a_recogniser_that_fails_on_recordings_gives_no_figure(pack, checkpoint, codec, tmp_path):
    from tests.evaluate.small_pack import AsrDouble

    deaf, db = AsrDouble(pack, deaf=True), open_results(tmp_path / "r.db")
    reference_scores(pack, codec, deaf, db)
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=deaf)
    english = summary(db, identity)["languages"]["en"]
    assert english["wer"] is None and "0.35" in english["wer_note"]


def test_quick_is_a_part_of_full_and_a_full_evaluation_only_adds(pack, checkpoint, codec, asr, tmp_path):
    quick = items_of(pack, "quick")
    assert set(p.item for p in quick) < set(p.item for p in pack.prompts)
    assert {p.language for p in quick} == {p.language for p in pack.prompts}
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", level="quick", asr=asr)
    before = rows_of(tmp_path / "r.db")
    evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", level="full", asr=asr)
    assert set(before) < set(rows_of(tmp_path / "r.db"))
    assert summary(tmp_path / "r.db", identity)["items"] == len(pack.prompts)


def test_unheard_voices_are_cloned_and_heard_ones_described(pack):
    for prompt in pack.prompts:
        if prompt.voice_codes is not None:
            assert is_cloned(prompt) == (prompt.kind == "cross_lingual" or not prompt.seen_voice)


def test_another_codec_a_missing_checkpoint_and_a_file_that_is_no_database_are_refused(
    pack, checkpoint, codec, asr, tmp_path
):
    with pytest.raises(BadInput, match="no complete checkpoint"):
        evaluate_checkpoint(tmp_path, pack, codec, tmp_path / "r.db", asr=asr)
    codec.hash = "1" * 64
    with pytest.raises(BadInput, match="codec"):
        evaluate_checkpoint(checkpoint.path, pack, codec, tmp_path / "r.db", asr=asr)
    (tmp_path / "no.db").write_text("this is not a database, it only looks like a file " * 50)
    with pytest.raises(BadInput, match="database"):
        open_results(tmp_path / "no.db")


def test_a_row_is_written_once(tmp_path):
    db = open_results(tmp_path / "r.db")
    first = Result("run/1/x", "pack", "wer", "1", "en", "item", 0.5, {"heard": "मेरी"})
    db.write([first])
    db.write([Result("run/1/x", "pack", "wer", "1", "en", "item", 0.9)])
    assert db.read() == [first]


def rows_of(path):
    with sqlite3.connect(path) as connection:
        return sorted(connection.execute("select checkpoint_id, metric, language, item, value, detail from results"))
