from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vaak.corpus import CorpusWriter, open_corpus
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.text.tokens import Document, add_documents, read_documents

TOKENIZER = train_tokenizer(["the cat sat on the mat", "मेरी बेटी घर पर है"] * 20, 350)
CAT = Document("the cat sat on the mat. " * 8, "en", "books", "books/1", normalisation=("nfc",))


@pytest.fixture
def writer(tmp_path):
    return CorpusWriter(tmp_path / "corpus", "text", tokenizer_hash=TOKENIZER.hash)


def test_each_document_ends_with_the_end_of_text(writer, tmp_path):
    hindi = Document("मेरी बेटी घर पर है। " * 8, "hin_Deva", "news")
    report = add_documents(writer, [CAT, hindi], TOKENIZER)
    writer.freeze()
    corpus = open_corpus(tmp_path / "corpus", verify=True)
    for language, document in (("en", CAT), ("hi", hindi)):
        tokens = corpus.groups["text", language, "clean"].tokens(0)
        assert tokens.dtype == np.uint32
        assert tokens.tolist() == [*TOKENIZER.encode(document.text.strip()), TOKENIZER.end_of_text_id]
        assert TOKENIZER.decode(tokens[:-1]) == document.text.strip()
    assert report.tokens == sum(group.n_tokens for group in corpus.groups.values())


def test_provenance_is_kept_or_said_to_be_unknown(writer, tmp_path):
    unknown = Document("another text about the mat. " * 8, "en", "crawl", held_out=True)
    add_documents(writer, [CAT, unknown], TOKENIZER)
    writer.freeze()
    known, other = open_corpus(tmp_path / "corpus").groups["text", "en", "clean"].samples()
    assert (known.source, known.source_id, known.normalisation) == ("books", "books/1", ("nfc", "strip"))
    assert known.unknown == {} and not known.held_out
    assert other.normalisation is None and other.source_id is None and other.held_out
    assert set(other.unknown) == {"source_id", "normalisation"}


def test_each_dropped_document_has_one_reason_and_the_counts_add_up(writer):
    documents = [
        CAT,
        Document("", "en", "books"),
        Document("x" * 127 + " " * 50, "en", "books"),
        Document("x" * 128, "en", "books"),
        replace(CAT, source="mirror"),
        Document("the cat " * 5000, "en", "books"),
    ]
    dropped = []
    report = add_documents(writer, documents, TOKENIZER, on_drop=lambda document, why: dropped.append((document, why)))
    assert report.dropped == {"too short": 2, "repeated": 1, "too long": 1}
    assert (report.read, report.kept) == (6, 2)
    assert report.read == report.kept + sum(report.dropped.values())
    assert [why for _, why in dropped] == ["too short", "too short", "repeated", "too long"]


def test_the_limits_are_exact(tmp_path):
    n = len(TOKENIZER.encode(CAT.text.strip()))
    for limit, kept in ((n, 1), (n - 1, 0)):
        writer = CorpusWriter(tmp_path / str(limit), "text", tokenizer_hash=TOKENIZER.hash)
        assert add_documents(writer, [CAT], TOKENIZER, max_tokens=limit).kept == kept


def test_a_second_call_knows_what_the_first_one_kept(writer):
    assert add_documents(writer, [CAT], TOKENIZER).kept == 1
    assert add_documents(writer, iter([replace(CAT, source="mirror")]), TOKENIZER).dropped == {"repeated": 1}


def test_a_spelled_end_of_text_does_not_end_a_document(writer, tmp_path):
    add_documents(writer, [replace(CAT, text="a trap: <|endoftext|> " * 8)], TOKENIZER)
    writer.freeze()
    tokens = open_corpus(tmp_path / "corpus").groups["text", "en", "clean"].tokens(0)
    assert (tokens == TOKENIZER.end_of_text_id).sum() == 1


def test_another_tokenizers_corpus_is_refused(tmp_path):
    writer = CorpusWriter(tmp_path / "c", "text", tokenizer_hash="0" * 64)
    with pytest.raises(BadInput, match="another tokenizer"):
        add_documents(writer, [CAT], TOKENIZER)


def test_documents_are_read_from_jsonl_and_lines(tmp_path):
    (tmp_path / "web.jsonl").write_text(
        json.dumps({"text": "one\ntwo", "language": "en", "id": 7}) + "\n\n" + json.dumps({"text": "three"}) + "\n"
    )
    documents = list(read_documents(tmp_path / "web.jsonl", language="hi", source="web"))
    assert documents == [Document("one\ntwo", "en", "web", "7"), Document("three", "hi", "web", "web.jsonl:3")]
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    assert [one.text for one in read_documents(tmp_path / "lines.txt", language="en")] == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"text": "x"}', "row 1 has no language"), ("{", "row 1 is not valid"), ('{"texts": 1}', "row 1 has no text")],
)
def test_a_bad_row_is_named(tmp_path, content, message):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(BadInput, match=message):
        list(read_documents(tmp_path / "a.jsonl"))
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_documents(tmp_path / "gone.jsonl"))
