"""Whose voices a gold pack has: those of everybody, first those that training never hears, or those alone."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.corpus.toy import LANGUAGES, big_corpus
from vaak.corpus import Sample, open_corpus
from vaak.corpus.pack import build_pack, open_pack, show_pack
from vaak.errors import BadInput


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The speakers of `big_corpus`, and in Hindi sentences whose speaker nobody knows."""
    unknown = [
        Sample(f"hi-unknown-{i}", "street", "hi", transcript=f"hi who says {i}", held_out=True) for i in range(30)
    ]
    return big_corpus(tmp_path_factory.mktemp("voices") / "corpus", more=unknown)


def packed(corpus, folder, **wanted):
    build_pack(corpus, folder, seed=3, n_ce=60, cross_lingual=6, extended={"hi": 30}, **wanted)
    return open_pack(folder)


def speakers(pack, kind, language):
    return Counter(one.speaker for one in pack.prompts if (one.kind, one.language) == (kind, language))


def test_the_manifest_counts_the_voices_that_training_hears(corpus, tmp_path):
    pack = packed(corpus, tmp_path / "pack")
    heard = [one for one in pack.prompts if one.seen_voice]
    unknown = [one for one in pack.prompts if one.speaker is None]
    new = [one for one in pack.prompts if (one.speaker or "").endswith("-new")]
    assert heard and unknown and new and len(heard) + len(unknown) + len(new) == len(pack.prompts)
    counts = {"new": len(new), "heard": len(heard), "unknown": len(unknown)}
    assert pack.manifest["voices"] == counts | {"left_out": {"heard": 0, "unknown": 0}} == show_pack(pack)["voices"]
    total = len(pack.prompts)
    assert f"the voices of {len(heard)} of {total} prompts are also heard in samples not held out" in pack.notes
    assert f"whose voices {len(unknown)} of {total} prompts have is unknown: training may hear them" in pack.notes


def test_new_voices_come_first_while_there_are_any(corpus, tmp_path):
    pack = packed(corpus, tmp_path / "pack", voices="new-first")
    hindi = [(one.speaker or "?")[-3:] for one in pack.prompts if one.kind == "extended"]
    assert hindi == sorted(hindi, key=lambda name: name != "new") and len(set(hindi)) > 1
    for language in LANGUAGES:
        for kind in ("native", "number", "name", "question", "minimal_pair"):
            assert set(speakers(pack, kind, language)) == {f"{language}-new"}
    assert {(one.speaker or "")[3:] for one in pack.prompts if one.kind == "cross_lingual"} == {"new"}
    # Only "a" has long sentences here: where there is no new voice, a heard one speaks.
    assert {(one.speaker or "")[3:] for one in pack.prompts if one.kind == "long_form"} == {"a"}


def test_only_new_voices_are_left_when_only_those_are_asked_for(corpus, tmp_path):
    pack = packed(corpus, tmp_path / "pack", voices="new-only")
    assert not any(pack.seen_voice) and {(one.speaker or "")[3:] for one in pack.prompts} == {"new"}
    # Three languages of two heard voices with ten held-out sentences each, and the thirty of nobody knows whom.
    assert pack.manifest["voices"]["left_out"] == {"heard": 60, "unknown": 30}
    assert "left out were 60 held-out samples of speakers that training hears and 30 of unknown speakers" in pack.notes
    assert (
        "4 long-form prompts were asked for, the held-out samples of voices that training never hears give 0"
        in pack.notes
    )
    paired = [one.sample_id for one in pack.ce if one.stream == "paired"]
    assert paired and all("-new-" in name or "-unknown-" in name for name in paired)
    assert {one.stream for one in pack.ce} == {"raw", "paired", "text"}
    # What is left out of the pack is held out all the same.
    assert {"hi-a-12", "hi-unknown-3"} <= pack.excluded_ids


def test_a_corpus_without_a_new_voice_says_how_to_get_one(corpus_folder, tmp_path):
    with pytest.raises(
        BadInput, match=r"corpus holds no speaker out whole: .*; mark all samples of some speakers held_out"
    ):
        build_pack(open_corpus(corpus_folder), tmp_path / "pack", seed=0, voices="new-only")
    assert not (tmp_path / "pack").exists()
    with pytest.raises(BadInput, match="voices 'fresh' is no choice of voices; use one of any, new-first, new-only"):
        build_pack(open_corpus(corpus_folder), tmp_path / "pack", seed=0, voices="fresh")  # pyright: ignore[reportArgumentType]
