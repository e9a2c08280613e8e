"""Solving a mixture: corpora and settings in, a plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from vaak.corpus import Corpus
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.budget import language_shares, source_language_shares
from vaak.mixture.cells import Cell, LeftOut, Part, selected
from vaak.mixture.index import paired_part, window_part
from vaak.mixture.order import ORDER_VERSION, WINDOW_TOKENS, apportion
from vaak.mixture.plan import Plan, PlannedCell, StageKind
from vaak.mixture.settings import MixtureSettings
from vaak.storage.files import hash_json


def solve_plan(
    settings: MixtureSettings,
    corpora: Sequence[Corpus],
    *,
    stage_kind: StageKind,
    context: int,
    tokenizer: TextTokenizer,
    vocabulary: Vocabulary,
    seed: int,
    cache_folder: str | Path,
    excluded_ids: Iterable[str] = (),
    total_tokens: int | None = None,
    total_rows: int | None = None,
    passes: float | None = None,
    window_tokens: int = WINDOW_TOKENS,
) -> Plan:
    """The plan that serves the settings' shares of target tokens out of the corpora, in rows of `context` tokens.

    The length is given in one of three ways: target tokens, rows, or passes over all target tokens that are available.
    Indexes and transcript ids are kept in `cache_folder` and found there the next time. A cell of more than
    `window_tokens` is shuffled in stretches of so many, so that it can be staged. Raises `BadInput` for a stream, tier or
    source without data, a row shorter than every document, or corpora of another codec or tokenizer.
    """
    given = _only_length({"target tokens": total_tokens, "rows": total_rows, "passes": passes})
    _check_streams(settings, stage_kind)
    unsure = _check_corpora(settings, corpora, tokenizer, vocabulary)
    excluded, cache, left_out = set(excluded_ids), Path(cache_folder), LeftOut()
    parts = _parts(settings, corpora, stage_kind, context, tokenizer, excluded, cache, window_tokens, left_out)
    total = _total(parts, total_tokens, total_rows, passes)
    shares, notes = _shares(settings, parts, total)

    cells = sorted(cell for cell, share in shares.items() if share > 0)
    wanted = np.array([shares[cell] for cell in cells])
    per_row = _targets_per_row([parts[cell] for cell in cells])
    weights = wanted / per_row
    n_rows = total_rows if total_rows is not None else max(1, round(total * float(weights.sum())))
    planned = _planned(cells, wanted, apportion(weights, n_rows), per_row, parts, corpora)
    return Plan(
        stage_kind=stage_kind,
        context=context,
        seed=seed,
        cells=tuple(one for one in planned if one.rows > 0),
        unserved=tuple(one for one in planned if one.rows == 0),
        inputs={
            "order version": ORDER_VERSION,
            "corpora": [corpus.id for corpus in corpora],
            "mixture": settings.for_fingerprint(),
            "kind of stage": stage_kind,
            "context": context,
            "length": given,
            "tokenizer": tokenizer.hash,
            "vocabulary": vocabulary.to_dict(),
            "gold pack": hash_json(sorted(excluded)),
            "seed": seed,
            **_together(planned, max(1, window_tokens // context)),
        },
        notes=[*unsure, *notes, *left_out.notes(), *_other_notes(settings, planned, parts, context)],
        cache=cache,
    )


def _total(
    parts: dict[Cell, list[Part]], total_tokens: int | None, total_rows: int | None, passes: float | None
) -> float:
    """Target tokens of a plan of the given length; of so many rows, about."""
    every = [part for each in parts.values() for part in each]
    targets, rows = sum(part.targets for part in every), sum(part.rows for part in every)
    if total_rows is not None:
        return total_rows * targets / rows
    return total_tokens if total_tokens is not None else round((passes or 0) * targets)


def _targets_per_row(parts: Sequence[Sequence[Part]]) -> np.ndarray:
    """float64[cells]. A cell whose rows carry fewer targets (padding, prompts) needs more rows for the same mass."""
    return np.array([sum(part.targets for part in each) / sum(part.rows for part in each) for each in parts])


def _together(planned: Sequence[PlannedCell], window: int) -> dict[str, int]:
    """Only where it says something, so that plans of smaller corpora keep their fingerprint."""
    return {"rows shuffled together": window} if any(one.epoch_rows > window for one in planned) else {}


def _only_length(lengths: dict[str, int | float | None]) -> dict[str, int | float]:
    """The one length that is given, by its unit. Raises `BadInput` for none, several, or one that is not positive."""
    given = {unit: value for unit, value in lengths.items() if value is not None}
    if len(given) != 1 or next(iter(given.values())) <= 0:
        raise BadInput(f"a plan needs one positive length in target tokens, rows or passes, not {given or 'none'}")
    return given


def _check_streams(settings: MixtureSettings, stage_kind: StageKind) -> None:
    wanted = {stream for stream, rule in settings.streams.items() if rule.share > 0}
    if stage_kind == "sft" and "raw" in wanted:
        raise BadInput("the mixture of an SFT stage wants raw audio, which has no prompt; keep it in pretraining")
    if stage_kind == "sft" and "text" in wanted and not settings.text_in_sft:
        raise BadInput("the mixture of an SFT stage wants text; drop it, or set mixture.text_in_sft if you mean it")


def _check_corpora(
    settings: MixtureSettings, corpora: Sequence[Corpus], tokenizer: TextTokenizer, vocabulary: Vocabulary
) -> list[str]:
    """What cannot be known of the corpora, as notes. Raises `BadInput` for those that do not go together."""
    if tokenizer.size != vocabulary.base_size:
        raise BadInput(
            f"the vocabulary has {vocabulary.base_size} text ids, the tokenizer {tokenizer.size}; rebuild it"
        )
    wanted = {stream for stream, rule in settings.streams.items() if rule.share > 0}
    coded: list[Corpus] = []
    for corpus in corpora:
        streams = {stream for stream, _, _ in corpus.groups} & wanted
        if streams & {"raw", "paired"}:
            if corpus.codebook_size != vocabulary.codebook_size:
                raise BadInput(
                    f"{corpus.folder} has codes of a codebook of {corpus.codebook_size}, the vocabulary one of "
                    f"{vocabulary.codebook_size}; use the corpus's codec"
                )
            coded.append(corpus)
        if "text" in streams and corpus.tokenizer_hash != tokenizer.hash:
            raise BadInput(
                f"the text of {corpus.folder} is in ids of another tokenizer; use that one, or build it again"
            )
    return _check_codecs(coded)


def _check_codecs(corpora: Sequence[Corpus]) -> list[str]:
    """A codec whose hash nobody knows is not another one: if nothing contradicts, it is taken for the others', and said."""
    codecs = [(corpus.codec or {}, str(corpus.folder)) for corpus in corpora]
    hashes = {codec["hash"]: folder for codec, folder in codecs if codec["hash"]}
    rates = {codec["tokens_per_second"]: folder for codec, folder in codecs}
    unsure = [folder for codec, folder in codecs if not codec["hash"]]
    # Names decide only where a hash does not; an import of codes that nobody could name says "unknown".
    names = {codec["name"]: folder for codec, folder in codecs if unsure and codec["name"] != "unknown"}
    for different in (hashes, rates, names):
        if len(different) > 1:
            raise BadInput(
                f"{' and '.join(sorted(different.values()))} hold codes of different codecs; use one codec's corpora"
            )
    if not unsure or len(codecs) == 1:
        return []
    return [
        f"codec: which checkpoint made the codes of {' and '.join(unsure)} is not known; they are taken for the same as the "
        "others'"
    ]


