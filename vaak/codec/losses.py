"""What a codec is trained to keep: spectra at several resolutions, pitch, and later a critic's opinion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaak.codec.network import mel_filters

# FFT size, hop, mel bands
RESOLUTIONS = ((256, 96, 40), (512, 192, 80), (1024, 320, 100))
_QUIET = 1e-3  # added to magnitudes before the logarithm: about the level of 16-bit silence with dither


class SpectralLoss(nn.Module):
    """Mean distance of log-mel and log-magnitude spectra over three resolutions (Parallel WaveGAN, Vocos)."""

    def __init__(self) -> None:
        super().__init__()
        for fft, _, bands in RESOLUTIONS:
            self.register_buffer(f"mel{fft}", mel_filters(fft, bands), persistent=False)
            self.register_buffer(f"window{fft}", torch.hann_window(fft), persistent=False)

    def forward(self, wave: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Waves [B, T] to (mel, linear), two scalars."""
        mel_loss, linear_loss = wave.new_zeros(()), wave.new_zeros(())
        for fft, hop, _ in RESOLUTIONS:
            ours, theirs = self._magnitude(wave, fft, hop), self._magnitude(target, fft, hop)
            filters = self.get_buffer(f"mel{fft}").T
            mel_loss = mel_loss + functional.l1_loss(
                ((ours @ filters) + _QUIET).log(), ((theirs @ filters) + _QUIET).log()
            )
            linear_loss = linear_loss + functional.l1_loss((ours + _QUIET * 3).log(), (theirs + _QUIET * 3).log())
        return mel_loss / len(RESOLUTIONS), linear_loss / len(RESOLUTIONS)

    def _magnitude(self, wave: Tensor, fft: int, hop: int) -> Tensor:
        return magnitude(spectrum(wave, fft, hop, self.get_buffer(f"window{fft}")))


def spectrum(wave: Tensor, fft: int, hop: int, window: Tensor) -> Tensor:
    """[B, T] to complex [B, frames, bins]."""
    return torch.stft(wave, fft, hop, window=window, center=False, return_complex=True).transpose(1, 2)


def magnitude(values: Tensor) -> Tensor:
    # The square root of zero has an infinite slope, and digital silence is zero: NaN without the small number.
    return (values.real.square() + values.imag.square() + 1e-8).sqrt()


def tone_loss(octave: Tensor, voicing: Tensor, target_hz: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor]:
    """Pitch distance in octaves over voiced frames, and cross-entropy of voicing; all [B, F]."""
    distance = (octave - (target_hz / 100).log2()).abs() * voiced
    pitch = distance.sum() / voiced.sum().clamp(min=1)
    return pitch, functional.binary_cross_entropy_with_logits(voicing, voiced)


class Critic(nn.Module):
    """Judges spectra at two resolutions by 2-D convolutions over (time, frequency): real speech or decoded?"""

    SCALES = ((512, 192), (1024, 320))

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for fft, _ in self.SCALES:
            self.register_buffer(f"window{fft}", torch.hann_window(fft), persistent=False)
            layers = [nn.Conv2d(3, width, (3, 7), stride=(1, 3), padding=(1, 3))]
            layers += [nn.Conv2d(width, width, (3, 5), stride=(1, 2), padding=(1, 2))]
            layers += [nn.Conv2d(width, 2 * width, (3, 5), stride=(1, 2), padding=(1, 2))]
            layers += [nn.Conv2d(2 * width, 2 * width, (3, 3), padding=(1, 1)), nn.Conv2d(2 * width, 1, (3, 3))]
            self.scales.append(nn.ModuleList(layers))

    def forward(self, wave: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """[B, T] to (verdicts, features of the layers before them)."""
        verdicts, features = [], []
        for (fft, hop), layers in zip(self.SCALES, self.scales, strict=True):
            values = spectrum(wave, fft, hop, self.get_buffer(f"window{fft}"))
            size = magnitude(values)
            compressed = size.pow(-0.7)  # to the power 0.3, phase kept
            x = torch.stack([values.real * compressed, values.imag * compressed, (size + 1e-3).log() * 0.3], dim=1)
            *body, last = layers.children()
            for layer in body:
                x = functional.leaky_relu(layer(x), 0.1)
                features.append(x)
            verdicts.append(last(x))
        return verdicts, features


def critic_loss(real: list[Tensor], decoded: list[Tensor]) -> Tensor:
    """Hinge loss of the critic."""
    losses = [
        functional.relu(1 - r.float()).mean() + functional.relu(1 + d.float()).mean()
        for r, d in zip(real, decoded, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(decoded: list[Tensor]) -> Tensor:
    return torch.stack([functional.relu(1 - d.float()).mean() for d in decoded]).mean()


def feature_loss(real: list[Tensor], decoded: list[Tensor]) -> Tensor:
    """Distance of the critic's features, each relative to the size of the real ones."""
    return torch.stack(
        [
            (r.detach() - d).float().abs().mean() / r.detach().float().abs().mean()
            for r, d in zip(real, decoded, strict=True)
        ]
    ).mean()
