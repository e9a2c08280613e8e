"""The WavLM embedder on random weights of the published layout: what it computes, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

from tests.score.small_wavlm import make_wavlm
from vaak.errors import BadInput
from vaak.score.similarity import embed_voice, open_embedder, similarity
from vaak.score.similarity_ge2e import Ge2eEmbedder

RATE = 16000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_wavlm(tmp_path_factory.mktemp("models") / "small-wavlm")


@pytest.fixture
def copy(model, tmp_path):
    return Path(shutil.copytree(model, tmp_path / "copy"))


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def as_transformers_has_it(folder: Path, wave: np.ndarray) -> np.ndarray:
    """The model card's own lines, with the extractor and `from_pretrained` of transformers."""
    hears = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    model = WavLMForXVector.from_pretrained(folder).eval()
    with torch.no_grad():
        embeddings = model(**hears(wave, sampling_rate=RATE, return_tensors="pt")).embeddings
    return torch.nn.functional.normalize(embeddings, dim=-1)[0].numpy()


@pytest.mark.parametrize("seconds", [0.5, 1.03, 4])
def test_embeddings_are_those_of_transformers(model, seconds):
    embedder, wave = open_embedder(model), voice(seconds)
    found = embed_voice(wave, RATE, embedder)
    assert found is not None and found.shape == (24,) and found.dtype == np.float32
    np.testing.assert_allclose(found, as_transformers_has_it(model, wave), atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


def test_weights_with_the_older_names_are_the_same_network(model, copy):
    tensors = load_file(copy / "model.safetensors")
    old = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in tensors.items()
    }
    assert old.keys() != tensors.keys()
    save_file(old, copy / "model.safetensors")
    wave = voice(1)
    assert np.array_equal(open_embedder(copy).embed(wave), open_embedder(model).embed(wave))


def test_the_environment_names_it_and_the_default_is_ge2e(model, monkeypatch):
    monkeypatch.setenv("VAAK_SPEAKER", str(model))
    assert open_embedder().name == "small-wavlm"
    assert (embed_voice(voice(1), RATE) == embed_voice(voice(1), RATE, open_embedder(model))).all()
    monkeypatch.delenv("VAAK_SPEAKER")
    assert isinstance(open_embedder(), Ge2eEmbedder) and open_embedder() is open_embedder()


def test_silence_and_clips_below_a_tenth_of_a_second_have_no_voice(model):
    embedder = open_embedder(model)
    for wave in (np.zeros(RATE, np.float32), np.zeros(0, np.float32), voice(0.09)):
        assert embed_voice(wave, RATE, embedder) is None


def test_a_short_clip_is_repeated_and_a_long_one_heard_in_its_beginning(model):
    embedder, short, long = open_embedder(model), voice(0.2), voice(22)
    assert (embedder.embed(short) == embedder.embed(np.tile(short, 3)[: RATE // 2])).all()
    assert (embedder.embed(long) == embedder.embed(long[: 20 * RATE])).all()


def test_voices_that_point_away_from_each_other_are_as_strange_as_silence():
    here = np.array([1, 0], np.float32)
    assert similarity(here, -here) == similarity(here, None) == similarity(None, None) == 0.0
    assert similarity(here, here) == 1.0


def test_the_hash_is_over_weights_and_settings(model, copy):
    assert open_embedder(copy).hash == open_embedder(model).hash
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        other = Path(shutil.copytree(model, copy.parent / f"other-{name}"))
        if name == "model.safetensors":
            tensors = load_file(other / name)
            tensors["layer_weights"][0] += 1
            save_file(tensors, other / name)
        else:
            (other / name).write_text((other / name).read_text() + " ")
        assert open_embedder(other).hash != open_embedder(model).hash


def test_pickled_weights_are_refused_with_the_remedy(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(BadInput, match=r"as a pickle, which can run code and is not opened; convert .* docs/score\.md"):
        open_embedder(copy)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BadInput, match=f"{name} is missing"):
        open_embedder(copy)


def test_a_tensor_that_is_missing_or_of_another_shape_is_an_error(copy):
    whole = load_file(copy / "model.safetensors")
    for damaged in (
        {name: tensor for name, tensor in whole.items() if name != "projector.weight"},
        whole | {"projector.weight": torch.zeros(3, 3)},
    ):
        save_file(damaged, copy / "model.safetensors")
        with pytest.raises(BadInput, match=r"model\.safetensors does not fit its config\.json.*projector\.weight"):
            open_embedder(copy)
    (copy / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadInput, match=r"model\.safetensors does not fit"):
        open_embedder(copy)


@pytest.mark.parametrize(
    "name, changes, said",
    [
        ("config.json", {"architectures": ["WavLMModel"]}, "another architecture"),
        ("preprocessor_config.json", {"sampling_rate": 8000}, "is not for 16000 Hz"),
    ],
)
def test_another_kind_of_model_is_refused(copy, name, changes, said):
    (copy / name).write_text(json.dumps(json.loads((copy / name).read_text()) | changes))
    with pytest.raises(BadInput, match=said):
        open_embedder(copy)
