from __future__ import annotations

import json

import pytest

from tests.cli.test_doors import leave
from tests.text.dumps import real_documents, write_configuration, write_jsonl


@pytest.fixture
def configuration(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", [*real_documents("en")[:8], *real_documents("or")[:8]])
    return write_configuration(tmp_path)


def test_a_build_says_what_it_kept_and_where_to_look(configuration, tmp_path, capsys):
    code, out, _ = leave(["text", "build", str(configuration), "--processes", "1"], capsys)
    assert code == 0
    assert "read = kept + dropped" in out and "corpus.report" in out
    assert json.loads((tmp_path / "corpus" / "MANIFEST.json").read_text())["id"] in out
    again = leave(["text", "build", str(configuration)], capsys)
    assert again == (0, out, "")


def test_json_is_the_report_and_nothing_else(configuration, tmp_path, capsys):
    code, out, _ = leave(["text", "build", str(configuration), "--processes", "1", "--json"], capsys)
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "corpus.report" / "report.json").read_text())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sorces": []}, "unknown key 'sorces'; did you mean 'sources'?"),
        ({"sources": []}, "name at least one source"),
        ({"numerals": "spoken"}, "'numerals"),
        ({"numerals": {"xx": "words"}}, "numerals names 'xx'"),
        ({"min_characters": 0}, "'min_characters'"),
        ({"held_out": 1.0}, "'held_out'"),
        ({"tokenizer": "nowhere"}, "cannot be read as a tokenizer"),
        ({"sources": [{"name": "web", "reader": "fineweb", "files": "nothing"}]}, "nothing is not there"),
        ({"sources": [{"name": "web", "reader": "finewep", "files": "in"}]}, "did you mean 'fineweb'?"),
        ({"sources": [{"name": "web", "reader": "fineweb", "fils": "in"}]}, "did you mean 'files'?"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(configuration, tmp_path, capsys, changes, said):
    path = write_configuration(tmp_path, **changes)
    code, out, err = leave(["text", "build", str(path), "--processes", "1"], capsys)
    assert code == 2 and out == "" and said in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_a_damaged_dump_is_named(configuration, tmp_path, capsys):
    (tmp_path / "in" / "b.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    code, _, err = leave(["text", "build", str(configuration), "--processes", "1"], capsys)
    assert code == 2 and "b.jsonl.gz" in err and len(err.strip().splitlines()) == 1
