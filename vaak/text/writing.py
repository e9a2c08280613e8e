"""From prepared inputs to a frozen corpus: duplicates found over all of them, and the rest written shard by shard."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vaak.corpus.manifest import claim_folder, freeze_folder
from vaak.corpus.samples import STREAMS, TABLE_SCHEMA
from vaak.corpus.shards import GroupWriter, hashed_files
from vaak.corpus.writer import corpus_metadata
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.storage.files import read_json
from vaak.text.document import REASONS
from vaak.text.duplicates.dedupe import EXACT, KEPT, NEAR, Decisions, DedupeStore
from vaak.text.examples import Examples
from vaak.text.lengths import Lengths
from vaak.text.prepare import VERSION
from vaak.text.prepared import DONE, DROPPED, KeptRows, kept_rows
from vaak.text.settings import TextSettings

# How the unfinished corpus names who writes it.
OWNER = "a text build"

# Hex digits of a text's SHA-256 that its sample id has.
_ID_DIGITS = 24

_DUPLICATE = {EXACT: "exact duplicate", NEAR: "near duplicate"}


@dataclass(frozen=True)
class Part:
    """One prepared input: its folder, and the source and tier of its documents."""

    folder: Path
    source: str
    tier: str


@dataclass
class _Tallies:
    """What the report says, as it adds up. Keys are (source, language) and, for what was dropped, the reason too."""

    read: Counter[tuple[str, str]]
    kept: Counter[tuple[str, str]]
    tokens: Counter[tuple[str, str]]
    characters: Counter[tuple[str, str]]
    dropped: Counter[tuple[str, str, str]]
    examples: Examples
    lengths: Lengths


@dataclass(frozen=True)
class _Rows:
    """Those of some prepared rows that are of one language, and what was decided about each (0: it stays)."""

    part: Part
    language: str
    rows: KeptRows
    mine: NDArray[np.int64]
    numbers: NDArray[np.int64]
    reasons: NDArray[np.uint8]


def write_corpus(
    settings: TextSettings,
    tokenizer: TextTokenizer,
    parts: Sequence[Part],
    work: Path,
    before_freezing: Callable[[dict[str, Any]], None],
    said: Callable[[str], None],
) -> None:
    """Find the duplicates over all parts, write the rest as a text corpus and freeze it.

    `work` takes a folder `dedupe`, which is begun anew, and `dropped.parquet`, a row for each document that is not in the
    corpus. `before_freezing` is given the counts, examples and lengths of the report. Raises `BadInput` if nothing is kept.
    """
    shutil.rmtree(work / "dedupe", ignore_errors=True)
    said("looking for duplicates")
    stores = _filled(parts, work / "dedupe")
    decided = {language: store.decide() for language, store in stores.items()}
    said("writing the corpus")
    name = settings.name or settings.corpus.name
    claim_folder(settings.corpus, OWNER, name, STREAMS, restart=True)
    tallies = _of_prepared(parts, settings.seed)
    groups: dict[tuple[str, str, str], GroupWriter] = {}
    with pq.ParquetWriter(work / "dropped.parquet", DROPPED, compression="zstd") as dropped:
        for part in parts:
            with pq.ParquetFile(part.folder / "dropped.parquet") as before:
                for batch in before.iter_batches(1024):  # texts of the quarantine are in it
                    dropped.write_batch(batch)
        for rows in _by_language(parts, decided):
            _count(tallies, rows, tokenizer)
            _note_duplicates(dropped, tallies, rows, stores[rows.language], decided[rows.language], tokenizer)
            key = ("text", rows.language, rows.part.tier)
            if key not in groups:
                groups[key] = GroupWriter(settings.corpus.joinpath(*key), np.dtype(np.uint32))
            _write(groups[key], rows, settings)
    if not groups:
        raise BadInput(f"no document was kept for {settings.corpus}; {work / 'dropped.parquet'} says why of each")
    for group in groups.values():
        group.close()
    before_freezing(_report(tallies))
    metadata = corpus_metadata(name, None, tokenizer.hash, groups)
    freeze_folder(settings.corpus, {**metadata, "text": _provenance(settings, tallies)}, hashed_files(groups))


def _filled(parts: Sequence[Part], folder: Path) -> dict[str, DedupeStore]:
    """A store per language with every document that could be kept, in the order of the parts."""
    stores: dict[str, DedupeStore] = {}
    for part in parts:
        for rows in kept_rows(part.folder):
            for language in dict.fromkeys(rows.languages.tolist()):
                mine = np.flatnonzero(rows.languages == language)
                if language not in stores:
                    stores[language] = DedupeStore(folder / language)
                # Ids may stand twice in a source; then the text decides, and not which of them came first.
                keys = [f"{part.source}\0{rows.document_ids[i]}\0{rows.digests[i, :8].tobytes().hex()}" for i in mine]
                stores[language].add(rows.hashes[mine], rows.signatures[mine], keys, rows.characters[mine])
    return stores


def _by_language(parts: Sequence[Part], decided: Mapping[str, Decisions]) -> Iterator[_Rows]:
    """The prepared rows once more, in the order in which `_filled` numbered them, with the decisions."""
    at: Counter[str] = Counter()
    for part in parts:
        for rows in kept_rows(part.folder):
            for language in dict.fromkeys(rows.languages.tolist()):
                mine = np.flatnonzero(rows.languages == language)
                numbers = np.arange(at[language], at[language] + len(mine))
                at[language] += len(mine)
                yield _Rows(part, language, rows, mine, numbers, np.asarray(decided[language].reason[numbers]))


def _write(group: GroupWriter, one: _Rows, settings: TextSettings) -> None:
    """Append the rows that stay to their group."""
    stay = one.mine[one.reasons == KEPT]
    if not len(stay):
        return
    n_ids, digests = one.rows.n_ids[stay], one.rows.digests[stay]
    hexadecimal = [digest.tobytes().hex() for digest in digests]
    ends = np.cumsum(one.rows.n_ids)
    tokens = np.concatenate([one.rows.ids[ends[i] - one.rows.n_ids[i] : ends[i]] for i in stay])
    known: dict[str, pa.Array] = {
        # Named by content: the same document has the same id wherever it stands in a source.
        "sample_id": pa.array([f"text-{one.language}-{digest[:_ID_DIGITS]}" for digest in hexadecimal]),
        "source": _repeated(one.part.source, len(stay)),
        "language": _repeated(one.language, len(stay)),
        "tier": _repeated(one.part.tier, len(stay)),
        "source_id": pa.array([one.rows.document_ids[i] for i in stay]),
        "transcript_hash": pa.array(hexadecimal),
        "normalisation": pa.array([steps_done(settings, one.language)] * len(stay), pa.list_(pa.string())),
        "unknown": _repeated("{}", len(stay)),
        "long_form": pa.array(np.zeros(len(stay), bool)),
        "held_out": pa.array(_held_out(digests, settings.held_out)),
    }
    columns = [known[field.name] if field.name in known else pa.nulls(len(stay), field.type) for field in TABLE_SCHEMA]
    group.add_block(pa.Table.from_arrays(columns, schema=TABLE_SCHEMA), n_ids, tokens)


def steps_done(settings: TextSettings, language: str) -> list[str]:
    """What was done to a text of this language, as every sample says it."""
    return [f"clean-{VERSION}", f"normalise-{VERSION}", f"numerals-{settings.policy(language)}"]


def _repeated(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))


def _held_out(digests: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Chosen by content: the same documents are held out however the corpus was built."""
    return digests[:, :8].copy().view(">u8")[:, 0] < np.float64(share) * 2.0**64


