"""`vaak corpus import` as a person uses it: what it says, what it leaves with."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.test_doors import leave
from tests.corpus.inworld import write_split
from vaak.corpus import open_corpus
from vaak.demo import tokenizer_folder

TOY = ["--codec", "toy", "--codebook-size", "1000"]


def test_it_says_what_it_found_and_what_it_made(tmp_path, capsys):
    source = write_split(tmp_path / "src")
    arguments = ["corpus", "import", "inworld", str(source), "--out", str(tmp_path / "out"), *TOY]
    code, out, _ = leave([*arguments, "--unknown", "vad_config_hash=lost in 2023"], capsys)
    assert code == 0
    for said in ("306 codes, raw int32", "5 read = 5 kept", "no field takes emotion", "frozen as"):
        assert said in out
    corpus = open_corpus(tmp_path / "out")
    assert corpus.codec is not None and corpus.codec["name"] == "toy" and corpus.codec_hash is None
    assert corpus.groups["paired", "hi", "unrated"].sample(0).unknown["vad_config_hash"] == "lost in 2023"
    code, out, _ = leave(["corpus", "show", str(tmp_path / "out")], capsys)
    assert "the hash of the codec is unknown" in out and "dnsmos is known for 1 of 5" in out
    code, _, err = leave(arguments, capsys)
    assert code == 2 and "frozen" in err


def test_bad_samples_are_exit_2_or_set_aside(tmp_path, capsys):
    source = write_split(tmp_path / "src")
    arguments = ["corpus", "import", "inworld", str(source), "--out", str(tmp_path / "out"), "--codec", "toy"]
    code, _, err = leave([*arguments, "--codebook-size", "900"], capsys)
    assert code == 2 and "0..899" in err and "--quarantine" in err and err.count("\n") == 1
    code, out, _ = leave([*arguments, "--codebook-size", "900", "--quarantine", str(tmp_path / "q"), "--json"], capsys)
    report = json.loads(out)
    assert code == 0 and report["read"] == 5 == report["kept"] + report["set_aside"]["code out of range"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--codec", "mine"], "--codebook-size"),
        (["--codec-hash", "abc"], "64 hex digits"),
        (["--unknown", "vad_config_hash"], "FIELD=REASON"),
        (["--unknown", "mood=lost"], "no field"),
        (["--field", "transcript"], "OURS=THEIRS"),
        (["--language", "klingon"], "klingon"),
        (["--tier", "../x"], "tier"),
        (["--transcript-kind", "sung"], "sung"),
        (["--tokens-per-second", "0"], "tokens_per_second of codec unknown is 0"),
        (["--codec-sample-rate", "-16000"], "above zero"),
        (["--out", "."], "no name for a new folder"),
    ],
)
def test_options_that_cannot_be(tmp_path, capsys, more, said):
    source = write_split(tmp_path / "src")
    code, _, err = leave(["corpus", "import", "inworld", str(source), "--out", str(tmp_path / "out"), *more], capsys)
    assert code == 2 and said in err


def test_flat_text_is_held_against_its_tokenizer(tmp_path, capsys):
    (tmp_path / "src").mkdir()
    np.arange(400, dtype=np.int32).tofile(tmp_path / "src" / "train_pretraining_tokens.npy")
    arguments = ["corpus", "import", "flat", str(tmp_path / "src"), "--out", str(tmp_path / "out"), "--language", "hi"]
    code, _, err = leave(arguments, capsys)
    assert code == 2 and "--tokenizer" in err
    code, out, _ = leave([*arguments, "--tokenizer", str(tokenizer_folder())], capsys)
    assert code == 0 and "400 tokens, raw int32" in out
    corpus = open_corpus(tmp_path / "out")
    assert corpus.codec is None and corpus.groups["text", "hi", "unrated"].flat(0, 400).tolist() == list(range(400))
