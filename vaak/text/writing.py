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
from vaak.text.document import REASONS
from vaak.text.duplicates.dedupe import EXACT, KEPT, NEAR, Decisions, DedupeStore
from vaak.text.examples import SHOWN_CHARACTERS, Examples
from vaak.text.lengths import Lengths
from vaak.text.prepare import VERSION
from vaak.text.prepared import DROPPED, KeptRows, counts_of, dropped_rows, examples_of, kept_rows
from vaak.text.settings import TextSettings

# How the unfinished corpus names who writes it.
OWNER = "a text build"

# Hex digits of a text's SHA-256 that its sample id has.
_ID_DIGITS = 24

_DUPLICATE = {EXACT: "exact duplicate", NEAR: "near duplicate"}


@dataclass(frozen=True)
class PreparedInput:
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

    part: PreparedInput
    language: str
    rows: KeptRows
    mine: NDArray[np.int64]
    numbers: NDArray[np.int64]
    reasons: NDArray[np.uint8]


def write_corpus(
    settings: TextSettings,
    tokenizer: TextTokenizer,
    parts: Sequence[PreparedInput],
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
    for language, store in stores.items():
        store.check(decided[language])
    said("writing the corpus")
    name = settings.name or settings.corpus.name
    claim_folder(settings.corpus, OWNER, name, STREAMS, restart=True)
    tallies = _of_prepared(parts, settings.seed)
    groups: dict[tuple[str, str, str], GroupWriter] = {}
    with pq.ParquetWriter(work / "dropped.parquet", DROPPED, compression="zstd") as dropped:
        for batch in (batch for part in parts for batch in dropped_rows(part.folder)):
            dropped.write_batch(batch)
            _count_dropped(tallies, batch)
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


def _filled(parts: Sequence[PreparedInput], folder: Path) -> dict[str, DedupeStore]:
    """A store per language with every document that could be kept, in the order of the parts."""
    stores: dict[str, DedupeStore] = {}
    for part in parts:
        for rows in kept_rows(part.folder):
            for language in dict.fromkeys(rows.languages.tolist()):
                mine = np.flatnonzero(rows.languages == language)
                if language not in stores:
                    stores[language] = DedupeStore(folder / language)
                # Ids may stand twice in a source; then the text decides, and not which of them came first.
                names = rows.document_ids.take(pa.array(mine)).to_pylist()
                texts = [digest.tobytes().hex() for digest in rows.digests[mine, :8]]
                keys = [f"{part.source}\0{name}\0{text}" for name, text in zip(names, texts, strict=True)]
                stores[language].add(rows.hashes[mine], rows.signatures[mine], keys, rows.characters[mine])
    return stores


def _by_language(parts: Sequence[PreparedInput], decided: Mapping[str, Decisions]) -> Iterator[_Rows]:
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
    rows = one.rows
    stay = one.mine[one.reasons == KEPT]
    if not len(stay):
        return
    n, n_ids, digests = len(stay), rows.n_ids[stay], rows.digests[stay]
    hexadecimal = pa.array(_hexadecimal(digests))
    staying = np.zeros(len(rows.n_ids), bool)
    staying[stay] = True
    tokens = rows.ids if staying.all() else rows.ids[np.repeat(staying, rows.n_ids)]
    known: dict[str, pa.Array] = {
        # Named by content: the same document has the same id wherever it stands in a source.
        "sample_id": pa.array(
            [f"text-{one.language}-{digest}" for digest in _hexadecimal(digests[:, : _ID_DIGITS // 2])]
        ),
        "source": _repeated(one.part.source, n),
        "language": _repeated(one.language, n),
        "tier": _repeated(one.part.tier, n),
        "source_id": rows.document_ids.take(pa.array(stay)),
        "transcript_hash": hexadecimal,
        "normalisation": _repeated_list(steps_done(settings, one.language), n),
        "unknown": _repeated("{}", n),
        "long_form": pa.array(np.zeros(n, bool)),
        "held_out": pa.array(_held_out(digests, settings.held_out)),
    }
    columns = [known[field.name] if field.name in known else pa.nulls(n, field.type) for field in TABLE_SCHEMA]
    group.add_block(pa.Table.from_arrays(columns, schema=TABLE_SCHEMA), n_ids, tokens)


def _hexadecimal(digests: NDArray[np.uint8]) -> list[str]:
    """Each row in hex digits."""
    whole, width = digests.tobytes().hex(), 2 * digests.shape[1]
    return [whole[at : at + width] for at in range(0, len(whole), width)]


def steps_done(settings: TextSettings, language: str) -> list[str]:
    """What was done to a text of this language, as every sample says it."""
    return [f"clean-{VERSION}", f"normalise-{VERSION}", f"numerals-{settings.policy(language)}"]


def _repeated(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))


def _repeated_list(texts: list[str], n: int) -> pa.Array:
    """A list array [n] of `texts` again and again."""
    places = np.tile(np.arange(len(texts)), n)
    return pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1, dtype=np.int32) * len(texts)), pa.array(texts, pa.string()).take(pa.array(places))
    )


