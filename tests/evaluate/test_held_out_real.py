"""The alarm on real sound: the shipped model, and what it would be if it learnt its words and lost its melody."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from tests.score.flat_voice import flattened
from vaak.codec import open_codec, read_audio
from vaak.corpus import open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.demo import corpus_folder, model_folder
from vaak.errors import BadInput
from vaak.evaluate import measures, open_results, reference_scores
from vaak.evaluate.checkpoint import evaluate_subject
from vaak.evaluate.generations import generate_items, generations_folder, load_generation
from vaak.evaluate.held_out import HeldOut, open_held_out
from vaak.evaluate.held_out_changes import LEAST_ITEMS, compare_run
from vaak.evaluate.panel_figures import EVERY
from vaak.evaluate.places import removed
from vaak.evaluate.recognition import TRUST_ITEMS
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model import open_model
from vaak.score.asr import is_installed, open_asr
from vaak.score.quality import dnsmos
from vaak.score.reward_settings import RewardSettings
from vaak.score.similarity import embed_voice
from vaak.storage.files import write_bytes

pytestmark = pytest.mark.slow
IDS = {step: f"run/{step}/{step:064x}" for step in (0, 10, 20)}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Step 0: the shipped model. Step 10: the same speech on one note. Step 20: the recordings on one note."""
    if not (is_installed("whisper") and is_installed("whisper-tiny.en")):
        pytest.skip("the two Whispers are not installed (requirements-asr-weights.txt)")
    folder = tmp_path_factory.mktemp("real")
    try:
        shipped = model_folder()
    except BadInput as error:
        pytest.skip(str(error))
    pack = _english(folder)
    codec, asr = open_codec("embedded"), open_asr()
    model, tokenizer = open_model(shipped), load_tokenizer(shipped)
    places = {step: generations_folder(folder, identity, pack.id) for step, identity in IDS.items()}
    generate_items(model, tokenizer, pack.prompts, places[0])
    for prompt in pack.prompts:
        spoken = load_generation(places[0], prompt)
        assert spoken is not None and prompt.reference_audio is not None
        said = codec.decode(spoken.codes)
        _keep(places[0], places[10], prompt.item, codec.encode(flattened(said)))
        _keep(places[0], places[20], prompt.item, codec.encode(flattened(read_audio(prompt.reference_audio, 16000))))
    db = open_results(folder / "r.db")
    held_out = HeldOut(open_held_out(asr), RewardSettings(), aligned=True)
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # this room's tests have cheap stand-ins; here the instruments are heard
        patch.setattr(measures, "dnsmos", dnsmos)
        patch.setattr(measures, "embed_voice", embed_voice)
        few = replace(pack, prompts=pack.prompts[:TRUST_ITEMS])  # enough to trust both recognisers
        reference_scores(few, codec, asr, db, held_out=held_out)
        found, lines = {}, []
        for step, identity in IDS.items():
            evaluate_subject(identity, lambda: removed("none"), pack, codec, db, level="full", asr=asr, held_out=held_out,
                             threads=1, say=lines.append, stop=lambda: False)  # fmt: skip
            found[step] = {one.language: one for one in compare_run(db, pack.id, "run", RewardSettings())}.get(EVERY)
    return found, lines


@pytest.fixture(autouse=True)
def cheap_instruments():
    """None of the stand-ins of this room."""


def _english(folder):
    build_pack(open_corpus(corpus_folder()), folder / "pack", 2, n_ce=5, per_language=1, cross_lingual=0, probes=0,
               extended={"en": 20})  # fmt: skip
    pack = open_pack(folder / "pack")
    english = [one for one in pack.prompts if one.language == "en" and one.reference_audio is not None]
    return replace(pack, prompts=english[:LEAST_ITEMS])


def _keep(source, folder, item, codes):
    buffer = io.BytesIO()
    np.save(buffer, codes.astype(np.uint16), allow_pickle=False)
    write_bytes(folder / f"{item}.npy", buffer.getvalue())
    write_bytes(folder / f"{item}.json", (source / f"{item}.json").read_bytes())


def test_one_note_is_seen_and_without_a_rise_of_the_reward_it_is_no_alarm(compared):
    found, _ = compared
    flat = found[10]
    assert "f0_spread" in {judge.metric for judge in flat.fallen}
    assert not flat.rises and not flat.is_alarm


def test_right_words_on_one_note_raise_the_reward_and_the_alarm(compared):
    found, lines = compared
    flat = found[20]
    assert flat.rises and flat.is_alarm and "f0_spread" in {judge.metric for judge in flat.fallen}
    assert "held_out_wer" not in {judge.metric for judge in flat.fallen}  # its words are better, and it says so
    [said] = [line for line in lines if line.startswith("ALARM")]
    assert "step 20 against step 0" in said and "spread of the pitch" in said


def test_nothing_is_compared_with_itself(compared):
    found, _ = compared
    assert found[0] is None
