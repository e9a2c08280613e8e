"""Training a codec: it learns, continues exactly, and refuses what is no audio."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vaak.codec import open_codec, read_audio, write_audio
from vaak.codec.losses import Critic, SpectralLoss
from vaak.codec.material import draw, prepare
from vaak.codec.network import NetworkSettings
from vaak.codec.train import CodecTraining, list_audio, train_codec
from vaak.errors import BadInput

SMALL = NetworkSettings((4, 4, 4), 16, 1, 16, 1, 16, 1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, speechlike):
    folder = tmp_path_factory.mktemp("recordings")
    for number, seconds in enumerate((2.0, 1.1, 0.3)):
        write_audio(folder / f"{number}.wav", speechlike(seconds, number), 16000)
    return folder


def test_an_interrupted_training_ends_where_a_straight_one_does(recordings, tmp_path, one_thread):
    audio = list_audio([str(recordings)])
    how = CodecTraining(steps=4, batch=2, crop=6400, critic_from=0.5)
    straight = train_codec(audio, tmp_path / "a", SMALL, how)
    asked = iter([False, False, True])
    train_codec(audio, tmp_path / "b", SMALL, how, stop=lambda: next(asked))
    assert json.loads((tmp_path / "b" / "state.json").read_text())["step"] == 2
    resumed = train_codec(audio, tmp_path / "b", SMALL, how)
    first, second = (load_file(folder / "model.safetensors") for folder in (straight, resumed))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_it_learns_and_what_it_wrote_can_be_opened(recordings, tmp_path):
    audio = list_audio([str(recordings)])
    wave = read_audio(audio[0])[:32000]

    def distance(folder) -> float:
        codec = open_codec(folder)
        assert codec.codebook_size == 64
        decoded = codec.decode(codec.encode(wave))
        return float(SpectralLoss()(torch.from_numpy(decoded)[None], torch.from_numpy(wave)[None])[0])

    how = CodecTraining(steps=120, batch=2, crop=6400, critic_from=0.8, ema=0.9)
    trained = train_codec(audio, tmp_path / "long", SMALL, how)
    untrained = train_codec(audio, tmp_path / "short", SMALL, CodecTraining(steps=1, batch=2, crop=6400))
    assert distance(trained) < 0.85 * distance(untrained)
    rows = [json.loads(line) for line in (tmp_path / "long" / "metrics.jsonl").read_text().splitlines()]
    assert "critic" not in rows[0] and "critic" in rows[-1]


def test_every_crop_lies_inside_one_file(recordings):
    material = prepare(list_audio([str(recordings)]), seed=0, shortest=6400)
    assert (material.lengths >= 6400).all() and (material.lengths % 320 == 0).all()
    assert len(material.f0) * 160 == len(material.wave) == material.lengths.sum()
    crops = draw(material, np.random.default_rng(0), 16, 6400)
    assert crops.pulses.shape == (16, 6880) and crops.f0.shape == crops.voiced.shape == (16, 40)
    again = draw(material, np.random.default_rng(0), 16, 6400)
    assert np.array_equal(crops.heard, again.heard)


def test_digital_silence_has_finite_gradients():
    wave = torch.zeros(1, 6400, requires_grad=True)
    mel, linear = SpectralLoss()(wave, torch.zeros(1, 6400))
    verdicts, _ = Critic()(wave)
    (mel + linear + sum(verdict.mean() for verdict in verdicts)).backward()
    assert wave.grad is not None and torch.isfinite(wave.grad).all()


def test_a_folder_without_audio_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no audio"):
        list_audio([str(tmp_path)])
    with pytest.raises(BadInput, match="empty"):
        prepare([], 0, 6400)


@pytest.fixture
def one_thread():
    """Sums over two threads may be grouped anew, and Adam enlarges the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_training_begins_with_the_weights_of_another_codec(recordings, tmp_path, one_thread):
    audio = list_audio([str(recordings)])
    how = CodecTraining(steps=1, batch=2, crop=6400, critic_from=1.0)
    first = train_codec(audio, tmp_path / "first", SMALL, CodecTraining(steps=6, batch=2, crop=6400, critic_from=1.0))
    fresh = train_codec(audio, tmp_path / "fresh", SMALL, how)
    second = train_codec(audio, tmp_path / "second", SMALL, how, start_from=first)

    def distance(one, other) -> float:
        left, right = (load_file(folder / "model.safetensors") for folder in (one, other))
        return sum(float((left[key].float() - right[key].float()).abs().sum()) for key in left)

    assert distance(second, first) < 0.1 * distance(fresh, first)
    row = json.loads((tmp_path / "second" / "state.json").read_text())
    assert row["continued"] and row["step"] == 1
