"""`vaak corpus encode` as a person uses it: what it says, what it leaves with."""

from __future__ import annotations

import json

import numpy as np
import soundfile

from tests.cli.test_doors import leave
from vaak.corpus import open_corpus


def write_list(folder):
    """A good recording, a silent one and a row that is none, under the names that other lists use."""
    folder.mkdir()
    soundfile.write(folder / "good.wav", 0.3 * np.sin(np.arange(8000) / 9), 16000)
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    rows = [{"audio_filepath": f"{name}.wav", "locale": "hi-IN", "sentence": name} for name in ("good", "silent")]
    (folder / "list.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]) + "\n")
    return folder / "list.jsonl"


def test_it_says_what_it_kept_and_what_it_set_aside(tmp_path, capsys):
    path = write_list(tmp_path / "audio")
    arguments = ["corpus", "encode", str(path), "--out", str(tmp_path / "out"), "--field", "transcript=sentence"]
    code, _, err = leave(arguments, capsys)
    assert code == 2 and "row 3 is not valid JSON" in err and err.count("\n") == 1
    code, out, _ = leave([*arguments, "--quarantine", str(tmp_path / "aside"), "--json"], capsys)
    report = json.loads(out)
    assert code == 0 and report["read"] == 3 == report["kept"] + sum(report["set_aside"].values())
    assert report["set_aside"] == {"bad row": 1, "silent": 1} and report["corpus"] == str(tmp_path / "out")
    assert report["set_aside_file"] == str(tmp_path / "aside" / "out.set-aside.jsonl")
    corpus = open_corpus(tmp_path / "out")
    assert report["corpus_id"] == corpus.id
    # Nobody said what it is worth.
    assert corpus.groups["paired", "hi", "unrated"].sample(0).transcript == "good"
    code, out, _ = leave([*arguments[:4], str(tmp_path / "again"), "--quarantine", str(tmp_path / "b")], capsys)
    assert code == 0
    assert "3 read = 1 kept (0.00 h) + 2 set aside" in out and "1 silent (each in" in out and "frozen as" in out


def test_a_folder_that_is_taken_and_one_without_a_name_are_exit_2(tmp_path, capsys):
    path = write_list(tmp_path / "audio")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.txt").write_text("mine")
    for out, said in ((str(tmp_path / "thesis"), "not empty"), (".", "no name for a new folder")):
        code, _, err = leave(["corpus", "encode", str(path), "--out", out], capsys)
        assert code == 2 and said in err and err.count("\n") == 1