def _parts(
    settings: MixtureSettings,
    corpora: Sequence[Corpus],
    stage_kind: StageKind,
    context: int,
    tokenizer: TextTokenizer,
    excluded: set[str],
    cache: Path,
    window_tokens: int,
    left_out: LeftOut,
) -> dict[Cell, list[Part]]:
    parts: dict[Cell, list[Part]] = {}
    for corpus, group, source, samples in selected(list(corpora), settings, excluded, left_out):
        if group.stream == "paired":
            part = paired_part(
                cache,
                corpus,
                group,
                samples,
                tokenizer=tokenizer,
                context=context,
                sft=stage_kind == "sft",
                voice_keep=settings.voice_description_keep,
                length_buckets=settings.length_buckets,
                window_tokens=window_tokens,
                left_out=left_out,
            )
        else:
            part = window_part(cache, corpus, group, samples, context)
        if part is not None and part.targets > 0:
            parts.setdefault(Cell(group.stream, group.language, source, group.tier), []).append(part)
    for stream, rule in settings.streams.items():
        if rule.share > 0 and not any(cell.stream == stream for cell in parts):
            raise BadInput(
                f"no {stream} sample passes the filters and fits into a row of {context:,}; loosen a filter, or take a "
                "longer context"
            )
    return parts


def _shares(
    settings: MixtureSettings, parts: dict[Cell, list[Part]], total_tokens: float
) -> tuple[dict[Cell, float], list[str]]:
    """Share of all target tokens for each cell, and what gave way; `total_tokens` targets are to be served."""
    shares: dict[Cell, float] = {}
    notes: list[str] = []
    for stream, rule in settings.streams.items():
        available = {
            cell: float(sum(part.targets for part in each)) for cell, each in parts.items() if cell.stream == stream
        }
        if not available:
            continue
        languages, table = {}, {}
        for cell, tokens in available.items():
            languages[cell.language] = languages.get(cell.language, 0.0) + tokens
            table[cell.source, cell.language] = table.get((cell.source, cell.language), 0.0) + tokens
        languages_of, total = settings.language_rule(stream), rule.share * total_tokens
        try:
            if rule.sources is not None:
                wanted, found = source_language_shares(table, rule.sources, languages_of, stream, total)
            else:
                by_language, found = language_shares(languages, languages_of, stream, total)
                wanted = {
                    (source, language): by_language.get(language, 0.0) * tokens / languages[language]
                    for (source, language), tokens in table.items()
                }
        except ValueError as error:
            raise BadInput(f"mixture.{error}") from error
        notes += found
        for cell, tokens in available.items():
            of_stream = wanted.get((cell.source, cell.language), 0.0) * tokens / table[cell.source, cell.language]
            shares[cell] = rule.share * of_stream
    total = sum(shares.values())
    return {cell: share / total for cell, share in shares.items()}, notes


