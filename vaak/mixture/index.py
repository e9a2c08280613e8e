"""Pack indexes: which samples, or which windows of tokens, each row of a part holds. Built at plan time, then mapped.

They are built block by block and grow on disk, so memory does not depend on how many samples a group has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.corpus.arrays import GrowingArray
from vaak.grammar.tokenizer import TextTokenizer
from vaak.mixture.cells import BLOCK, Kept, LeftOut, Part
from vaak.mixture.derived import damage, derive
from vaak.mixture.documents import Documents, PairedDocuments
from vaak.mixture.packing import fit_documents, group_by_length, window_rows, window_targets
from vaak.mixture.transcripts import Transcripts, cached_transcripts
from vaak.storage.files import hash_json, read_json

_VERSION = "index-1"
_INT64 = np.dtype(np.int64)


def window_part(cache: Path, corpus: Corpus, group: Group, kept: Kept | None, context: int) -> Part:
    """Raw audio or text cut into windows of `context` tokens of its kept samples laid end to end."""
    if kept is None:
        runs: Iterable[NDArray[np.int64]] = group.offset_parts()
        folder, tokens, count = "", group.n_tokens, group.n_samples
    else:
        numbers = _hashed(_INT64, kept.n, kept.blocks())
        key = {"corpus": corpus.id, "group": _key(group), "samples": numbers}
        folder = _name(key)
        _derived(cache, key, lambda target: _write_windows(target, group, kept))
        offsets = np.load(cache / folder / "offsets.npy", mmap_mode="r").view(np.ndarray)
        runs = (offsets[first : first + BLOCK + 1] for first in range(0, kept.n, BLOCK))
        tokens, count = int(offsets[-1]), kept.n
    return Part(
        corpus_id=corpus.id,
        rows=window_rows(tokens, context),
        samples=count,
        tokens=tokens,
        targets=window_targets(runs, context),
        prompt_tokens=0,
        codes=0 if group.stream == "text" else tokens,
        folder=folder,
        digest=_digest(cache, folder),
    )


def _write_windows(target: Path, group: Group, kept: Kept) -> None:
    samples, offsets = (GrowingArray(target / f"{name}.npy", _INT64) for name in ("samples", "offsets"))
    offsets.append(np.zeros(1, np.int64))
    end = 0
    for block in kept.blocks():
        ends = end + np.cumsum(group.lengths_of(block))
        samples.append(block)
        offsets.append(ends)
        end = int(ends[-1])
    samples.close()
    offsets.close()


def paired_part(
    cache: Path,
    corpus: Corpus,
    group: Group,
    kept: Kept | None,
    *,
    tokenizer: TextTokenizer,
    context: int,
    sft: bool,
    voice_keep: float,
    length_buckets: bool,
    window_tokens: int,
    left_out: LeftOut,
) -> Part | None:
    """Whole paired documents fitted into rows of `context`, or gathered by length; None if none fits into a row."""
    transcripts_name = cached_transcripts(cache, corpus, group, tokenizer)
    documents = PairedDocuments(group, kept, Transcripts(cache / transcripts_name), voice_keep, context)
    totals = documents.totals
    left_out.add(group, f"longer than a row of {context:,}", documents.given - totals.documents)
    if totals.documents == 0:
        return None
    numbers = _hashed(_INT64, totals.documents, (block.samples for block in documents.blocks()))
    key = {
        "corpus": corpus.id, "group": _key(group), "context": context, "tokenizer": tokenizer.hash, "voice": voice_keep,
        "samples": numbers, **({"buckets": True} if length_buckets else {}),
    }  # fmt: skip
    edges = _stretch_edges(documents, window_tokens)
    if edges:
        key["window"] = window_tokens
    fit = group_by_length if length_buckets else fit_documents

    def write(target: Path) -> None:
        _write_rows(target, _stretches(documents, edges), lambda lengths: fit(lengths, context))

    _derived(cache, key, write)
    # speech_start is a target too, unless it stands first and nothing predicts it.
    targets = totals.codes + totals.documents + (totals.prompted if sft else totals.prompts)
    return Part(
        corpus_id=corpus.id,
        rows=int(len(np.load(cache / _name(key) / "rows.npy", mmap_mode="r")) - 1),
        samples=totals.documents,
        tokens=totals.tokens,
        targets=targets,
        prompt_tokens=totals.prompts,
        codes=totals.codes,
        folder=_name(key),
        transcripts=transcripts_name,
        digest=_digest(cache, _name(key)),
    )


def _stretch_edges(documents: PairedDocuments, window_tokens: int) -> list[int]:
    """Where stretches of neighbouring documents end, all but the last: at most about `window_tokens` each and nearly of
    one size, since rows do not mix them."""
    tokens = documents.totals.tokens
    count = max(1, -(-tokens // window_tokens))
    wanted = np.arange(1, count) * tokens // count
    found: list[int] = []
    seen, before = 0, 0
    for block in documents.blocks() if count > 1 else ():
        ends = before + np.cumsum(block.lengths)
        if len(ends):
            inside = wanted[(wanted > before) & (wanted <= ends[-1])]
            found += (seen + np.searchsorted(ends, inside)).tolist()
            seen, before = seen + len(ends), int(ends[-1])
    return [edge for edge in dict.fromkeys(found) if edge > 0]


def _stretches(documents: PairedDocuments, edges: list[int]) -> Iterator[Documents]:
    """The documents of one stretch after the other."""
    waiting: list[Documents] = []
    seen, left = 0, [*edges, documents.totals.documents]
    for block in documents.blocks():
        while left and seen + len(block) >= left[0]:
            cut = left.pop(0) - seen
            yield Documents.joined([*waiting, block[:cut]])
            waiting, block, seen = [], block[cut:], seen + cut
        if len(block):
            waiting.append(block)
            seen += len(block)


Fit = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]


def _write_rows(target: Path, stretches: Iterable[Documents], fit: Fit) -> None:
    samples, rows = (GrowingArray(target / f"{name}.npy", _INT64) for name in ("samples", "rows"))
    voiced = GrowingArray(target / "voiced.npy", np.dtype(bool))
    rows.append(np.zeros(1, np.int64))
    for each in stretches:
        order, edges = fit(each.lengths)
        rows.append(edges[1:] + samples.n)
        samples.append(each.samples[order])
        voiced.append(each.voiced[order])
    for array in (samples, voiced, rows):
        array.close()


def hash_array(values: NDArray[Any]) -> str:
    """SHA-256 of an array's dtype, shape and bytes, as hex; a mapped one is read piece by piece."""
    return _hashed(values.dtype, len(values), (values[i : i + BLOCK] for i in range(0, len(values), BLOCK)))


def _hashed(dtype: np.dtype, n: int, blocks: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256(f"{dtype.str}{(n,)}".encode())
    for block in blocks:
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()


def _key(group: Group) -> list[str]:
    return [group.stream, group.language, group.tier]


def _name(key: dict[str, Any]) -> str:
    return f"index/{hash_json([_VERSION, key])[:20]}"


def _derived(cache: Path, key: dict[str, Any], write: Callable[[Path], None]) -> None:
    """Have `write` fill the index of a key, if it is not there."""

    def make(folder: Path) -> None:
        write(folder)
        digests = {path.stem: hash_array(np.load(path, mmap_mode="r")) for path in sorted(folder.glob("*.npy"))}
        (folder / "index.json").write_text(json.dumps({"key": key, "arrays": digests}, indent=2))

    target = cache / _name(key)
    if not target.exists() or damage(target):
        derive(target, make)


def _digest(cache: Path, name: str) -> str:
    return hash_json(read_json(cache / name / "index.json")["arrays"]) if name else ""
