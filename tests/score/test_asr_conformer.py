"""IndicConformer on random weights of the published layout: what it reads, how it decodes, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vaak.errors import BadInput
from vaak.score.asr import RATE, open_asr, windows
from vaak.score.asr_conformer import ConformerAsr, greedy_text
from vaak.score.nemo_mel import nemo_mel

pytest.importorskip("onnx", reason="onnx is not installed (pip install vaak[dev])")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
INDIC = {"as", "bn", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from tests.score.small_conformer import make_conformer

    return make_conformer(tmp_path_factory.mktemp("models") / "small-conformer")


@pytest.fixture
def copy(model, tmp_path):
    return Path(shutil.copytree(model, tmp_path / "copy"))


def voice(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A buzz whose pitch wanders: energy like speech, and features that change."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.3 * t + seed)) / rate
    overtones = np.stack([np.sin(2 * np.pi * n * pitch) / n for n in range(1, 20)])
    return (0.1 * overtones.sum(0)).astype(np.float32)


def plain_text(folder: Path, wave: np.ndarray, code: str) -> str:
    """The published decoding: run both graphs, take the language's classes, arg max, one of equal neighbours, no blank."""
    import onnxruntime

    def run(name: str, **inputs: np.ndarray) -> list:
        return list(onnxruntime.InferenceSession(str(folder / "assets" / name)).run(None, inputs))

    features = nemo_mel(wave)[None]
    encoded, lengths = run("encoder.onnx", audio_signal=features, length=np.array([features.shape[2]]))
    assert lengths[0] == encoded.shape[2]
    (scores,) = run("ctc_decoder.onnx", encoder_output=encoded)
    vocab, masks = (json.loads((folder / "assets" / f"{n}.json").read_text()) for n in ("vocab", "language_masks"))
    indices = scores[0][:, masks[code]].argmax(-1)
    return "".join(vocab[code][i] for i, _ in groupby(indices) if i != 256).replace("▁", " ").strip()


def test_it_is_recognised_by_its_files_and_offers_the_languages_it_covers(model):
    asr = open_asr(model)
    assert isinstance(asr, ConformerAsr)
    assert asr.languages == INDIC
    assert asr.name == "small-conformer-ctc-greedy" and len(asr.hash) == 64


@pytest.mark.parametrize("code", ["hi", "ta", "or"])
def test_its_text_is_that_of_the_published_decoding(model, code):
    wave = voice(3.2)
    heard = open_asr(model).transcribe(wave, RATE, code)
    assert heard == plain_text(model, wave, code)
    assert len(heard.split()) > 3 and all(word.startswith(code) for word in heard.split())


def test_the_language_alone_changes_the_script(model):
    asr, wave = open_asr(model), voice(2)
    assert (
        asr.transcribe(wave, RATE, "hin_Deva") == asr.transcribe(wave, RATE, "hi") != asr.transcribe(wave, RATE, "mr")
    )


def test_another_sample_rate_gives_much_the_same_text(model):
    asr = open_asr(model)
    at_16, at_48 = (asr.transcribe(voice(3, rate), rate, "hi").split() for rate in (RATE, 48000))
    assert abs(len(at_16) - len(at_48)) <= 2 and len(set(at_16) & set(at_48)) > len(set(at_16)) / 2


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(3 * RATE), np.full(RATE, np.nan), np.ones(3) * 0.1])
def test_silence_is_nothing_and_the_network_is_not_asked(model, monkeypatch, wave):
    asr = open_asr(model)
    monkeypatch.setattr(asr, "_encoder", None)
    assert asr.transcribe(wave.astype(np.float32), RATE, "hi") == ""


def test_long_audio_is_heard_in_windows(model):
    wave = voice(61)
    wave[24 * RATE : 25 * RATE] = 0
    pieces = windows(wave, RATE, 28)
    assert len(pieces) == 3
    assert open_asr(model).transcribe(wave, RATE, "te") == " ".join(plain_text(model, one, "te") for one in pieces)


def test_a_language_that_it_does_not_offer_is_refused(model):
    asr = open_asr(model)
    for tag in ("en", "xx"):
        with pytest.raises(BadInput, match=r"has no en; it offers as, bn|unknown"):
            asr.transcribe(voice(1), RATE, tag)


