"""Each failure is triggered by one constructed case, and by none of the healthy ones: the example's held-out recordings."""

import math
from functools import cache

import numpy as np
import pytest
import soundfile

import vaak.demo
from vaak.corpus import open_corpus
from vaak.errors import BadInput
from vaak.score.sanity import (
    LIMITS,
    duration_ratio,
    failure_rates,
    failures,
    invalid_rate,
    is_truncated,
    is_unplayable,
    loop_share,
    ngram_repetition,
    repeat_rate,
    silence_share,
    speech_share,
    stop_failure_rate,
    stop_rate,
)
from vaak.score.voice_activity import voice_share

RATE = 16000
RNG = np.random.default_rng(0)
HEALTHY = RNG.integers(0, 4096, 300)


def tone(seconds=1.0, level=0.3):
    return (level * np.sin(np.arange(int(seconds * RATE)) * 0.1)).astype(np.float32)


def metrics(codes, wave, rate=RATE, stopped=True, limit=1000, target=None, extra=()) -> dict[str, float | None]:
    """All metrics of one generated item: `codes` below 4096 as ids from 100 on, then the ids in `extra`."""
    ids = np.concatenate([np.asarray(codes, np.int64) + 100, np.array(extra, np.int64)])
    return {
        "stopped": float(stopped),
        "truncated": float(is_truncated(stopped, len(codes), limit)),
        "duration_ratio": duration_ratio(len(codes), len(codes) if target is None else target),
        "repeat_rate": repeat_rate(codes),
        "ngram_repetition": ngram_repetition(codes),
        "loop_share": loop_share(codes),
        "speech_share": speech_share(wave, rate),
        "voice_share": voice_share(wave, rate),
        "invalid_rate": invalid_rate(ids, range(100, 100 + 4096)),
        "crashed": float(is_unplayable(wave, len(codes))),
    }


