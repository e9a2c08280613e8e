"""The gold pack: what it draws from which samples, and that it stays as it was frozen."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.corpus.toy import CODEC, LANGUAGES, big_corpus
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.manifest import freeze_folder
from vaak.corpus.pack import build_pack, open_pack, show_pack
from vaak.corpus.pack_items import PROXY, RECORDING
from vaak.errors import BadInput, CheckFailed


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return big_corpus(tmp_path_factory.mktemp("big") / "corpus")


@pytest.fixture(scope="module")
def pack(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "pack"
    build_pack(corpus, folder, seed=3, n_ce=60, cross_lingual=6, long_form=2, probes=0, extended={"en": 5})
    return open_pack(folder)


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """Every sentence that is held out."""
    folder = tmp_path_factory.mktemp("packs") / "whole"
    build_pack(corpus, folder, seed=3, n_ce=6, probes=0, extended=100)
    return open_pack(folder)


def found(corpus, sample_id):
    for group in corpus.groups.values():
        ids = group.column("sample_id")
        if sample_id in ids:
            i = ids.index(sample_id)
            return group.sample(i), group.tokens(i)
    raise KeyError(sample_id)


def test_it_holds_what_was_asked_for(pack):
    shown = show_pack(pack)
    assert shown["prompts"] == {
        "native": {"en": 4, "hi": 4, "ta": 4},
        "cross_lingual": {"en": 2, "hi": 2, "ta": 2},
        "long_form": {"en": 1, "hi": 1},
        "extended": {"en": 5},
    }
    assert len(pack.ce) == 60
    assert shown["ce"]["text"] == {"en": 2, "hi": 2, "ta": 2}
    assert len({prompt.item for prompt in pack.prompts}) == len(pack.prompts)


def test_everything_is_held_out_and_excluded(corpus, pack):
    held_out = {one.sample_id for group in corpus.groups.values() for one in group.samples() if one.held_out}
    used = {one.sample_id for one in pack.ce} | {one.sample_id for one in pack.prompts if one.sample_id}
    assert used <= held_out
    # All that is held out, not only what was used: else a new voice would be trained on after all.
    assert pack.excluded_ids == held_out


def test_prompts_carry_their_own_codes_and_original_audio(corpus, pack):
    for prompt in pack.prompts:
        if prompt.kind == "cross_lingual":
            assert prompt.reference_codes is prompt.reference_audio is prompt.sample_id is None
            continue
        sample, tokens = found(corpus, prompt.sample_id)
        assert prompt.text == sample.transcript and prompt.language == sample.language
        assert (prompt.reference_codes == tokens).all() and prompt.reference_codes.dtype == np.uint16
        # Half of the held-out samples have audio, and there are enough of those.
        if prompt.kind == "native":
            assert prompt.reference_audio.read_bytes() == f"OggS {prompt.sample_id}".encode()


def test_a_voice_is_another_utterance_of_the_same_speaker(corpus, pack):
    texts = {one.transcript: one for group in corpus.groups.values() for one in group.samples() if one.transcript}
    for prompt in pack.prompts:
        voice = texts[prompt.voice_text]
        assert voice.held_out and voice.speaker == prompt.speaker and voice.transcript != prompt.text
        assert (prompt.voice_codes == found(corpus, voice.sample_id)[1]).all()
        assert prompt.voice_language == voice.language
        assert (prompt.voice_language != prompt.language) == (prompt.kind == "cross_lingual")


def test_speakers_take_turns_and_no_text_comes_twice(pack):
    for language in LANGUAGES:
        native = [prompt for prompt in pack.prompts if prompt.kind == "native" and prompt.language == language]
        assert {prompt.speaker for prompt in native} == {f"{language}-{voice}" for voice in ("a", "b", "new")}
    texts = [prompt.text for prompt in pack.prompts]
    assert len(set(texts)) == len(texts)


def test_it_says_which_voices_and_texts_training_hears(pack):
    for prompt, seen in zip(pack.prompts, pack.seen_voice, strict=True):
        assert prompt.seen_voice == seen == (not prompt.speaker.endswith("-new"))
        assert not prompt.seen_text


def test_ce_samples_keep_their_width(corpus, pack):
    for one in pack.ce:
        _, tokens = found(corpus, one.sample_id)
        assert one.codes.dtype == tokens.dtype and (one.codes == tokens).all()


def test_the_same_seed_gives_the_same_pack(corpus, tmp_path):
    ids = [build_pack(corpus, tmp_path / f"{i}", seed=seed, n_ce=10) for i, seed in enumerate((5, 5, 6))]
    assert ids[0] == ids[1] != ids[2]


def test_prompts_of_one_sentence_come_from_the_sources_that_are_named(corpus, tmp_path):
    build_pack(corpus, tmp_path / "pack", seed=3, n_ce=60, long_form=2, extended={"en": 5}, sources=["street"])
    pack = open_pack(tmp_path / "pack")
    short = [one for one in pack.prompts if one.kind != "long_form"]
    assert {found(corpus, one.sample_id)[0].source for one in short if one.sample_id} == {"street"}
    assert {one.source for one in pack.ce} > {"street", "studio"} and pack.manifest["wanted"]["sources"] == ["street"]
    with pytest.raises(BadInput, match=r"holds nothing out of the source 'steet'; it does of \['street', 'studio'\]"):
        build_pack(corpus, tmp_path / "other", seed=3, sources=["steet"])


def test_what_a_small_corpus_cannot_give_is_said(corpus_folder, tmp_path):
    build_pack(open_corpus(corpus_folder), tmp_path / "pack", seed=0)
    notes = open_pack(tmp_path / "pack").notes
    assert "1000 cross-entropy samples were asked for, 21 are held out" in notes
    assert "4 long-form prompts were asked for, the held-out samples give 0" in notes
    assert any("no original audio" in note for note in notes)


def test_a_corpus_without_held_out_samples_has_no_pack(tmp_path):
    writer = CorpusWriter(tmp_path / "c", "c", codec=CODEC)
    writer.add("raw", Sample("one", "radio", "en"), [1])
    writer.freeze()
    with pytest.raises(BadInput, match="held_out"):
        build_pack(open_corpus(tmp_path / "c"), tmp_path / "pack", seed=0)
    assert not (tmp_path / "pack").exists()


def test_a_pack_is_built_once(corpus, tmp_path):
    build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)
    with pytest.raises(BadInput, match="exists"):
        build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)


def test_a_folder_of_ones_own_that_is_called_like_an_unfinished_pack(corpus, tmp_path):
    (tmp_path / "pack.unfinished").mkdir()
    (tmp_path / "pack.unfinished" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds 'thesis.txt', which was not begun here"):
        build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)
    assert (tmp_path / "pack.unfinished" / "thesis.txt").read_text() == "mine"
    # What a build leaves that was killed goes.
    (tmp_path / "pack.unfinished" / "thesis.txt").rename(tmp_path / "pack.unfinished" / "ce.json")
    build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)
    assert not (tmp_path / "pack.unfinished").exists()


def test_a_damaged_pack_is_not_opened(corpus, tmp_path):
    build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)
    path = next((tmp_path / "pack" / "audio").iterdir())
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(CheckFailed, match=path.name):
        open_pack(tmp_path / "pack")
    with pytest.raises(BadInput, match="MANIFEST"):
        open_pack(tmp_path)


def test_changed_audio_of_the_corpus_is_not_copied(tmp_path):
    corpus = big_corpus(tmp_path / "corpus")
    for path in (tmp_path / "corpus" / "audio").iterdir():
        path.write_bytes(b"other")
    with pytest.raises(CheckFailed, match="froze"):
        build_pack(corpus, tmp_path / "pack", seed=0)
    assert not (tmp_path / "pack").exists()


def test_audio_that_is_gone_is_named(corpus, tmp_path):
    build_pack(corpus, tmp_path / "pack", seed=0, n_ce=5)
    path = next((tmp_path / "pack" / "audio").iterdir())
    path.unlink()
    with pytest.raises(CheckFailed, match=rf"pack is damaged: audio/{path.name}: missing; restore it from its copy"):
        open_pack(tmp_path / "pack")


def test_another_format_is_refused_by_name(corpus, tmp_path):
    (tmp_path / "later").mkdir()
    freeze_folder(tmp_path / "later", {"format": "vaak-pack-2"})
    for folder, found in ((tmp_path / "later", "vaak-pack-2"), (corpus.folder, "vaak-corpus-1")):
        with pytest.raises(BadInput, match=rf"is of format '{found}', not 'vaak-pack-1'; open it with what wrote it"):
            open_pack(folder)


def test_a_pack_from_before_there_were_probes_opens(pack, tmp_path):
    """Such a manifest names neither probes nor voices."""
    folder = tmp_path / "old"
    shutil.copytree(pack.folder, folder, ignore=shutil.ignore_patterns("MANIFEST.json"))
    numbers = ("ce", "per_language", "cross_lingual", "long_form", "extended")
    kept = ("format", "corpus", "codec", "tokenizer_hash", "seed", "notes")
    wanted = {name: pack.manifest["wanted"][name] for name in numbers}
    freeze_folder(folder, {name: pack.manifest[name] for name in kept} | {"wanted": wanted})
    old = open_pack(folder)
    assert [one.text for one in old.prompts] == [one.text for one in pack.prompts]
    shown = show_pack(old)
    heard = sum(one.seen_voice for one in pack.prompts)
    assert 0 < heard < len(pack.prompts)
    assert shown["voices"] == {"new": len(pack.prompts) - heard, "heard": heard, "unknown": 0}


def test_decoded_codes_are_a_reference_that_says_so(corpus, whole):
    for prompt in whole.prompts:
        if prompt.sample_id is None:
            assert prompt.reference_kind is None
        else:
            silent = found(corpus, prompt.sample_id)[0].audio is None
            assert prompt.reference_kind == ("decoded codes (a proxy)" if silent else "recording")
    proxies = sum(one.reference_kind == PROXY for one in whole.prompts)
    recordings = sum(one.reference_kind == RECORDING for one in whole.prompts)
    assert proxies > 40 and recordings > 40
    counts = {RECORDING: recordings, PROXY: proxies, "none": len(whole.prompts) - proxies - recordings}
    assert show_pack(whole)["references"] == counts
    assert f"{proxies} prompts have reference codes but no original audio in the corpus" in whole.notes


def test_one_number_of_extended_prompts_is_for_every_language(whole):
    # Of 39 short held-out sentences of a language four are native prompts, and two are read by another's voice.
    assert show_pack(whole)["prompts"]["extended"] == dict.fromkeys(LANGUAGES, 33)
    assert whole.manifest["wanted"]["extended"] == 100
    for language in LANGUAGES:
        assert f"100 extended prompts in {language} were asked for, the held-out samples give 33" in whole.notes


def test_a_corpus_that_holds_out_only_texts_says_why_nothing_is_spoken(tmp_path):
    writer = CorpusWriter(tmp_path / "c", "c", codec=CODEC, tokenizer_hash="t" * 64)
    writer.add("text", Sample("one", "books", "en", held_out=True), [1, 2])
    writer.freeze()
    build_pack(open_corpus(tmp_path / "c"), tmp_path / "pack", seed=0, n_ce=1)
    pack = open_pack(tmp_path / "pack")
    assert not pack.prompts and "no prompt to speak: no held-out sample has both text and codes" in pack.notes
