"""Makes what the embedded codec is trained on: `python -m vaak.demo.codec_audio OUT`, five minutes on two idle cores.

Every voice of the example says sentences of its own, none of which is held out in the example, into FLAC files. The
voices are not equal: the one that English is judged by has more than half. `python -m vaak.codec.train` takes the folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from vaak.demo import texts
from vaak.demo.make import SEED
from vaak.demo.plan import plan
from vaak.demo.voices import RATE, VOICES, Voice, synthesise
from vaak.languages import LANGUAGES

# Minutes of speech. The rest of an hour of espeak-ng is divided evenly among the voices of eleven languages.
MINUTES = {"heart": 100.0, "slt": 14.0, "rms": 14.0, "awb": 10.0}
_ESPEAK_MINUTES = 48.0
# Voices that the example does not have, so that a new one is not altogether strange to the codec.
_STRANGERS = ("f2", "f5", "m1", "m5", "m7", "Andy", "belinda", "Denis", "Mr_serious", "Alicia")
_STRANGER_MINUTES = 12.0
_PER_FILE = 4  # sentences

Job = tuple[Path, Voice, list[str]]


def jobs(out: Path) -> Iterator[Job]:
    """One file each: where it goes, who speaks, what is said. A function of the seed of the example alone."""
    banned = {text for item in plan(SEED)[0] if item.held_out for text in texts.sentences_of(item.text)}
    espeak = [voice for voice in VOICES if voice.engine == "espeak"]
    strangers = [
        Voice(name, "espeak", language, f"{LANGUAGES[language].espeak}+{name}", name)
        for name, language in zip(_STRANGERS, [code for code in LANGUAGES if code != "en"], strict=False)
    ]
    wanted = [(voice, MINUTES[voice.name]) for voice in VOICES if voice.language == "en"]
    wanted += [(voice, _ESPEAK_MINUTES / len(espeak)) for voice in espeak]
    wanted += [(voice, _STRANGER_MINUTES / len(strangers)) for voice in strangers]
    for voice, minutes in wanted:
        rng = random.Random(f"codec/{SEED}/{voice.variant}")
        said = [text for text in texts.sentences(voice.language, rng, int(minutes * 25) + 20) if text not in banned]
        seconds, n = minutes * 60, 0
        while seconds > 0:
            part = said[n * _PER_FILE : (n + 1) * _PER_FILE]
            if not part:
                break
            name = f"{voice.language}-{voice.name}-{n:04d}.flac"
            yield out / name, voice, part
            seconds -= sum(map(len, part)) * 0.068  # about what a character takes
            n += 1


def speak(job: Job) -> Path:
    """Write one file, unless it is there."""
    import numpy as np
    import soundfile

    path, voice, said = job
    if not path.is_file():
        unfinished = path.with_name(f".{path.name}")
        wave = np.concatenate([synthesise(voice, text) for text in said])
        soundfile.write(unfinished, wave, RATE, format="FLAC", subtype="PCM_16")
        unfinished.replace(path)
    return path


def make(out: Path) -> Sequence[Path]:
    """Write every file that is not there yet; returns them all."""
    from rich.progress import track

    out.mkdir(parents=True, exist_ok=True)
    planned = list(jobs(out))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return list(track(pool.imap(speak, planned, chunksize=4), description="speak", total=len(planned)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the training audio of the embedded codec.")
    parser.add_argument("out", type=Path, help="folder for the FLAC files")
    print(f"{len(make(parser.parse_args().out))} files")


if __name__ == "__main__":
    main()
