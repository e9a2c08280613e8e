"""The gold pack: evaluation items chosen once from held-out samples, frozen before anything is trained."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaak.corpus.manifest import damaged_files, freeze_folder, read_manifest
from vaak.corpus.pack_choice import Choice, choose
from vaak.corpus.pack_items import CeSample, GoldPack, Prompt, ce_sample, prompt, to_rows
from vaak.corpus.pack_material import Voices
from vaak.corpus.reader import Corpus
from vaak.corpus.work_folders import work_folder
from vaak.errors import BadInput, CheckFailed
from vaak.storage.files import read_json, write_bytes, write_json

__all__ = ["CeSample", "GoldPack", "Prompt", "build_pack", "open_pack", "show_pack"]

PACK_FORMAT = "vaak-pack-1"

# What stands in a pack, finished or not.
_WORK = re.compile(r"audio|(ce|prompts|excluded|MANIFEST)\.json|ce\.tokens\.npy|prompts\.codes\.npy")


def build_pack(
    corpus: Corpus,
    out: str | Path,
    seed: int,
    n_ce: int = 1000,
    per_language: int = 4,
    cross_lingual: int = 12,
    long_form: int = 4,
    probes: int = 2,
    extended: Mapping[str, int] | int | None = None,
    voices: Voices = "any",
    sources: Sequence[str] = (),
) -> str:
    """Choose a gold pack from the held-out samples of a corpus and freeze it in `out`; returns its id.

    Same corpus, seed and numbers, same pack. `n_ce` samples are spread evenly over streams and languages, prompts over languages
    and speakers. `probes` is how many numbers, names, questions and minimal pairs (of two prompts each) every language has;
    `extended` names further prompts by language, or as one number those of each, by default 48 English ones. `sources`, if given,
    are those that prompts of one sentence are drawn from. `voices` says whose voices they have: those of all that is held out,
    first of speakers that training never hears ("new-first"), or of these alone ("new-only").
    What the corpus cannot give is left out and said in the pack's notes. Original audio is copied where the corpus has it. `out`
    appears whole or not at all. Raises `BadInput` if it exists, if nothing is held out, or with "new-only" no speaker is;
    `CheckFailed` if audio of the corpus does not match its hash.
    """
    out = Path(out)
    if out.exists():
        raise BadInput(f"{out} exists already; a gold pack is built once, name a new folder")
    wanted: dict[str, Any] = {
        "ce": n_ce,
        "per_language": per_language,
        "cross_lingual": cross_lingual,
        "long_form": long_form,
        "probes": probes,
        "extended": {"en": 48} if extended is None else extended if isinstance(extended, int) else dict(extended),
        "voices": voices,
    } | ({"sources": list(sources)} if sources else {})
    choice = choose(corpus, seed, **wanted)
    work = work_folder(out, ".unfinished", _WORK)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _write_items(corpus, choice, work)
    metadata = {
        "format": PACK_FORMAT,
        "corpus": {"id": corpus.id, "name": corpus.name},
        "codec": corpus.codec,
        "tokenizer_hash": corpus.tokenizer_hash,
        "seed": seed,
        "wanted": wanted,
        "voices": _voices(choice.prompts) | {"left_out": choice.left_out},
        "notes": choice.notes,
    }
    manifest = freeze_folder(work, metadata)
    work.rename(out)
    return manifest["id"]


def open_pack(folder: str | Path) -> GoldPack:
    """Open a pack, every byte checked against its hashes.

    Raises `BadInput` for a folder that is no finished pack, `CheckFailed` naming the files that changed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, PACK_FORMAT)
    damaged = damaged_files(folder, PACK_FORMAT)
    if damaged:
        raise CheckFailed(f"pack {folder} is damaged: {'; '.join(damaged[:5])}; restore it from its copy")
    tokens = np.load(folder / "ce.tokens.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
    codes = np.load(folder / "prompts.codes.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return GoldPack(
        id=manifest["id"],
        folder=folder,
        manifest=manifest,
        ce=[ce_sample(row, tokens) for row in read_json(folder / "ce.json")],
        prompts=[prompt(row, codes, folder) for row in read_json(folder / "prompts.json")],
        excluded_ids=set(read_json(folder / "excluded.json")),
    )


def damaged_pack(folder: Path) -> list[str]:
    """One line for each file of a pack that is not as it was frozen; empty means whole."""
    return damaged_files(folder, PACK_FORMAT)


def show_pack(pack: GoldPack) -> dict[str, Any]:
    """Counts of a pack: cross-entropy samples per stream and language, prompts per kind and language, whose voices and what
    references the prompts have, notes."""
    ce: dict[str, dict[str, int]] = {}
    prompts: dict[str, dict[str, int]] = {}
    for one in pack.ce:
        ce.setdefault(one.stream, {}).setdefault(one.language, 0)
        ce[one.stream][one.language] += 1
    for one in pack.prompts:
        prompts.setdefault(one.kind, {}).setdefault(one.language, 0)
        prompts[one.kind][one.language] += 1
    return {
        "folder": str(pack.folder),
        "id": pack.id,
        "corpus": pack.manifest["corpus"],
        "seed": pack.manifest["seed"],
        "ce": ce,
        "prompts": prompts,
        "voices": pack.manifest.get("voices", _voices(pack.prompts)),
        "references": dict(Counter(one.reference_kind or "none" for one in pack.prompts)),
        "excluded": len(pack.excluded_ids),
        "notes": pack.notes,
    }


def _voices(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """How many prompts have a voice that training never hears, one that it hears, and one of nobody knows whom."""
    heard, unknown = sum(one.seen_voice for one in prompts), sum(one.speaker is None for one in prompts)
    return {"new": len(prompts) - heard - unknown, "heard": heard, "unknown": unknown}


def _write_items(corpus: Corpus, choice: Choice, work: Path) -> None:
    hashes = {one["path"]: one["sha256"] for one in corpus.manifest["files"]}
    for one in choice.prompts:
        if one.reference_audio is not None:
            path = one.reference_audio.as_posix()
            try:
                data = (corpus.folder / path).read_bytes()
            except OSError as error:
                raise CheckFailed(f"{corpus.folder / path} cannot be read ({error.strerror}); restore it") from error
            if hashlib.sha256(data).hexdigest() != hashes.get(path):
                raise CheckFailed(f"{corpus.folder / path} is not the audio that its corpus froze; restore it")
            write_bytes(work / path, data)
    rows, tokens = to_rows(choice.ce, np.uint32, ("codes",))
    write_json(work / "ce.json", rows)
    np.save(work / "ce.tokens.npy", tokens, allow_pickle=False)
    rows, codes = to_rows(choice.prompts, np.uint16, ("reference_codes", "voice_codes"))
    for row in rows:
        row["reference_audio"] = None if row["reference_audio"] is None else row["reference_audio"].as_posix()
    write_json(work / "prompts.json", rows)
    np.save(work / "prompts.codes.npy", codes, allow_pickle=False)
    write_json(work / "excluded.json", sorted(choice.excluded_ids))
