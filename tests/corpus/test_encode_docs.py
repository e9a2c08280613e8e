"""docs/corpus-encode.md: its example runs, its columns of tables are the code's own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile
from typer.testing import CliRunner

from vaak.cli.main import app
from vaak.codec.door import HUB
from vaak.corpus import open_corpus
from vaak.corpus.mappings import MAPPINGS

TEXT = (Path(__file__).parents[2] / "docs" / "corpus-encode.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path, capsys):
    (tmp_path / "recordings").mkdir()
    soundfile.write(tmp_path / "recordings" / "a.wav", 0.2 * np.sin(np.arange(16000) / 9), 16000)
    example = re.search(r"```python example\n(.*?)```", TEXT, re.S)
    assert example is not None
    exec(example[1], {"folder": tmp_path / "recordings", "out": tmp_path / "corpus"})
    assert capsys.readouterr().out == f"1 of 1 are in {open_corpus(tmp_path / 'corpus').id}\n"


def test_every_codec_mapping_and_option_is_named():
    shown = CliRunner().invoke(app, ["corpus", "encode", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    for option in set(re.findall(r"--[a-z][a-z-]+", TEXT)) - {"--nproc-per-node"}:
        assert option in shown.output, option
    for name in (*MAPPINGS, *HUB, *HUB.values()):
        assert f"`{name}`" in TEXT, name


def test_every_kind_that_is_set_aside_is_named():
    code = "".join(
        (Path(__file__).parents[2] / "vaak" / "corpus" / name).read_text(encoding="utf-8")
        for name in ("recordings.py", "encode_parts.py", "encode.py")
    )
    kinds = set(re.findall(r'SetAside\("([a-z ]+)"', code)) | set(re.findall(r'"kind": "([a-z ]+)"', code))
    assert kinds and {kind for kind in kinds if f"`{kind}`" not in TEXT} == set()
