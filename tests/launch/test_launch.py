"""A whole launch on the embedded example, small: killed anywhere it continues, and its page is complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.page.browser import open_page
from vaak.checkpoint import list_checkpoints
from vaak.codec import open_codec
from vaak.launch.ledger import Ledger
from vaak.track import read_jsonl

# The stages of the example with a model that learns nothing but takes its steps in seconds.
PROJECT = """
name: small
corpora: [example:corpus]
tokenizer: example:tokenizer
codec: embedded
seed: 5
overrides:
  - "model={config: {model_type: qwen3, hidden_size: 128, num_hidden_layers: 2, num_attention_heads: 2,
     num_key_value_heads: 1, head_dim: 64, intermediate_size: 256, tie_word_embeddings: true}}"
  - "checkpoints.every=5"
  - "validation={every: 6, samples: 20}"
pack: {ce: 100, per_language: 1, cross_lingual: 0, long_form: 0, probes: 0, extended: {en: 2}}
audit: {samples: 300, listen_per_language: 1}
overfit: {recipe: sft-tiny, samples: 2, loss: 9, reproduced: 0, max_seconds: 3}
stages:
  - {name: pt-s1, recipe: pt-s1-tiny, overrides: ["length={steps: 12}"]}
  - {name: sft, recipe: sft-tiny, overrides: ["length={steps: 12}"], parent: pt-s1}
evaluate: {follow: [sft], final: sft}
"""
STEPS = ["freeze", "pack", "audit", "judges", "overfit", "pt-s1", "sft", "evaluate", "report"]


def start(tmp_path: Path) -> subprocess.Popen:
    # pocketsphinx: its figures do not matter here, and it needs no weights of its own.
    environment = os.environ | {"VAAK_ASR": "pocketsphinx", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "vaak.cli.main", "launch", "project.yaml", "--out", "out"]
    with (tmp_path / "log").open("a") as log:
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)


def killed_everywhere(tmp_path: Path) -> str:
    """The launch, killed 27 times on its way; what was printed. Fails unless each kill hit and the last attempt ended well."""
    environment = os.environ | {"VAAK_ASR": "pocketsphinx", "OMP_WAIT_POLICY": "passive"}
    script = Path(__file__).with_name("killed_everywhere.py")
    command = [sys.executable, str(script), "project.yaml", "out", ",".join(STEPS)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
    kills = [line for line in done.stdout.splitlines() if line.startswith("KILLED")]
    assert len(kills) == 3 * len(STEPS) and all(line.endswith(": 9") for line in kills), done.stdout[-3000:]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_killed_at_every_boundary_and_inside_each_step_it_continues_and_does_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(PROJECT)
    killed_everywhere(tmp_path)
    out = tmp_path / "out"

    records = Ledger(out / "ledger.jsonl").records
    assert [record.step for record in records if record.status == "done"] == STEPS  # each once, in order
    for step in STEPS:
        statuses = [record.status for record in records if record.step == step]
        # Begun anew after each kill that came before its end, and never after that.
        assert statuses == ["began", "began", "began", "done"]
        assert len({record.inputs for record in records if record.step == step}) == 1
    for stage in ("pt-s1", "sft"):
        rows = read_jsonl(out / "stages" / stage / "metrics.jsonl")
        assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
        [*_, last] = list_checkpoints(out / "stages" / stage)
        assert last.id == Ledger(out / "ledger.jsonl").newest(stage).evidence["checkpoint"]  # pyright: ignore[reportOptionalMemberAccess]
    assert not list((out / "stages").glob("*.replaced-*"))
    page = open_page(out / "index.html", play=2)
    assert not page.console_errors
    assert len(page.players) >= 24 and all(seconds > 0 for seconds in page.players)

    again = start(tmp_path)
    assert again.wait(timeout=300) == 0
    done_again = [
        record.step for record in Ledger(out / "ledger.jsonl").records[len(records) :] if record.status == "done"
    ]
    assert done_again == ["report"]  # the page is always written anew, everything else stands


def test_the_embedded_codec_is_the_one_that_the_example_was_made_with() -> None:
    from vaak.corpus import open_corpus
    from vaak.demo import corpus_folder

    assert open_corpus(corpus_folder()).codec_hash == open_codec("embedded").hash
