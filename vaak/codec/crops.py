"""Random batches of crops of the prepared audio: which, how loud, how noisy; cut on the CPU, or on a GPU that holds all of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaak.codec.material import Material
from vaak.codec.pitch import HOP
from vaak.codec.settings import Variation

_SIDE = 240  # samples of context that `render` wants at each side of a crop
_GRID = 40  # samples: where a crop may begin
# Of a GPU's free memory, what the audio may take. An hour takes 232 MB.
_SHARE_OF_MEMORY = 0.4


@dataclass(frozen=True)
class Crops:
    """`heard` [B, T] goes into the encoder (light noise in some), `target` [B, T] should come out; `pulses` and `noise`
    [B, T + 480] excite the decoder; `f0`, `voiced` [B, T / 160]. All float32."""

    heard: Tensor
    target: Tensor
    pulses: Tensor
    noise: Tensor
    f0: Tensor
    voiced: Tensor

    def to(self, device: torch.device) -> Crops:
        return Crops(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


@dataclass(frozen=True)
class Choice:
    """What chance decides about a batch: where each crop starts (samples), its `gain`, and the noise in what is heard: its
    `level` relative to the crop's own (0: none) and how much of it is low-passed (`dull`, 0 to 1). All [B]."""

    starts: np.ndarray
    gain: np.ndarray
    level: np.ndarray
    dull: np.ndarray


def choose(
    material: Material, rng: np.random.Generator, batch: int, samples: int, variation: Variation | None = None
) -> Choice:
    """Crops for a batch, every second of audio equally likely, started anywhere on a grid of 2.5 ms."""
    variation = variation or Variation()
    files = rng.choice(len(material.starts), size=batch, p=material.lengths / material.lengths.sum())
    room = (material.lengths[files] - samples) // _GRID + 1
    starts = material.starts[files] + rng.integers(0, room) * _GRID
    louder = 10 ** (rng.uniform(*variation.level_db, batch) / 20)
    gain = np.where(rng.random(batch) < variation.level_share, louder, 1.0)
    below = 10 ** (-rng.uniform(*variation.noise_db, batch) / 20)
    level = np.where(rng.random(batch) < variation.noise_share, below, 0.0)
    dull = rng.uniform(0, 1, batch)
    return Choice(starts, *(values.astype(np.float32) for values in (gain, level, dull)))


class Cutter:
    """Cuts batches out of the audio, the batch of a step being a function of seed and step.

    On a GPU with room for it all of the audio lies in the GPU's memory and is cut there, beside the training.
    """

    def __init__(self, material: Material, seed: int, variation: Variation, device: torch.device) -> None:
        self.material, self.seed, self.variation = material, seed, variation
        arrays = {name: getattr(material, name) for name in ("wave", "pulses", "f0", "voiced")}
        bytes_ = sum(array.nbytes for array in arrays.values())
        at_hand = device.type == "cuda" and bytes_ < _SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]
        self.device = device if at_hand else torch.device("cpu")
        # On a CPU nothing is copied: these are the mapped files themselves, which nothing here writes to.
        self.arrays = {name: _as_tensor(array).to(self.device) for name, array in arrays.items()}

    def crops(self, step: int, batch: int, samples: int) -> Crops:
        rng = np.random.default_rng([self.seed, step])
        choice = choose(self.material, rng, batch, samples, self.variation)
        noise = _normal(rng, (2, batch, samples + 2 * _SIDE), self.device)
        return cut(self.arrays, choice, samples, noise)


def cut(arrays: dict[str, Tensor], choice: Choice, samples: int, noise: Tensor) -> Crops:
    """The crops of a choice. `noise` [2, B, T + 480], standard normal: the decoder's, and that of what is heard."""
    device = arrays["wave"].device
    starts = torch.from_numpy(choice.starts).to(device)[:, None]
    gain, level, dull = (
        torch.from_numpy(values).to(device)[:, None] for values in (choice.gain, choice.level, choice.dull)
    )
    target = arrays["wave"][starts + torch.arange(samples, device=device)].float() * gain
    # Of the crop: recordings differ in loudness.
    loudness = target.square().mean(1, keepdim=True).sqrt()
    hiss = noise[1, :, 1 : samples + 1] + dull * noise[1, :, :samples]
    around = starts + torch.arange(-_SIDE, samples + _SIDE, device=device)
    inside = around.clamp(0, len(arrays["pulses"]) - 1)
    pulses = arrays["pulses"][inside].float() * (around == inside)
    # Frame j of the crop is centred at start + 160 j + 80: the nearest tracked frame, at most 5 ms away.
    frames = (starts + HOP // 2) // HOP + torch.arange(samples // HOP, device=device)
    frames = frames.clamp(max=len(arrays["f0"]) - 1)
    f0, voiced = arrays["f0"][frames].float(), arrays["voiced"][frames].float()
    return Crops(target + hiss * level * loudness, target, pulses, noise[0], f0, voiced)


def _as_tensor(array: np.ndarray) -> Tensor:
    """A read-only array as a tensor that shares its memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the array is not writable: it is only read
        return torch.from_numpy(array)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], device: torch.device) -> Tensor:
    if device.type == "cpu":
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    generator = torch.Generator(device).manual_seed(int(rng.integers(1 << 62)))
    return torch.randn(shape, generator=generator, device=device)
