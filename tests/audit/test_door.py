"""`vaak audit`: exit codes, the report beside it, the same content as JSON, and what it says of bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.audit.clean import ENTRY, clean_draft, tokenizer
from tests.audit.planted import write
from vaak.cli.main import main
from vaak.corpus import CorpusWriter, Sample


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door") / "corpus"
    write(folder, clean_draft(600, 4))
    tokenizer().save(folder.parent / "tokenizer")
    return folder


def leave(arguments: list[str], capsys) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["audit", *map(str, arguments)])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_a_clean_corpus_leaves_with_0_and_a_page(corpus, tmp_path, capsys):
    options = [
        "--codec",
        "none",
        "--tokenizer",
        corpus.parent / "tokenizer",
        "-o",
        tmp_path / "a.html",
        "--samples",
        "90",
    ]
    code, out, _ = leave([corpus, *options], capsys)
    assert code == 0 and (tmp_path / "a.html").exists()
    assert "90 of 600 samples examined; chance of missing a fault that is in a share of them: 85.0% in 0.01%" in out


def test_a_failed_check_leaves_with_1_and_json_says_which(tmp_path, capsys):
    writer = CorpusWriter(tmp_path / "bad", "bad", ENTRY)
    writer.add("paired", Sample("x", "studio", "en", transcript="[/INST] Good morning <|speech_start|>"), np.arange(60))
    writer.freeze()
    plain = [tmp_path / "bad", "--codec", "none", "-o", tmp_path / "a.html"]
    code, out, err = leave(plain, capsys)
    assert code == 1 and "'[/INST]' in" in " ".join(out.replace("│", " ").split())
    options = [*plain[1:], "--json"]
    code, out, err = leave([tmp_path / "bad", *options], capsys)
    report = json.loads(out)
    assert code == 1 and "no_control_tokens" in err and not report["passed"]
    (tmp_path / "mine.yaml").write_text("no_control_tokens: {severity: warning}\n")
    code, out, err = leave([tmp_path / "bad", *options, "--limits", tmp_path / "mine.yaml"], capsys)
    assert code == 0 and json.loads(out)["loosened"] == ["no_control_tokens severity error → warning"]


@pytest.mark.parametrize(
    "options,words",
    [
        (["--limits", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["--pack", "nowhere"], "nowhere"),
        (["--tokenizer", "nowhere"], "cannot be read as a tokenizer"),
        (["--samples", "0"], "--samples"),
        (["--codec", "no-such-codec"], "no-such-codec"),
    ],
)
def test_bad_input_is_said_in_one_sentence(corpus, tmp_path, capsys, options, words):
    code, _, err = leave([corpus, "-o", tmp_path / "a.html", *options], capsys)
    assert code == 2 and words in err and not (tmp_path / "a.html").exists() and "Traceback" not in err
