"""Faults of judges and decoder, one after the other: which rewards they leave, and that the counters say what happened."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.align.groups import VOICE, Faults, FaultyAsr, FaultyCodec, SpokenPrompt, codes_of, raises, sample
from vaak.align.judge_counters import JudgeCounters
from vaak.align.judges import Judged, Judges
from vaak.errors import BadInput
from vaak.score.reward import reward_of
from vaak.score.reward_settings import RewardSettings
from vaak.speak.generation import Generation

GROUP = [sample(length) for length in (50, 51, 52, 53)]


@pytest.fixture
def faults(monkeypatch):
    found = Faults()
    found.install(monkeypatch)
    return found


@pytest.fixture
def make_judges(faults):
    opened = []

    def make(codec=None, trusted=frozenset({"en"}), reward=RewardSettings(), **more) -> Judges:
        opened.append(Judges(codec or FaultyCodec(), FaultyAsr(faults), reward, trusted, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def assert_dropped(judged: list[Judged], failure: str) -> None:
    """Nothing but the reason is said of a dropped group: no reward, no part, no figure, no sound, for any sample."""
    assert all(one.failure.startswith(failure) for one in judged), judged[0].failure
    assert {(one.reward, str(one.parts), one.figures, one.gate, one.wave, one.heard) for one in judged} == {
        (None, "{}", None, "", None, "")
    }


def test_a_group_without_faults_has_the_rewards_of_its_figures(make_judges, faults):
    judges = make_judges()
    judged = judges.judge(SpokenPrompt(), GROUP)
    for one in judged:
        assert one.figures is not None and one.wave is not None
        expected = reward_of(one.figures, True, RewardSettings())
        assert (one.reward, one.parts, one.gate) == (expected.total, expected.parts, "")
        assert (one.figures.errors, one.figures.similarity, one.heard) == (0.0, 1.0, "the quick brown fox")
    assert [one.figures.quality for one in judged if one.figures] == [2.0 + length / 100 for length in (50, 51, 52, 53)]
    assert judges.counters == JudgeCounters(groups=1, samples=4, judged=4)


@pytest.mark.parametrize(
    "judge, fault, kind",
    [
        ("heard", raises(ValueError("no audio")), "asr: ValueError"),
        ("heard", raises(BadInput("the file is gone")), "asr: BadInput"),
        ("heard", raises(TimeoutError("no server")), "asr: TimeoutError"),
        ("heard", lambda: None, "asr: TypeError"),
        ("heard", "", "asr: EmptyTranscript"),
        ("quality", float("nan"), "quality: NotFinite"),
        ("quality", float("inf"), "quality: NotFinite"),
        ("quality", raises(RuntimeError("onnx")), "quality: RuntimeError"),
        ("voice", VOICE * np.nan, "similarity: NotFinite"),
        ("voice", VOICE[:3], "similarity: ValueError"),
        ("voice", raises(OSError("weights")), "similarity: OSError"),
    ],
)
@pytest.mark.parametrize("failing", [[52], [50, 53]], ids=["one", "half"])
def test_a_judge_that_fails_drops_the_group_and_every_failed_call_is_counted(
    make_judges, faults, judge, fault, kind, failing
):
    judges = make_judges()
    setattr(faults, judge, dict.fromkeys(failing, fault))
    assert_dropped(judges.judge(SpokenPrompt(), GROUP), kind)
    assert judges.counters == JudgeCounters(1, dropped_groups=1, samples=4, lost=4, failed={kind: len(failing)})
    setattr(faults, judge, {})
    assert all(one.reward for one in judges.judge(SpokenPrompt(), GROUP))
    assert judges.counters == JudgeCounters(2, 1, samples=8, judged=4, lost=4, failed={kind: len(failing)})


@pytest.mark.parametrize("voice", [lambda: None, raises(RuntimeError("broken")), lambda: VOICE * np.inf])
def test_without_the_voice_of_the_prompt_no_sample_is_compared(make_judges, faults, voice):
    judges = make_judges()
    assert_dropped(judges.judge(SpokenPrompt(voice=voice), GROUP), "similarity: ")
    assert sum(judges.counters.failed.values()) == 1 and faults.asked_of("voice") == []


def test_nothing_heard_in_clear_speech_by_half_of_a_group_is_an_error_of_the_recogniser(make_judges, faults):
    judges = make_judges()
    faults.heard = {50: "", 52: "  "}
    assert_dropped(
        judges.judge(SpokenPrompt(), GROUP), "asr: EmptyTranscript: nothing was heard in a wave of which 100%"
    )
    assert judges.counters.failed == {"asr: EmptyTranscript": 2}


def test_nothing_heard_in_unclear_speech_is_an_error_rate_of_one_if_the_recording_is_heard(make_judges, faults):
    judges = make_judges()
    faults.heard, faults.clear = {51: ""}, {51: 0.1}
    recording = sample(60)
    judged = judges.judge(SpokenPrompt(reference_codes=recording.codes), GROUP)
    assert [one.figures.errors for one in judged if one.figures] == [0, 1, 0, 0]
    assert judged[1].parts["content"] == 0 and faults.asked["heard", 60] == 1
    assert judges.counters == JudgeCounters(1, samples=4, judged=4)
    faults.heard = {51: "", 60: ""}
    assert_dropped(judges.judge(SpokenPrompt(reference_codes=recording.codes), GROUP), "asr: EmptyTranscript")


def test_without_a_detector_of_voice_energy_decides_what_is_clear(make_judges, faults):
    judges = make_judges()
    faults.heard, faults.clear = {51: ""}, {51: lambda: None}
    assert_dropped(judges.judge(SpokenPrompt(), GROUP), "asr: EmptyTranscript: nothing was heard in a wave")


def test_a_judge_that_hangs_costs_its_limit_and_its_late_answer_goes_nowhere(make_judges, faults):
    judges, release = make_judges(timeout_s=0.5), threading.Event()
    faults.heard = {51: lambda: release.wait(20) and "the quick brown fox"}
    began = time.monotonic()
    assert_dropped(judges.judge(SpokenPrompt(), GROUP), "asr: TimeoutError: no answer within 0.5 s")
    assert 0.5 <= time.monotonic() - began < 5
    expected = JudgeCounters(1, 1, samples=4, lost=4, failed={"asr: TimeoutError": 1}, hung={"asr": 1})
    assert judges.counters == expected
    release.set()
    faults.heard = {}
    assert all(one.reward for one in judges.judge(SpokenPrompt(), GROUP))
    assert judges.counters == expected + JudgeCounters(1, samples=4, judged=4)


def test_a_hung_group_does_not_hold_up_the_next_one(make_judges, faults):
    judges, release = make_judges(timeout_s=1.0, threads=2), threading.Event()
    faults.heard = {50: lambda: release.wait(20) and ""}
    hanging = judges.begin(SpokenPrompt(), [sample(50), sample(51)])
    time.sleep(0.05)
    assert all(one.reward for one in judges.judge(SpokenPrompt(), [sample(54), sample(55)]))
    assert not hanging.done()
    assert_dropped(hanging.result(), "asr: TimeoutError")
    release.set()


def test_what_did_not_begin_when_a_judge_hung_is_not_begun(make_judges, faults):
    judges, release = make_judges(timeout_s=0.5, threads=1), threading.Event()
    faults.heard = {length: lambda: release.wait(20) and "" for length in (50, 51, 52, 53)}
    assert_dropped(judges.judge(SpokenPrompt(), GROUP), "asr: TimeoutError")
    assert faults.asked_of("heard") == [50] and faults.asked_of("quality") == []
    assert judges.counters.hung == {"asr": 1} and judges.counters.lost == 4
    release.set()


def test_a_judge_that_hung_in_three_groups_is_named_and_ends_the_judging(make_judges, faults):
    judges, release = make_judges(timeout_s=0.4), threading.Event()
    faults.quality = {51: lambda: release.wait(20) and 3.0}
    for _ in range(2):
        assert_dropped(judges.judge(SpokenPrompt(), GROUP), "quality: TimeoutError")
    with pytest.raises(RuntimeError, match=r"judges that hang: quality in 3 groups, each longer than 0\.4 s"):
        judges.judge(SpokenPrompt(), GROUP)
    with pytest.raises(RuntimeError, match="quality in 3 groups"):
        judges.begin(SpokenPrompt(), GROUP)
    assert judges.counters.dropped_groups == judges.counters.hung["quality"] == 3
    release.set()


@pytest.mark.parametrize("fault", [RuntimeError("bad code"), np.zeros(0, np.float32), np.full(9, np.nan, np.float32)])
def test_a_crash_of_the_decoder_is_the_bottom_for_that_sample_alone(make_judges, faults, fault):
    codec = FaultyCodec({52: fault})
    judges = make_judges(codec)
    judged = judges.judge(SpokenPrompt(), GROUP)
    assert [one.gate for one in judged] == ["", "", "crashed", ""]
    assert judged[2].reward == 0.0 and judged[2].parts == {} and judged[2].failure == ""
    assert all(one.reward for one in judged if not one.gate)
    assert judges.counters == JudgeCounters(1, samples=4, judged=3, gated={"crashed": 1}, decode_crashes=1)
    assert faults.asked_of("heard") == faults.asked_of("quality") == [50, 51, 53] and codec.batches == [4]


def test_a_decoder_that_fails_for_all_or_for_want_of_memory_has_judged_nobody(make_judges):
    every = make_judges(FaultyCodec({length: RuntimeError("device lost") for length in range(50, 54)}))
    assert_dropped(
        every.judge(SpokenPrompt(), GROUP), "decoder: DecoderFailed: all 4 samples crashed, the first with Runt"
    )
    assert every.counters == JudgeCounters(1, 1, samples=4, lost=4, failed={"decoder: DecoderFailed": 1})
    memory = make_judges(FaultyCodec({51: MemoryError("no memory")}))
    assert_dropped(memory.judge(SpokenPrompt(), GROUP), "decoder: MemoryError")


def test_equal_rewards_are_rewards_and_their_group_is_counted_as_dead(make_judges, faults):
    judges = make_judges()
    faults.quality = dict.fromkeys((50, 51, 52, 53), 3.0)
    judged = judges.judge(SpokenPrompt(), GROUP)
    assert len({one.reward for one in judged}) == 1 and judged[0].reward
    assert judges.counters == JudgeCounters(1, dead_groups=1, samples=4, judged=4)


def test_gated_samples_are_at_the_bottom_and_no_network_hears_them(make_judges, faults):
    judges = make_judges()
    group = [
        sample(10),
        Generation(np.zeros(0, np.uint16), True),
        Generation(codes_of(125), False),
        Generation(np.append(codes_of(49), 64).astype(np.uint16), True),
        Generation(np.tile(codes_of(5), 10), True),
        sample(51),
        sample(52),
    ]
    judged = judges.judge(SpokenPrompt(), group)
    assert [one.gate for one in judged] == ["short", "empty", "truncated", "invalid", "loop", "", ""]
    assert [one.reward for one in judged[:5]] == [0.0] * 5 and all(one.reward for one in judged[5:])
    for judge in ("heard", "quality", "voice"):
        assert faults.asked_of(judge) == [51, 52]
    gated = {"short": 1, "empty": 1, "truncated": 1, "invalid": 1, "loop": 1}
    assert judges.counters == JudgeCounters(1, samples=7, judged=2, gated=gated)


def test_one_valid_sample_is_better_than_the_gated_ones_beside_it(make_judges, faults):
    judges = make_judges()
    judged = judges.judge(SpokenPrompt(), [sample(10), sample(11), sample(52), sample(12)])
    assert [one.reward == 0.0 for one in judged] == [True, True, False, True]
    assert judges.counters == JudgeCounters(1, samples=4, judged=1, gated={"short": 3})


def test_a_group_of_gated_samples_alone_is_dead_and_asks_nobody(make_judges, faults):
    judges = make_judges()
    judged = judges.judge(SpokenPrompt(), [sample(10), sample(11)])
    assert [one.reward for one in judged] == [0.0, 0.0] and not faults.asked
    assert judges.counters == JudgeCounters(1, dead_groups=1, samples=2, gated={"short": 2})


@pytest.mark.parametrize("group", [GROUP[:1], []])
def test_a_sample_without_another_is_dropped_unheard(make_judges, faults, group):
    judges = make_judges()
    assert_dropped(judges.judge(SpokenPrompt(), group), "group: ") if group else judges.judge(SpokenPrompt(), group)
    assert judges.counters == JudgeCounters(1, 1, samples=len(group), lost=len(group)) and not faults.asked


@pytest.mark.parametrize("untrusted, best", [("renormalise", 1.0), ("lose", 0.6)])
def test_where_the_recogniser_is_untrusted_it_is_not_asked(make_judges, faults, untrusted, best):
    judges = make_judges(reward=RewardSettings(untrusted=untrusted))
    faults.heard = {length: raises(AssertionError("asked")) for length in (50, 51, 52, 53)}
    faults.quality = dict.fromkeys((50, 51, 52, 53), 4.5)
    judged = judges.judge(SpokenPrompt(language="hin_Deva"), GROUP)
    assert all(one.reward == pytest.approx(best) and set(one.parts) == {"similarity", "quality"} for one in judged)
    assert all(one.figures and one.figures.errors is None and one.heard == "" for one in judged)
    assert faults.asked_of("heard") == []


def test_a_judge_without_weight_is_not_asked(make_judges, faults):
    judges = make_judges(reward=RewardSettings(content=1.0, similarity=0.0, quality=0.0, untrusted="lose"))
    judges.judge(SpokenPrompt(voice=raises(AssertionError("asked"))), GROUP)
    assert faults.asked_of("quality") == faults.asked_of("voice") == []


def test_what_the_recogniser_does_not_offer_is_said_before_the_first_group(make_judges):
    with pytest.raises(BadInput, match="double is trusted in or, ta and does not offer it"):
        make_judges(trusted=frozenset({"en", "ta", "or"}))
    with pytest.raises(BadInput, match=r"likelihood 0\.5 and double gives none in en; set likelihood to 0"):
        make_judges(reward=RewardSettings(likelihood=0.5))


def test_judging_overlaps_with_what_the_caller_does(make_judges, faults):
    judges, generated = make_judges(), threading.Event()
    faults.heard = {50: lambda: generated.wait(20) and "the quick brown fox"}
    future = judges.begin(SpokenPrompt(), GROUP)
    assert not future.done()
    generated.set()
    assert all(one.reward for one in future.result(20))


def test_closing_gives_up_what_waits(make_judges, faults):
    judges, release = make_judges(threads=1, timeout_s=20), threading.Event()
    faults.heard = {50: lambda: release.wait(20) and "the quick brown fox"}
    future = judges.begin(SpokenPrompt(), GROUP)
    while not faults.asked:
        time.sleep(0.01)
    threading.Timer(0.1, release.set).start()
    judges.close()
    with pytest.raises(RuntimeError, match="closed"):
        future.result(5)
    with pytest.raises(RuntimeError, match="after close"):
        judges.judge(SpokenPrompt(), GROUP)
    assert judges.counters == JudgeCounters()


FAULT = st.sampled_from(["none", "short", "crash", "asr", "empty", "quality", "voice"])


@settings(max_examples=60)
@given(chosen=st.lists(st.lists(FAULT, min_size=2, max_size=6), min_size=1, max_size=3), threads=st.integers(1, 3))
def test_counters_are_exact_and_a_group_has_rewards_for_all_or_for_none(chosen, threads):
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults()
        faults.install(patch)
        codec, kinds = FaultyCodec(), Counter()
        with Judges(codec, FaultyAsr(faults), RewardSettings(), frozenset({"en"}), threads=threads) as judges:
            judged, gated, lost, crashes = 0, Counter(), 0, 0
            for number, group in enumerate(chosen):
                lengths = [(10 if fault == "short" else 40) + 6 * number + i for i, fault in enumerate(group)]
                of = {fault: [n for n, f in zip(lengths, group, strict=True) if f == fault] for fault in set(group)}
                codec.crashes = {n: RuntimeError("crash") for n in of.get("crash", [])}
                faults.heard = dict.fromkeys(of.get("asr", []), raises(KeyError("asr"))) | dict.fromkeys(
                    of.get("empty", []), ""
                )
                faults.quality = dict.fromkeys(of.get("quality", []), math.nan)
                faults.voice = dict.fromkeys(of.get("voice", []), VOICE * np.nan)
                found = judges.judge(SpokenPrompt(), [sample(n) for n in lengths])
                if set(group) == {"crash"}:
                    kinds["decoder: DecoderFailed"] += 1
                crashes += 0 if set(group) == {"crash"} else group.count("crash")
                kinds += Counter(
                    {"asr: KeyError": group.count("asr"), "asr: EmptyTranscript": group.count("empty"),
                     "quality: NotFinite": group.count("quality"), "similarity: NotFinite": group.count("voice")}
                )  # fmt: skip
                dropped = bool({"asr", "empty", "quality", "voice"} & set(group)) or set(group) == {"crash"}
                assert [one.reward is None for one in found] == [dropped] * len(group)
                lost += len(group) if dropped else 0
                judged += 0 if dropped else group.count("none")
                gated += (
                    Counter() if dropped else Counter({"crashed": group.count("crash"), "short": group.count("short")})
                )
        counters = judges.counters
    assert (counters.judged, counters.lost, counters.decode_crashes) == (judged, lost, crashes)
    assert counters.failed == kinds and counters.gated == gated and counters.hung == {}
    assert counters.samples == sum(map(len, chosen)) == counters.judged + counters.lost + sum(counters.gated.values())


def test_a_hung_judge_does_not_keep_the_program_from_its_end():
    program = """
import pytest, threading, time
from tests.align.groups import Faults, FaultyAsr, FaultyCodec, SpokenPrompt, sample
from vaak.align.judges import Judges
from vaak.score.reward_settings import RewardSettings

faults = Faults()
faults.install(pytest.MonkeyPatch())
faults.heard = {50: lambda: time.sleep(1000)}
judges = Judges(FaultyCodec(), FaultyAsr(faults), RewardSettings(), frozenset({"en"}), timeout_s=0.2)
print(judges.judge(SpokenPrompt(), [sample(50), sample(51)])[0].failure)
judges.begin(SpokenPrompt(), [sample(50), sample(51)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "asr: TimeoutError: no answer within 0.2 s\n"), done.stderr


def test_figures_for_a_log_are_flat():
    counters = JudgeCounters(groups=2, samples=8, judged=6, gated={"silent": 2}, failed={"asr: ValueError": 1})
    assert counters.as_figures() == {
        "groups": 2, "dropped_groups": 0, "dead_groups": 0, "samples": 8, "judged": 6, "lost": 0, "decode_crashes": 0,
        "gated/silent": 2, "failed/asr: ValueError": 1,
    }  # fmt: skip
