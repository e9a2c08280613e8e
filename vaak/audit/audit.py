"""The audit itself: draw samples, run every check, count histograms, decode what is to be listened to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vaak.audit import codes, duplicates, listening, rates, transcripts
from vaak.audit.finding import Around, CheckFunction
from vaak.audit.limits import load_limits
from vaak.audit.report import AuditReport, judge
from vaak.audit.sampling import Item, take_sample
from vaak.codec import Codec
from vaak.corpus import Corpus
from vaak.grammar.tokenizer import TextTokenizer
from vaak.page import Bins

CHECKS: tuple[CheckFunction, ...] = (
    codes.codes_in_range,
    codes.codes_in_vocabulary,
    codes.codec_is_the_same,
    codes.duration_matches_codes,
    codes.no_repeated_codes,
    transcripts.transcript_has_words,
    transcripts.script_matches_language,
    transcripts.letters_match_language,
    transcripts.kind_matches_script,
    rates.characters_per_second,
    rates.characters_per_code,
    duplicates.no_duplicate_codes,
    duplicates.no_duplicate_transcripts,
    duplicates.held_out_codes_unseen,
    duplicates.held_out_transcripts_unseen,
    codes.text_ids_in_tokenizer,
    codes.text_documents_end,
)

_BINS = 24
# The farthest values go into the last bin, so that one endless recording does not flatten the others.
_LAST_QUANTILE = 0.995


def audit_corpus(
    corpus: Corpus,
    codec: Codec | None,
    *,
    samples: int = 10000,
    seed: int = 0,
    tokenizer: TextTokenizer | None = None,
    decode_per_language: int = 100,
    limits: str | Path | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> AuditReport:
    """Audit at most `samples` of a corpus, drawn by `seed` from every stream, language and tier (all of a small one).

    Without a codec nothing is decoded, without a tokenizer text documents are not read; those checks then say that
    they had nothing to examine. `limits` names a YAML file that overrides the room's own. `progress(done, total, words)`
    is called as the work goes on. A failed check is part of the report, never an exception.
    """
    report_progress = progress or (lambda done, total, words: None)
    bounds = load_limits(limits)
    items, strata = take_sample(corpus, samples, seed, report_progress)
    around = Around(
        codebook_size=corpus.codebook_size,
        tokens_per_second=corpus.manifest["codec"]["tokens_per_second"] if corpus.manifest["codec"] else 50,
        codec=codec,
        tokenizer=tokenizer,
        tokenizer_hash=corpus.tokenizer_hash,
    )
    checks = []
    for number, function in enumerate(CHECKS):
        name = function.__name__
        report_progress(number, len(CHECKS), name.replace("_", " "))
        checks.append(judge(name, _about(function), bounds[name], function(items, around, bounds[name])))
    heard = listening.listen(items, codec, decode_per_language, seed, report_progress) if codec else []
    for check in (listening.decodes, listening.audible):
        name = check.__name__
        checks.append(judge(name, _about(check), bounds[name], check(heard, bounds[name])))
    return AuditReport(
        corpus=corpus.name,
        corpus_id=corpus.id,
        codec=codec.name if codec else None,
        seed=seed,
        strata=tuple(strata),
        checks=tuple(checks),
        histograms=_histograms(items, around.tokens_per_second),
        listening=tuple(heard),
    )


def _about(check: Callable) -> str:
    return (check.__doc__ or "").strip().splitlines()[0]


def _histograms(items: Sequence[Item], tokens_per_second: int) -> dict[str, dict[str, Bins]]:
    """Per measure and language; the bins of a measure are the same in every language, so that they compare by eye."""
    measures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if not item.is_audio or not len(item.tokens):
            continue
        language, seconds = item.sample.language, len(item.tokens) / tokens_per_second
        measures["duration"][language].append(seconds)
        if item.stream == "paired" and item.sample.transcript_kind in (None, "native"):
            characters = rates.spoken_characters(item)
            measures["characters per second"][language].append(characters / (codes.stated_seconds(item) or seconds))
            measures["characters per code"][language].append(characters / len(item.tokens))
    found: dict[str, dict[str, Bins]] = {}
    for measure, by_language in measures.items():
        every = np.concatenate([np.asarray(values) for values in by_language.values()])
        edges = np.linspace(0.0, float(np.quantile(every, _LAST_QUANTILE)) or 1.0, _BINS + 1)
        found[measure] = {
            language: Bins(tuple(edges.tolist()), tuple(np.histogram(np.minimum(values, edges[-1]), edges)[0].tolist()))
            for language, values in by_language.items()
        }
    return found