def _planned(
    cells: list[Cell],
    wanted: np.ndarray,
    rows: np.ndarray,
    per_row: np.ndarray,
    parts: dict[Cell, list[Part]],
    corpora: Sequence[Corpus],
) -> list[PlannedCell]:
    rates = {corpus.id: corpus.codec["tokens_per_second"] for corpus in corpora if corpus.codec}
    served = rows * per_row
    found = []
    for i, cell in enumerate(cells):
        available = sum(part.targets for part in parts[cell])
        epochs = float(served[i]) / available
        found.append(
            PlannedCell(
                cell=cell,
                wanted_share=float(wanted[i]),
                share=float(served[i] / served.sum()),
                target_tokens=float(served[i]),
                rows=int(rows[i]),
                available_tokens=available,
                epochs=epochs,
                hours=sum(part.codes / rates[part.corpus_id] / 3600 for part in parts[cell] if part.codes),
                prompt_tokens=epochs * sum(part.prompt_tokens for part in parts[cell]),
                parts=tuple(parts[cell]),
            )
        )
    return found


def _other_notes(
    settings: MixtureSettings, planned: list[PlannedCell], parts: dict[Cell, list[Part]], context: int
) -> list[str]:
    return [*_row_notes(planned), *_epoch_notes(settings, planned), *_padding_notes(settings, parts, context)]


def _row_notes(planned: list[PlannedCell]) -> list[str]:
    return [
        f"{one.cell}: its share of {one.wanted_share:.3%} is less than half a row of this plan, so it gets none"
        for one in planned
        if one.rows == 0
    ]


def _epoch_notes(settings: MixtureSettings, planned: list[PlannedCell]) -> list[str]:
    """One sentence for each stream and language, and each stream and source, that is passed too often."""
    notes = []
    for by in ("language", "source"):
        served: dict[str, list[float]] = {}
        for one in planned:
            each = served.setdefault(f"{one.cell.stream} {getattr(one.cell, by)}", [0.0, 0.0])
            each[0] += one.target_tokens
            each[1] += one.available_tokens
        over = [f"{name} {tokens / available:.1f}" for name, (tokens, available) in served.items()
                if tokens / available > settings.max_epochs]  # fmt: skip
        if over:
            notes.append(f"passed more than {settings.max_epochs:g} times, by {by}: {', '.join(over)}")
    return notes


def _padding_notes(settings: MixtureSettings, parts: dict[Cell, list[Part]], context: int) -> list[str]:
    """What rows by length cost."""
    paired = [part for cell, each in parts.items() if cell.stream == "paired" for part in each]
    if not settings.length_buckets or not paired:
        return []
    padding = 1 - sum(part.tokens for part in paired) / sum(part.rows for part in paired) / context
    return [f"paired: rows by length leave {padding:.1%} of themselves to padding"]
