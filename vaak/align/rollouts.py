"""Completions of prompts, drawn and judged: what GRPO learns from. While one batch is judged, the next is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from vaak.align.judges import Judged, Judges
from vaak.align.prompts import AlignPrompt
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.order import key_of
from vaak.speak.generation import Generation

# From prompts in ids, the most codes of each and a seed for each to what was said.
Draw = Callable[[Sequence[np.ndarray], Sequence[int], Sequence[int]], list[Generation]]


@dataclass(frozen=True)
class Rollout:
    """The completions of one prompt and what the judges say of each."""

    prompt: AlignPrompt
    generations: list[Generation]
    judged: list[Judged]

    @property
    def dropped(self) -> bool:
        """Whether it teaches nothing: a judge failed, or fewer than two completions have a reward."""
        return any(one.reward is None for one in self.judged)


@dataclass(frozen=True)
class BegunGroup:
    """The completions of one prompt while the judges are at work."""

    prompt: AlignPrompt
    generations: list[Generation]
    judged: Future[list[Judged]]

    def wait(self) -> Rollout:
        return Rollout(self.prompt, self.generations, self.judged.result())


@dataclass(frozen=True)
class Seconds:
    """Where a batch of rollouts spent its time: drawing, and then waiting for judges that were not done by then."""

    drawing: float
    judging: float


def roll_out(
    prompts: Sequence[AlignPrompt],
    numbers: Sequence[int],
    *,
    group: int,
    seed: int,
    batch: int,
    draw: Draw,
    judges: Judges,
) -> tuple[list[Rollout], Seconds]:
    """`group` completions of each prompt. numbers: of the prompts in the run; with `seed` they decide what is drawn."""
    began = time.perf_counter()
    waiting = list(begin_groups(prompts, numbers, group=group, seed=seed, batch=batch, draw=draw, judges=judges))
    drawn = time.perf_counter()
    rollouts = [one.wait() for one in waiting]
    return rollouts, Seconds(drawn - began, time.perf_counter() - drawn)


def at_once(batch: int, group: int) -> int:
    """Of how many prompts the completions are drawn together."""
    return max(batch // group, 1)


def begin_groups(
    prompts: Sequence[AlignPrompt],
    numbers: Sequence[int],
    *,
    group: int,
    seed: int,
    batch: int,
    draw: Draw,
    judges: Judges,
) -> Iterator[BegunGroup]:
    """As `roll_out`, each group as soon as it is drawn, while its judges work."""
    for start in range(0, len(prompts), at_once(batch, group)):
        part = range(start, min(start + at_once(batch, group), len(prompts)))
        said = draw(
            [prompts[i].ids for i in part for _ in range(group)],
            [prompts[i].limit for i in part for _ in range(group)],
            [key_of("rollout", seed, numbers[i], member) % (1 << 63) for i in part for member in range(group)],
        )
        for place, i in enumerate(part):
            generations = said[place * group : (place + 1) * group]
            yield BegunGroup(prompts[i], generations, judges.begin(prompts[i], generations))


def completion_ids(vocabulary: Vocabulary, generation: Generation) -> list[int]:
    """The ids that were drawn: codes, and the stop token if it came."""
    ids = vocabulary.speech_ids(generation.codes).tolist()
    return [*ids, vocabulary.speech_end] if generation.stopped else ids
