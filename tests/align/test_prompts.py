"""Which prompts a run has, and in which order: by their number, in the wanted shares, never one that is held out."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast
from unicodedata import normalize

import numpy as np
import pytest

import vaak.demo
from tests.align.toy_alignment import make_recipe
from vaak.align.prompts import PromptOrder, gather_prompts, held_text
from vaak.align.stage import prompts_of
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.corpus.pack_items import GoldPack
from vaak.errors import BadInput
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import PromptSettings

CORPUS = open_corpus(vaak.demo.corpus_folder())
TOKENIZER = load_tokenizer(vaak.demo.tokenizer_folder())
CODEC = open_codec("embedded")
VOCABULARY = TOKENIZER.vocabulary(CODEC.codebook_size)
GROUP = CORPUS.groups[("paired", "en", "clean")]


def gathered(wanted: int = 100, seed: int = 1, excluded=(), positions=None, **settings) -> PromptOrder:
    chosen = PromptSettings(**{"languages": {"en": 0.6, "hi": 0.3, "ta": 0.1}, **settings})
    return gather_prompts(chosen, [CORPUS], VOCABULARY, TOKENIZER, CODEC, wanted=wanted, seed=seed, excluded=excluded,
                          positions=positions)  # fmt: skip


def test_languages_have_their_shares_and_nothing_is_held_out():
    order = gathered(200)
    prompts = [order[number] for number in range(200)]
    counts = Counter(one.language for one in prompts)
    assert abs(counts["en"] - 120) <= 2 and abs(counts["hi"] - 60) <= 2 and abs(counts["ta"] - 20) <= 2
    held_out = {one.sample_id for group in CORPUS.groups.values() for one in group.samples() if one.held_out}
    assert not held_out & {one.item for one in prompts}


def test_every_sample_comes_once_before_one_comes_again():
    order = gathered(40, languages={"ta": 1.0})
    pool = len(order.pools["ta"])
    for turn in range(3):
        items = [order[turn * pool + place].item for place in range(pool)]
        assert len(set(items)) == pool
    assert [order[place].item for place in range(pool)] != [order[pool + place].item for place in range(pool)]


def test_a_share_of_the_prompts_brings_another_sample_of_its_speaker_to_continue():
    order = gathered(200, languages={"en": 1.0}, tiers=("clean",), cloned=0.4)
    samples = {one.sample_id: (one, codes) for one, codes in _with_codes(GROUP)}
    cloned = [one for one in order.all if one.sample.voice_codes is not None]
    assert 0.3 < len(cloned) / len(order.all) < 0.5
    for prompt in cloned:
        said, codes = prompt.sample.voice_text, prompt.sample.voice_codes
        assert said is not None and codes is not None and said != prompt.text
        sources = [one for one, its in samples.values() if one.transcript == said and np.array_equal(its, codes)]
        assert [one.speaker for one in sources] == [prompt.sample.speaker] and not sources[0].held_out
        assert 2.0 <= len(codes) / CODEC.tokens_per_second <= 12.0
        np.testing.assert_array_equal(prompt.ids[-len(codes) :], VOCABULARY.speech_ids(codes))
        assert TOKENIZER.encode(f"{said} {prompt.text}") == _text_of(prompt)
    described = gathered(200, languages={"en": 1.0}, tiers=("clean",))
    assert [one.item for one in described.all] == [one.item for one in order.all]
    assert described.fingerprint != order.fingerprint


def test_a_prompt_is_what_training_had_and_may_be_twice_as_long():
    prompt = gathered(10)[0]
    number = next(i for i, one in enumerate(_samples(prompt)) if one.sample_id == prompt.item)
    group = CORPUS.groups[("paired", prompt.language, "clean")]
    sample = group.sample(number)
    assert sample.transcript and sample.voice_description
    ids = TOKENIZER.encode(sample.voice_description), TOKENIZER.encode(sample.transcript)
    marks = VOCABULARY.voice_start, VOCABULARY.voice_end, VOCABULARY.speech_start
    assert prompt.ids.tolist() == [marks[0], *ids[0], marks[1], *ids[1], marks[2]]
    np.testing.assert_array_equal(prompt.reference_codes, group.tokens(number))
    assert prompt.limit == 2 * len(prompt.reference_codes) + 25


def _samples(prompt):
    return CORPUS.groups[("paired", prompt.language, "clean")].samples()


def test_the_same_seed_is_the_same_order_and_another_is_another():
    assert gathered().fingerprint == gathered().fingerprint
    assert gathered().fingerprint != gathered(seed=2).fingerprint


def test_what_a_recipe_leaves_out_is_left_out():
    anchor = gathered(50, languages={"en": 1.0}, sources=("anchor",), most_seconds=3.0)
    known = {one.sample_id: one for one in GROUP.samples()}
    chosen = [known[anchor[number].item] for number in range(50)]
    assert {one.source for one in chosen} == {"anchor"}
    assert all(one.duration_s is not None and one.duration_s <= 3.0 for one in chosen)
    gone = {anchor[number].item for number in range(50)}
    again = gathered(50, languages={"en": 1.0}, sources=("anchor",), most_seconds=3.0, excluded=gone)
    assert not gone & {again[number].item for number in range(50)}
    short = gathered(50, languages={"en": 1.0}, positions=200)
    assert all(len(short[number].ids) + short[number].limit <= 200 for number in range(50))


def test_a_text_of_the_pack_is_no_prompt_in_whatever_corpus_it_stands():
    """Other corpora have it under another id, in another Unicode form, with spaces around it."""
    texts = {one.text for one in gathered(50, languages={"ta": 1.0}).all}
    theirs, spelt = next((one, nfd) for one in texts if (nfd := normalize("NFD", one)) != one)
    left = {one.text for one in gathered(50, languages={"ta": 1.0}, excluded={held_text(f" {spelt}\n")}).all}
    assert theirs not in left and texts - {theirs} <= left


def test_a_run_has_no_text_of_a_prompt_of_its_pack():
    """As if the pack were of another corpus: none of its ids is in this one."""
    theirs = gathered(20, languages={"en": 1.0}).all
    pack = SimpleNamespace(excluded_ids={"of another corpus"}, prompts=[one.sample for one in theirs])
    recipe = make_recipe(corpora=(str(CORPUS.folder),), steps=20)
    model = SimpleNamespace(vocabulary=VOCABULARY, config=None)
    run = prompts_of(recipe, cast(SpeechLM, model), TOKENIZER, CODEC, cast(GoldPack, pack))
    assert not {one.text for one in theirs} & {one.text for one in run.all}


def test_a_language_without_a_sample_is_refused_by_name():
    with pytest.raises(BadInput, match="no paired sample in ta"):
        gathered(languages={"ta": 1.0}, sources=("nobody",))


def test_a_voice_is_near_another_sample_of_its_speaker():
    order = gathered(60, languages={"en": 1.0})
    by_speaker: dict[str, list[np.ndarray]] = {}
    for number in range(24):
        prompt = order[number]
        assert prompt.sample.speaker is not None
        voice = prompt.voice()
        assert voice is not None
        by_speaker.setdefault(prompt.sample.speaker, []).append(voice)
    heart = by_speaker["heart"]
    others = [voice for speaker, voices in by_speaker.items() if speaker in ("rms", "joe", "awb") for voice in voices]
    assert len(heart) > 5 and others
    assert np.mean([heart[0] @ one for one in heart[1:]]) > np.mean([heart[0] @ one for one in others]) + 0.1


def _with_codes(group):
    return [(one, group.tokens(number)) for number, one in enumerate(group.samples())]


def _text_of(prompt) -> list[int]:
    """The ids between the description of the voice and the speech."""
    ids = prompt.ids.tolist()
    return ids[ids.index(VOCABULARY.voice_end) + 1 : ids.index(VOCABULARY.speech_start)]
