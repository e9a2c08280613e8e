"""Single samples to ask checks about, and what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tests.audit.clean import ToneCodec
from vaak.audit.checks import ITEM_CHECKS
from vaak.audit.facts import FACT, Facts, fact, hashed
from vaak.audit.finding import Around, Finding, KnownCodec
from vaak.audit.item import Item
from vaak.audit.limits import load_limits
from vaak.corpus import Sample

AROUND = Around(
    codebook_size=4096,
    tokens_per_second=50,
    sample_rate=16000,
    codec=KnownCodec("tones", ToneCodec.hash, 4096),
    tokenizer=None,
    tokenizer_hash=None,
)
LIMITS = load_limits()


def item(
    text: str | None = "नमस्ते",
    language: str = "hi",
    codes: Any = 100,
    name: str = "a",
    stream: str = "paired",
    **fields: Any,
) -> Item:
    """A sample; `codes` are how many, or the codes themselves."""
    values = np.arange(codes) if isinstance(codes, int) else np.asarray(codes)
    kind = "native" if stream == "paired" else None
    sample = replace(Sample(name, "studio", language, transcript=text, transcript_kind=kind), **fields)
    return Item(stream, sample, values.astype(np.uint32 if stream == "text" else np.uint16), text or "")


def facts_of(items: Sequence[Item]) -> Facts:
    """The facts of these items as if they had been read from a corpus."""
    groups = list(dict.fromkeys((one.stream, one.sample.language, one.sample.tier) for one in items))
    rows = [
        fact(one, groups.index((one.stream, one.sample.language, one.sample.tier)), at) for at, one in enumerate(items)
    ]
    names = {hashed(name): name for one in items for name in (one.sample.source, one.sample.speaker) if name}
    counts: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(1 << 16, np.uint32))
    for one in items:
        if one.is_audio:
            np.add.at(counts[one.sample.source, one.sample.language], one.tokens, 1)
    ids = pa.array([one.sample.sample_id for one in items], pa.string())
    return Facts(ids, np.array(rows, FACT), tuple(groups), names, dict(counts))


def said(check, items: Sequence[Item], around: Around = AROUND) -> Finding:
    """What a check finds among these items, by the limits that ship."""
    limit = LIMITS[check.__name__]
    if check in ITEM_CHECKS:
        answers = [(one, check(one, around, limit)) for one in items]
        return Finding(len(items), tuple(one.sample.sample_id for one, answer in answers if isinstance(answer, str)))
    return check(facts_of(items), around, limit)


def faults(check, *items: Item, around: Around = AROUND) -> int:
    return len(said(check, items, around).evidence)
