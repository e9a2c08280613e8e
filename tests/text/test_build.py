from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.text.dumps import real_documents, small_tokenizer, write_configuration, write_jsonl
from vaak.corpus import open_corpus
from vaak.errors import BadInput
from vaak.storage.files import read_json
from vaak.text.build import build_text
from vaak.text.cleaning.clean import clean
from vaak.text.normalising.normalise import normalise
from vaak.text.settings import load_settings

ENGLISH, HINDI = real_documents("en")[:12], real_documents("hi")[:12]
SHORT = {"id": "short", "text": "A few words.", "language": "en"}
COPY = {**ENGLISH[0], "id": "copy", "text": ENGLISH[0]["text"].upper()}
NEAR = {**ENGLISH[1], "id": "near", "text": ENGLISH[1]["text"] + " Another word."}
ODD = [SHORT, COPY, NEAR, {**HINDI[0], "id": "false", "language": "en"}, {**HINDI[1], "id": "fr", "language": "fra"}]


def kept(corpus_folder):
    """(language, id of the document in its source) of everything in a corpus."""
    corpus = open_corpus(corpus_folder, verify=True)
    return sorted((key[1], one.source_id) for key, group in corpus.groups.items() for one in group.samples())


def built(folder, processes=1, **changes):
    return build_text(load_settings(write_configuration(folder, **changes)), processes)


def dropped(folder):
    rows = pq.read_table(folder / "corpus.report" / "dropped.parquet").to_pylist()
    return {row["document_id"]: row for row in rows}


