"""The doors: help with examples, exit codes, one sentence on bad input, the same content as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vaak.cli.main import main
from vaak.corpus import CorpusWriter, Sample

VERBS = [
    ["demo"],
    ["launch"],
    ["report"],
    ["train"],
    ["replay"],
    ["align"],
    ["align", "run"],
    ["align", "verl"],
    ["overfit"],
    ["launch", "walk"],
    ["launch", "status"],
    ["cost"],
    ["evaluate"],
    ["sidecar"],
    ["align", "run"],
    ["align", "pairs"],
    ["speak"],
    ["audit"],
    ["mixture", "plan"],
    ["corpus", "encode"],
    ["corpus", "import", "inworld"],
    ["corpus", "import", "flat"],
    ["corpus", "freeze"],
    ["corpus", "show"],
    ["corpus", "verify"],
    ["corpus", "push"],
    ["corpus", "pull"],
    ["text", "build"],
    ["pack", "build"],
    ["pack", "show"],
    ["checkpoint", "list"],
    ["checkpoint", "verify"],
    ["checkpoint", "export"],
    ["checkpoint", "prune"],
    ["checkpoint", "publish"],
    ["checkpoint", "pull"],
]


def leave(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    codec = {"name": "made", "hash": "0" * 64, "codebook_size": 16, "tokens_per_second": 50, "sample_rate": 16000}
    writer = CorpusWriter(tmp_path / "corpus", "small", codec=codec)
    for number in range(3):
        sample = Sample(sample_id=f"s{number}", language="hi", source="made", tier="clean", duration_s=1.0)
        writer.add("raw", sample, np.arange(50, dtype=np.uint16) % 16)
    writer.freeze()
    return tmp_path / "corpus"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself_with_an_example(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = leave([*verb, "--help"], capsys)
    assert code == 0
    assert "Example" in out and f"vaak {' '.join(verb)}" in " ".join(out.split())


def test_an_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["sing"], capsys)[0] == 2


def test_bad_input_is_one_sentence_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["corpus", "show", str(tmp_path / "nowhere")],
        ["pack", "show", str(tmp_path)],
        ["train", "pt-s1-tinny", "--out", str(tmp_path / "run")],
        ["launch", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out")],
        ["report", str(tmp_path)],
        ["replay", str(tmp_path), "--track", "trackio"],
        ["checkpoint", "export", str(tmp_path), "--out", str(tmp_path / "model")],
        ["speak", str(tmp_path), "hello", "--voice", "a.wav"],
        ["sidecar", str(tmp_path), "--pack", str(tmp_path), "--track", "tensorboard"],
        ["sidecar", str(tmp_path), "--pack", str(tmp_path), "--db", "mysql://me:hushhush@host/name"],
        [
            "sidecar",
            str(tmp_path),
            "--pack",
            str(tmp_path),
            "--db",
            "postgresql+psycopg://me:hushhush@127.0.0.1:1/name",
        ],
    ):
        code, _, err = leave(arguments, capsys)
        assert code == 2, arguments
        assert err.startswith("vaak: ") and len(err.strip().splitlines()) == 1, err
        assert "hushhush" not in err


def test_show_prints_the_same_for_people_and_programs(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, table, _ = leave(["corpus", "show", str(corpus)], capsys)
    _, text, _ = leave(["corpus", "show", str(corpus), "--json"], capsys)
    shown = json.loads(text)
    assert shown["groups"][0]["samples"] == 3
    assert shown["id"][:16] in table


def test_verify_names_a_changed_byte_and_leaves_with_1(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["corpus", "verify", str(corpus)], capsys)[0] == 0
    tokens = next(corpus.rglob("*.tokens.npy"))
    raw = bytearray(tokens.read_bytes())
    raw[-1] ^= 1
    tokens.write_bytes(bytes(raw))
    for number in range(7):
        (corpus / f"extra-{number}").write_text("hm")
    code, out, err = leave(["corpus", "verify", str(corpus)], capsys)
    assert code == 1 and "8 files" in err and err.count("\n") == 1
    # Each is named, however many there are.
    assert len(out.splitlines()) == 8 and tokens.name in out and "extra-6: extra" in out
