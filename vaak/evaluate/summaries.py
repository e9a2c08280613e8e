"""What the rows of a checkpoint say together: per language, with the interval, and with the reason where there is no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaak.evaluate.items import kind_of
from vaak.evaluate.outbox import Entry
from vaak.evaluate.recognition import (
    ALL_COUNTED,
    COUNTED,
    ERROR_NAMES,
    HELD_OUT_COUNTED,
    ORIGINAL,
    TRUST_ITEMS,
    TRUST_LIMITS,
    counts_of,
    first_figure,
    held_out_figure,
    recogniser_of,
    trusted_with,
)
from vaak.evaluate.reference import WRONG_TEXT, round_trip_id
from vaak.evaluate.rewards import reward_rows
from vaak.evaluate.store import Result, Results, newest_versions, open_results
from vaak.score.error_rate import bootstrap_interval, total
from vaak.score.reward_settings import RewardSettings
from vaak.score.sanity import LIMITS, failures

NO_ASR = "no trusted ASR here"
_MEANS = (
    "crashed", "truncated", "repeat_rate", "ngram_repetition", "loop_share", "invalid_rate", "silence_share",
    "voice_share", "dnsmos", "utmos", "similarity", "plcmos", "f0_spread", "reward",
)  # fmt: skip
_MEDIANS = ("duration_ratio", "speaking_rate")


@dataclass(frozen=True)
class Trusted:
    """Languages in which the first recogniser is trusted, and those of the held-out one."""

    first: frozenset[str]
    held_out: frozenset[str]


def summary(
    db: Results | str | Path, checkpoint_id: str, pack_id: str | None = None, *, reward: RewardSettings | None = None
) -> dict[str, Any]:
    """Figures of a checkpoint (or of a reference): `items`, `languages` {code: figures}, `kinds` {kind of prompt: figures}
    and `all`, their figures together.

    Figures: `items`, `stop_rate`, `duration_ratio_median`, `failure_rate` (the share of items that break a limit of
    sanity, `vaak.score.sanity.LIMITS`: of the kind long_form the long-form failure rate), means of what the sanity
    metrics, `dnsmos` and `similarity` say, each only where it was measured, and `proxies`, how many of the similarities
    are to decoded codes. `wer`, `cer`, `code_point_cer` and `wrong_script` {rate, low, high, items, words, asr, languages,
    trusted}: of summed counts (`words`: what they are over) with a 95% bootstrap interval over items, of all languages
    whose recogniser is trusted; None with the reason in `wer_note` where there is none. `untrusted` has the same for
    the others: shown in grey, deciding nothing.

    Where held-out judges heard it: means of `plcmos` and `f0_spread`, `speaking_rate_median`, `held_out_wer` and
    `held_out_cer` as the other rates, and with `reward` (settings of it) the mean `reward` of the items that have one.
    """
    results = db if isinstance(db, Results) else open_results(db)
    rows = newest_versions(results.read(checkpoint_id, pack_id))
    trusted = Trusted(trusted_in(results, rows), trusted_with(results, rows, HELD_OUT_COUNTED))
    if reward is not None:
        rows += reward_rows(rows, trusted.first, reward)
    languages = sorted({row.language for row in rows})
    kinds = dict.fromkeys(kind_of(row.item) for row in rows)
    return {
        "checkpoint_id": checkpoint_id,
        "pack_ids": sorted({row.pack_id for row in rows}),
        "items": len({row.item for row in rows}),
        "versions": {row.metric: row.metric_version for row in rows if row.metric != "reward"},
        "all": _figures(rows, trusted),
        "languages": {code: _figures([row for row in rows if row.language == code], trusted) for code in languages},
        "kinds": {kind: _figures([row for row in rows if kind_of(row.item) == kind], trusted) for kind in kinds},
    }


def reference_summary(db: Results | str | Path, pack_id: str, codec_hash: str) -> dict[str, Any]:
    """`summary` of the three references of a pack: `original`, `round_trip`, `wrong_text`, and `trust_limits`."""
    results = db if isinstance(db, Results) else open_results(db)
    return {
        "original": summary(results, ORIGINAL, pack_id),
        "round_trip": summary(results, round_trip_id(codec_hash), pack_id),
        "wrong_text": summary(results, WRONG_TEXT, pack_id),
        "trust_limits": TRUST_LIMITS,
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


def tracker_entry(
    results: Results,
    checkpoint_id: str,
    pack_id: str,
    level: str,
    instruments: str,
    step: int,
    reward: RewardSettings | None = None,
) -> Entry:
    """What a tracker is told of a finished evaluation: its figures as `evaluate/LEVEL/FIGURE[/language/CODE|/kind/KIND]`,
    of all languages together, of each and of each kind of prompt, and its own step axis `evaluate/step`. Error rates only
    where they are trusted."""
    found = summary(results, checkpoint_id, pack_id, reward=reward)
    values: dict[str, Any] = {"evaluate/step": step, "evaluate/checkpoint": checkpoint_id, "evaluate/pack": pack_id}
    parts = {"": found["all"]} | {f"/language/{code}": one for code, one in found["languages"].items()}
    parts |= {f"/kind/{kind}": one for kind, one in found["kinds"].items()}
    for ending, figures in parts.items():
        rates = {name: figures[name]["rate"] for name in ALL_COUNTED if figures.get(name)}
        plain = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        values |= {f"evaluate/{level}/{name}{ending}": value for name, value in (plain | rates).items()}
    return Entry(f"{checkpoint_id} {pack_id} {level} {instruments}", step, values)


def held_out_words(figures: dict[str, Any], language: str) -> str:
    """The errors that the held-out recogniser heard, as `error_words`; "–" where it offers no such language."""
    metric = held_out_figure(language)
    found, name = figures.get(metric), ERROR_NAMES[first_figure(language)]
    if found is not None:
        return f"{found['rate']:.3f} ({found['low']:.3f}–{found['high']:.3f}) {name}"
    found = figures.get("untrusted", {}).get(metric)
    return "–" if found is None else f"{found['rate']:.3f} {name}, decides nothing: {found['asr']} is not trusted here"


def error_words(figures: dict[str, Any], language: str | None = None) -> tuple[str, bool]:
    """(the errors of `summary`'s figures in words, whether they decide anything): the word error rate with its interval, of
    an Indic language that of written units; of a recogniser that is not trusted; or why there is none."""
    metric = first_figure(language) if language else "wer"
    found, name = figures[metric], ERROR_NAMES[metric]
    if found is not None:
        return f"{found['rate']:.3f} ({found['low']:.3f}–{found['high']:.3f}) {name}", True
    found = figures.get("untrusted", {}).get(metric)
    if found is None:
        return figures["wer_note"], False
    return f"{found['rate']:.3f} {name}, decides nothing: {found['asr']} is not trusted here", False


def proxy_words(languages: dict[str, dict[str, Any]]) -> str:
    """In which of these figures (by language) decoded codes stood in for a recording, in a sentence; "" in none."""
    found = [f"{one['proxies']} of {one['items']} in {code}" for code, one in languages.items() if one.get("proxies")]
    return f"Proxies: similarities to decoded codes in place of a recording, {', '.join(found)}." if found else ""


def trusted_in(results: Results, rows: Sequence[Result]) -> frozenset[str]:
    """Languages whose recogniser is trusted on these rows' packs."""
    return trusted_with(results, rows, COUNTED)


def _figures(rows: Sequence[Result], trusted: Trusted) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.metric, []).append(row.value)
    figures: dict[str, Any] = {"items": len({row.item for row in rows})}
    if "stopped" in values:
        figures["stop_rate"] = float(np.mean(values["stopped"]))
        figures["failure_rate"] = _failure_rate(rows)
    figures |= {f"{name}_median": float(np.median(values[name])) for name in _MEDIANS if name in values}
    figures |= {name: float(np.mean(values[name])) for name in _MEANS if name in values}
    if "similarity" in values:
        figures["proxies"] = sum(is_proxy(row) for row in rows)
    return figures | _error_rates(rows, trusted)


