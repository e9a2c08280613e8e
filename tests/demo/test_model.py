"""The model in the package: small, whole, of the example's tokenizer and codec, and understood when it speaks."""

from __future__ import annotations

import pytest

import vaak.demo
from vaak.demo.voices import best_description
from vaak.grammar.tokenizer import load_tokenizer
from vaak.score.error_rate import total, word_counts

# Of the small grammar, made for this test: none of them stands in the corpus.
SENTENCES = (
    "The blue boat is near the old bridge.",
    "My sister found a small key under the table.",
    "The teacher will open the window in the morning.",
    "We saw seven birds behind the green house.",
)


def test_its_weights_are_small_and_its_card_says_how_it_was_made():
    folder = vaak.demo.model_folder()
    assert (folder / "model.safetensors").stat().st_size < 20e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "## Evaluation" in card and "TO FILL IN" not in card


def test_it_reads_with_the_examples_tokenizer():
    ours, examples = load_tokenizer(vaak.demo.model_folder()), load_tokenizer(vaak.demo.tokenizer_folder())
    for text in (*SENTENCES, "नमस्ते, आप कैसे हैं?"):
        assert ours.encode(text) == examples.encode(text)


@pytest.mark.slow
def test_a_recogniser_understands_most_of_what_it_says():
    from vaak.score.asr import open_asr
    from vaak.speak import open_speaker, speak

    pytest.importorskip("faster_whisper", reason="Whisper is not installed")
    asr = open_asr()
    model, tokenizer, codec = open_speaker(vaak.demo.model_folder())
    counts = []
    for seed, text in enumerate(SENTENCES):
        wave, generation = speak(model, tokenizer, codec, text, best_description(text), seed=seed)
        assert generation.stopped
        counts.append(word_counts(text, asr.transcribe(wave, codec.output_rate, "en"), "en"))
    # Speech of another text has over 1.
    assert total(counts).rate < 0.6, counts
