"""Each named data set in its own layout: what becomes the text, the id and the language of a document."""

from __future__ import annotations

import pytest

from tests.text.readers.shipped import (
    HINDI,
    TAMIL,
    documents_of,
    fineweb_columns,
    inputs_of,
    json_lines,
    redpajama_row,
    write,
    write_parquet,
    write_sangraha,
)
from vaak.text.document import Raw
from vaak.text.readers.named import BY_NAME
from vaak.text.readers.oig import plain_dialogue
from vaak.text.sources import READERS


def test_every_reader_that_the_configuration_knows_is_there():
    assert tuple(BY_NAME) == READERS


def test_redpajama_gives_the_ids_that_its_own_lists_use(tmp_path):
    file = tmp_path / "rp/documents/2023-06/0004/en_head.json.gz"
    write(file, json_lines([redpajama_row("A river."), redpajama_row("Ein Fluss.", "de")]), packed=True)
    assert documents_of(tmp_path, reader="redpajama-v2", files="rp/documents") == [
        Raw("A river.", "2023-06/0004/en_head.json.gz/0", "en"),
        Raw("Ein Fluss.", "2023-06/0004/en_head.json.gz/1", None),  # a language that is not in the table
    ]


def test_redpajama_keeps_its_ids_where_a_file_was_unpacked(tmp_path):
    row = redpajama_row("A river.")
    del row["language"]
    write(tmp_path / "2023-06/0004/en_middle.json", json_lines([row]))
    expected = [Raw("A river.", "2023-06/0004/en_middle.json.gz/0", "en")]
    assert (
        documents_of(tmp_path, reader="redpajama-v2", files=str(tmp_path / "2023-06/0004/en_middle.json")) == expected
    )


def test_redpajama_in_another_layout_is_named_by_file_and_row(tmp_path):
    write(tmp_path / "part.json", json_lines([redpajama_row("A river.")]))
    assert documents_of(tmp_path, reader="redpajama-v2", files="part.json") == [Raw("A river.", "part.json:0", "en")]


def test_fineweb_has_an_id_and_a_language_in_every_row(tmp_path):
    columns = fineweb_columns(["A river.", HINDI, "Ein Fluss."], ["en", "hin", "deu"])
    write_parquet(tmp_path / "data/CC-MAIN-2024-10/000_00000.parquet", columns)
    assert documents_of(tmp_path, reader="fineweb", files="data/*/*.parquet") == [
        Raw("A river.", "<urn:uuid:00000000-0000-4000-8000-000000000000>", "en"),
        Raw(HINDI, "<urn:uuid:00000001-0000-4000-8000-000000000000>", "hi"),
        Raw("Ein Fluss.", "<urn:uuid:00000002-0000-4000-8000-000000000000>", None),
    ]


def test_indiccorp_documents_stand_between_empty_lines(tmp_path):
    write(tmp_path / "data/hi-1.txt", f"{HINDI}\n\n{HINDI}\n{HINDI}\n \n\n{HINDI}".encode())
    write(tmp_path / "data/ta.txt", f"{TAMIL}\n\n".encode())
    write(tmp_path / "data/bd.txt", b"Bodo, which is not in the table\n")
    assert documents_of(tmp_path, reader="indiccorp-v2", files="data") == [
        Raw("Bodo, which is not in the table", "data/bd.txt:0", None),
        Raw(HINDI, "data/hi-1.txt:0", "hi"),
        Raw(f"{HINDI}\n{HINDI}", "data/hi-1.txt:2", "hi"),
        Raw(HINDI, "data/hi-1.txt:6", "hi"),
        Raw(TAMIL, "data/ta.txt:0", "ta"),
    ]


def test_sangraha_says_the_language_with_its_folder(tmp_path):
    write_sangraha(tmp_path / "sangraha")
    found = documents_of(tmp_path, reader="sangraha", files=["sangraha/verified", "sangraha/synthetic"])
    assert [(raw.document_id, raw.language) for raw in found] == [
        ("s-0", "hi"),  # in Latin letters: identification sees that
        *[(f"hin-{part}-{row}", "hi") for part in range(2) for row in range(2)],
        *[(f"nep-{part}-{row}", None) for part in range(2) for row in range(2)],
        *[(f"tam-{part}-{row}", "ta") for part in range(2) for row in range(2)],
    ]
    assert {raw.text for raw in found if raw.language == "ta"} == {TAMIL}


def test_sangraha_files_named_one_by_one_still_say_their_language(tmp_path):
    write_sangraha(tmp_path)
    (one,) = inputs_of(tmp_path / "elsewhere", reader="sangraha", files=str(tmp_path / "verified/tam/data-1.parquet"))
    assert one.name == "data-1.parquet"
    assert [raw.language for raw, _ in one.open_documents()] == ["ta", "ta"]


def test_oig_becomes_plain_dialogue_lines_of_the_instruction_tier(tmp_path):
    rows = [
        {"text": "<human>: Name a river.\n<bot>: The Ganges.", "metadata": {"source": "unified_basic"}},
        {"text": "Background: rivers.\n<human>: One? <bot>: Kaveri.\nIt flows east.\n<human>:\n<bot>: "},
    ]
    write(tmp_path / "unified_basic.jsonl", json_lines(rows))
    (one,) = inputs_of(tmp_path, reader="oig", files="unified_basic.jsonl")
    assert one.source.tier == "instruction"
    assert [raw for raw, _ in one.open_documents()] == [
        Raw("Name a river.\nThe Ganges.", "unified_basic.jsonl:0", "en"),
        Raw("Background: rivers.\nOne?\nKaveri.\nIt flows east.", "unified_basic.jsonl:1", "en"),
    ]


@pytest.mark.parametrize("text", ["", "<human>:", " no marks ", "a <human> b", "<bot>:" * 200_000, " " * 1_000_000])
def test_a_dialogue_has_no_marks_left_and_is_stable(text):
    plain = plain_dialogue(text)
    assert "<human>:" not in plain and "<bot>:" not in plain and plain_dialogue(plain) == plain
