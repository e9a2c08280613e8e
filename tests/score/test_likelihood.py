"""How probable a text is to a recogniser: the sums of CTC against all paths, and Whisper against its own next-token scores."""

from __future__ import annotations

from itertools import groupby, product
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.demo import corpus_folder
from vaak.errors import BadInput
from vaak.score import weights
from vaak.score.asr import RATE, open_asr
from vaak.score.asr_conformer import ConformerAsr
from vaak.score.asr_several import SeveralAsr
from vaak.score.asr_whisper import WhisperAsr
from vaak.score.likelihood import LEAST, ctc_log_likelihood, scored_languages
from vaak.score.normalise import normalise_for_scoring


def by_all_paths(scores: np.ndarray, text: str, pieces: list[str]) -> float:
    """The definition: the probability of every path whose equal neighbours are one, whose blanks go, and that spells the text."""
    blank, total = scores.shape[1] - 1, -np.inf
    for path in product(range(blank + 1), repeat=len(scores)):
        if "".join(pieces[i] for i, _ in groupby(path) if i != blank) == text:
            total = np.logaddexp(total, sum(scores[t, i] for t, i in enumerate(path)))
    return total


@settings(max_examples=150)
@given(
    frames=st.integers(0, 5),
    pieces=st.lists(st.text("ab▁", min_size=1, max_size=2), min_size=1, max_size=4),
    text=st.text("ab▁", max_size=5),
    seed=st.integers(0, 1000),
)
def test_the_sum_over_the_lattice_is_the_sum_over_all_paths(frames, pieces, text, seed):
    raw = np.random.default_rng(seed).normal(0, 2, (frames, len(pieces) + 1))
    scores = raw - np.logaddexp.reduce(raw, axis=1, keepdims=True)
    found, fewest = ctc_log_likelihood(scores, text, [*pieces, "never read"])
    assert found == pytest.approx(by_all_paths(scores, text, pieces), abs=1e-9)
    spellings = (n for n in range(len(text) + 1) for some in product(pieces, repeat=n) if "".join(some) == text)
    assert fewest == next(spellings, 0)


def test_a_long_text_loses_nothing_to_underflow():
    scores = np.full((400, 3), -60.0)
    scores[:, 2] = 0.0
    found, pieces = ctc_log_likelihood(scores, "ab" * 50, ["a", "b"])
    assert pieces == 100 and -60 * 100 <= found < -50 * 100


def test_pieces_of_a_conformer_make_a_text_likely_that_it_hears(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed (pip install vaak[dev])")
    from tests.score.small_conformer import make_conformer
    from tests.score.test_asr_conformer import voice

    asr = ConformerAsr(make_conformer(tmp_path / "conformer"))
    assert "hi" in scored_languages(asr)
    wave = voice(0.6)
    letters = [chr(0x0915 + i) for i in range(16)]  # क to त
    asr._pieces["hi"] = [f"▁{one}{other}" for one in letters for other in letters]
    heard = asr.transcribe(wave, RATE, "hi")
    assert normalise_for_scoring(heard, "hi") == heard and len(heard) > 2
    likely = asr.likelihood(wave, RATE, "hi", heard)
    less = asr.likelihood(wave, RATE, "hi", "कग खघ कक गग")
    assert LEAST <= less < likely < 0
    assert asr.likelihood(wave[:1600], RATE, "hi", "कक खख " * 20) == LEAST
    with pytest.raises(BadInput, match="cannot be spelled"):
        asr.likelihood(wave, RATE, "hi", "अ")
    with pytest.raises(BadInput, match=r"30\.0 s are longer than the 28 s"):
        asr.likelihood(np.ones(30 * RATE), RATE, "hi", "कक")


@pytest.fixture(scope="module")
def whisper():
    if weights.packaged_whisper() is None:
        pytest.skip("no packaged Whisper is installed")
    return cast(WhisperAsr, open_asr("whisper"))


@pytest.fixture(scope="module")
def spoken():
    """Round trips of the example's English recordings: (text, wave)."""
    codec, group = open_codec("embedded"), open_corpus(corpus_folder()).groups["paired", "en", "clean"]
    chosen = [(i, one) for i, one in enumerate(group.samples()) if one.held_out][:3]
    return [(one.transcript, codec.decode(group.tokens(i))) for i, one in chosen]


def by_next_tokens(asr, wave: np.ndarray, text: str) -> float:
    """The same by asking for the scores of the next token after each beginning of the text, over the tokens of text."""
    tokenizer = asr._tokenizer("en")
    encoded, _ = asr._encoded(wave)
    tokens, logs = tokenizer.encode(" " + text), []
    for place, token in enumerate(tokens):
        result = asr._model.model.generate(
            encoded,
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps, *tokens[:place]]],
            beam_size=1,
            max_length=2 * place + 6,
            suppress_blank=False,
            suppress_tokens=[],
            return_logits_vocab=True,
        )
        scores = np.array(result[0].logits[0])[place, : tokenizer.eot].astype(np.float64)
        logs.append(scores[token] - np.logaddexp.reduce(scores))
    return float(np.mean(logs))


@pytest.mark.slow
def test_the_text_that_was_said_is_far_more_likely_than_another(whisper, spoken):
    others = [spoken[(i + 1) % len(spoken)][0] for i in range(len(spoken))]
    for (text, wave), other in zip(spoken, others, strict=True):
        right, wrong = (whisper.likelihood(wave, RATE, "en", one) for one in (text, other))
        assert right > -0.5 and LEAST <= wrong < -3
        assert whisper.likelihood(wave, RATE, "en", text) == right
        assert right == pytest.approx(by_next_tokens(whisper, wave, text), abs=0.01)
        assert wrong == pytest.approx(by_next_tokens(whisper, wave, other), abs=0.05)


@pytest.mark.slow
def test_several_recognisers_score_where_the_one_of_the_language_does(whisper, spoken):
    text, wave = spoken[0]
    several = SeveralAsr([open_asr("pocketsphinx"), whisper])
    assert "en" not in scored_languages(several) and "hi" in scored_languages(several)
    assert scored_languages(open_asr("pocketsphinx")) == frozenset()
    with pytest.raises(BadInput, match="gives no likelihood in en"):
        several.likelihood(wave, RATE, "en", text)
    turned = SeveralAsr([whisper, open_asr("pocketsphinx")])
    assert turned.likelihood(wave, RATE, "en", text) == whisper.likelihood(wave, RATE, "en", text)


def test_what_whisper_cannot_score_is_refused(whisper):
    wave = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    for text in ("", "  "):
        with pytest.raises(BadInput, match="the text is empty"):
            whisper.likelihood(wave, RATE, "en", text)
    with pytest.raises(BadInput, match="has no or"):
        whisper.likelihood(wave, RATE, "or", "text")
    with pytest.raises(BadInput, match=r"31\.0 s are longer than the 30 s"):
        whisper.likelihood(np.zeros(31 * RATE, np.float32), RATE, "en", "text")
