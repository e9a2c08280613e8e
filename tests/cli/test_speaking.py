"""`vaak speak`: the word `demo` is the model in the package, whom it speaks as, and what is said when it goes wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import vaak.demo
import vaak.speak.speech
from tests.cli.test_doors import leave
from tests.speak.tiny_speaker import tiny_model
from vaak.codec import open_codec
from vaak.grammar.export import export_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model.open import save_model
from vaak.speak.generation import Generation


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the shape of an export, on the example's tokenizer and codec."""
    folder = tmp_path_factory.mktemp("shipped")
    tokenizer = load_tokenizer(vaak.demo.tokenizer_folder())
    model = tiny_model(base_size=tokenizer.size, codes=open_codec("embedded").codebook_size)
    model = type(model)(model.lm, tokenizer.vocabulary(model.vocabulary.codebook_size))
    save_model(model, folder)
    export_tokenizer(tokenizer, model.vocabulary, folder)
    return folder


@pytest.fixture
def shipped(model_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(vaak.demo, "model_folder", lambda: model_folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The voice descriptions that prompts are built with; every generation says three codes and stops."""
    seen: list[str | None] = []
    real = vaak.speak.speech.build_prompt

    def build(*arguments, voice_description=None, **rest):
        seen.append(voice_description)
        return real(*arguments, voice_description=voice_description, **rest)

    monkeypatch.setattr(vaak.speak.speech, "build_prompt", build)
    monkeypatch.setattr(
        vaak.speak.speech, "generate", lambda *_, **__: [Generation(np.arange(3, dtype=np.uint16), True)]
    )
    return seen


def test_demo_is_the_shipped_model_and_says_how_long_it_took(shipped, capsys):
    code, out, err = leave(["speak", "demo", "Hi."], capsys)
    assert code == 0 and out.startswith("out.wav: ") and " s of speech, made in " in out
    assert soundfile.info("out.wav").frames > 0
    # A random model does not know how to stop.
    assert "did not stop by itself" in err and len(err.splitlines()) == 1


def test_a_folder_called_demo_needs_a_separator(shipped, asked, capsys):
    (shipped / "demo").mkdir()
    assert leave(["speak", "demo", "Hi."], capsys)[0] == 0
    code, _, err = leave(["speak", "./demo", "Hi."], capsys)
    assert code == 2 and "no complete checkpoint" in err


def test_the_shipped_model_speaks_as_its_best_voice_unless_told_otherwise(shipped, asked, model_folder, capsys):
    for arguments, voice in (
        (["demo", "Hi."], "Clara, a woman"),
        (["demo", "mera naam Asha hai"], "Clara, a woman"),
        (["demo", "मेरा नाम आशा है।"], "Asha, a woman"),
        (["demo", "Hi.", "--describe", "Robert, a man"], "Robert, a man"),
        (["demo", "Hi.", "--describe", ""], ""),
        (["demo", "Hi.", "--voice", "me.wav", "--voice-text", "Me."], None),
        ([str(model_folder), "Hi."], None),
    ):
        soundfile.write("me.wav", 0.1 * np.sin(np.arange(8000) / 9), 16000)
        code, _, err = leave(["speak", *arguments], capsys)
        assert code == 0 and not err, err
        assert asked.pop() == voice


def test_a_model_that_says_nothing_leaves_no_file_and_exit_1(shipped, monkeypatch, capsys):
    monkeypatch.setattr(vaak.speak.speech, "generate", lambda *_, **__: [Generation(np.zeros(0, np.uint16), True)])
    code, _, err = leave(["speak", "demo", "Hi."], capsys)
    assert code == 1 and "stopped at once" in err and not Path("out.wav").exists()


def test_a_package_without_a_model_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(vaak.demo, "_HERE", tmp_path)
    code, _, err = leave(["speak", "demo", "Hi."], capsys)
    assert code == 2 and "ships no model" in err and len(err.splitlines()) == 1


def test_a_long_text_is_said_in_chunks_and_those_that_went_wrong_are_named(shipped, monkeypatch, capsys):
    sizes = iter([3, 0, 4])

    def generate(model, prompts, **_):
        said = [next(sizes) for _ in prompts]
        return [Generation(np.arange(size, dtype=np.uint16), size != 4) for size in said]

    monkeypatch.setattr(vaak.speak.speech, "generate", generate)
    sentence = "The blue boat is near the old bridge, and the red one is far away from all the others. "
    (shipped / "story.txt").write_text("\ufeff" + sentence * 3, encoding="utf-8")
    code, out, err = leave(["speak", "demo", "--file", "story.txt"], capsys)
    assert code == 0 and " s of speech in 3 chunks, made in " in out
    assert soundfile.info("out.wav").frames == 320 * 7 + 3200
    [silent, cut] = err.splitlines()
    assert "stopped at once in chunk 2 of 3 ('The blue boat" in silent
    assert "did not stop by itself in chunk 3 of 3" in cut and "after 0.08 s" in cut


def test_a_file_with_a_short_text_is_said_at_once(shipped, asked, capsys):
    (shipped / "hello.txt").write_text("मेरा नाम\nआशा है।\n", encoding="utf-8")
    code, out, err = leave(["speak", "demo", "--file", "hello.txt"], capsys)
    assert code == 0 and " s of speech, made in " in out and not err and asked == ["Asha, a woman"]


def test_a_text_comes_from_one_place(shipped, capsys):
    (shipped / "bad.txt").write_bytes(b"\xff\xfe\x00")
    for arguments, words in (
        ([], "either a text"),
        (["Hi.", "--file", "bad.txt"], "either a text"),
        (["--file", "none.txt"], "none.txt cannot be read"),
        (["--file", "bad.txt"], "UTF-8"),
        ([" "], "empty"),
    ):
        code, _, err = leave(["speak", "demo", *arguments], capsys)
        assert code == 2 and words in err and len(err.splitlines()) == 1