def test_the_hash_is_over_all_that_is_read_and_over_nothing_else(model, copy):
    asr = open_asr(model)
    assert open_asr(copy).hash == asr.hash
    (copy / "assets" / "preprocessor.ts").write_bytes(b"another")
    (copy / "assets" / "joint_enc.onnx").write_bytes(b"another")
    (copy / "model_onnx.py").unlink()
    assert open_asr(copy).hash == asr.hash
    weights = copy / "assets" / "layers.0.weight"
    content = np.frombuffer(weights.read_bytes(), np.float32).copy()
    content[0] += 1
    weights.write_bytes(content.tobytes())
    assert open_asr(copy).hash != asr.hash


def test_a_folder_of_links_as_in_the_hubs_cache_is_opened(model, copy, tmp_path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for path in (copy / "assets").iterdir():
        path.rename(blobs / path.name)
        path.symlink_to(os.path.relpath(blobs / path.name, path.parent))
    assert open_asr(copy).hash == open_asr(model).hash


@pytest.mark.parametrize(
    "name", ["config.json", "assets/ctc_decoder.onnx", "assets/vocab.json", "assets/language_masks.json"]
)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(
        BadInput, match=f"{name} is missing.*ai4bharat/indic-conformer-600m-multilingual at revision e9b"
    ):
        open_asr(copy)


def test_missing_weights_of_the_encoder_are_said(copy):
    (copy / "assets" / "layers.0.weight").unlink()
    with pytest.raises(BadInput, match=r"encoder\.onnx or the weights beside it cannot be opened"):
        open_asr(copy)


@pytest.mark.parametrize("name", ["encoder.onnx", "ctc_decoder.onnx"])
def test_a_damaged_network_is_said(copy, name):
    (copy / "assets" / name).write_bytes(b"\x08no protocol buffer")
    with pytest.raises(BadInput, match=f"{name} or the weights beside it cannot be opened"):
        open_asr(copy)


def test_a_network_with_other_inputs_is_refused(copy):
    shutil.copy(copy / "assets" / "ctc_decoder.onnx", copy / "assets" / "encoder.onnx")
    with pytest.raises(BadInput, match="takes encoder_output and gives logprobs, not audio_signal, length and outputs"):
        open_asr(copy)


def changed(folder: Path, name: str, change) -> None:
    content = json.loads((folder / "assets" / name).read_text(encoding="utf-8"))
    change(content)
    (folder / "assets" / name).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("language_masks.json", lambda masks: [mask.append(True) for mask in masks.values()], "language as"),
        ("language_masks.json", lambda masks: masks["ta"].__setitem__(0, True), "language ta, does not pick 256"),
        ("language_masks.json", lambda masks: [m.insert(0, False) for m in masks.values()], "gives 5633 classes"),
        ("vocab.json", lambda vocab: vocab["kn"].__delitem__(slice(200, None)), "language kn, is no list of 256"),
        ("vocab.json", lambda vocab: [vocab.pop(code) for code in INDIC], "has none of en, hi"),
    ],
)
def test_tables_that_do_not_fit_are_refused(copy, name, change, said):
    changed(copy, name, change)
    with pytest.raises(BadInput, match=said):
        open_asr(copy)


def test_a_config_without_the_blank_is_refused(copy):
    (copy / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"config\.json has no whole number as BLANK_ID"):
        open_asr(copy)


@pytest.mark.parametrize("content", ["[1, 2]", "{", ""])
def test_tables_that_are_no_tables_are_refused(copy, content):
    (copy / "assets" / "vocab.json").write_text(content)
    with pytest.raises(BadInput, match=r"vocab\.json"):
        open_asr(copy)


@given(
    scores=st.integers(1, 6).flatmap(
        lambda classes: arrays(
            np.float32, st.tuples(st.integers(0, 30), st.just(classes)), elements=st.floats(-3, 3, width=16)
        )
    )
)
def test_greedy_text_is_the_definition(scores):
    blank = scores.shape[1] - 1
    pieces = [chr(ord("a") + i) for i in range(blank)]
    path = [max(range(blank + 1), key=lambda i: (row[i], -i)) for row in scores]
    assert greedy_text(scores, pieces) == "".join(pieces[i] for i, _ in groupby(path) if i != blank)


def test_greedy_text_keeps_a_letter_that_a_blank_parts_and_begins_words():
    path = [0, 0, 3, 0, 1, 1, 3, 2, 0]
    assert greedy_text(np.eye(4, dtype=np.float32)[path], ["▁म", "ा", "▁न"]) == "म मा न म"
