"""Audio to codes: a list of recordings becomes a frozen corpus, and what cannot be encoded is set aside with a reason.

The work is done in parts of a few recordings, each written whole to a folder beside the corpus. A run that was
interrupted begins again at the first part that is missing, and the corpus is the same as an undisturbed one's.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vaak.corpus.lists import AudioItem, ListDefaults, read_list
from vaak.corpus.manifest import MANIFEST
from vaak.corpus.samples import from_row, to_row
from vaak.corpus.writer import CorpusWriter
from vaak.errors import BadInput
from vaak.storage.files import hash_json, read_json, write_bytes, write_json

# Recordings per part: what an interruption can cost.
PART_ITEMS = 64

# Shorter than this is no speech, and no codec frame of its own.
MIN_SECONDS = 0.1

# Silent: no 20 ms frame reaches -60 dB of full scale.
SILENCE_RMS = 1e-3


class Encoder(Protocol):
    """What this room needs of a codec; every `vaak.codec` codec is one."""

    name: str
    codebook_size: int
    sample_rate: int
    tokens_per_second: int
    hash: str

    def encode_batch(self, waves: list[np.ndarray]) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class EncodeReport:
    """Recordings read, kept and set aside (`read = kept + sum(set_aside.values())`), seconds kept, the corpus id."""

    read: int
    kept: int
    set_aside: dict[str, int]
    seconds: float
    corpus_id: str
    set_aside_file: Path


def codec_entry(codec: Encoder) -> dict[str, Any]:
    """What a corpus records of its codec."""
    return {
        "name": codec.name,
        "hash": codec.hash,
        "codebook_size": codec.codebook_size,
        "tokens_per_second": codec.tokens_per_second,
        "sample_rate": codec.sample_rate,
    }


def encode_list(
    path: str | Path,
    codec: Encoder,
    out: str | Path,
    name: str | None = None,
    defaults: ListDefaults | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EncodeReport:
    """Encode a list or a folder (see `read_list`) into the corpus `out`. See `encode_files`."""
    return encode_files(list(read_list(path, defaults)), codec, out, name or Path(out).name, progress)


def encode_files(
    items: list[AudioItem],
    codec: Encoder,
    out: str | Path,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> EncodeReport:
    """Encode recordings into the frozen corpus `out`: paired where there is a transcript, raw otherwise.

    Unreadable, silent and too short recordings and repeated sample ids are listed with their reason in
    `<out>.set-aside.jsonl`. Held-out recordings keep their original audio in the corpus. `progress(done, all)` is
    called after each part. Called again after an interruption it continues, in `<out>.parts`, which is removed at the
    end. Raises `BadInput` if `out` is frozen already or the parts belong to another list or codec.
    """
    out = Path(out)
    parts = out.with_name(out.name + ".parts")
    if (out / MANIFEST).exists() and not (parts / "report.json").exists():
        raise BadInput(f"{out} is a frozen corpus already; encode into a new folder")
    batches = [items[i : i + PART_ITEMS] for i in range(0, len(items), PART_ITEMS)]
    _claim_parts(parts, items, codec)
    for number, batch in enumerate(batches):
        if not (parts / f"{number:06d}.npz").exists():
            _write_part(parts / f"{number:06d}.npz", batch, codec)
        if progress is not None:
            progress(min((number + 1) * PART_ITEMS, len(items)), len(items))
    if not (out / MANIFEST).exists():
        _assemble(parts, len(batches), items, codec, out, name)
    report = EncodeReport(
        **read_json(parts / "report.json"),
        corpus_id=read_json(out / MANIFEST)["id"],
        set_aside_file=out.with_name(out.name + ".set-aside.jsonl"),
    )
    shutil.rmtree(parts)
    return report


def read_recording(item: AudioItem, rate: int) -> tuple[np.ndarray, int]:
    """Mono samples at `rate` hertz, float32[T], of the item's part of its file, and the file's own rate.

    Raises `SetAside` with one of a few reasons if there is no speech to be had.
    """
    import soundfile

    from vaak.codec.audio import read_audio

    if not item.path.is_file():
        raise SetAside("missing", f"{item.path} does not exist")
    try:
        own_rate = int(soundfile.info(str(item.path)).samplerate)
        wave = read_audio(item.path, rate)
    except (BadInput, OSError, RuntimeError, ValueError) as error:
        raise SetAside("unreadable", str(error)) from error
    start, end = item.sample.start_ms, item.sample.end_ms
    if end is not None and end * rate > (len(wave) + rate // 10) * 1000:
        raise SetAside("segment outside", f"it ends at {end} ms, the file at {len(wave) * 1000 // rate} ms")
    first = (start or 0) * rate // 1000
    wave = wave[first : end * rate // 1000 if end is not None else None]
    if len(wave) < MIN_SECONDS * rate:
        raise SetAside("too short", f"{len(wave) / rate:.3f} s, at least {MIN_SECONDS} s are needed")
    if not np.isfinite(wave).all():
        raise SetAside("unreadable", "it holds samples that are no numbers")
    frames = wave[: len(wave) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    if float(np.sqrt(np.square(frames).mean(axis=1)).max()) < SILENCE_RMS:
        raise SetAside("silent", "no 20 ms of it reach -60 dB of full scale")
    return wave, own_rate


class SetAside(Exception):
    """Why a recording is not encoded: a `kind` to count by and a sentence."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def _claim_parts(parts: Path, items: list[AudioItem], codec: Encoder) -> None:
    plan = {"codec": codec.hash, "items": hash_json([[str(item.path), to_row(item.sample)] for item in items])}
    if (parts / "plan.json").exists():
        if read_json(parts / "plan.json") != plan:
            raise BadInput(f"{parts} was begun with another list or codec; delete it, or name another corpus")
    else:
        write_json(parts / "plan.json", plan)


