"""What a corpus holds, in numbers, and how much of its provenance is unknown."""

from __future__ import annotations

from typing import Any

from vaak.corpus.reader import Corpus
from vaak.corpus.samples import PROVENANCE, QUALITY

# No provenance, but something that every recording has.
_OF_AUDIO = {("duration_s", "raw"), ("duration_s", "paired")}


def show_corpus(corpus: Corpus) -> dict[str, Any]:
    """Totals of a corpus from its manifest alone.

    `boundaries` says whether samples are recordings, or only pieces of a stream whose own boundaries nobody knows.
    `groups` has samples, tokens, hours (null for text) and sources per stream, language and tier; `unknown` has, per
    provenance field, how many samples do not know it, out of how many that should, and the reasons with their counts.
    `quality` has, per quality column that is there, how many samples have a value.
    """
    groups = [
        {key: one[key] for key in ("stream", "language", "tier", "samples", "tokens", "hours", "sources")}
        for one in corpus.manifest["groups"]
    ]
    unknown: dict[str, dict[str, Any]] = {}
    for one in corpus.manifest["groups"]:
        for name, reasons in one["unknown"].items():
            entry = unknown.setdefault(name, {"samples": 0, "of": 0, "reasons": {}})
            entry["samples"] += sum(reasons.values())
            for reason, n in reasons.items():
                entry["reasons"][reason] = entry["reasons"].get(reason, 0) + n
    for name, entry in unknown.items():
        entry["of"] = sum(
            one["samples"]
            for one in corpus.manifest["groups"]
            if name in PROVENANCE[one["stream"]] or name in one["unknown"] or (name, one["stream"]) in _OF_AUDIO
        )
    return {
        "folder": str(corpus.folder),
        "name": corpus.name,
        "id": corpus.id,
        "codec": corpus.codec,
        "tokenizer_hash": corpus.tokenizer_hash,
        "samples": corpus.manifest["samples"],
        "tokens": sum(one["tokens"] for one in groups),
        "hours": sum(one["hours"] or 0.0 for one in groups),
        "groups": groups,
        "unknown": unknown,
        "quality": {
            name: known
            for name in QUALITY
            if (known := sum(one.get("quality", {}).get(name, 0) for one in corpus.manifest["groups"]))
        },
        "boundaries": corpus.manifest.get("boundaries", "known"),
    }


def corpus_table(corpus: Corpus) -> str:
    """`show_corpus` as text for a terminal."""
    shown = show_corpus(corpus)
    codec = shown["codec"]
    lines = [
        f"{shown['name']}  {shown['id'][:16]}",
        f"codec {codec['name']} ({codec['codebook_size']:,} codes, {codec['tokens_per_second']} a second)"
        if codec
        else "no audio",
        "",
        f"{'stream':8}{'language':10}{'tier':12}{'samples':>12}{'tokens':>16}{'hours':>12}",
    ]
    for one in [*shown["groups"], {"stream": "all", "language": "", "tier": "", **shown}]:
        hours = f"{one['hours']:,.2f}" if one["hours"] is not None else "-"
        lines.append(
            f"{one['stream']:8}{one['language']:10}{one['tier']:12}{one['samples']:>12,}{one['tokens']:>16,}{hours:>12}"
        )
    lines.append("")
    if codec and codec["hash"] is None:
        lines.append(f"the hash of the codec is unknown: {codec['unknown']['hash']}")
    if shown["boundaries"] != "known":
        lines.append(f"sample boundaries are {shown['boundaries']}")
    lines += [f"{name} is known for {n:,} of {shown['samples']:,} samples" for name, n in shown["quality"].items()]
    if not shown["unknown"]:
        lines.append("all provenance is known")
    for name, entry in sorted(shown["unknown"].items()):
        share = entry["samples"] / entry["of"]
        lines.append(f"{name} is unknown for {entry['samples']:,} of {entry['of']:,} samples ({share:.0%}):")
        lines += [f"    {n:,}: {reason}" for reason, n in sorted(entry["reasons"].items())]
    return "\n".join(lines)
