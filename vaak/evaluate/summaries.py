"""What the rows of a checkpoint say together: per language, with the interval, and with the reason where there is no figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaak.evaluate.outbox import Entry
from vaak.evaluate.reference import ORIGINAL, TRUST_LIMIT, WRONG_TEXT, counts_of, round_trip_id, trusted_languages
from vaak.evaluate.store import Result, Results, open_results
from vaak.score.error_rate import bootstrap_interval, total

NO_ASR = "no trusted ASR here"
_MEANS = ("crashed", "repeat_rate", "loop_share", "silence_share", "dnsmos", "similarity")


def summary(db: Results | str | Path, checkpoint_id: str, pack_id: str | None = None) -> dict[str, Any]:
    """Figures of a checkpoint (or of a reference): `items`, `languages` {code: figures} and `all`, their figures together.

    Figures: `items`, `stop_rate`, `duration_ratio_median`, means of `crashed`, `repeat_rate`, `loop_share`,
    `silence_share`, `dnsmos`, `similarity`, each only where it was measured; `wer` {rate, low, high, items, words, asr,
    trusted} of summed counts with a 95% bootstrap interval over items, or None with the reason in `wer_note`.
    """
    results = db if isinstance(db, Results) else open_results(db)
    rows = newest_versions(results.read(checkpoint_id, pack_id))
    trusted = _trust(results, rows)
    languages = sorted({row.language for row in rows})
    return {
        "checkpoint_id": checkpoint_id,
        "pack_ids": sorted({row.pack_id for row in rows}),
        "items": len({row.item for row in rows}),
        "versions": {row.metric: row.metric_version for row in rows},
        "all": _figures(rows, trusted),
        "languages": {code: _figures([row for row in rows if row.language == code], trusted) for code in languages},
    }


def reference_summary(db: Results | str | Path, pack_id: str, codec_hash: str) -> dict[str, Any]:
    """`summary` of the three references of a pack: `original`, `round_trip`, `wrong_text`, and `trust_limit`."""
    results = db if isinstance(db, Results) else open_results(db)
    return {
        "original": summary(results, ORIGINAL, pack_id),
        "round_trip": summary(results, round_trip_id(codec_hash), pack_id),
        "wrong_text": summary(results, WRONG_TEXT, pack_id),
        "trust_limit": TRUST_LIMIT,
    }


def item_results(db: Results | str | Path, checkpoint_id: str, pack_id: str | None = None) -> dict[str, dict[str, Any]]:
    """Per item: metric -> value, and `heard` where a recogniser listened; for players with their figures beside them."""
    results = db if isinstance(db, Results) else open_results(db)
    items: dict[str, dict[str, Any]] = {}
    for row in newest_versions(results.read(checkpoint_id, pack_id)):
        item = items.setdefault(row.item, {"language": row.language})
        item[row.metric] = row.value
        if "heard" in row.detail:
            item["heard"] = row.detail["heard"]
    return items


def tracker_entry(results: Results, checkpoint_id: str, pack_id: str, level: str, instruments: str, step: int) -> Entry:
    """What a tracker is told of a finished evaluation: its figures as `evaluate/LEVEL/FIGURE[/language/CODE]`, of all
    languages together and of each, and its own step axis `evaluate/step`. A word error rate only where it is trusted."""
    found = summary(results, checkpoint_id, pack_id)
    values: dict[str, Any] = {"evaluate/step": step, "evaluate/checkpoint": checkpoint_id, "evaluate/pack": pack_id}
    parts = {"": found["all"]} | {f"/language/{code}": one for code, one in found["languages"].items()}
    for ending, figures in parts.items():
        rate = {"wer": figures["wer"]["rate"]} if figures["wer"] else {}
        plain = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        values |= {f"evaluate/{level}/{name}{ending}": value for name, value in (plain | rate).items()}
    return Entry(f"{checkpoint_id} {pack_id} {level} {instruments}", step, values)


def newest_versions(rows: Sequence[Result]) -> list[Result]:
    """Rows of the version of each metric that was written last: figures of two versions are never put together."""
    newest = {row.metric: row.metric_version for row in rows}
    return [row for row in rows if newest[row.metric] == row.metric_version]


def _trust(results: Results, rows: Sequence[Result]) -> frozenset[str]:
    """Languages whose recogniser is trusted on these rows' packs."""
    wer = [row for row in rows if row.metric == "wer"]
    if not wer:
        return frozenset()
    # The recogniser is the part after the first plus; the sampling of generated speech comes after it.
    plain = "+".join(wer[-1].metric_version.split("+")[:2])
    return frozenset.intersection(*(trusted_languages(results, pack, plain) for pack in {row.pack_id for row in wer}))


def _figures(rows: Sequence[Result], trusted: frozenset[str]) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.metric, []).append(row.value)
    figures: dict[str, Any] = {"items": len({row.item for row in rows})}
    if "stopped" in values:
        figures["stop_rate"] = float(np.mean(values["stopped"]))
    if "duration_ratio" in values:
        figures["duration_ratio_median"] = float(np.median(values["duration_ratio"]))
    figures |= {name: float(np.mean(values[name])) for name in _MEANS if name in values}
    return figures | _error_rate(rows, trusted)


def _error_rate(rows: Sequence[Result], trusted: frozenset[str]) -> dict[str, Any]:
    scored = [row for row in rows if row.metric == "wer"]
    believed = [row for row in scored if row.language in trusted]
    if not scored:
        return {"wer": None, "wer_note": NO_ASR}
    if not believed:
        return {"wer": None, "wer_note": f"{NO_ASR}: not measured, or above {TRUST_LIMIT} on the original recordings"}
    counts = [counts_of(row) for row in believed]
    low, high = bootstrap_interval(counts)
    rate = {"rate": total(counts).rate, "low": low, "high": high, "items": len(counts), "words": total(counts).ref}
    asr = believed[-1].metric_version.split("+")[1].split("@")[0]
    return {"wer": rate | {"asr": asr, "languages": sorted({row.language for row in believed})}, "wer_note": ""}
