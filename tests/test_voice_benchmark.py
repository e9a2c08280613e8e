"""The voice benchmark: which sentences it takes, and that it measures models that say nothing or never end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vaak.demo
from benchmarks._voice_items import chosen, held_out_sentences, with_partners
from benchmarks._voice_sheets import LARGEST, Panel, title, write_sheets
from vaak.codec import open_codec
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.errors import BadInput
from vaak.evaluate.items import is_cloned
from vaak.grammar.export import export_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model import ModelSettings, create_model
from vaak.model.open import save_model

RATE = 16000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Held-out sentences of the example: English of one heard voice and one that is not, Hindi; and one to train on."""
    source = open_corpus(vaak.demo.corpus_folder())
    described = source.codec
    assert described is not None
    folder = tmp_path_factory.mktemp("voice")
    writer = CorpusWriter(folder / "corpus", "small", codec=described)
    for language, speaker, count in (("en", "heart", 3), ("en", "awb", 2), ("hi", "asha", 2)):
        group = source.groups["paired", language, "clean"]
        rows = zip(group.column("held_out"), group.column("speaker"), group.column("audio"), strict=True)
        numbers = [n for n, (held_out, name, _) in enumerate(rows) if held_out and name == speaker]
        for place, n in enumerate(numbers[:count]):
            sample = group.sample(n)
            # The last of each voice comes without its recording.
            if sample.audio and place < count - 1:
                writer.add_audio(sample.sample_id, (Path(source.folder) / sample.audio).read_bytes())
            writer.add("paired", _plain(sample, place), group.tokens(n))
        if speaker != "awb":
            writer.add("paired", _plain(group.sample(numbers[0]), 0, held_out=False), group.tokens(numbers[0]))
    writer.freeze()
    (folder / "PROVENANCE.json").write_text(json.dumps({"held_out_words": ["Umbrella", "wonderful"]}))
    return folder / "corpus"


def _plain(sample: Sample, place: int, held_out: bool = True) -> Sample:
    return Sample(
        sample_id=sample.sample_id if held_out else f"{sample.sample_id}-training",
        source="studio" if place % 2 == 0 else "anchor", language=sample.language, speaker=sample.speaker,
        transcript=sample.transcript, transcript_kind="native", voice_description=sample.voice_description,
        duration_s=sample.duration_s, held_out=held_out,
    )  # fmt: skip


def test_held_out_sentences_know_their_voice_and_their_rare_words(corpus):
    _, sentences = held_out_sentences(corpus)
    prompts = [one.prompt for one in sentences]
    assert [(one.language, one.speaker) for one in prompts] == [("en", "heart")] * 3 + [("en", "awb")] * 2 + [
        ("hi", "asha")
    ] * 2
    assert [is_cloned(one) for one in prompts] == [False] * 3 + [True] * 2 + [False] * 2
    cloned, other = prompts[3:5]
    assert cloned.voice_text == other.text and cloned.voice_codes is not None and other.reference_codes is not None
    assert np.array_equal(cloned.voice_codes, other.reference_codes)
    for one in sentences:
        words = one.prompt.text.lower()
        wanted = ("umbrella" in words or "wonderful" in words) if one.prompt.language == "en" else None
        assert one.rare is wanted
    assert any(one.rare for one in sentences)


def test_a_limit_takes_voices_and_sources_in_turn_and_recordings_first(corpus):
    _, sentences = held_out_sentences(corpus)
    few = chosen(sentences, 3, 1)
    assert [(one.prompt.speaker, one.source) for one in few] == [
        ("heart", "studio"), ("heart", "anchor"), ("awb", "studio"), ("asha", "studio"),
    ]  # fmt: skip
    assert all(one.prompt.reference_audio for one in few)
    assert chosen(sentences, 0, 0) == sentences


def test_a_wrong_text_is_of_the_same_voice_if_that_says_two(corpus):
    _, sentences = held_out_sentences(corpus)
    for one, other in with_partners(sentences):
        assert other is not None and other.prompt.text != one.prompt.text
        assert other.prompt.speaker == one.prompt.speaker
    [(_, other), (_, stranger)] = with_partners([sentences[0], sentences[3]])
    assert other is sentences[3] and stranger is sentences[0]
    assert with_partners(sentences[:1]) == [(sentences[0], None)]