def _write_part(path: Path, batch: list[AudioItem], codec: Encoder) -> None:
    """One part: the codes in one row, their lengths (0 = set aside), and what was learned of each recording."""
    waves, learned = [], []
    for item in batch:
        try:
            wave, own_rate = read_recording(item, codec.sample_rate)
        except SetAside as error:
            learned.append({"kind": error.kind, "detail": error.detail})
            continue
        waves.append(wave)
        learned.append({"duration_s": len(wave) / codec.sample_rate, "sample_rate": own_rate})
    encoded = iter(codec.encode_batch(waves) if waves else [])
    codes = [next(encoded) if "kind" not in one else np.empty(0, np.uint16) for one in learned]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        codes=np.concatenate(codes),
        lengths=np.array([len(one) for one in codes], np.int64),
        learned=np.frombuffer(json.dumps(learned).encode(), np.uint8),
    )
    write_bytes(path, buffer.getvalue())


def _read_part(path: Path) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    with np.load(path, allow_pickle=False) as part:
        learned = json.loads(part["learned"].tobytes())
        ends = np.cumsum(part["lengths"])
        yield from zip(learned, np.split(part["codes"], ends[:-1]), strict=True)


def _assemble(parts: Path, n_parts: int, items: Iterable[AudioItem], codec: Encoder, out: Path, name: str) -> None:
    """All parts in order into one corpus: quick beside encoding, so an interruption here starts it again."""
    writer = CorpusWriter(out, name, codec=codec_entry(codec), restart=True)
    counts: Counter[str] = Counter()
    lines: list[dict[str, Any]] = []
    seen: set[str] = set()
    seconds, read = 0.0, 0
    remaining = iter(items)
    for number in range(n_parts):
        part = list(_read_part(parts / f"{number:06d}.npz"))
        for item, (learned, codes) in zip(islice(remaining, len(part)), part, strict=True):
            read += 1
            if "kind" not in learned and item.sample.sample_id in seen:
                learned = {"kind": "duplicate id", "detail": "an earlier recording has this sample id"}
            if "kind" in learned:
                counts[learned["kind"]] += 1
                lines.append({"sample_id": item.sample.sample_id, "path": str(item.path), "row": item.row, **learned})
                continue
            seen.add(item.sample.sample_id)
            seconds += float(learned["duration_s"])
            _add(writer, item, learned, codes)
    set_aside_file = out.with_name(out.name + ".set-aside.jsonl")
    write_bytes(set_aside_file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    if not seen:
        raise BadInput(f"no recording of {name} can be encoded; {set_aside_file} says why for each of {read}")
    report = {"read": read, "kept": len(seen), "set_aside": dict(sorted(counts.items())), "seconds": seconds}
    write_json(parts / "report.json", report)
    writer.freeze()


def _add(writer: CorpusWriter, item: AudioItem, learned: dict[str, Any], codes: np.ndarray) -> None:
    sample = from_row(to_row(item.sample))
    start = sample.start_ms or 0
    unknown = {"vad_config_hash": "the list of recordings does not say how they were cut"}
    sample = replace(
        sample,
        duration_s=learned["duration_s"],
        sample_rate=learned["sample_rate"],
        start_ms=start,
        end_ms=sample.end_ms or start + round(learned["duration_s"] * 1000),
        normalisation=("strip",) if sample.transcript else None,
        unknown={} if sample.vad_config_hash else unknown,
    )
    if sample.held_out:
        data, suffix = _original(item)
        writer.add_audio(sample.sample_id, data, suffix)
    writer.add("paired" if sample.transcript else "raw", sample, codes)


def _original(item: AudioItem) -> tuple[bytes, str]:
    """The recording as it was: the file's own bytes, or for a part of a file that part as FLAC."""
    import soundfile

    if item.sample.end_ms is None and not item.sample.start_ms:
        return item.path.read_bytes(), item.path.suffix.lower()
    rate = int(soundfile.info(str(item.path)).samplerate)
    start = (item.sample.start_ms or 0) * rate // 1000
    stop = item.sample.end_ms * rate // 1000 if item.sample.end_ms is not None else None
    wave, _ = soundfile.read(str(item.path), start=start, stop=stop)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format="FLAC")
    return buffer.getvalue(), ".flac"
