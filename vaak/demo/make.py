"""Makes the example corpus: `python -m vaak.demo.make OUT [WORK]`, some forty minutes on two idle cores.

Three passes: speak every utterance, encode it, write the corpus. The first two keep what they made in WORK in pieces
named by the hash of what went into them, so that an interrupted run continues and a new codec leaves the voices alone.
`--speak-only` stops behind the first, which needs no codec. The same engines, codec and seed give the same corpus, byte
for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaak.codec import open_codec
from vaak.corpus import CorpusWriter, Sample
from vaak.demo.items import Item, Page
from vaak.demo.ogg import opus
from vaak.demo.plan import plan
from vaak.demo.provenance import provenance, tokenizer_texts
from vaak.demo.sound import in_scene, pcm16, scene
from vaak.demo.voices import RATE, TRIM, VOICES, engine_version, speech
from vaak.grammar.tokenizer import TextTokenizer, train_tokenizer
from vaak.storage.files import hash_json, write_json

SEED = 2026
TOKENIZER_SIZE = 2048
_PIECE = 64  # utterances
_PROCESSES = 2


@dataclass(frozen=True)
class Spoken:
    """A piece after the first pass: int16 waves end to end, and where each lay in its engine's output (ms)."""

    pcm: np.ndarray
    lengths: np.ndarray
    start_ms: np.ndarray
    end_ms: np.ndarray

    def waves(self) -> list[np.ndarray]:
        """float32[T] at 16 kHz of each utterance."""
        ends = np.cumsum(self.lengths)
        return [self.pcm[end - n : end].astype(np.float32) / 32767 for end, n in zip(ends, self.lengths, strict=True)]


def make(out: Path, work: Path, codec_name: str = "embedded", share: float = 1.0) -> str:
    """Make OUT/corpus, OUT/tokenizer and OUT/PROVENANCE.json; returns the corpus id. `share` scales a trial run."""
    items, pages = plan(SEED, share)
    pieces, spoken = _speak(items, work)
    encoded = _in_parallel("encode", _encode_piece, [(path, codec_name) for path in spoken])
    tokenizer = train_tokenizer(tokenizer_texts(items, pages), TOKENIZER_SIZE)
    for name in ("corpus", "tokenizer"):
        shutil.rmtree(out / name, ignore_errors=True)
    tokenizer.save(out / "tokenizer")
    codec = open_codec(codec_name)
    described = {
        "name": codec.name,
        "hash": codec.hash,
        "codebook_size": codec.codebook_size,
        "tokens_per_second": codec.tokens_per_second,
        "sample_rate": codec.sample_rate,
    }
    writer = CorpusWriter(out / "corpus", "embedded-example", codec=described, tokenizer_hash=tokenizer.hash)
    for piece, waves, codes in zip(pieces, spoken, encoded, strict=True):
        _write_piece(writer, piece, _load_spoken(waves), codes)
    _write_pages(writer, pages, tokenizer)
    corpus_id = writer.freeze()
    write_json(out / "PROVENANCE.json", provenance(SEED, items, pages, spoken, described, tokenizer, corpus_id))
    return corpus_id


def speak(work: Path, share: float = 1.0) -> list[Path]:
    """The first pass alone: the files in WORK/spoken that `make` goes on from, whatever the codec."""
    return _speak(plan(SEED, share)[0], work)[1]


def _speak(items: list[Item], work: Path) -> tuple[list[list[Item]], list[Path]]:
    pieces = [items[start : start + _PIECE] for start in range(0, len(items), _PIECE)]
    return pieces, _in_parallel("speak", _speak_piece, [(piece, work) for piece in pieces])


def _in_parallel(verb: str, work: Callable, jobs: Sequence[tuple]) -> list[Path]:
    """`work` of every job on two processes, in order, with a progress bar. A process that is killed ends the run."""
    from rich.progress import track

    with ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context("spawn")) as pool:
        return list(track(pool.map(work, jobs), description=verb, total=len(jobs)))


def _speak_piece(job: tuple[list[Item], Path]) -> Path:
    """Speak a piece into WORK/spoken, unless it is there; returns its file."""
    piece, work = job
    engines = sorted({engine_version(item.voice.engine) for item in piece})
    key = hash_json([[_heard(item) for item in piece], engines, _sound_code()])[:24]
    path = work / "spoken" / f"{key}.npz"
    if path.is_file():
        return path
    waves, starts, ends = [], [], []
    for item in piece:
        found = speech(item.voice, item.spoken, item.speed)
        rng = _scene_rng(item)
        wave = in_scene(found.wave, scene(rng), rng) if item.tier == "wild" else found.wave
        waves.append(pcm16(wave))
        starts.append(found.start_ms)
        ends.append(found.end_ms)
    lengths = np.array([len(wave) for wave in waves])
    _save(path, pcm=np.concatenate(waves), lengths=lengths, start_ms=np.array(starts), end_ms=np.array(ends))
    return path


