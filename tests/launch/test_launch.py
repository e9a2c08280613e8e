"""A whole launch on the embedded example, small: killed at random moments it continues, and its page is complete."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.page.browser import open_page
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
pack: {ce: 100, per_language: 1, cross_lingual: 1, long_form: 1, probes: 0, extended: {en: 3}}
audit: {samples: 300, listen_per_language: 1}
overfit: {recipe: sft-tiny, samples: 2}
stages:
  - {name: pt-s1, recipe: pt-s1-tiny, overrides: ["length={steps: 12}"]}
  - {name: pt-s2, recipe: pt-s2-tiny, overrides: ["length={steps: 12}"], parent: pt-s1}
  - {name: sft, recipe: sft-tiny, overrides: ["length={steps: 12}"], parent: pt-s2}
evaluate: {follow: [pt-s2, sft], final: sft}
"""
KILLS = 5
STEPS = ["freeze", "pack", "audit", "judges", "overfit", "pt-s1", "pt-s2", "sft", "evaluate", "report"]


def start(tmp_path: Path) -> subprocess.Popen:
    # pocketsphinx: its figures do not matter here, and it needs no weights of its own.
    environment = os.environ | {"VAAK_ASR": "pocketsphinx", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "vaak.cli.main", "launch", "project.yaml", "--out", "out"]
    with (tmp_path / "log").open("a") as log:
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)


def wait_for(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_at_random_moments_it_continues_and_ends_with_a_complete_page(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(PROJECT)
    ledger, moments = tmp_path / "out" / "ledger.jsonl", random.Random(1)

    def began() -> int:
        return ledger.read_text().count('"began"') if ledger.exists() else 0

    for _ in range(KILLS):
        seen, process = began(), start(tmp_path)
        # At least one step further than where it was killed before, then anywhere within the next seconds.
        wait_for(lambda: began() > seen or process.poll() is not None)  # noqa: B023
        time.sleep(moments.uniform(0.0, 6.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = start(tmp_path)
    assert process.wait(timeout=600) == 0, (tmp_path / "log").read_text()[-2000:]

    records = Ledger(ledger).records
    ended = [record.step for record in records if record.status == "done"]
    assert list(dict.fromkeys(ended)) == STEPS and len(ended) == len(STEPS)  # nothing was done twice
    for stage in ("pt-s1", "pt-s2", "sft"):
        rows = read_jsonl(tmp_path / "out" / "stages" / stage / "metrics.jsonl")
        assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    page = open_page(tmp_path / "out" / "index.html", play=2)
    assert not page.console_errors
    assert len(page.players) >= 24 and all(seconds > 0 for seconds in page.players)

    again = start(tmp_path)
    assert again.wait(timeout=300) == 0
    done_again = [record.step for record in Ledger(ledger).records[len(records) :] if record.status == "done"]
    assert done_again == ["report"]  # the page is always written anew, everything else stands


def test_the_embedded_codec_is_the_one_that_the_example_was_made_with() -> None:
    from vaak.corpus import open_corpus
    from vaak.demo import corpus_folder

    assert open_corpus(corpus_folder()).codec_hash == open_codec("embedded").hash
