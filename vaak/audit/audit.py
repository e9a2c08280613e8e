"""The audit itself: draw samples, examine them, ask what only the whole can tell, decode what is to be listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vaak.audit import listening
from vaak.audit.checks import CORPUS_CHECKS, ITEM_CHECKS
from vaak.audit.examine import Asked, Gathered, examine_part, parts_of, read_item
from vaak.audit.facts import Facts
from vaak.audit.finding import Around, Finding, KnownCodec
from vaak.audit.histograms import histograms
from vaak.audit.limits import load_limits
from vaak.audit.pack import PACK_CHECKS, PackFound, compare_group, merged, pack_keys
from vaak.audit.report import AuditReport, judge
from vaak.audit.sampling import draw
from vaak.audit.workers import Call, Opened, default_processes, in_order
from vaak.codec import Codec
from vaak.corpus import Corpus
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer

Progress = Callable[[float, float, str], None]

# What a check is called with after its samples, and its sentence.
_Found = dict[str, tuple[str, Finding]]


def audit_corpus(
    corpus: Corpus,
    codec: Codec | None,
    *,
    samples: int = 10000,
    seed: int = 0,
    tokenizer: TextTokenizer | None = None,
    decode_per_language: int = 100,
    limits: str | Path | None = None,
    progress: Progress | None = None,
    pack: GoldPack | None = None,
    processes: int | None = None,
) -> AuditReport:
    """Audit at most `samples` of a corpus, drawn by `seed` from every stream, language and tier (all of a small one).

    Without a codec nothing is decoded, without a tokenizer text documents are not read, without a gold pack nothing is
    compared with it; those checks then say that they had nothing to examine. `limits` names a YAML file that overrides the
    room's own. `progress(done, total, words)` is called as the work goes on. The report is the same for any number of
    `processes` (default: one per core, fewer for few samples). A failed check is part of the report, never an exception.
    Raises `BadInput` for limits that cannot be, a number of samples or processes below one, or a process that was ended.
    """
    if samples < 1 or (processes is not None and processes < 1):
        raise BadInput(f"an audit needs samples and processes, not {samples} and {processes}; give numbers from 1 on")
    report_progress = progress or (lambda done, total, words: None)
    bounds = load_limits(limits)
    around = _around(corpus, codec, tokenizer)
    opened = Opened(corpus, around, bounds)
    drawn = draw(corpus, samples, seed)
    strata = [stratum for stratum, _ in drawn]
    n = sum(stratum.examined for stratum in strata)
    keys = list(corpus.groups)
    calls: list[Call] = [(examine_part, part) for part in parts_of(zip(keys, (rows for _, rows in drawn), strict=True))]
    compared: list[Call] = []
    if pack is not None:
        wanted = pack_keys(pack, bounds)
        compared = [(compare_group, (key, wanted)) for key in keys]
    gathered, leaks = Gathered(keys), []
    workers = default_processes(n) if processes is None else processes
    for number, result in enumerate(in_order(opened, calls + compared, workers), 1):
        gathered.add(result) if number <= len(calls) else leaks.append(result)
        words = "examining samples" if number < len(calls) else "comparing with the pack"
        report_progress(number, len(calls) + len(compared), words)
    facts = gathered.facts()
    found = _findings(gathered.asked, facts, around, bounds, merged(leaks))
    heard = _listen(opened, facts, codec, decode_per_language, seed, report_progress)
    for check in (listening.decodes, listening.audible):
        found[check.__name__] = (_about(check), check(heard, bounds[check.__name__]))
    return AuditReport(
        corpus=corpus.name,
        corpus_id=corpus.id,
        codec=codec.name if codec else None,
        seed=seed,
        strata=tuple(strata),
        checks=tuple(judge(name, found[name][0], limit, found[name][1]) for name, limit in bounds.items()),
        histograms=histograms(facts, around.tokens_per_second),
        listening=tuple(heard),
        pack=pack.id if pack else None,
    )


def _around(corpus: Corpus, codec: Codec | None, tokenizer: TextTokenizer | None) -> Around:
    entry = corpus.codec or {}
    return Around(
        codebook_size=corpus.codebook_size,
        tokens_per_second=entry.get("tokens_per_second") or 50,
        sample_rate=entry.get("sample_rate"),
        codec=KnownCodec(codec.name, codec.hash, codec.codebook_size) if codec else None,
        tokenizer=tokenizer,
        tokenizer_hash=corpus.tokenizer_hash,
        pieces="boundaries" in corpus.manifest,
    )


def _findings(
    asked: Mapping[str, Asked], facts: Facts, around: Around, bounds: Mapping[str, Mapping[str, Any]], leaks: PackFound
) -> _Found:
    """By check: its question and what it found."""
    found: _Found = {}
    for check in ITEM_CHECKS:
        found[check.__name__] = (_about(check), asked.get(check.__name__, Asked()).finding())
    for check in CORPUS_CHECKS:
        found[check.__name__] = (_about(check), check(facts, around, bounds[check.__name__]))
    for check in PACK_CHECKS:
        found[check.__name__] = (_about(check), check(leaks))
    return found


def _about(check: Callable) -> str:
    return (check.__doc__ or "").strip().splitlines()[0]


def _listen(
    opened: Opened, facts: Facts, codec: Codec | None, per_language: int, seed: int, progress: Progress
) -> Sequence[listening.Listened]:
    """Read the samples that are drawn to be listened to once more: their codes were not kept."""
    if codec is None or per_language < 1:
        return []
    items = []
    for at in listening.chosen(facts.languages, facts.streams != "text", per_language, seed):
        key, row = facts.groups[facts.rows["group"][at]], int(facts.rows["row"][at])
        group = opened.corpus.groups[key]
        items.append(read_item(opened, key[0], group.sample(row), group.tokens(row)))
    return listening.listen(items, codec, progress)
