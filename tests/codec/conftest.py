"""A codec with few, untrained weights: what holds for it holds for the shape of any codec."""

import numpy as np
import pytest
import torch

from vaak.codec import open_codec
from vaak.codec.network import CodecNetwork
from vaak.codec.settings import NetworkSettings
from vaak.codec.train import save_codec


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory):
    torch.manual_seed(0)
    network = CodecNetwork(
        NetworkSettings(
            levels=(8, 8, 8),
            encoder_width=24,
            encoder_blocks=4,
            decoder_width=24,
            decoder_blocks=5,
            fine_width=24,
            fine_blocks=2,
        )
    )
    with torch.no_grad():
        network.encoder.outlet.weight.mul_(5)
    folder = tmp_path_factory.mktemp("small-codec")
    save_codec(network, folder, {"trained_steps": 0})
    return folder


@pytest.fixture(scope="session", params=["untrained", "embedded"])
def codec(request, small_folder):
    return open_codec("embedded" if request.param == "embedded" else small_folder)


@pytest.fixture(scope="session")
def speechlike():
    """`speechlike(seconds)`: pulses of a moving pitch under two moving resonances, with pauses; float32 at 16 kHz."""
    from vaak.codec.pitch import pulse_train

    def make(seconds: float, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        frames = int(seconds * 100) + 1
        f0 = 140 + 30 * np.sin(np.arange(frames) / 25) + rng.normal(0, 1, frames)
        pulses = pulse_train(f0, np.sin(np.arange(frames) / 17) > -0.5)
        spectrum = np.fft.rfft(pulses)
        hz = np.fft.rfftfreq(len(pulses), 1 / 16000)
        envelope = sum(np.exp(-(((hz - centre) / 250) ** 2)) for centre in (500, 1500)) + 0.02
        wave = np.fft.irfft(spectrum * envelope, len(pulses))
        return (0.15 * wave[: int(seconds * 16000)]).astype(np.float32)

    return make