def _heard(item: Item) -> list[str | float]:
    """All of an utterance that decides its wave; what else is said of it may change without speaking it again."""
    voice = item.voice
    said = [voice.engine, voice.variant, voice.language, item.spoken, item.speed]
    return [*said, item.tier, item.sample_id] if item.tier == "wild" else [*said, item.tier]


def _encode_piece(job: tuple[Path, str]) -> Path:
    """Encode a spoken piece into WORK/encoded, unless it is there; returns its file."""
    import torch

    torch.set_num_threads(1)
    path, codec_name = job
    codec = _codec(codec_name)
    out = path.parent.parent / "encoded" / f"{path.stem}-{codec.hash[:24]}.npz"
    if not out.is_file():
        codes = codec.encode_batch(_load_spoken(path).waves())
        _save(out, codes=np.concatenate(codes), lengths=np.array([len(one) for one in codes]))
    return out


_codecs: dict = {}


def _codec(name: str):
    if name not in _codecs:
        _codecs[name] = open_codec(name)
    return _codecs[name]


def _save(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez(unfinished, allow_pickle=False, **arrays)
    unfinished.replace(path)


def _load_spoken(path: Path) -> Spoken:
    with np.load(path, allow_pickle=False) as arrays:
        return Spoken(**{name: arrays[name] for name in arrays.files})


def _sound_code() -> str:
    """Hash of the modules that decide how a text sounds: a change in them makes every piece anew."""
    folder = Path(__file__).parent
    engines = [f"engines/{name}.py" for name in ("__init__", "phonemes", *sorted({voice.engine for voice in VOICES}))]
    files = [folder / name for name in ("espeak.py", "voices.py", "sound.py", *engines)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _scene_rng(item: Item) -> np.random.Generator:
    return np.random.default_rng([SEED, zlib.crc32(item.sample_id.encode())])


def _write_piece(writer: CorpusWriter, piece: list[Item], spoken: Spoken, codes_path: Path) -> None:
    with np.load(codes_path, allow_pickle=False) as arrays:
        codes = np.split(arrays["codes"], np.cumsum(arrays["lengths"])[:-1])
    for n, (item, wave, one) in enumerate(zip(piece, spoken.waves(), codes, strict=True)):
        if item.keep_audio:
            writer.add_audio(item.sample_id, opus(wave, serial=zlib.crc32(item.sample_id.encode())))
        writer.add(item.stream, _sample(item, wave, int(spoken.start_ms[n]), int(spoken.end_ms[n])), one)


def _sample(item: Item, wave: np.ndarray, start_ms: int, end_ms: int) -> Sample:
    voice = item.voice
    steps = ["nfc", "audio:trim", "audio:level"]
    if item.tier == "wild":
        steps += [f"audio:speed:{item.speed:.2f}", *(f"audio:{flag}" for flag in scene(_scene_rng(item)).flags())]
    paired = item.stream == "paired"
    return Sample(
        sample_id=item.sample_id,
        source=item.source,
        language=item.language,
        speaker=voice.name,
        tier=item.tier,
        transcript_kind=item.transcript_kind if paired else None,
        transcript=unicodedata.normalize("NFC", item.text) if paired else None,
        voice_description=voice.voice_description if paired else None,
        duration_s=len(wave) / RATE,
        sample_rate=RATE,
        source_id=f"{engine_version(voice.engine)}, voice {voice.variant}",
        start_ms=start_ms,
        end_ms=end_ms,
        vad_config_hash=hash_json(TRIM),
        normalisation=steps,
        # Where the original audio is kept the writer puts the hash of its file instead.
        audio_sha256=hashlib.sha256(pcm16(wave).tobytes()).hexdigest(),
        long_form=item.long_form,
        held_out=item.held_out,
    )


def _write_pages(writer: CorpusWriter, pages: list[Page], tokenizer: TextTokenizer) -> None:
    for page, ids in zip(pages, tokenizer.encode_batch([page.text for page in pages]), strict=True):
        sample = Sample(
            sample_id=page.page_id,
            source="pages",
            language=page.language,
            source_id=f"vaak.demo.texts, seed {SEED}",
            transcript_hash=hashlib.sha256(page.text.encode()).hexdigest(),
            normalisation=["nfc"],
            held_out=page.held_out,
        )
        writer.add("text", sample, np.array([*ids, tokenizer.end_of_text_id], np.uint32))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the example corpus of Vaak.")
    parser.add_argument("out", type=Path, help="folder for corpus, tokenizer and PROVENANCE.json")
    parser.add_argument("work", type=Path, nargs="?", help="folder for unfinished work (OUT/work)")
    parser.add_argument("--codec", default="embedded", help="name or folder of the codec")
    parser.add_argument("--share", type=float, default=1.0, help="share of the training part to make, for a trial")
    parser.add_argument("--speak-only", action="store_true", help="speak into WORK and stop: no codec is needed")
    chosen = parser.parse_args()
    work = chosen.work or chosen.out / "work"
    if chosen.speak_only:
        print(f"{len(speak(work, chosen.share))} pieces are spoken in {work / 'spoken'}")
    else:
        print(make(chosen.out, work, chosen.codec, chosen.share))


if __name__ == "__main__":
    main()
