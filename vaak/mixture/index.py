"""Pack indexes: which samples, or which windows of tokens, each row of a part holds. Built at plan time, then mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.grammar.tokenizer import TextTokenizer
from vaak.mixture.cells import LeftOut, Part
from vaak.mixture.derived import damage, derive
from vaak.mixture.order import key_of, mix64
from vaak.mixture.packing import fit_documents, window_rows, window_targets
from vaak.mixture.transcripts import Transcripts, cached_transcripts
from vaak.storage.files import hash_json, read_json

_VERSION = "index-1"
_VOICE_KEY = np.uint64(key_of("keep the voice description"))


def window_part(cache: Path, corpus: Corpus, group: Group, samples: NDArray[np.int64] | None, context: int) -> Part:
    """Raw audio or text cut into windows of `context` tokens of its kept samples laid end to end."""
    if samples is None:
        runs: Iterable[NDArray[np.int64]] = group.offset_parts()
        folder, tokens, count = "", group.n_tokens, group.n_samples
    else:
        offsets = np.concatenate([[0], np.cumsum(group.lengths[samples])]).astype(np.int64)
        folder = _stored(cache, {"corpus": corpus.id, "group": _key(group)}, {"samples": samples, "offsets": offsets})
        runs, tokens, count = [offsets], int(offsets[-1]), len(samples)
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


def paired_part(
    cache: Path,
    corpus: Corpus,
    group: Group,
    samples: NDArray[np.int64] | None,
    *,
    tokenizer: TextTokenizer,
    context: int,
    sft: bool,
    voice_keep: float,
    window_tokens: int,
    left_out: LeftOut,
) -> Part | None:
    """Whole paired documents fitted into rows of `context`; None if none of them fits into a row."""
    transcripts_name = cached_transcripts(cache, corpus, group, tokenizer)
    transcripts = Transcripts(cache / transcripts_name)
    samples = np.arange(group.n_samples, dtype=np.int64) if samples is None else samples
    voiced = (transcripts.voice_lengths[samples] > 0) & keeps_voice(samples, voice_keep)
    prompts = transcripts.lengths[samples] + np.where(voiced, transcripts.voice_lengths[samples] + 2, 0)
    codes = group.lengths[samples]
    lengths = prompts + codes + 2
    fits = lengths <= context
    left_out.add(group, f"longer than a row of {context:,}", int((~fits).sum()))
    if not fits.any():
        return None
    samples, voiced, prompts, codes = samples[fits], voiced[fits], prompts[fits], codes[fits]
    key = {
        "corpus": corpus.id, "group": _key(group), "context": context, "tokenizer": tokenizer.hash, "voice": voice_keep,
        "samples": hash_array(samples),
    }  # fmt: skip
    stretches = _stretches(lengths[fits], window_tokens)
    if len(stretches) > 1:
        key["window"] = window_tokens
    target = cache / _name(key)
    if not target.exists() or damage(target):
        order, rows = _fit_in_stretches(lengths[fits], stretches, context)
        _stored(cache, key, {"samples": samples[order], "voiced": voiced[order], "rows": rows})
    # speech_start is a target too, unless it stands first and nothing predicts it.
    targets = codes + 1 + (prompts > 0) if sft else prompts + codes + 1
    return Part(
        corpus_id=corpus.id,
        rows=int(len(np.load(target / "rows.npy", mmap_mode="r")) - 1),
        samples=len(samples),
        tokens=int((prompts + codes + 2).sum()),
        targets=int(targets.sum()),
        prompt_tokens=int(prompts.sum()),
        codes=int(codes.sum()),
        folder=_name(key),
        transcripts=transcripts_name,
        digest=_digest(cache, _name(key)),
    )


def _stretches(lengths: NDArray[np.int64], window_tokens: int) -> list[slice]:
    """Runs of neighbouring documents of at most about `window_tokens`, all of nearly one size: rows do not mix them."""
    ends = np.cumsum(lengths)
    count = max(1, -(-int(ends[-1]) // window_tokens))
    edges = np.searchsorted(ends, np.arange(1, count) * int(ends[-1]) // count)
    return [slice(a, b) for a, b in pairwise([0, *edges.tolist(), len(lengths)]) if b > a]


def _fit_in_stretches(
    lengths: NDArray[np.int64], stretches: Sequence[slice], context: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`fit_documents` of each stretch, one after the other."""
    orders, edges = [], [np.zeros(1, np.int64)]
    for each in stretches:
        order, rows = fit_documents(lengths[each], context)
        orders.append(order + each.start)
        edges.append(rows[1:] + each.start)
    return np.concatenate(orders), np.concatenate(edges)


def keeps_voice(samples: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which samples show their voice description: a fixed draw per sample number, `share` of them on average (bool[n])."""
    draw = mix64(samples.astype(np.uint64) ^ _VOICE_KEY) >> np.uint64(11)
    return draw.astype(np.float64) / 2.0**53 < share


def hash_array(values: NDArray[Any]) -> str:
    """SHA-256 of an array's dtype, shape and bytes, as hex."""
    head = f"{values.dtype.str}{values.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()


def _key(group: Group) -> list[str]:
    return [group.stream, group.language, group.tier]


def _name(key: dict[str, Any]) -> str:
    return f"index/{hash_json([_VERSION, key])[:20]}"


def _stored(cache: Path, key: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    if "samples" not in key:
        key = key | {"samples": hash_array(arrays["samples"])}
    name = _name(key)

    def make(folder: Path) -> None:
        for array, values in arrays.items():
            np.save(folder / f"{array}.npy", values)
        digests = {array: hash_array(values) for array, values in arrays.items()}
        (folder / "index.json").write_text(json.dumps({"key": key, "arrays": digests}, indent=2))

    derive(cache / name, make)
    return name


def _digest(cache: Path, name: str) -> str:
    return hash_json(read_json(cache / name / "index.json")["arrays"]) if name else ""