def _of_prepared(parts: Sequence[Part], seed: int) -> _Tallies:
    """The tallies of what happened before duplicates were looked for."""
    tallies = _Tallies(Counter(), Counter(), Counter(), Counter(), Counter(), Examples(seed), Lengths())
    for part in parts:
        done = read_json(part.folder / DONE)
        for row in done["counts"]:
            tallies.read[part.source, row["language"]] += row["read"]
            for reason, n in row["dropped"].items():
                tallies.dropped[part.source, row["language"], reason] += n
        tallies.examples.merge(Examples.from_json(done["examples"]))
        with pq.ParquetFile(part.folder / "dropped.parquet") as file:
            for batch in file.iter_batches(columns=["language", "characters"]):
                languages = np.array(batch["language"].fill_null("unknown").to_pylist(), object)
                for language in set(languages.tolist()):
                    for n in batch["characters"].to_numpy()[languages == language].tolist():
                        tallies.lengths.add(language, n, None)
    return tallies


def _count(tallies: _Tallies, one: _Rows, tokenizer: TextTokenizer) -> None:
    """Add the rows that stay."""
    stay = one.mine[one.reasons == KEPT]
    key = (one.part.source, one.language)
    characters, n_ids = one.rows.characters[stay], one.rows.n_ids[stay]
    tallies.kept[key] += len(stay)
    tallies.tokens[key] += int(n_ids.sum())
    tallies.characters[key] += int(characters.sum())
    for i, length, n in zip(stay, characters.tolist(), n_ids.tolist(), strict=True):
        tallies.lengths.add(one.language, length, n)
        _show(tallies, one, i, "kept", f"{n:,} tokens", tokenizer)