@cache
def clean() -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Codes, wave and hertz of every fourth held-out recording that ships, of all languages."""
    corpus, found = open_corpus(vaak.demo.corpus_folder()), []
    for group in corpus.groups.values():
        samples = [(sample, i) for i, sample in enumerate(group.samples()) if sample.audio and sample.held_out]
        for sample, i in samples[::4]:
            wave, rate = soundfile.read(corpus.folder / str(sample.audio), dtype="float32")
            found.append((np.asarray(group.tokens(i)), wave, rate))
    return found


def test_no_clean_recording_fails_any_metric():
    items = [metrics(codes, wave, rate) for codes, wave, rate in clean()]
    assert len(items) > 100
    assert [failures(item) for item in items if failures(item)] == []
    rates = failure_rates(items)
    assert all(rate == 0 for name, rate in rates.items() if name != "voice_share")
    assert rates["voice_share"] == 0 or items[0]["voice_share"] is None


def speech() -> np.ndarray:
    return clean()[0][1]


PHRASES = np.concatenate([part for i in range(8) for part in (HEALTHY[:30], RNG.integers(0, 4096, 3 + i))])
DAMAGED = {
    "no stop token": (lambda: metrics(HEALTHY, speech(), stopped=False), {"stopped"}),
    "cut off": (lambda: metrics(HEALTHY, speech(), stopped=False, limit=300), {"stopped", "truncated"}),
    "says nothing": (lambda: metrics([], np.zeros(0), target=300), {"duration_ratio", "speech_share", "voice_share"}),
    "too short": (lambda: metrics(HEALTHY[:100], speech(), target=300), {"duration_ratio"}),
    "too long": (lambda: metrics(HEALTHY, speech(), target=100), {"duration_ratio"}),
    "one code": (
        lambda: metrics(np.full(300, 7), speech()),
        {"repeat_rate", "ngram_repetition", "loop_share"},
    ),
    "every code twice": (lambda: metrics(np.repeat(HEALTHY, 2), speech()), {"repeat_rate"}),
    "a phrase again and again": (lambda: metrics(PHRASES, speech()), {"ngram_repetition"}),
    "silent": (lambda: metrics(HEALTHY, np.zeros(RATE)), {"speech_share", "voice_share"}),
    "near-silent": (lambda: metrics(HEALTHY, speech() * 1e-3), {"speech_share"}),
    "noise": (lambda: metrics(HEALTHY, 0.1 * np.random.default_rng(1).standard_normal(2 * RATE)), {"voice_share"}),
    "hum": (lambda: metrics(HEALTHY, tone(2.0)), {"voice_share"}),
    "a text id among the codes": (lambda: metrics(HEALTHY, speech(), extra=[99]), {"invalid_rate"}),
    "an id beyond the codes": (lambda: metrics(HEALTHY, speech(), extra=[100 + 4096]), {"invalid_rate"}),
    "decoded to nothing": (lambda: metrics(HEALTHY, np.zeros(0)), {"speech_share", "voice_share", "crashed"}),
    "not a number": (
        lambda: metrics(HEALTHY, np.append(speech(), np.float32("nan"))),
        {"crashed"},
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_each_damage_fails_its_metrics_and_no_others(what):
    make, expected = DAMAGED[what]
    item = make()
    if item["voice_share"] is None:
        expected = expected - {"voice_share"}
    # How loud it is does not decide whether somebody speaks: the network may hear a whisper that energy calls silence.
    assert set(failures(item)) - ({"voice_share"} if what == "near-silent" else set()) == expected


def test_every_metric_has_its_damage():
    assert set().union(*(expected for _, expected in DAMAGED.values())) == set(LIMITS)


@pytest.mark.parametrize("period", range(1, 17))
def test_loops_of_each_period(period):
    loop = np.tile(np.arange(period), 200 // period)
    item = metrics(np.concatenate([HEALTHY[:50], loop]), speech())
    assert loop_share(np.concatenate([HEALTHY[:50], loop])) > 0.7
    assert {"loop_share", "ngram_repetition"} <= set(failures(item))
    assert loop_share(np.concatenate([HEALTHY[:50], np.arange(period), np.arange(period), np.arange(period)])) == 0.0


def test_silence():
    assert silence_share(np.zeros(RATE, np.float32), RATE) == 1.0
    assert silence_share(np.zeros(0, np.float32), RATE) == 1.0
    assert silence_share(tone(level=0.001), RATE) == 1.0
    assert silence_share(tone(), RATE) == 0.0
    half = np.concatenate([tone(), np.zeros(RATE, np.float32)])
    assert speech_share(half, RATE) == pytest.approx(0.5, abs=0.02)


def test_repeats_and_loops():
    assert repeat_rate(HEALTHY) < 0.02 and loop_share(HEALTHY) == 0.0 and ngram_repetition(HEALTHY) == 0.0
    assert repeat_rate(np.full(50, 7)) == 1.0
    assert repeat_rate(np.array([3])) == 0.0 and loop_share(np.array([], int)) == 0.0
    assert [ngram_repetition(np.zeros(n, int)) for n in (0, 1, 4, 5)] == [0.0, 0.0, 0.0, 0.5]
    assert ngram_repetition(np.tile(HEALTHY, 2)) == pytest.approx(0.5, abs=0.01)
    assert ngram_repetition(np.array([1, 2, 1, 2, 1]), n=2) == 0.5


def test_stops_and_limits():
    assert stop_rate([True, True, False, True]) == 0.75
    assert stop_failure_rate([True, True, False, True]) == 0.25
    assert math.isnan(stop_rate([])) and math.isnan(stop_failure_rate([]))
    assert is_truncated(False, 300, 300) and is_truncated(False, 301, 300)
    assert not is_truncated(True, 300, 300) and not is_truncated(False, 299, 300) and not is_truncated(False, 0, 0)


def test_lengths_ids_and_waves():
    assert duration_ratio(90, 100) == 0.9 and duration_ratio(0, 100) == 0.0
    assert math.isnan(duration_ratio(3, 0))
    assert invalid_rate(np.array([10, 19, 20, 9]), range(10, 20)) == 0.5 and invalid_rate(np.array([]), range(3)) == 0.0
    assert not is_unplayable(np.zeros(0), 0) and not is_unplayable(np.zeros(5), 1)
    assert is_unplayable(np.zeros(0), 1) and is_unplayable(np.array([0.0, np.inf]), 1)


def test_rates_are_over_the_items_that_have_a_metric():
    items: list[dict[str, float | None]] = [
        {"stopped": 1.0, "duration_ratio": math.nan, "voice_share": None},
        {"stopped": 0.0, "duration_ratio": 3.0, "voice_share": None},
        {"stopped": 1.0, "duration_ratio": 1.0},
    ]
    rates = failure_rates(items)
    assert (rates["stopped"], rates["duration_ratio"]) == (pytest.approx(1 / 3), 0.5)
    assert math.isnan(rates["voice_share"]) and math.isnan(failure_rates([])["stopped"])
    with pytest.raises(BadInput, match="loudness has no limit"):
        failures({"loudness": 1.0})
