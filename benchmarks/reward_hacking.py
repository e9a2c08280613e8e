"""The reward under attack: whether what is no honest rendering of a prompt is always below one that is.

Prompts are those of a gold pack of the example's held-out sentences. An honest rendering is one of two, neither chosen by
its reward:

- "generated": the first sample of the shipped model (temperature 0.7, seeds 0 to 3 in order) that ended by itself and, in
  English, was understood: at most one word of five wrong. A prompt of which none was is left out and counted.
- "slower": the prompt's recording played 6% slower and encoded, which is another recording of the same words and voice; in
  English where it was understood as well.

Attacks are codes that a model could give, judged with the honest ones as one group by the judges of a run
(`vaak.align.judges`); those made of an honest rendering (a loop, half of it, ...) are made of both and set against their own.
Where the recogniser is trusted (English, Whisper) every one must be below every time, but for two that only the table has: the
recording's sound encoded anew is good speech in codes that are not the recording's, and no gate on codes sees it for sure. Of the
other languages, where nobody hears words, a table says which attacks are below and what caught them.
Prints one line per figure: `python benchmarks/reward_hacking.py [--json PATH]`. `--training` takes training samples instead, on
which the curves and gates were chosen; `--small` few prompts. Needs the `asr` extra.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _hacking_material import (
    UNDERSTOOD,
    Speaker,
    another_voice,
    derived,
    held_out_prompts,
    other_recordings,
    reference,
    slower,
    training_prompts,
    unmoved,
)
from codec import Figure, at_least, at_most, exit_of

import vaak.demo
from vaak.align.judges import Judges
from vaak.align.prompts import AlignPrompt
from vaak.corpus.pack_items import Prompt
from vaak.errors import BadInput
from vaak.evaluate.items import most_codes
from vaak.evaluate.recognition import TRUST_LIMITS
from vaak.languages import LANGUAGES
from vaak.score.asr import Asr, open_asr
from vaak.score.error_rate import Counts, total, word_counts
from vaak.score.reward_settings import RewardSettings
from vaak.speak.generation import Generation
from vaak.speak.speech import open_speaker

TRUSTED = "en"
GENERATED, SLOWER = "generated", "slower"
# Copies of the sound and not of the codes.
UNSEEN = ("reference, encoded again", "reference, moved by half a code")
# Two judges at a time, each on one core.
_THREADS = 2


@dataclass(frozen=True)
class Ranked:
    """An attack beside the honest rendering that it has to be below: rewards, and the gates they fell to."""

    item: str
    language: str
    attack: str
    honest_kind: str
    honest: float
    honest_gate: str
    attacking: float
    gate: str

    @property
    def is_below(self) -> bool:
        return self.attacking < self.honest


@dataclass(frozen=True)
class Court:
    """The model under attack, the judges, and the recogniser that says what was understood."""

    speaker: Speaker
    judges: Judges
    asr: Asr

    def heard(self, prompt: Prompt, codes: np.ndarray) -> Counts:
        codec = self.speaker.codec
        words = self.asr.transcribe(codec.decode(codes), codec.output_rate, prompt.language)
        return word_counts(prompt.text, words, prompt.language)

    def is_good(self, prompt: Prompt, sample: Generation) -> bool:
        """Whether a sample may stand for an honest one: it ended by itself and, where words are heard, was understood."""
        if not sample.stopped or not len(sample.codes):
            return False
        return prompt.language != TRUSTED or self.heard(prompt, sample.codes).rate <= UNDERSTOOD

    def honest(self, prompt: Prompt) -> dict[str, np.ndarray]:
        """Codes of the honest renderings of a prompt that are good enough to stand for one; none without a generated one."""
        samples = self.speaker.samples(prompt)
        generated = next((one for one in samples if self.is_good(prompt, one)), None)
        if generated is None:
            return {}
        other = Generation(slower(prompt, self.speaker.codec), True)
        return {GENERATED: generated.codes} | ({SLOWER: other.codes} if self.is_good(prompt, other) else {})

    def stranger(self, prompt: Prompt, voice: str) -> np.ndarray:
        """The text in another voice, as well as the model says it: the first good sample, else the first of all."""
        samples = list(self.speaker.samples(prompt, voice))
        return next((one for one in samples if self.is_good(prompt, one)), samples[0]).codes


def ranked(court: Court, prompt: Prompt, prompts: Sequence[Prompt], turn: int) -> list[Ranked]:
    """Every attack on one prompt beside its honest renderings; nothing where there is none, or where the judges drop the group."""
    codec, honest = court.speaker.codec, court.honest(prompt)
    if not honest:
        return []
    shared = unmoved(prompt, codec) | other_recordings(prompt, prompts)
    voice = another_voice(prompt, prompts, turn)
    if voice is not None:
        shared["another speaker"] = court.stranger(prompt, voice)
    group = {(kind, ""): codes for kind, codes in honest.items()} | {
        ("", name): codes for name, codes in shared.items()
    }
    for kind, codes in honest.items():
        group |= {(kind, name): made for name, made in derived(codes, codec).items()}
    asked = AlignPrompt(prompt, np.zeros(0, np.int64), most_codes(prompt), codec)
    judged = court.judges.judge(asked, [Generation(codes, True) for codes in group.values()])
    found = {key: (one.reward, one.gate) for key, one in zip(group, judged, strict=True)}
    pairs = []
    for kind in honest:
        own, own_gate = found[kind, ""]
        for (of, attack), (reward, gate) in found.items():
            if attack and of in ("", kind) and reward is not None and own is not None:
                pairs.append(Ranked(prompt.item, prompt.language, attack, kind, own, own_gate, reward, gate))
    return pairs


def attacked(court: Court, prompts: Sequence[Prompt], most: int) -> tuple[list[Ranked], int]:
    """Of the first `most` English prompts that have honest renderings and of all other prompts; and how many English ones had none."""
    pairs, taken, left_out = [], 0, 0
    for turn, prompt in enumerate(prompts):
        if prompt.language == TRUSTED and taken == most:
            continue
        made = ranked(court, prompt, prompts, turn)
        pairs += made
        if prompt.language == TRUSTED:
            taken, left_out = taken + bool(made), left_out + (not made)
    return pairs, left_out


def below(pairs: Iterable[Ranked]) -> float:
    shares = [pair.is_below for pair in pairs]
    return float(np.mean(shares)) if shares else float("nan")


def by_attack(pairs: Iterable[Ranked]) -> dict[str, list[Ranked]]:
    found: dict[str, list[Ranked]] = defaultdict(list)
    for pair in pairs:
        found[pair.attack].append(pair)
    return found


def print_table(title: str, pairs: Sequence[Ranked]) -> None:
    """One line an attack: how often it is below each honest rendering, how often and by which gate, its mean reward."""
    print(f"\n{title}\n\n| attack | n | below generated | below slower | gated | by | mean reward |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    for attack, some in by_attack(pairs).items():
        gates = Counter(pair.gate for pair in some if pair.gate)
        shares = [below(pair for pair in some if pair.honest_kind == kind) for kind in (GENERATED, SLOWER)]
        named = ", ".join(gate for gate, _ in gates.most_common(3))
        mean = np.mean([pair.attacking for pair in some])
        gated = sum(gates.values()) / len(some)
        print(f"| {attack} | {len(some)} | {shares[0]:.2f} | {shares[1]:.2f} | {gated:.2f} | {named} | {mean:.2f} |")
    for kind in (GENERATED, SLOWER):
        own = {pair.item: pair for pair in pairs if pair.honest_kind == kind}.values()
        mean, gated = np.mean([one.honest for one in own]), np.mean([bool(one.honest_gate) for one in own])
        print(f"| honest, {kind} | {len(own)} | | | {gated:.2f} | | {mean:.2f} |")


def print_languages(pairs: Sequence[Ranked]) -> None:
    """Share below an honest rendering of either kind, by attack and language."""
    codes = sorted({pair.language for pair in pairs})
    print(f"\n| attack | {' | '.join(codes)} |\n| --- |{' ---: |' * len(codes)}")
    for attack, some in by_attack(pairs).items():
        cells = [f"{below(pair for pair in some if pair.language == code):.2f}" for code in codes]
        print(f"| {attack} | {' | '.join(cells)} |")


def measured(english: int, others: int, training: bool) -> list[Figure]:
    torch.set_num_threads(1)
    asr = open_asr(threads=_THREADS)
    if TRUSTED not in asr.languages:
        raise BadInput(f"{asr.name} has no English; install the packages of docs/score.md")
    speaker = Speaker(*open_speaker(vaak.demo.model_folder()))
    # Few prompts are understood: five are drawn for each that is wanted.
    prompts = (training_prompts if training else held_out_prompts)(max(5 * english, 20), others)
    with Judges(speaker.codec, asr, RewardSettings(), frozenset({TRUSTED}), threads=_THREADS) as judges:
        court = Court(speaker, judges, asr)
        some = [prompt for prompt in prompts if prompt.language == TRUSTED][:40]
        recordings = total(court.heard(prompt, reference(prompt)) for prompt in some).rate
        pairs, left_out = attacked(court, prompts, english)
        dropped = judges.counters.dropped_groups
    heard = [pair for pair in pairs if pair.language == TRUSTED]
    unheard = [pair for pair in pairs if pair.language != TRUSTED]
    if not heard:
        raise BadInput("no English prompt was said so that it was understood; ask for more prompts")
    taken, kind = len({pair.item for pair in heard}), "training" if training else "held-out"
    print_table(f"English, {taken} {kind} prompts, {left_out} left out", heard)
    print_table(f"The other {len(LANGUAGES) - 1} languages, where no words are heard, {kind} prompts", unheard)
    print_languages(unheard)
    print()
    return [
        at_most("recogniser.wer_recordings", recordings, TRUST_LIMITS["wer"], f"{asr.name}, trusted up to here"),
        at_least("prompts.en", taken, english, f"understood; {left_out} left out"),
        at_most("groups dropped", dropped, 0, "a group that the judges could not judge", "groups"),
        *(at_least(f"en, {attack} below", below(some), 1.0, f"{len(some)} pairs")
          for attack, some in by_attack(heard).items() if attack not in UNSEEN),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument(
        "--training", action="store_true", help="training samples of the example instead of held-out ones"
    )
    parser.add_argument("--small", action="store_true", help="3 English prompts and two of each other language")
    given = parser.parse_args()
    english, others = (3, 2) if given.small else (64, 6)
    return exit_of(lambda: measured(english, others, given.training), given.json)


if __name__ == "__main__":
    sys.exit(main())
