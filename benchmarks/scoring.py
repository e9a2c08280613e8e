"""How long a metric takes for a second of speech, on one core: what a sidecar spends on an evaluation beside generating.

Held-out sentences of the example, decoded from their codes as generated speech would be, through `vaak.evaluate.measures`, one
metric at a time, each warmed up first, and set against the length of the sound. Prints
one line per figure: `python benchmarks/scoring.py [--json PATH]`. Needs the `asr` extra; `--small` takes four sentences.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from _voice_items import held_out_sentences
from codec import Figure, at_most, exit_of

import vaak.demo
from vaak.codec import Codec, open_codec
from vaak.corpus.pack_items import Prompt
from vaak.evaluate import measures
from vaak.evaluate.generations import Spoken
from vaak.evaluate.recognition import COUNTED
from vaak.score.asr import Asr, open_asr

# By the name of a line: the metrics of it that share their work, and the most that it may take of the speech's own time.
NETWORKS: dict[str, tuple[set[str], float]] = {
    "recognition": (set(COUNTED), 0.5),
    "dnsmos": ({"dnsmos"}, 0.25),
    "utmos": ({"utmos"}, 0.5),
    "similarity": ({"similarity"}, 0.25),
    "voice activity": ({"voice_share"}, 0.1),
}
SANITY_MOST, ALL_MOST = 0.02, 0.75


def groups_of(prompt: Prompt, asr: Asr) -> dict[str, tuple[set[str], float]]:
    """What is measured of an item here, by line; all that no network does is sanity."""
    wanted = measures.metrics_of(prompt, asr, generated=True, has_voice=True)
    found = {name: (metrics & wanted, most) for name, (metrics, most) in NETWORKS.items() if metrics & wanted}
    return found | {"sanity": (wanted.difference(*(metrics for metrics, _ in found.values())), SANITY_MOST)}


def chosen_prompts(count: int) -> list[Prompt]:
    """English sentences, which all metrics are for, at even distances."""
    sentences = [one.prompt for one in held_out_sentences(vaak.demo.corpus_folder())[1]]
    english = [prompt for prompt in sentences if prompt.language == "en"]
    return [english[i * len(english) // count] for i in range(count)]


def sound_of(prompt: Prompt, codec: Codec) -> measures.Sound:
    """As the speech of a model that said every sentence with the codes of its recording."""
    codes = prompt.reference_codes
    assert codes is not None
    spoken = Spoken(prompt.item, prompt.text, prompt.language, np.asarray(codes), True, "")
    voice = measures.voice_of(prompt, codec)
    wave = codec.decode(codes)
    return measures.Sound(prompt, wave, codec.output_rate, spoken, codebook_size=codec.codebook_size, voice=voice)


def seconds_of(sounds: Sequence[measures.Sound], asr: Asr, names: Iterable[str]) -> float:
    began = time.perf_counter()
    for sound in sounds:
        measures.measure(sound, asr, names)
    return time.perf_counter() - began


def measured(count: int) -> list[Figure]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    codec, asr = open_codec("embedded"), open_asr()
    prompts = chosen_prompts(count)
    groups, sounds = groups_of(prompts[0], asr), [sound_of(prompt, codec) for prompt in prompts]
    speech = sum(len(sound.wave) / sound.rate for sound in sounds)
    took = {}
    for name, (metrics, _) in groups.items():
        seconds_of(sounds[:1], asr, metrics)  # the network is read
        took[name] = seconds_of(sounds, asr, metrics)
    against = f"real time, one core, {count} sentences of {speech:.0f} s"
    figures = [
        at_most(f"scoring, {name}", took[name] / speech, most, f"{against}{f', {asr.name}' if name == 'recognition' else ''}", "×")
        for name, (_, most) in groups.items()
    ]  # fmt: skip
    return [*figures, at_most("scoring, all metrics", sum(took.values()) / speech, ALL_MOST, against, "×")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--small", action="store_true", help="four sentences")
    chosen = parser.parse_args()
    return exit_of(lambda: measured(4 if chosen.small else 40), chosen.json)


if __name__ == "__main__":
    sys.exit(main())
