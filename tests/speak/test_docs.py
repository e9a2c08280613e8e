"""The Python examples of docs/speak.md run, one after the other, on a tiny model in place of a trained one."""

import re
from pathlib import Path

import soundfile

import vaak.speak.speech
from tests.speak.tiny_speaker import ToneCodec, tiny_model, tiny_tokenizer

PAGE = Path(__file__).parents[2] / "docs" / "speak.md"


def test_the_examples_run_and_make_sound(tmp_path, monkeypatch):
    tokenizer = tiny_tokenizer()
    opened = tiny_model(base_size=tokenizer.size), tokenizer, ToneCodec()
    monkeypatch.setattr(vaak.speak.speech, "open_speaker", lambda folder: opened)
    monkeypatch.chdir(tmp_path)
    played = []
    names = {"story": "The fox. " * 15, "play": played.append}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    for example in examples:
        exec(example, names)
    assert len(examples) == 2 and soundfile.info("boat.wav").frames > 0
    assert len(names["chunks"]) == 2 and sum(map(len, played)) == len(names["wave"])
