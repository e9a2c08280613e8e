"""What a codec in training makes of audio that it never trains on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vaak.codec.audio import read_audio
from vaak.codec.codebook import codebook_use
from vaak.codec.losses import SpectralLoss
from vaak.codec.network import RATE, SAMPLES_PER_CODE, CodecNetwork
from vaak.codec.neural import NeuralCodec
from vaak.codec.prior import Prior

# Of each file so many seconds, of a long list so many files, evenly: a measurement takes seconds.
_SECONDS, _FILES = 6, 48
# Samples that the longest window of the losses needs, and more.
_SHORTEST = 3200
# A quarter of a frame: audio that begins so much later should get the same codes.
_SHIFT = 40


def read_held_out(paths: Sequence[Path]) -> list[np.ndarray]:
    """The beginnings of some of the files: float32[T] at 16 kHz, T a multiple of 320."""
    some = np.unique(np.linspace(0, len(paths) - 1, min(_FILES, len(paths))).round().astype(int)) if paths else []
    waves = [read_audio(paths[n])[: _SECONDS * RATE] for n in some]
    return [np.pad(wave, (0, max(_SHORTEST - len(wave), -len(wave) % SAMPLES_PER_CODE))) for wave in waves]


@torch.inference_mode()
def measure(network: CodecNetwork, prior: Prior, waves: Sequence[np.ndarray]) -> dict[str, float]:
    """Means over the waves. `mel`, `linear`: as in training; `steady`: share of codes that stay when the audio comes 2.5 ms later;
    `cost`: nats a code by the prior; `entropy`: of the codes, in bits; `used`: share of the codebook that occurs."""
    network, prior = copy.deepcopy(network).cpu(), copy.deepcopy(prior).cpu()
    codec, spectral = NeuralCodec(network, "held-out", ""), SpectralLoss()
    sums = {"mel": 0.0, "linear": 0.0, "steady": 0.0, "cost": 0.0}
    codes_of: list[np.ndarray] = []
    for wave in waves:
        codes = codec.encode(wave)
        codes_of.append(codes)
        decoded = torch.from_numpy(codec.decode(codes))[None]
        mel, linear = spectral(decoded, torch.from_numpy(wave)[None])
        later = codec.encode(np.pad(wave, (_SHIFT, 0))[: len(wave)])
        bounded = network.quantiser.bound(network.encoder(torch.from_numpy(wave)[None]))
        found = {"mel": mel, "linear": linear, "steady": float((later == codes).mean()), "cost": prior(bounded)}
        for name, value in found.items():
            sums[name] += float(value)
    use = codebook_use(codes_of, codec.codebook_size)
    means = {name: value / len(waves) for name, value in sums.items()} | {"entropy": use.entropy, "used": use.share}
    return {f"held_out/{name}": value for name, value in means.items()}
