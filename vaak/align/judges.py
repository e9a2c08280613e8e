"""One group of samples of one prompt judged: decoded once, gates, then the networks that count, then rewards or none at all.

A group is compared within itself, so a figure that is wrong for one sample is wrong for all: when a judge raises, gives no
finite number, hangs, or hears nothing in clear speech, the whole group is dropped and counted, and no sample of it has a
reward. What a sample did itself (a gate, a crash of the decoder, unintelligible speech) is judged and never dropped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from vaak.align.decoding import Decoded, decode_group, gate_figures
from vaak.align.hearing import Judgeable, Transcript, likelihood_of, quality_of, similarity_to, transcribe, voice_of
from vaak.align.judge_counters import JudgeCounters
from vaak.align.timed_calls import Call, Hung, TimedCalls, Together, Withdrawn
from vaak.codec import Codec
from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.score.asr import Asr
from vaak.score.likelihood import GivesLikelihood, scored_languages
from vaak.score.reward import Figures, Reward, gate_of, reward_of
from vaak.score.reward_settings import RewardSettings
from vaak.score.similarity import open_embedder
from vaak.speak.generation import Generation

# A judge that hung in so many groups will hang again, and each time a thread is lost to it.
MOST_HUNG_GROUPS = 3
# Rewards that are no further apart say nothing about which sample is better.
EQUAL = 1e-8


@dataclass(frozen=True)
class Judged:
    """One sample. reward: in [0, 1], 0.0 for a gated one, None when its group is dropped, and then `failure` says by what
    ("asr: ValueError: ...") and nothing else is said.

    parts: content, similarity, quality, each in [0, 1], those that count; none for a gated sample. gate: which one, or "".
    wave: float32[T] at the codec's output rate. heard: the transcript, "" where nobody was asked.
    """

    reward: float | None
    parts: dict[str, float]
    figures: Figures | None
    gate: str
    failure: str
    wave: np.ndarray | None
    heard: str


@dataclass(frozen=True)
class _Failure:
    judge: str
    error: Exception

    @property
    def kind(self) -> str:
        return "TimeoutError" if isinstance(self.error, Hung) else type(self.error).__name__

    def __str__(self) -> str:
        return f"{self.judge}: {self.kind}: {self.error}"[:500]


class Judges:
    """The judges of a reward on `threads` threads; each call of one has `timeout_s` seconds.

    A call is one sample heard by one network, or one group decoded. One that takes longer is left behind, its group is
    dropped, and the group's calls that did not begin are not made. `trusted`: codes of the languages whose recogniser counts;
    in any other it is not asked. Raises `BadInput` where `asr` does not offer what `trusted` and `settings` ask of it. `close`
    when done, or use it in a `with`.
    """

    def __init__(
        self,
        codec: Codec,
        asr: Asr,
        settings: RewardSettings,
        trusted: frozenset[str],
        *,
        threads: int = 2,
        timeout_s: float = 60.0,
    ) -> None:
        _check_offer(asr, settings, trusted)
        if settings.similarity > 0:
            open_embedder()  # what is not installed is said before the first group
        self._codec, self._asr, self._settings, self._trusted = codec, asr, settings, trusted
        self._calls = TimedCalls(threads, timeout_s)
        self._lock = threading.Lock()
        self._counters = JudgeCounters()
        self._hung_groups: Counter[str] = Counter()

    def __enter__(self) -> Judges:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def counters(self) -> JudgeCounters:
        """What became of all groups that ended so far; each is counted at once when it ends."""
        return self._counters

    def judge(self, prompt: Judgeable, generations: Sequence[Generation]) -> list[Judged]:
        """One group, in its order. A group of fewer than two has nobody to be compared with: it is dropped unheard.

        Raises `RuntimeError` naming a judge that hung in three groups or more.
        """
        return self.begin(prompt, generations).result()

    def begin(self, prompt: Judgeable, generations: Sequence[Generation]) -> Future[list[Judged]]:
        """As `judge`, without waiting: groups that were begun are judged in turn while the next is generated."""
        self._raise_if_hanging()
        future: Future[list[Judged]] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(self._judge(prompt, list(generations)))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="judged group", daemon=True).start()
        return future

    def close(self) -> None:
        """End the threads, within ten seconds whatever a judge is at. A group that is not judged yet raises in its future."""
        self._calls.close()

    def _judge(self, prompt: Judgeable, generations: list[Generation]) -> list[Judged]:
        if len(generations) < 2:
            return self._drop(generations, [], f"group: {len(generations)} sample, nobody to compare it with", 0)
        together, codes = Together(), [one.codes for one in generations]
        try:
            decoding = self._calls.start(partial(decode_group, self._codec, codes), together)
            decoded = self._calls.outcome(decoding)
        except Withdrawn:
            raise
        except Exception as error:
            return self._drop(generations, [_Failure("decoder", error)], "", 0)
        crashes = sum(bool(one.crash) for one in decoded)
        figures = [
            gate_figures(one, sound, prompt.limit, prompt.reference_codes, self._codec)
            for one, sound in zip(generations, decoded, strict=True)
        ]
        gates = [gate_of(one, self._settings) for one in figures]
        trusted = language_of(prompt.language) in self._trusted
        passed = {i: sound.wave for i, sound in enumerate(decoded) if not gates[i]}
        found, failures = self._hear(prompt, passed, trusted, together)
        if failures:
            return self._drop(generations, failures, "", crashes)
        figures = [_with_found(one, i, found) for i, one in enumerate(figures)]
        rewards = [reward_of(one, trusted, self._settings) for one in figures]
        self._count(_counts_of(rewards, crashes))
        return [_judged(rewards[i], figures[i], decoded[i], found.get((i, "asr"))) for i in range(len(generations))]

    def _hear(
        self, prompt: Judgeable, waves: dict[int, np.ndarray], trusted: bool, together: Together
    ) -> tuple[dict[tuple[int, str], Any], list[_Failure]]:
        """(sample, judge) -> what that judge found in the sample, for the samples that passed the gates; and what failed."""
        settings, rate = self._settings, self._codec.output_rate
        works: dict[str, Callable[[np.ndarray], Any]] = {}
        if trusted and settings.content > 0 and settings.likelihood < 1:
            works["asr"] = lambda wave: transcribe(self._asr, self._codec, prompt, wave)
        if trusted and settings.content > 0 and settings.likelihood > 0:
            works["likelihood"] = lambda wave: likelihood_of(cast(GivesLikelihood, self._asr), prompt, wave, rate)
        if settings.quality > 0:
            works["quality"] = lambda wave: quality_of(wave, rate)
        start = partial(self._calls.start, together=together)
        voice = start(partial(voice_of, prompt)) if waves and settings.similarity > 0 else None
        calls = {(i, judge): start(partial(work, wave)) for i, wave in waves.items() for judge, work in works.items()}
        if voice is None:
            return self._outcomes(calls)
        found, failures = self._outcomes({(-1, "similarity"): voice})
        if found:
            compare = partial(similarity_to, found[-1, "similarity"])
            calls |= {(i, "similarity"): start(partial(compare, wave, rate)) for i, wave in waves.items()}
        found, later = self._outcomes(calls)
        return found, failures + later

    def _outcomes(self, calls: dict[tuple[int, str], Call]) -> tuple[dict[tuple[int, str], Any], list[_Failure]]:
        """Wait for `calls`. Those that were not made since another of the group hung have no outcome."""
        found, failures = {}, []
        for key, call in calls.items():
            try:
                found[key] = self._calls.outcome(call)
            except Withdrawn:
                if not call.together.hung:
                    raise
            except Exception as error:
                failures.append(_Failure(key[1], error))
        return found, failures

    def _drop(self, generations: list[Generation], failures: list[_Failure], reason: str, crashes: int) -> list[Judged]:
        hung = Counter(one.judge for one in failures if isinstance(one.error, Hung))
        count = len(generations)
        failed = Counter(f"{one.judge}: {one.kind}" for one in failures)
        self._count(
            JudgeCounters(1, 1, samples=count, lost=count, decode_crashes=crashes, failed=failed, hung=hung),
            hung.keys(),
        )
        self._raise_if_hanging()
        failure = str(failures[0]) if failures else reason
        return [Judged(None, {}, None, "", failure, None, "") for _ in generations]

    def _count(self, counts: JudgeCounters, hung: Iterable[str] = ()) -> None:
        with self._lock:
            self._counters += counts
            self._hung_groups.update(hung)

    def _raise_if_hanging(self) -> None:
        with self._lock:
            hanging = [f"{judge} in {n} groups" for judge, n in self._hung_groups.items() if n >= MOST_HUNG_GROUPS]
        if hanging:
            raise RuntimeError(
                f"judges that hang: {', '.join(hanging)}, each longer than {self._calls.limit_s:g} s; look what holds "
                "them, or give them more time, and go on from the last checkpoint"
            )


def _check_offer(asr: Asr, settings: RewardSettings, trusted: frozenset[str]) -> None:
    if settings.content == 0:
        return
    if missing := trusted - asr.languages:
        raise BadInput(
            f"{asr.name} is trusted in {', '.join(sorted(missing))} and does not offer it; name another recogniser"
        )
    if settings.likelihood > 0 and (missing := trusted - scored_languages(asr)):
        raise BadInput(
            f"the reward has likelihood {settings.likelihood:g} and {asr.name} gives none in {', '.join(sorted(missing))}; "
            "set likelihood to 0, or name a Whisper or an IndicConformer"
        )


def _with_found(figures: Figures, i: int, found: dict[tuple[int, str], Any]) -> Figures:
    transcript: Transcript | None = found.get((i, "asr"))
    return replace(
        figures,
        errors=None if transcript is None else transcript.errors,
        likelihood=found.get((i, "likelihood")),
        similarity=found.get((i, "similarity")),
        quality=found.get((i, "quality")),
    )


def _judged(reward: Reward, figures: Figures, decoded: Decoded, transcript: Transcript | None) -> Judged:
    heard = "" if transcript is None else transcript.text
    return Judged(reward.total, reward.parts, figures, reward.gate, "", decoded.wave, heard)


def _counts_of(rewards: list[Reward], crashes: int) -> JudgeCounters:
    """Counts of one group that has its rewards."""
    totals = [one.total for one in rewards]
    gated = Counter(one.gate for one in rewards if one.gate)
    return JudgeCounters(
        groups=1,
        dead_groups=int(max(totals) - min(totals) <= EQUAL),
        samples=len(rewards),
        judged=len(rewards) - gated.total(),
        decode_crashes=crashes,
        gated=gated,
    )
