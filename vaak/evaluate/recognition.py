"""What a recogniser heard, counted against what should be said; and the languages in which it is trusted.

Four metrics are made of one transcript. The first figure of English is the word error rate, that of the Indic languages
the error rate of written units (SPEC E4). A recogniser is trusted in a language by its own errors on the pack's
original recordings, in that language's first figure: above the limit its numbers are shown and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from vaak.evaluate.store import Result, Results
from vaak.languages import language_of
from vaak.score.asr import Asr
from vaak.score.error_rate import Counts, char_counts, grapheme_counts, total, word_counts
from vaak.score.script import script_counts

# The subject under which the figures of a pack's recordings are kept.
ORIGINAL = "reference/original"
# Most errors on the original recordings, and fewest of these, with which a recogniser is trusted in a language.
TRUST_LIMITS = {"wer": 0.35, "cer": 0.2}
TRUST_ITEMS = 4


def _wrong_script(text: str, heard: str, language: str) -> Counts:
    inside, letters = script_counts(heard, language)
    return Counts(sub=letters - inside, ref=letters)


# Metric -> edits between a text and what was heard, in a language. `cer` counts written units, `code_point_cer` code
# points, `wrong_script` the letters of what was heard that are of another script, over all of its letters.
COUNTED: dict[str, Callable[[str, str, str], Counts]] = {
    "wer": word_counts,
    "cer": grapheme_counts,
    "code_point_cer": char_counts,
    "wrong_script": _wrong_script,
}


# The same of the second recogniser, which no reward listens with (`vaak.evaluate.held_out`).
_HELD_OUT = "held_out_"
HELD_OUT_COUNTED = {_HELD_OUT + metric: COUNTED[metric] for metric in ("wer", "cer")}
# Every metric whose rows are edit counts.
ALL_COUNTED = COUNTED | HELD_OUT_COUNTED
# What stands behind a rate for a reader.
ERROR_NAMES = {"wer": "of words", "cer": "of written units"}


def first_figure(language: str) -> str:
    """The metric that speaks for the words of a language, and decides whether its recogniser is trusted."""
    return "wer" if language_of(language) == "en" else "cer"


def held_out_figure(language: str) -> str:
    """The metric of the second recogniser that is this language's first figure."""
    return _HELD_OUT + first_figure(language)


def counts_of(row: Result) -> Counts:
    """The edit counts of a row of one of the metrics that count."""
    return Counts(*(int(row.detail[name]) for name in ("sub", "dele", "ins", "ref")))


def id_of(asr: Asr) -> str:
    """A recogniser's name and the beginning of its hash, as the versions of metrics have it, whose parts stand between plus signs."""
    return f"{asr.name.replace('+', '_')}@{asr.hash[:12]}"


def recogniser_of(version: str) -> str:
    """Name and hash of the recogniser in the version of a metric that counts: what stands after its number."""
    return version.split("+")[1]


def trusted_languages(db: Results, pack_id: str, recogniser: str) -> frozenset[str]:
    """Languages in which this recogniser's figures count, by its errors on the pack's original recordings, whether it
    heard them as the first recogniser or as the held-out one."""
    rows = [
        row
        for row in db.read(ORIGINAL, pack_id)
        if row.metric in (first_figure(row.language), held_out_figure(row.language))
        and recogniser_of(row.metric_version) == recogniser
    ]
    newest = {row.metric: row.metric_version for row in rows}
    floors: dict[str, dict[str, Counts]] = {}  # by item: each recording counts once
    for row in rows:
        if row.metric_version == newest[row.metric]:
            floors.setdefault(row.language, {})[row.item] = counts_of(row)
    return frozenset(
        language
        for language, counts in floors.items()
        if len(counts) >= TRUST_ITEMS and total(counts.values()).rate <= TRUST_LIMITS[first_figure(language)]
    )


def trusted_with(db: Results, rows: Sequence[Result], metrics: Collection[str]) -> frozenset[str]:
    """Languages whose recogniser is trusted on these rows' packs: the one that the last row of these metrics names."""
    counted = [row for row in rows if row.metric in metrics]
    if not counted:
        return frozenset()
    recogniser = recogniser_of(counted[-1].metric_version)
    return frozenset.intersection(
        *(trusted_languages(db, pack, recogniser) for pack in {row.pack_id for row in counted})
    )