def is_proxy(row: Result) -> bool:
    """Whether decoded codes stood in for a recording in this figure."""
    return "proxy" in str(row.detail.get("reference", ""))


def _failure_rate(rows: Sequence[Result]) -> float:
    items: dict[str, dict[str, float | None]] = {}
    for row in rows:
        item = items.setdefault(row.item, {})
        if row.metric in LIMITS:
            item[row.metric] = row.value
        elif row.metric == "silence_share":
            item["speech_share"] = 1.0 - row.value
    return float(np.mean([bool(failures(item)) for item in items.values()]))


def _error_rates(rows: Sequence[Result], trusted: Trusted) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for metric in ALL_COUNTED:
        scored = [row for row in rows if row.metric == metric]
        if metric in HELD_OUT_COUNTED and not scored:
            continue
        believed = trusted.held_out if metric in HELD_OUT_COUNTED else trusted.first
        figures[metric] = _rate([row for row in scored if row.language in believed], True)
        others = _rate([row for row in scored if row.language not in believed], False)
        if others is not None:
            figures.setdefault("untrusted", {})[metric] = others
    if figures["wer"] is not None:
        return figures | {"wer_note": ""}
    heard = {row.language for row in rows if row.metric in COUNTED}
    if not heard:
        return figures | {"wer_note": NO_ASR}
    limits = " or ".join(dict.fromkeys(f"{TRUST_LIMITS[name]} {name}" for name in sorted(map(first_figure, heard))))
    reason = f"above {limits} on the original recordings, or fewer than {TRUST_ITEMS} of them"
    return figures | {"wer_note": f"{NO_ASR}: {reason}"}


def _rate(rows: Sequence[Result], trusted: bool) -> dict[str, Any] | None:
    if not rows:
        return None
    counts = [counts_of(row) for row in rows]
    low, high = bootstrap_interval(counts)
    rate = {"rate": total(counts).rate, "low": low, "high": high, "items": len(counts), "words": total(counts).ref}
    asr = recogniser_of(rows[-1].metric_version).split("@")[0]
    return rate | {"asr": asr, "languages": sorted({row.language for row in rows}), "trusted": trusted}
