"""What is decoded to be listened to: drawn by language and seed, and whatever does not decode or sound is named."""

from __future__ import annotations

import numpy as np
import pytest
from markupsafe import Markup

from tests.audit.clean import CRASHES, SILENT, ToneCodec
from vaak.audit.item import Item
from vaak.audit.limits import load_limits
from vaak.audit.listening import Listened, audible, chosen, decodes, listen
from vaak.corpus import Sample

LIMITS = load_limits()


def item(name: str, *codes: int, language: str = "hi", stream: str = "raw") -> Item:
    return Item(stream, Sample(name, "street", language), np.array(codes, np.uint16))


def heard(*items: Item, per_language: int = 100, seed: int = 0):
    languages = np.array([one.sample.language for one in items])
    drawn = chosen(languages, np.array([one.is_audio for one in items]), per_language, seed)
    return listen([items[at] for at in drawn], ToneCodec(), lambda done, total, words: None)


def test_a_sample_that_does_not_decode_is_named_and_leaves_the_others_alone():
    found = heard(item("good", 20, 30), item("crash", 20, CRASHES), item("fine", 40))
    assert decodes(found, LIMITS["decodes"]).evidence == ("crash",)
    assert audible(found, LIMITS["audible"]).examined == 2
    assert "Does not decode: RuntimeError: this codec cannot decode code 7" in found[1].sound
    assert "<audio" in found[0].sound and "<audio" in found[2].sound


def test_silence_is_named():
    found = audible(heard(item("silent", SILENT, SILENT), item("tone", 50, 60)), LIMITS["audible"])
    assert found.evidence == ("silent",) and "silent: -inf dBFS" in found.detail


def test_every_language_gets_its_number_and_text_gets_none():
    items = [item(f"{language}-{k}", 20 + k, language=language) for language in ("hi", "ta") for k in range(12)]
    found = heard(*items, item("document", 1, 2, stream="text"), per_language=5)
    assert [one.item.sample.language for one in found] == ["hi"] * 5 + ["ta"] * 5
    assert len({one.item.sample.sample_id for one in found}) == 10


def test_the_seed_decides_who_is_heard():
    items = [item(f"s{k}", 20 + k) for k in range(40)]
    first, again, other = (
        [one.item.sample.sample_id for one in heard(*items, per_language=6, seed=s)] for s in (1, 1, 2)
    )
    assert first == again != other


def test_at_most_twenty_seconds_of_one_sample_are_heard():
    (found,) = heard(item("long", *range(10, 1011), *range(10, 1011)))
    assert "20.0 s" in found.sound


@pytest.mark.parametrize("level,found", [(-59.9, 0), (-60.1, 1)])
def test_silent_is_what_lies_below_sixty_decibels_under_full_scale(level, found):
    one = Listened(item("quiet", 20), level, Markup(""))
    assert len(audible([one], LIMITS["audible"]).evidence) == found
