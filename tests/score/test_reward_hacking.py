"""The attacks on the reward are what they say; the slow one has the whole benchmark at a small size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks._hacking_material import (
    another_voice,
    derived,
    held_out_prompts,
    other_recordings,
    reference,
    slower,
    training_prompts,
    unmoved,
)
from vaak.codec import Codec, open_codec
from vaak.corpus.pack_items import Prompt
from vaak.score.reward import Figures, gate_of
from vaak.score.reward_gates import copied_share, level_db
from vaak.score.reward_settings import RewardSettings
from vaak.score.sanity import loop_share, silence_share

ROOT = Path(__file__).resolve().parents[2]


@cache
def codec() -> Codec:
    return open_codec("embedded")


@cache
def prompts() -> list[Prompt]:
    return held_out_prompts(6, 2)


def gate(codes: np.ndarray, prompt: Prompt) -> str:
    """Of a sample that ended by itself."""
    wave, rate = codec().decode(codes), codec().output_rate
    figures = Figures(
        stopped=True, truncated=False, codes=len(codes), reference_codes=len(reference(prompt)), invalid_rate=0.0,
        loop_share=loop_share(codes), silence_share=silence_share(wave, rate), level_db=level_db(wave, rate),
        copied=copied_share(codes, reference(prompt)), crashed=False,
    )  # fmt: skip
    return gate_of(figures, RewardSettings())


def test_the_prompts_are_held_out_in_voices_that_training_heard():
    assert {prompt.language for prompt in prompts()} == {"en", "as", "bn", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te"}  # fmt: skip
    assert all(prompt.seen_voice and not prompt.seen_text for prompt in prompts())
    held_out = {prompt.item for prompt in prompts()}
    training = training_prompts(6, 1)
    assert len(training) == 6 + 11 and held_out.isdisjoint(prompt.item for prompt in training)
    assert {prompt.text for prompt in prompts()}.isdisjoint(prompt.text for prompt in training)


@pytest.mark.parametrize("number", range(4))
def test_what_no_network_need_hear_falls_to_a_gate(number):
    prompt = prompts()[number * 7 % len(prompts())]
    honest = slower(prompt, codec())
    assert gate(honest, prompt) == ""
    attacks = derived(honest, codec()) | unmoved(prompt, codec())
    found = {name: gate(codes, prompt) for name, codes in attacks.items()}
    assert found["half the sentence"] == "short" and found["sentence twice"] == "long"
    assert found["loop"] == found["silence"] == "loop"
    assert found["very quiet"] in ("quiet", "silent", "loop")
    assert found["reference codes"] == found["reference, codes left out"] == "copied"
    # What is said of these is said by the parts, where words are heard.
    assert found["random codes"] == found["phrase again and again"] == ""


def test_other_recordings_are_of_other_words_or_of_another_language():
    by_codes = {reference(one).tobytes(): one for one in prompts()}
    for prompt in prompts():
        for name, codes in other_recordings(prompt, prompts()).items():
            other = by_codes[codes.tobytes()]
            assert other.text != prompt.text
            assert (other.language == prompt.language) == (name == "other words")
            assert name != "other words" or other.speaker == prompt.speaker


def test_another_voice_is_never_the_own():
    for turn, prompt in enumerate(prompts()):
        voice = another_voice(prompt, prompts(), turn)
        assert voice is not None and voice != prompt.voice_description
        assert voice in {one.voice_description for one in prompts() if one.language == prompt.language}


@pytest.mark.slow
def test_in_english_every_attack_is_below_every_honest_rendering(tmp_path):
    pytest.importorskip("faster_whisper")
    path = tmp_path / "figures.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, str(ROOT / "benchmarks" / "reward_hacking.py"), "--small", "--json", str(path)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    figures = {figure["name"]: figure for figure in json.loads(path.read_text())}
    wanted = [name for name in figures if name.startswith("en, ")]
    assert len(wanted) == 13 and all(figures[name]["value"] == 1.0 for name in wanted)
    assert figures["groups dropped"]["value"] == 0
    assert "| attack | n |" in ended.stdout and "| honest, generated | 3 |" in ended.stdout
