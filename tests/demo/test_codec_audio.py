"""What the codec is trained on: every voice of the example, mostly the English one, and no held-out sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vaak.demo import texts
from vaak.demo.codec_audio import MINUTES, jobs
from vaak.demo.make import SEED
from vaak.demo.plan import plan
from vaak.demo.voices import VOICES


@pytest.mark.slow
def test_every_voice_speaks_and_nobody_says_a_held_out_sentence() -> None:
    planned = list(jobs(Path("out")))
    assert len({path for path, _, _ in planned}) == len(planned)
    characters = Counter()
    for _, voice, said in planned:
        characters[(voice.language, voice.name)] += sum(map(len, said))
    assert {(voice.language, voice.name) for voice in VOICES} < characters.keys()  # and strangers besides
    assert 0.45 < characters[("en", "heart")] / characters.total() < 0.65
    assert characters[("en", "heart")] * 0.068 == pytest.approx(MINUTES["heart"] * 60, rel=0.05)
    held_out = {text for item in plan(SEED)[0] if item.held_out for text in texts.sentences_of(item.text)}
    assert held_out.isdisjoint(sentence for _, _, said in planned for sentence in said)
