"""The prompts that probe numbers, names, questions and single sounds, and the texts that ship for them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml

import vaak.corpus
from tests.corpus.toy import CODEC, LANGUAGES, big_corpus
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.pack import build_pack, open_pack, show_pack
from vaak.corpus.pack_material import Material
from vaak.corpus.pack_probes import PROBE_KINDS, probe_prompts, probe_texts
from vaak.languages import LANGUAGES as TWELVE
from vaak.languages import script_of

PROBES = Path(vaak.corpus.__file__).parent / "probes"


def shipped(language):
    texts = probe_texts(language)
    assert texts is not None
    return texts


def sentences(language):
    return [text for some in shipped(language).values() for texts in some for text in texts]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The sentences of `big_corpus` have figures. Besides, two English questions are held out, one of which training reads; in
    Hindi it reads two of the texts that ship."""
    asked: dict[str, Any] = {"voice_description": "Voice a", "held_out": True}
    more = [
        Sample("en-question", "studio", "en", speaker="en-a", transcript="“Where is it?”", **asked),
        Sample("en-asked", "studio", "en", speaker="en-b", transcript="Who asked?", **asked),
    ]
    read = shipped("hi")["name"][0][0], shipped("hi")["minimal_pair"][1][1]
    more.append(Sample("en-read", "studio", "en", speaker="en-b", transcript="Who asked?"))
    more += [Sample(f"hi-read-{i}", "studio", "hi", speaker="hi-a", transcript=text) for i, text in enumerate(read)]
    return big_corpus(tmp_path_factory.mktemp("probes") / "corpus", more=more)


@pytest.fixture(scope="module")
def pack(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "pack"
    build_pack(corpus, folder, seed=3, n_ce=6, extended={})
    return open_pack(folder)


def probes(pack, kind, language):
    return [one for one in pack.prompts if (one.kind, one.language) == (kind, language)]


def test_each_language_has_two_of_each_kind_and_two_pairs(pack):
    shown = show_pack(pack)["prompts"]
    for kind in PROBE_KINDS:
        assert shown[kind] == dict.fromkeys(LANGUAGES, 4 if kind == "minimal_pair" else 2)
    assert len({one.item for one in pack.prompts}) == len(pack.prompts)


def test_nobody_has_said_the_texts_that_ship(pack):
    for language in LANGUAGES:
        for kind in PROBE_KINDS:
            for one in probes(pack, kind, language):
                if one.sample_id is None:
                    assert one.reference_kind is None and one.text in sentences(language) and not one.seen_text
                    assert one.speaker.startswith(language) and one.voice_description and one.voice_language == language
                    assert one.voice_codes is not None


def test_speakers_take_turns_and_a_pair_has_one_voice(pack):
    for language in LANGUAGES:
        every = [one for kind in PROBE_KINDS for one in probes(pack, kind, language) if one.sample_id is None]
        assert {one.speaker for one in every} == {f"{language}-{voice}" for voice in ("a", "b", "new")}
        for number in range(2):
            first, second = (
                one
                for one in probes(pack, "minimal_pair", language)
                if one.item[:-1].endswith(f"{language}-{number:02d}")
            )
            assert first.item[-1] + second.item[-1] == "ab"
            assert (
                first.speaker == second.speaker and first.voice_text == second.voice_text and first.text != second.text
            )


def test_half_of_the_numbers_and_questions_are_held_out_sentences(pack):
    assert [one.text for one in probes(pack, "question", "en")] == ["“Where is it?”", shipped("en")["question"][0][0]]
    said, unsaid = probes(pack, "number", "en")
    assert re.search(r"\d", said.text) and said.sample_id is not None and said.reference_codes is not None
    assert unsaid.text == shipped("en")["number"][0][0] and unsaid.reference_codes is None
    assert all(one.sample_id is None for one in probes(pack, "question", "hi"))


def test_what_training_reads_is_no_probe(corpus, pack, tmp_path):
    names = [text for (text,) in shipped("hi")["name"]]
    pairs = shipped("hi")["minimal_pair"]
    assert [one.text for one in probes(pack, "name", "hi")] == names[1:3]
    # A pair of which one half is read is left out whole.
    assert [one.text for one in probes(pack, "minimal_pair", "hi")] == [*pairs[0], *pairs[2]]
    build_pack(corpus, tmp_path / "pack", seed=3, n_ce=6, probes=4, extended={})
    more = open_pack(tmp_path / "pack")
    assert "4 texts of kind name in hi were asked for, there are 3 that training does not read" in more.notes
    assert "4 pairs of kind minimal_pair in hi were asked for, there are 3 that training does not read" in more.notes


def test_the_texts_are_frozen_with_the_pack(pack):
    frozen = (pack.folder / "prompts.json").read_text(encoding="utf-8")
    assert all(one.text in frozen for one in probes(pack, "name", "ta"))
    assert "prompts.json" in {one["path"] for one in pack.manifest["files"]}


def test_where_no_speaker_is_known_somebody_unknown_speaks(tmp_path):
    writer = CorpusWriter(tmp_path / "c", "c", codec=CODEC)
    writer.add("paired", Sample("or-1", "radio", "or", transcript="…", held_out=True), range(100))
    writer.freeze()
    build_pack(open_corpus(tmp_path / "c"), tmp_path / "pack", seed=0)
    (first, _) = probes(open_pack(tmp_path / "pack"), "name", "or")
    assert first.speaker is None and not first.seen_voice
    assert first.voice_codes is not None and len(first.voice_codes) == 100


def test_a_language_that_no_texts_ship_for_is_named():
    material = Material("any", frozenset(), by_group={("paired", "ne"): []})
    assert probe_prompts(material, 2, set()) == ([], ["no probes in ne: no texts ship for it in vaak/corpus/probes"])


@pytest.mark.parametrize("language", TWELVE)
def test_the_texts_are_in_their_script_and_ended(language):
    texts = sentences(language)
    assert len(set(texts)) == len(texts) and all(len(shipped(language)[kind]) >= 4 for kind in PROBE_KINDS)
    for text in texts:
        assert text == unicodedata.normalize("NFC", text) == text.strip()
        assert script_of(text).get(TWELVE[language].script) == 1.0 and text[-1] in ".।?"
    # Bengali and Assamese share a script, and each has its own ra.
    assert not re.search({"bn": "[ৰৱ]", "as": "র"}.get(language, "(?!)"), " ".join(texts))
    assert all(text.endswith("?") for (text,) in shipped(language)["question"])
    figures = [bool(re.search(r"\d", text)) for (text,) in shipped(language)["number"]]
    assert figures[:2] == [True, False] and sum(figures) == 2


@pytest.mark.parametrize("language", TWELVE)
def test_the_words_of_a_pair_differ_in_one_sound(language):
    tree = yaml.safe_load((PROBES / f"{language}.yaml").read_text(encoding="utf-8"))
    assert tree["frame"].count("{}") == 1
    for pair in tree["minimal_pair"]:
        (first, second), (sound, other) = pair["words"], pair["sounds"]
        # A long consonant is one that is written twice.
        assert first != second and first.replace(sound, other) == second and 1 <= first.count(sound) <= 2
        assert len(pair["means"]) == 2
