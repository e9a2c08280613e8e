"""What a codec keeps of speech: words, voice, cleanness, and how foreseeable its codes are.

Held-out English sentences of the example's main voice, written for this file. Prints one line per figure:
`python benchmarks/codec.py [--codec NAME] [--voice heart] [--json PATH]`. Needs the `demo` and `asr` extras.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vaak.codec import Codec, open_codec
from vaak.errors import BadInput

SENTENCES = """
The baker opens his shop before the sun comes up.|A cold wind blew across the empty harbour all night.
She wrote the address on the back of an old envelope.|We walked along the river until the bridge came into view.
My brother repairs watches in a small room above the market.|The train to the coast leaves from the second platform.
Nobody noticed the grey cat that slept beneath the stairs.|Please bring two chairs and a table into the garden.
The teacher asked a question that none of us could answer.|Fresh bread and soup were waiting when they came home.
He lost his gloves somewhere between the church and the station.|The doctor said that he should rest for three more days.
A yellow boat was tied to the wooden pier.|They painted the kitchen blue and the hallway white.
It rained so hard that the road turned into a stream.|The museum keeps a collection of maps from the last century.
Her grandmother taught her how to make apple jam.|The children counted seven ducks on the frozen lake.
I have never seen such a large flock of birds.|The farmer sold his horses and bought a tractor instead.
Every window in the old house was covered with dust.|You should water these plants twice a week in summer.
The judge listened quietly to both sides of the story.|A friendly dog followed us through the whole village.
The orchestra will play a new piece on Thursday evening.|Can you tell me where the nearest pharmacy is?
The ship carried coffee, sugar and cotton to distant ports.|He speaks four languages but prefers to stay silent.
The mountain path is narrow and dangerous after the snow.|She put the letter in her pocket and smiled.
Our neighbours are building a wall around their orchard.|The price of fish has doubled since the spring.
There was a strange noise coming from the engine.|Most visitors arrive early to avoid the afternoon heat.
The lamp on the desk flickered and then went out.|He promised to return the book before the holidays.
A thick fog hid the lighthouse from the sailors.|The committee will discuss the plan again next month.
My favourite season is autumn because of the colours.|They found an ancient coin while digging in the field.
The nurse gave the boy a glass of cold milk.|It takes about an hour to reach the airport by bus.
Someone left a red umbrella under the bench.|The clock in the tower strikes every quarter of an hour.
We should finish the work before the guests arrive.|The scientist measured the temperature of the water twice.
"""
TEXTS = [text.strip() for text in SENTENCES.replace("\n", "|").split("|") if text.strip()]


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    want: float
    holds: bool
    against: str

    def line(self, sign: str) -> str:
        met = "met" if self.holds else "NOT MET"
        return f"{self.name} {self.value:.3f} {self.unit} (want {sign} {self.want:g}, against {self.against}): {met}"


def at_most(name: str, value: float, want: float, against: str, unit: str = "") -> Figure:
    figure = Figure(name, value, unit, want, value <= want, against)
    print(figure.line("≤"), flush=True)
    return figure


def at_least(name: str, value: float, want: float, against: str, unit: str = "") -> Figure:
    figure = Figure(name, value, unit, want, value >= want, against)
    print(figure.line("≥"), flush=True)
    return figure


def spoken(voice_name: str) -> list[np.ndarray]:
    """The sentences in one of the example's English voices."""
    from vaak.demo.voices import VOICES, synthesise

    found = [voice for voice in VOICES if voice.name == voice_name and voice.language == "en"]
    if not found:
        raise BadInput(f"no English voice {voice_name!r}; use one of the names in vaak/demo/voices.py")
    return [synthesise(found[0], text) for text in TEXTS]


def word_error_rate(waves: list[np.ndarray], asr_folder: str | None) -> tuple[float, str]:
    from vaak.score.asr import open_asr
    from vaak.score.error_rate import total, word_counts

    asr = open_asr(asr_folder)
    heard = [asr.transcribe(wave, 16000, "en") for wave in waves]
    return total(word_counts(text, words, "en") for text, words in zip(TEXTS, heard, strict=True)).rate, asr.name