def _held_out(digests: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Chosen by content: the same documents are held out however the corpus was built."""
    return digests[:, :8].copy().view(">u8")[:, 0] < np.float64(share) * 2.0**64


def _of_prepared(parts: Sequence[PreparedInput], seed: int) -> _Tallies:
    """The tallies of what happened before duplicates were looked for."""
    tallies = _Tallies(Counter(), Counter(), Counter(), Counter(), Counter(), Examples(seed), Lengths())
    for part in parts:
        for row in counts_of(part.folder):
            tallies.read[part.source, row["language"]] += row["read"]
            for reason, n in row["dropped"].items():
                tallies.dropped[part.source, row["language"], reason] += n
        tallies.examples.merge(examples_of(part.folder))
    return tallies


def _count_dropped(tallies: _Tallies, batch: pa.RecordBatch) -> None:
    """Add the lengths of documents that were dropped before duplicates were looked for."""
    languages = np.array(batch["language"].fill_null("unknown").to_pylist(), object)
    for language in set(languages.tolist()):
        tallies.lengths.add(language, batch["characters"].to_numpy()[languages == language], None)


def _count(tallies: _Tallies, one: _Rows, tokenizer: TextTokenizer) -> None:
    """Add the rows that stay."""
    stay = one.mine[one.reasons == KEPT]
    key = (one.part.source, one.language)
    characters, n_ids = one.rows.characters[stay], one.rows.n_ids[stay]
    tallies.kept[key] += len(stay)
    tallies.tokens[key] += int(n_ids.sum())
    tallies.characters[key] += int(characters.sum())
    tallies.lengths.add(one.language, characters, n_ids)
    _show(tallies, one, stay, "kept", lambda at: f"{n_ids[at]:,} tokens", tokenizer)


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
    numbers, mine, reasons = one.numbers[gone], one.mine[gone], one.reasons[gone]
    stayed = [key.rpartition("\0")[0].replace("\0", " ", 1) for key in store.keys(decided.of[numbers])]
    details = [
        f"of {of}" + ("" if reason == EXACT else f", similarity {similarity:.2f}")
        for of, reason, similarity in zip(stayed, reasons, decided.similarity[numbers], strict=True)
    ]
    n, characters = len(gone), one.rows.characters[mine]
    known = {
        "document_id": one.rows.document_ids.take(pa.array(mine)),
        "source": pa.array([one.part.source] * n),
        "language": pa.array([one.language] * n),
        "reason": pa.array([_DUPLICATE[reason] for reason in reasons.tolist()]),
        "detail": pa.array(details),
        "characters": pa.array(characters),
        "text": pa.nulls(n, pa.string()),
    }
    dropped.write_batch(pa.RecordBatch.from_arrays([known[name] for name in DROPPED.names], schema=DROPPED))
    tallies.lengths.add(one.language, characters, None)
    for code, reason in _DUPLICATE.items():
        of_it = np.flatnonzero(reasons == code)
        tallies.dropped[one.part.source, one.language, reason] += len(of_it)
        _show(tallies, one, mine[of_it], reason, lambda at, of_it=of_it: details[of_it[at]], tokenizer)


def _show(
    tallies: _Tallies,
    one: _Rows,
    places: NDArray[np.int64],
    reason: str,
    detail: Callable[[int], str],
    tokenizer: TextTokenizer,
) -> None:
    """Consider rows for the examples. Their texts are in their ids alone, which are decoded where they are shown."""
    rows, names = one.rows, one.rows.document_ids.take(pa.array(places)).to_pylist()
    wanted = tallies.examples.wanted(one.language, reason, names, one.part.source)
    if not wanted:
        return
    ends = np.cumsum(rows.n_ids)
    for at in wanted:
        end, n = ends[places[at]], rows.n_ids[places[at]]
        # An id is a byte at least, a character four at most.
        text = tokenizer.decode(rows.ids[end - n : end - 1][: 4 * SHOWN_CHARACTERS])
        tallies.examples.add(one.language, reason, names[at], text, detail(at), one.part.source)


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
