"""The quantiser's arithmetic, the filters, and the overlap-add that puts frames together."""

import numpy as np
import torch

from vaak.codec.network import FFT, CodecNetwork, Filters, Quantiser, mel_filters, render
from vaak.codec.settings import NetworkSettings


def test_every_code_is_the_code_of_its_own_values():
    for levels in ((8, 8, 8, 8), (4,) * 5, (7, 5, 5, 5)):
        quantiser = Quantiser(levels)
        codes = torch.arange(int(np.prod(levels)))
        values = quantiser.values(codes)
        assert values.abs().max() <= 1
        z = torch.atanh((values * (torch.tensor(levels) // 2) + quantiser.offset) / quantiser.span) - quantiser.shift
        assert torch.equal(quantiser.codes(z), codes)
        assert torch.allclose(quantiser(z), values, atol=1e-5)


def test_rounding_lets_the_gradient_through():
    z = torch.zeros(1, 3, 4, requires_grad=True)
    Quantiser((8, 8, 8, 8))(z).sum().backward()
    assert z.grad is not None and (z.grad > 0).all()


def test_every_mel_band_hears_something():
    for fft, bands in ((640, 96), (256, 40), (1024, 100)):
        filters = mel_filters(fft, bands)
        assert torch.allclose(filters.sum(1), torch.ones(bands), atol=1e-5) and (filters >= 0).all()


def test_filters_of_one_give_the_sources_back():
    frames = 12
    ones = torch.ones(1, frames, FFT // 2 + 1)
    filters = Filters(ones.to(torch.complex64), ones * 0, ones[..., 0], ones[..., 0])
    pulses = torch.randn(1, frames * 160 + 480)
    wave = render(filters, pulses, torch.randn_like(pulses), torch.hann_window(FFT))
    # The outermost frames miss the neighbours that would complete the sum.
    assert torch.allclose(wave[:, 320:-320], pulses[:, 240:-240][:, 320:-320], atol=1e-4)


def test_shapes_from_wave_to_filters():
    network = CodecNetwork(
        NetworkSettings(
            levels=(4, 4),
            encoder_width=16,
            encoder_blocks=1,
            decoder_width=16,
            decoder_blocks=1,
            fine_width=16,
            fine_blocks=1,
        )
    )
    numbers = network.encoder(torch.zeros(2, 320 * 7))
    assert numbers.shape == (2, 7, 2)
    filters = network.decoder.heads(network.decoder.hidden(network.quantiser(numbers)))
    assert filters.pulse.shape == filters.noise.shape == (2, 14, 321) and filters.octave.shape == (2, 14)
