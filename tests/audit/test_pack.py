"""The pack against training: what is compared, at the least lengths from both sides, and what the pack admits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audit.clean import ENTRY
from tests.audit.items import AROUND, LIMITS
from vaak.audit.pack import compare_group, merged, pack_keys
from vaak.audit.workers import Opened
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.pack_items import CeSample, GoldPack, Prompt

TEXT = "क" * 20
CODES = np.arange(100, 125, dtype=np.uint16)


def prompt(**changes: Any) -> Prompt:
    plain = {
        "item": "native-hi-00", "language": "hi", "kind": "native", "text": TEXT, "speaker": "asha", "voice_description": None,
        "reference_codes": CODES, "reference_audio": None, "voice_text": None, "voice_codes": None, "voice_language": None,
        "seen_voice": False, "seen_text": False, "sample_id": "gold",
    }  # fmt: skip
    return Prompt(**plain | changes)


def found(folder: Path, gold: Prompt | CeSample, codes: Any = tuple(range(60)), **fields: Any) -> dict[str, list[str]]:
    """Per check the ids at fault in a corpus of one sample that is trained on."""
    writer = CorpusWriter(folder, "trained", ENTRY)
    sample = Sample("trained", "studio", "hi", **{"speaker": "ravi", "transcript": "ख" * 30, **fields})
    writer.add("paired", sample, np.asarray(codes))
    writer.freeze()
    ce, prompts = ([gold], []) if isinstance(gold, CeSample) else ([], [gold])
    pack = GoldPack("p" * 64, folder, {"notes": []}, ce, prompts, {"held-out"})
    opened = Opened(open_corpus(folder), AROUND, LIMITS)
    return merged(compare_group(opened, (key, pack_keys(pack, LIMITS))) for key in opened.corpus.groups).ids


@pytest.mark.parametrize(
    "gold,trained,check",
    [
        (prompt(), {"speaker": "asha"}, "pack_voices_untrained"),
        (prompt(), {"speaker": "asha b"}, None),
        (prompt(seen_voice=True), {"speaker": "asha"}, None),  # the pack says it itself
        (prompt(), {"transcript": f"{TEXT}!"}, "pack_transcripts_untrained"),
        (prompt(text=TEXT[1:]), {"transcript": TEXT[1:]}, None),  # 19 characters coincide
        (prompt(seen_text=True), {"transcript": TEXT}, None),
        (prompt(language="mr"), {"transcript": TEXT}, None),
        (prompt(), {"codes": CODES}, "pack_codes_untrained"),
        (prompt(reference_codes=CODES[1:]), {"codes": CODES[1:]}, None),  # 24 codes coincide
        (prompt(reference_codes=None, voice_codes=CODES), {"codes": CODES}, "pack_codes_untrained"),
        (prompt(), {"codes": [*CODES, 7]}, None),
        (prompt(sample_id="trained"), {}, "pack_samples_untrained"),
        (prompt(sample_id="trained"), {"held_out": True}, None),
        (prompt(), {"codes": CODES, "speaker": "asha", "transcript": TEXT, "held_out": True}, None),
        (CeSample("ce", "paired", "hi", "studio", TEXT, None, CODES), {"codes": CODES}, "pack_codes_untrained"),
        (
            CeSample("ce", "paired", "hi", "studio", TEXT, None, CODES),
            {"transcript": TEXT},
            "pack_transcripts_untrained",
        ),
        (CeSample("trained", "raw", "hi", "studio", None, None, CODES), {}, "pack_samples_untrained"),
    ],
)
def test_what_is_in_the_pack_is_not_trained_on(tmp_path, gold, trained, check):
    assert found(tmp_path / "corpus", gold, **trained) == ({} if check is None else {check: ["trained"]})