def understood(waves: list[np.ndarray], decoded: list[np.ndarray], asr_folder: str | None) -> list[Figure]:
    original, asr = word_error_rate(waves, asr_folder)
    round_trip, _ = word_error_rate(decoded, asr_folder)
    return [
        at_most("codec.wer_original", original, 0.1, f"{len(TEXTS)} sentences by {asr}"),
        at_most("codec.wer_round_trip", round_trip, 0.127, "a first attempt's .127 on another voice and recogniser"),
    ]


def sounded(waves: list[np.ndarray], decoded: list[np.ndarray]) -> list[Figure]:
    from vaak.score.quality import dnsmos
    from vaak.score.similarity import embed_voice, similarity

    some = range(0, len(waves), 2)
    alike = [similarity(embed_voice(waves[i], 16000), embed_voice(decoded[i], 16000)) for i in some]
    before, after = (float(np.mean([dnsmos(w[i], 16000) for i in some])) for w in (waves, decoded))
    return [
        at_least("codec.similarity", float(np.mean(alike)), 0.86, "a first attempt's .86"),
        at_least("codec.dnsmos_original", before, 2.5, "the same sentences undamaged"),
        at_least("codec.dnsmos_round_trip", after, 2.08, "a first attempt's 2.08"),
    ]


def foreseeable(codec: Codec, waves: list[np.ndarray], codes: list[np.ndarray]) -> list[Figure]:
    """How many codes are used, what they carry, and how many change when the wave hardly does."""
    counts = np.array(list(Counter(np.concatenate(codes).tolist()).values()), float)
    share = counts / counts.sum()
    rng = np.random.default_rng(0)

    def changed(alter) -> float:
        return float(np.mean(np.concatenate([codec.encode(alter(w)) != c for w, c in zip(waves, codes, strict=True)])))

    def noisy(wave: np.ndarray) -> np.ndarray:
        return wave + rng.standard_normal(len(wave)).astype(np.float32) * 0.07 * 10 ** (-40 / 20)

    return [
        at_least("codec.codes_used", len(counts), 256, f"a codebook of {codec.codebook_size}, one voice"),
        at_most(
            "codec.entropy", float(-(share * np.log2(share)).sum()), 12, "12 bits if all were equally likely", "bit"
        ),
        at_most("codec.changed_by_half_a_millisecond", changed(lambda w: np.roll(w, 8)), 0.6, "0 changed"),
        at_most("codec.changed_by_noise_at_minus_40_dB", changed(noisy), 0.6, "0 changed"),
    ]


def quick(codec: Codec, waves: list[np.ndarray]) -> list[Figure]:
    wave = np.concatenate(waves)[: 16000 * 60]
    began = time.perf_counter()
    codes = codec.encode(wave)
    middle = time.perf_counter()
    codec.decode(codes)
    seconds, against = len(wave) / 16000, "real time, one wave, threads as torch sets them"
    return [
        at_least("codec.encode_speed", seconds / (middle - began), 20, against, "x"),
        at_least("codec.decode_speed", seconds / (time.perf_counter() - middle), 20, against, "x"),
    ]


def write_figures(figures: Sequence[Figure], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def exit_of(make: Callable[[], Sequence[Figure]], path: Path | None) -> int:
    """Makes a card and writes its figures: 0 if all hold, 1 if one does not, 2 with the reason where it cannot be made."""
    try:
        figures = make()
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    write_figures(figures, path)
    return 0 if all(figure.holds for figure in figures) else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", default="embedded")
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--asr", help="folder of a faster-whisper model; else what open_asr finds")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    codec, waves = open_codec(given.codec), spoken(given.voice)
    codes = codec.encode_batch(waves)
    decoded = codec.decode_batch(codes)
    figures = understood(waves, decoded, given.asr) + sounded(waves, decoded)
    figures += foreseeable(codec, waves, codes) + quick(codec, waves)
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