def test_a_corpus_that_holds_nothing_out_or_words_of_another_kind_is_refused(corpus, tmp_path):
    described = open_corpus(corpus).codec
    writer = CorpusWriter(tmp_path / "corpus", "none", codec=described)
    sample = Sample("a", "studio", "en", speaker="x", transcript="hello", transcript_kind="native", duration_s=1.0)
    writer.add("paired", sample, np.zeros(50, np.uint16))
    writer.freeze()
    with pytest.raises(BadInput, match="holds out no"):
        held_out_sentences(tmp_path / "corpus")
    (tmp_path / "PROVENANCE.json").write_text('{"held_out_words": "hello"}')
    with pytest.raises(BadInput, match="held_out_words"):
        held_out_sentences(tmp_path / "corpus")


def test_titles_have_no_letter_that_the_font_lacks():
    assert title("en-1", "It costs $5.", "en") == r"It costs \$5."
    assert title("hi-1", "मेरा नाम", "hi") == "hi-1: mera naam"
    assert title("x", "好 a", "en") == "x: a"


def test_sheets_are_small_and_show_silence_and_nothing(tmp_path):
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(4 * RATE)).astype(np.float32)
    waves = (noise, np.zeros(RATE, np.float32), np.zeros(0, np.float32))
    panels = {"en": [Panel(str(n), "a text", noise, wave) for n, wave in enumerate((*waves, noise, noise))]}
    [path] = write_sheets(panels, tmp_path / "sheets")
    assert path.name == "voice-en.webp" and 1000 < path.stat().st_size <= LARGEST


def random_model(folder: Path, stop: float) -> None:
    """A model whose state is all ones wherever it stands, so that one row decides the logit of the stop token."""
    tokenizer = load_tokenizer(vaak.demo.tokenizer_folder())
    vocabulary = tokenizer.vocabulary(open_codec("embedded").codebook_size)
    config = {
        "model_type": "qwen3", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 32, "max_position_embeddings": 640,
        "tie_word_embeddings": False,
    }  # fmt: skip
    model = create_model(ModelSettings(config=config), vocabulary, 0)
    with torch.no_grad():
        layer = model.lm.model.layers[0]
        for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
            weight.zero_()
        model.lm.model.embed_tokens.weight.fill_(1.0)
        model.head[vocabulary.speech_end] = stop
    save_model(model, folder)
    export_tokenizer(tokenizer, vocabulary, folder)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [10.0, -10.0], ids=["at once", "never"])
def test_a_model_that_says_nothing_or_never_ends_is_measured_and_not_generated_twice(corpus, tmp_path, stop):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed (pip install vaak[asr])")
    root = Path(__file__).parents[1]
    random_model(tmp_path / "model", stop)
    command = [sys.executable, "benchmarks/voice.py", "--checkpoint", str(tmp_path / "model"), "--asr", "pocketsphinx"]
    for name in ("cache", "markdown", "json", "sheets"):
        command += [f"--{name}", str(tmp_path / name)]
    command += ["--corpus", str(corpus)]
    once = _run(command, root, tmp_path)
    assert once.returncode == 1, once.stderr
    assert "only 5 English sentences" in once.stdout and "DOES NOT HOLD" in once.stdout
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "json").read_text())}
    assert {
        "voice.wer_heard_voices",
        "voice.wer_with_held_out_words",
        "voice.mel_dtw_hi",
        "voice.cloned_en_awb",
    } <= set(figures)
    assert figures["voice.stop_rate"]["value"] == (1.0 if stop > 0 else 0.0)
    assert figures["voice.in_pace_en"]["value"] == 0.0 and not figures["voice.mel_dtw_hi"]["holds"]
    card = (tmp_path / "markdown").read_text()
    for row in ("| heard voices | original | 2 |", "|  | wrong text | 3 |", "| hi | 2 |", "| awb (en) | 2 |"):
        assert row in card
    assert ("7 generated nothing" in card) == (stop > 0)
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["voice-en.webp", "voice-hi.webp"]
    assert len(list((tmp_path / "cache" / "generations").rglob("*.npy"))) == 7
    if stop > 0:  # the second time everything is remembered, and nothing else is said
        (tmp_path / "model" / "tokenizer.json").unlink()
        assert _run(command, root, tmp_path).returncode == 1
        assert card == (tmp_path / "markdown").read_text()


def _run(command: list[str], root: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(scratch)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