def _note_duplicates(
    dropped: pq.ParquetWriter,
    tallies: _Tallies,
    one: _Rows,
    store: DedupeStore,
    decided: Decisions,
    tokenizer: TextTokenizer,
) -> None:
    """Add the rows that go, and say of each which document stands for it and how like it that is."""
    gone = np.flatnonzero(one.reasons != KEPT)
    if not len(gone):
        return
    numbers = one.numbers[gone]
    stayed = [key.rpartition("\0")[0].replace("\0", " ", 1) for key in store.keys(decided.of[numbers])]
    rows = []
    for at, of, similarity in zip(gone, stayed, decided.similarity[numbers], strict=True):
        i, reason = one.mine[at], _DUPLICATE[int(one.reasons[at])]
        name, detail = (
            one.rows.document_ids[i],
            f"of {of}" + (f", similarity {similarity:.2f}" if reason != _DUPLICATE[EXACT] else ""),
        )
        rows.append(
            {"document_id": name, "source": one.part.source, "language": one.language, "reason": reason, "detail": detail,
             "characters": int(one.rows.characters[i]), "text": None}
        )  # fmt: skip
        tallies.dropped[one.part.source, one.language, reason] += 1
        _show(tallies, one, i, reason, detail, tokenizer)
        tallies.lengths.add(one.language, int(one.rows.characters[i]), None)
    dropped.write_batch(pa.RecordBatch.from_pylist(rows, schema=DROPPED))


def _show(tallies: _Tallies, one: _Rows, i: int, reason: str, detail: str, tokenizer: TextTokenizer) -> None:
    """Consider a row for the examples; its text is in its ids alone."""
    rows, name = one.rows, one.rows.document_ids[i]
    if tallies.examples.wants(one.language, reason, name, one.part.source):
        end = int(rows.n_ids[: i + 1].sum())
        text = tokenizer.decode(rows.ids[end - rows.n_ids[i] : end - 1])
        tallies.examples.add(one.language, reason, name, text, detail, one.part.source)


def _report(tallies: _Tallies) -> dict[str, Any]:
    sources = []
    for source, language in sorted(tallies.read):
        key = (source, language)
        reasons = {reason: n for reason in REASONS if (n := tallies.dropped[source, language, reason])}
        sources.append(
            {"source": source, "language": language, "read": tallies.read[key], "kept": tallies.kept[key],
             "tokens": tallies.tokens[key], "characters": tallies.characters[key], "dropped": reasons}
        )  # fmt: skip
    return {"sources": sources, "lengths": tallies.lengths.rows(), "examples": tallies.examples.rows()}


def _provenance(settings: TextSettings, tallies: _Tallies) -> dict[str, Any]:
    """What the manifest says of how the corpus came about."""
    reasons: Counter[str] = Counter()
    for (_, _, reason), n in tallies.dropped.items():
        reasons[reason] += n
    return {
        "read": sum(tallies.read.values()),
        "dropped": {reason: reasons[reason] for reason in REASONS if reasons[reason]},
        "min_characters": settings.min_characters,
        "max_tokens": settings.max_tokens,
        "numerals": settings.model_dump(mode="json")["numerals"],
        "held_out": settings.held_out,
        "version": VERSION,
    }