@pytest.fixture
def dump(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", [*ENGLISH, *ODD])
    write_jsonl(tmp_path / "in" / "b.jsonl", HINDI)
    return tmp_path


def test_every_document_is_in_the_corpus_or_has_one_reason(dump):
    report = built(dump)
    rows = dropped(dump)
    assert {name: row["reason"] for name, row in rows.items()} == {
        "short": "too short",
        "en-001": "exact duplicate",  # of `copy`: of equals the one with the smallest source and id stays
        ENGLISH[1]["id"]: "near duplicate",  # the longest one stays
        "false": "wrong language",
        "fr": "other language",
    }
    assert rows["en-001"]["detail"] == "of web copy"
    assert rows["false"]["text"] is not None and rows["short"]["text"] is None  # what is quarantined can be looked at
    assert len(kept(dump / "corpus")) + len(rows) == len(ENGLISH) + len(HINDI) + len(ODD)
    for row in report["sources"]:
        assert row["read"] == row["kept"] + sum(row["dropped"].values())
    assert sum(row["read"] for row in report["sources"]) == len(ENGLISH) + len(HINDI) + len(ODD)
    assert report == read_json(dump / "corpus.report" / "report.json")
    assert "near duplicate" in (dump / "corpus.report" / "report.html").read_text()


def test_a_document_stands_as_ids_of_its_cleaned_text_and_an_end_of_text(dump):
    built(dump)
    corpus, tokenizer = open_corpus(dump / "corpus"), small_tokenizer()
    group = corpus.groups["text", "hi", "clean"]
    texts = {one["id"]: one["text"] for one in HINDI}
    for i, sample in enumerate(group.samples()):
        ids = group.tokens(i)
        assert ids.dtype == np.uint32 and ids[-1] == tokenizer.end_of_text_id
        assert sample.source_id is not None and sample.normalisation == ("clean-1", "normalise-1", "numerals-keep")
        assert tokenizer.decode(ids[:-1]) == normalise(clean(texts[sample.source_id]), "hi").strip()


def test_the_manifest_has_tokens_by_source_and_language(dump):
    report = built(dump)
    manifest = read_json(dump / "corpus" / "MANIFEST.json")
    by_language = {group["language"]: group["sources"]["web"]["tokens"] for group in manifest["groups"]}
    assert by_language == {row["language"]: row["tokens"] for row in report["sources"] if row["kept"]}
    assert manifest["text"]["read"] == len(ENGLISH) + len(HINDI) + len(ODD)
    assert manifest["text"]["dropped"]["near duplicate"] == 1


def test_who_works_and_how_the_documents_lie_in_files_changes_nothing(tmp_path):
    rows = [*ENGLISH, *ODD, *HINDI]
    write_jsonl(tmp_path / "one" / "in" / "all.jsonl", rows)
    for at, part in enumerate([rows[20:], rows[7:20], rows[:7]]):
        write_jsonl(tmp_path / "other" / "in" / f"{at}.jsonl", reversed(part))
    one, other = built(tmp_path / "one", 1), built(tmp_path / "other", 2)
    assert kept(tmp_path / "one" / "corpus") == kept(tmp_path / "other" / "corpus")
    assert {k: row["reason"] for k, row in dropped(tmp_path / "one").items()} == {
        k: row["reason"] for k, row in dropped(tmp_path / "other").items()
    }
    assert one["sources"] == other["sources"] and one["examples"] == other["examples"]


def test_a_build_goes_on_with_the_input_that_was_not_done(dump):
    def stop(done, total, words):
        raise KeyboardInterrupt

    whole = built(dump)
    folder = dump / "again"
    for name, rows in (("a", [*ENGLISH, *ODD]), ("b", HINDI)):
        write_jsonl(folder / "in" / f"{name}.jsonl", rows)
    configuration = load_settings(write_configuration(folder))
    (folder / "in" / "b.jsonl").rename(folder / "b.jsonl")
    (folder / "in" / "b.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(BadInput, match=r"b\.jsonl\.gz"):
        build_text(configuration, 1)
    done = list((folder / "corpus.build" / "inputs").glob("*/DONE.json"))
    assert len(done) == 1  # what was finished before the damaged input is kept
    written = done[0].stat().st_mtime_ns
    (folder / "in" / "b.jsonl.gz").unlink()
    (folder / "b.jsonl").rename(folder / "in" / "b.jsonl")
    with pytest.raises(KeyboardInterrupt):
        build_text(configuration, 1, stop)
    assert done[0].stat().st_mtime_ns == written
    report = build_text(configuration, 1)
    assert report["corpus"]["id"] == whole["corpus"]["id"] and not (folder / "corpus.build").exists()


def test_a_frozen_corpus_is_only_reported_and_another_configuration_refused(dump):
    report = built(dump)
    at = (dump / "corpus" / "MANIFEST.json").stat().st_mtime_ns
    assert built(dump) == report and (dump / "corpus" / "MANIFEST.json").stat().st_mtime_ns == at
    with pytest.raises(BadInput, match="another configuration"):
        built(dump, min_characters=200)


def test_an_input_or_a_step_that_changed_is_prepared_again(dump):
    settings_before = load_settings(write_configuration(dump))
    (dump / "in" / "c.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(BadInput):
        build_text(settings_before, 1)
    (dump / "in" / "c.jsonl.gz").unlink()
    write_jsonl(dump / "in" / "b.jsonl", HINDI[:5])
    build_text(load_settings(write_configuration(dump, min_characters=400)), 1)
    corpus = open_corpus(dump / "corpus")
    assert {one.source_id for one in corpus.groups["text", "hi", "clean"].samples()} <= {one["id"] for one in HINDI[:5]}
    assert all(
        len(small_tokenizer().decode(group.tokens(i)[:-1])) >= 400
        for group in corpus.groups.values()
        for i in range(group.n_samples)
    )


def test_held_out_documents_are_chosen_by_their_text(tmp_path):
    for name in ("one", "two"):
        write_jsonl(tmp_path / name / "in" / "a.jsonl", ENGLISH if name == "one" else reversed(ENGLISH))
        built(tmp_path / name, held_out=0.4)
    chosen = [
        {
            one.source_id
            for group in open_corpus(tmp_path / name / "corpus").groups.values()
            for one in group.samples()
            if one.held_out
        }
        for name in ("one", "two")
    ]
    assert chosen[0] == chosen[1] and 0 < len(chosen[0]) < len(ENGLISH)


def test_each_source_has_its_tier_and_its_languages(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", [*ENGLISH, *HINDI])
    chat = "<human>: " + ENGLISH[0]["text"] + "\n<bot>: " + ENGLISH[2]["text"]
    (tmp_path / "oig").mkdir()
    (tmp_path / "oig" / "chat.jsonl").write_text(json.dumps({"text": chat, "metadata": {"source": "chat"}}) + "\n")
    web = {
        "name": "web",
        "reader": "jsonl",
        "files": "in",
        "language_field": "language",
        "id_field": "id",
        "languages": ["en"],
    }
    report = built(tmp_path, sources=[web, {"name": "oig", "reader": "oig", "files": "oig", "language": "en"}])
    corpus = open_corpus(tmp_path / "corpus")
    assert set(corpus.groups) == {("text", "en", "clean"), ("text", "en", "instruction")}
    hindi = next(row for row in report["sources"] if row["language"] == "hi")
    assert hindi["dropped"] == {"other language": len(HINDI)}


def test_numerals_follow_the_policy_of_the_language(tmp_path):
    text = (
        "The shop sold 25 mangoes on the first day and 30 on the second, and the old woman who grew them in her garden "
        "behind the river was glad of it, for the rains had come late that year."
    )
    write_jsonl(tmp_path / "in" / "a.jsonl", [{"id": "1", "text": text, "language": "en"}])
    built(tmp_path, numerals={"en": "words"})
    group = open_corpus(tmp_path / "corpus").groups["text", "en", "clean"]
    assert "twenty-five mangoes" in small_tokenizer().decode(group.tokens(0))


def test_nothing_kept_is_said_and_the_reasons_are_left(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", [SHORT])
    with pytest.raises(BadInput, match="no document was kept"):
        built(tmp_path)
    assert pq.read_table(tmp_path / "corpus.build" / "dropped.parquet")["reason"].to_pylist() == ["too short"]


@pytest.mark.slow
def test_a_killed_build_comes_to_the_same_corpus(tmp_path):
    for name in ("whole", "killed"):
        for at in range(4):
            write_jsonl(tmp_path / name / "in" / f"{at}.jsonl", [*ENGLISH, *HINDI, *ODD][at::4])
    whole = built(tmp_path / "whole")
    configuration = write_configuration(tmp_path / "killed")
    command = [sys.executable, "-m", "vaak.cli.main", "text", "build", str(configuration), "--processes", "2"]
    for seconds in (3.0, 5.0, 6.5, 8.0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    report = build_text(load_settings(configuration), 2)
    assert report["corpus"]["id"] == whole["corpus"]["id"] and report["sources"] == whole["sources"]
