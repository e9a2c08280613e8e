"""The real judges on real speech: the shipped codec, Whisper base, GE2E and DNSMOS on recordings of the example."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.align.groups import SpokenPrompt
from vaak.align.judge_counters import JudgeCounters
from vaak.align.judges import Judges
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.corpus.pack_items import Prompt
from vaak.demo import corpus_folder
from vaak.evaluate import measures
from vaak.evaluate.generations import Spoken
from vaak.score import weights
from vaak.score.asr import open_asr
from vaak.score.reward_settings import Gates, RewardSettings
from vaak.score.similarity import embed_voice
from vaak.speak.generation import Generation

pytestmark = pytest.mark.slow
# A replayed recording is a copy: here it stands for good speech, and passes.
REPLAYS = RewardSettings(gates=Gates(most_copied=1.0))
RATE = 16000


@pytest.fixture(scope="module")
def codec():
    return open_codec("embedded")


@pytest.fixture(scope="module")
def asr():
    if weights.packaged_whisper() is None:
        pytest.skip("no packaged Whisper is installed")
    return open_asr("whisper", threads=2)


@pytest.fixture(scope="module")
def recordings():
    """(language, text, codes) of held-out recordings, three English and one Hindi."""
    corpus, chosen = open_corpus(corpus_folder()), []
    for language, count in (("en", 3), ("hi", 1)):
        group = corpus.groups["paired", language, "clean"]
        held_out = [(i, one) for i, one in enumerate(group.samples()) if one.held_out][:count]
        chosen += [(language, one.transcript, group.tokens(i)) for i, one in held_out]
    return chosen


def prompt_of(recording, codec) -> SpokenPrompt:
    language, text, codes = recording
    return SpokenPrompt(language, text, 2 * len(codes) + 25, codes, lambda: embed_voice(codec.decode(codes), RATE))


def damaged(codes: np.ndarray) -> list[Generation]:
    """The recording, its words in disorder, and its first three quarters."""
    pieces = np.array_split(codes, 8)
    order = [pieces[i] for i in (5, 2, 7, 0, 3, 6, 1, 4)]
    return [Generation(one, True) for one in (codes, np.concatenate(order), codes[: 3 * len(codes) // 4])]


def test_figures_are_those_of_an_evaluation_of_the_same_sounds(codec, asr, recordings):
    with Judges(codec, asr, REPLAYS, frozenset({"en", "hi"})) as judges:
        for recording in (recordings[0], recordings[-1]):
            prompt = prompt_of(recording, codec)
            group = damaged(recording[2])
            for one, judged in zip(group, judges.judge(prompt, group), strict=True):
                assert judged.figures is not None and judged.wave is not None
                assert np.array_equal(judged.wave, codec.decode(one.codes))
                found = evaluated(prompt, one, judged.wave, codec, asr)
                first = "wer" if prompt.language == "en" else "cer"
                for name, figure in (
                    ("invalid_rate", judged.figures.invalid_rate),
                    ("loop_share", judged.figures.loop_share),
                    ("silence_share", judged.figures.silence_share),
                    ("stopped", judged.figures.stopped),
                    ("truncated", judged.figures.truncated),
                    ("crashed", judged.figures.crashed),
                    ("duration_ratio", judged.figures.codes / len(recording[2])),
                    ("dnsmos", judged.figures.quality),
                    ("similarity", judged.figures.similarity),
                    (first, judged.figures.errors),
                ):
                    assert found[name].value == pytest.approx(float(figure or 0), abs=1e-6), name
                assert found["wer"].detail["heard"] == judged.heard


def evaluated(prompt: SpokenPrompt, one: Generation, wave: np.ndarray, codec, asr) -> dict[str, measures.Figure]:
    """The same sample as an evaluation measures it."""
    item = Prompt(
        "item", prompt.language, "native", prompt.text, None, None, prompt.reference_codes, None, None, None, None, True, True, None
    )  # fmt: skip
    spoken = Spoken("item", prompt.text, prompt.language, one.codes, one.stopped, "", prompt.limit)
    sound = measures.Sound(item, wave, RATE, spoken, "", codec.codebook_size, lambda: (prompt.voice(), "recording"))
    return measures.measure(sound, asr, measures.metrics_of(item, asr, generated=True, has_voice=True))


def test_the_recording_is_better_than_what_is_left_of_it_and_likelihood_says_so_too(codec, asr, recordings):
    """With and without the likelihood, groups begun at once; each figure in its range and the counters without a fault."""
    for settings in (REPLAYS, REPLAYS.model_copy(update={"likelihood": 0.5})):
        with Judges(codec, asr, settings, frozenset({"en"})) as judges:
            futures = [judges.begin(prompt_of(one, codec), damaged(one[2])) for one in recordings[:3]]
            for future in futures:
                judged = future.result(120)
                whole, disordered, cut = (one.reward or 0 for one in judged)
                assert whole > max(disordered, cut) and whole > 0.6
                assert judged[0].parts["content"] > 0.9 > judged[1].parts["content"]
                likelihoods = [one.figures.likelihood for one in judged if one.figures]
                if settings.likelihood:
                    found = [one for one in likelihoods if one is not None]
                    assert len(found) == 3 and found[0] == max(found) and found[0] > -0.6
                else:
                    assert likelihoods == [None, None, None]
            assert judges.counters == JudgeCounters(groups=3, samples=9, judged=9)


def test_where_the_recogniser_is_untrusted_real_speech_is_judged_without_words(codec, asr, recordings):
    prompt = prompt_of(recordings[-1], codec)
    with Judges(codec, asr, REPLAYS, frozenset({"en"})) as judges:
        judged = judges.judge(prompt, damaged(recordings[-1][2]))
    assert all(set(one.parts) == {"similarity", "quality"} and one.heard == "" for one in judged)


def test_a_copy_and_silence_are_gated_and_no_network_is_opened(codec, recordings):
    class Unasked:
        name, hash, languages = "unasked", "0" * 64, frozenset({"en"})

        def transcribe(self, wave, rate, language):
            raise AssertionError("asked")

    silence = codec.encode(np.zeros(RATE * len(recordings[0][2]) // 50, np.float32))
    codes = recordings[0][2]
    with Judges(codec, Unasked(), RewardSettings(), frozenset({"en"})) as judges:
        judged = judges.judge(prompt_of(recordings[0], codec), [Generation(codes, True), Generation(silence, True)])
    assert [one.reward for one in judged] == [0.0, 0.0]
    assert judged[0].gate == "copied" and judged[1].gate in ("loop", "silent", "quiet")


def test_a_time_limit_that_real_judges_cannot_keep_drops_the_group(codec, asr, recordings):
    with Judges(codec, asr, REPLAYS, frozenset({"en"}), timeout_s=0.001) as judges:
        began = time.monotonic()
        judged = judges.judge(prompt_of(recordings[0], codec), damaged(recordings[0][2]))
        assert time.monotonic() - began < 10
    assert [one.reward for one in judged] == [None] * 3 and judged[0].failure.startswith("decoder: TimeoutError")
