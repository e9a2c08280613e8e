"""The embedded codec's network: log-mel encoder, finite scalar quantiser, harmonic-plus-noise decoder.

Everything runs at 50 or 100 frames a second. The decoder does not draw a wave sample by sample: it predicts a pitch, and
for every frame one filter for a pulse train of that pitch and one for white noise, which is how speech is made.
Quantiser: Mentzer et al., 2023 (finite scalar quantisation); blocks: Liu et al., 2022 (ConvNeXt).
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaak.codec.settings import NetworkSettings

RATE = 16000
HOP = 160
SAMPLES_PER_CODE = 320
FFT = 640
MELS = 96
BINS = FFT // 2 + 1
_SIDE = (FFT - HOP) // 2


@dataclass(frozen=True)
class Filters:
    """What the decoder predicts for F frames at 100 Hz: complex `pulse` and real `noise` filters [B, F, 321],
    `octave` (log2 of pitch / 100 Hz) and `voicing` (logit), both [B, F]."""

    pulse: Tensor
    noise: Tensor
    octave: Tensor
    voicing: Tensor


def exactly(x: Tensor) -> AbstractContextManager:
    """Where training computes in bf16, this part of it does not: eight bits are too few for a level, a pitch, a loudness."""
    return torch.autocast(x.device.type, enabled=False)


class Block(nn.Module):
    """Depthwise convolution over time, then a two-layer perceptron per frame, added to what came in: [B, T, width]."""

    def __init__(self, width: int, kernel: int = 7) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, (1, kernel), padding=(0, kernel // 2), groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        # [B, C, 1, T] with channels last in memory: the depthwise kernel is four times faster than conv1d's on CPU.
        y = x.transpose(1, 2).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        y = self.mix(y).squeeze(2).transpose(1, 2)
        return x + self.scale * self.narrow(functional.silu(self.widen(self.norm(y))))


class Quantiser(nn.Module):
    """Each of D numbers to one of its levels; the index is their mixed-radix number."""

    span: Tensor
    offset: Tensor
    shift: Tensor
    basis: Tensor
    radius: Tensor
    counts: Tensor

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        sizes = torch.tensor(levels, dtype=torch.float32)
        half = (sizes - 1) * 1.001 / 2
        offset = torch.where(sizes % 2 == 0, 0.5, 0.0)
        basis = torch.tensor([math.prod(levels[:i]) for i in range(len(levels))])
        shift, counts = (offset / half).atanh(), torch.tensor(levels)
        named = {
            "span": half,
            "offset": offset,
            "shift": shift,
            "basis": basis,
            "counts": counts,
            "radius": counts // 2,
        }
        for name, value in named.items():
            self.register_buffer(name, value, persistent=False)
        self.levels = levels

    def bound(self, z: Tensor) -> Tensor:
        return torch.tanh(z + self.shift) * self.span - self.offset

    def forward(self, z: Tensor) -> Tensor:
        """[..., D] to the nearest levels in [-1, 1]; gradients pass as if nothing was rounded."""
        bounded = self.bound(z)
        return (bounded + (bounded.round() - bounded).detach()) / self.radius

    def codes(self, z: Tensor) -> Tensor:
        """[..., D] to int64 codes [...]."""
        return ((self.bound(z).round().long() + self.radius) * self.basis).sum(-1)

    def values(self, codes: Tensor) -> Tensor:
        """int64 codes [...] to what `forward` gave: [..., D]."""
        digits = (codes.unsqueeze(-1) // self.basis) % self.counts
        return (digits - self.radius).float() / self.radius


class Encoder(nn.Module):
    """Waves [B, 320 N] to the numbers that are quantised, [B, N, D]. A code hears 0.2 s to each side."""

    mel: Tensor
    window: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        width = settings.encoder_width
        self.register_buffer("mel", mel_filters(FFT, MELS), persistent=False)
        self.register_buffer("window", torch.hann_window(FFT), persistent=False)
        self.inlet = nn.Linear(2 * MELS, width)
        self.blocks = nn.Sequential(*[Block(width, 5) for _ in range(settings.encoder_blocks)])
        self.norm = nn.LayerNorm(width)
        self.outlet = nn.Linear(width, len(settings.levels))

    def forward(self, wave: Tensor) -> Tensor:
        spectrum = torch.stft(
            functional.pad(wave, (_SIDE, _SIDE)), FFT, HOP, window=self.window, center=False, return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        with exactly(wave):
            mel = (power.transpose(1, 2) @ self.mel.T + 1e-5).log() * 0.25 + 0.5  # about -2.4 (silence) to 2
        pairs = mel.reshape(mel.shape[0], -1, 2 * MELS)
        hidden = self.norm(self.blocks(self.inlet(pairs))).float()
        with exactly(wave):
            return self.outlet(hidden)


class Decoder(nn.Module):
    """Quantised numbers [B, N, D] to the `Filters` of 2 N frames."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        coarse, fine = settings.decoder_width, settings.fine_width
        self.inlet = nn.Linear(len(settings.levels), coarse)
        self.coarse = nn.Sequential(*[Block(coarse) for _ in range(settings.decoder_blocks)])
        self.split = nn.Linear(coarse, 2 * fine)
        self.fine = nn.Sequential(*[Block(fine) for _ in range(settings.fine_blocks)])
        self.norm = nn.LayerNorm(fine)
        self.tone = nn.Linear(fine, 2)
        self.filters = nn.Linear(fine, 3 * BINS)
        with torch.no_grad():
            self.filters.weight.mul_(0.3)
            self.filters.bias[: 2 * BINS] = -4.0  # start near the level of quiet speech
            self.filters.bias[2 * BINS :] = 0.0

    def hidden(self, values: Tensor) -> Tensor:
        """[B, N, D] to [B, 2 N, fine_width]: the part with memory; the heads work frame by frame."""
        coarse = self.split(self.coarse(self.inlet(values)))
        fine = coarse.reshape(coarse.shape[0], 2 * coarse.shape[1], -1)
        return self.norm(self.fine(fine))

    def tones(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(octave, voicing), each [B, F]."""
        with exactly(hidden):
            octave, voicing = self.tone(hidden.float()).unbind(-1)
        return octave, voicing

    def heads(self, hidden: Tensor) -> Filters:
        pulse, noise, phase = self.filters(hidden).float().split(BINS, dim=-1)
        octave, voicing = self.tones(hidden)
        magnitude = pulse.clamp(-14.0, 3.0).exp()
        return Filters(torch.polar(magnitude, phase), noise.clamp(-14.0, 3.0).exp(), octave, voicing)


class CodecNetwork(nn.Module):
    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.quantiser = Quantiser(settings.levels)
        self.decoder = Decoder(settings)


def render(filters: Filters, pulses: Tensor, noise: Tensor, window: Tensor) -> Tensor:
    """Filters [B, F] applied to pulse train and noise, waves [B, 160 F + 480] (240 samples of context at each side).

    Returns waves [B, 160 F]: each frame filtered in its spectrum, overlapped and added under a squared Hann window.
    """
    sources = torch.stft(
        torch.cat([pulses, noise]), FFT, HOP, window=window, center=False, return_complex=True
    ).transpose(1, 2)
    voiced, breath = sources.chunk(2)
    frames = torch.fft.irfft(filters.pulse * voiced + filters.noise * breath, n=FFT) * window
    return overlap_add(frames, window)


def overlap_add(frames: Tensor, window: Tensor) -> Tensor:
    """Windowed frames [B, F, 640], 160 apart, to waves [B, 160 F] without the 240 samples that lie outside."""
    parts = FFT // HOP
    batch, n_frames, _ = frames.shape
    quarters = frames.reshape(batch, n_frames, parts, HOP)
    total = torch.stack([functional.pad(quarters[:, :, i], (0, 0, i, parts - 1 - i)) for i in range(parts)]).sum(0)
    # Four squared Hann windows at a quarter's distance add up to 3/2 everywhere (only the outermost frames lack some).
    return total.reshape(batch, -1)[:, _SIDE:-_SIDE] / 1.5


def mel_filters(fft: int, bands: int, low: float = 40.0, high: float = 8000.0) -> Tensor:
    """Triangles that are even on the mel scale (2595 log10(1 + f / 700)), each summing to 1: float32[bands, fft/2+1]."""

    def to_mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    mels = torch.linspace(to_mel(low), to_mel(high), bands + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = torch.linspace(0, RATE / 2, fft // 2 + 1, dtype=torch.float64)
    # No triangle narrower than a bin: a low band would fall between two bins and hear nothing.
    width = torch.diff(edges).clamp(min=RATE / fft)
    rising = (bins - (edges[1:-1] - width[:-1])[:, None]) / width[:-1, None]
    falling = ((edges[1:-1] + width[1:])[:, None] - bins) / width[1:, None]
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles / triangles.sum(1, keepdim=True)).float()
