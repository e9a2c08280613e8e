"""How fast a model speaks: codes a second beside transformers' `generate`, the real-time factor, the first streamed sound.

A model of the example's size with random weights, so that nothing depends on a training; both sides in turn, medians. Prints
one line per figure: `python benchmarks/speak.py [--json PATH]`; `--small` is a quick look whose figures say little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from codec import TEXTS, Figure, at_least, at_most, exit_of

from vaak.codec import Codec, open_codec
from vaak.demo import tokenizer_folder
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.model.open import create_model
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import load_recipe
from vaak.speak.generation import Generation, generate
from vaak.speak.plain import generate_plain
from vaak.speak.speech import build_prompt, speak
from vaak.speak.stream import speak_stream

VOICE = "Clara, a woman"
SAMPLING = {"temperature": TEMPERATURE, "top_k": TOP_K, "top_p": TOP_P}


@dataclass(frozen=True)
class Size:
    """Codes of each item, items of the large batch, and rounds after the one to warm up."""

    codes: int
    batch: int
    rounds: int


FULL, SMALL = Size(250, 16, 5), Size(40, 4, 1)


@dataclass(frozen=True)
class Speaker:
    model: SpeechLM
    tokenizer: TextTokenizer
    codec: Codec

    def prompts(self, count: int) -> list[np.ndarray]:
        texts = TEXTS[:count]
        return [build_prompt(self.model.vocabulary, self.tokenizer, text, voice_description=VOICE) for text in texts]


def random_speaker() -> Speaker:
    codec, tokenizer = open_codec("embedded"), load_tokenizer(tokenizer_folder())
    model = create_model(load_recipe("pt-s1-tiny").model, tokenizer.vocabulary(codec.codebook_size), 0)
    return Speaker(model.eval(), tokenizer, codec)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    done = work()
    return done, time.perf_counter() - began


def codes_a_second(work: Callable[[], Sequence[Generation]]) -> float:
    """Stop tokens count as codes: each took a step."""
    done, seconds = timed(work)
    return sum(len(one.codes) + one.stopped for one in done) / seconds


def speed(speaker: Speaker, size: Size, batch: int, want: float) -> Figure:
    prompts, ratios, rates = speaker.prompts(batch), [], []
    for turn in range(size.rounds + 1):
        seeds = [1000 * turn + i for i in range(batch)]
        peer = codes_a_second(
            lambda turn=turn: generate_plain(speaker.model, prompts, max_codes=size.codes, seed=turn, **SAMPLING)
        )
        own = codes_a_second(
            lambda seeds=seeds: generate(speaker.model, prompts, max_codes=size.codes, seeds=seeds, **SAMPLING)
        )
        if turn:
            ratios.append(own / peer)
            rates.append((own, peer))
    ours, theirs = (statistics.median(side) for side in zip(*rates, strict=True))
    against = f"transformers' generate on the same model and prompts, {theirs:,.0f} codes/s beside {ours:,.0f}"
    return at_least(f"speak.speed_at_{batch}", statistics.median(ratios), want, against, "x")


def sounded(speaker: Speaker, size: Size) -> Iterator[Figure]:
    """One sentence alone: at once, and in pieces."""
    text = TEXTS[0] if size is FULL else "The baker."
    seed = next(seed for seed in range(100) if len(said(speaker, text, seed)[1].codes) >= size.codes)
    factors, firsts, shares = [], [], []
    for turn in range(size.rounds + 1):
        (wave, _), whole = timed(lambda: said(speaker, text, seed))
        began, pieces = time.perf_counter(), []
        for piece in speak_stream(speaker.model, speaker.tokenizer, speaker.codec, text, VOICE, seed=seed):
            pieces.append((time.perf_counter() - began, len(piece)))
        streamed = time.perf_counter() - began
        assert sum(length for _, length in pieces) == len(wave)
        if turn:
            factors.append(len(wave) / speaker.codec.output_rate / whole)
            firsts.append(pieces[0][0])
            shares.append(streamed / whole)
    length = f"a text of {len(wave) / speaker.codec.output_rate:.1f} s alone, codes and codec, {speaker.codec.name}"
    yield at_least("speak.real_time_factor", statistics.median(factors), 2.0, length, "x")
    yield at_most("speak.first_sound", statistics.median(firsts), 0.5, "a delay that is felt in talk", "s")
    yield at_most("speak.streamed", statistics.median(shares), 1.5, "the same said at once", "x")


def said(speaker: Speaker, text: str, seed: int) -> tuple[np.ndarray, Generation]:
    return speak(speaker.model, speaker.tokenizer, speaker.codec, text, VOICE, seed=seed)


def measured(size: Size) -> list[Figure]:
    speaker = random_speaker()
    figures = [speed(speaker, size, size.batch, 2.0), speed(speaker, size, 1, 1.0)]
    return [*figures, *sounded(speaker, size)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--small", action="store_true", help="few codes, four at once, one round")
    given = parser.parse_args()
    return exit_of(lambda: measured(SMALL if given.small else FULL), given.json)


if __name__ == "__main__":
    sys.exit(main())
