"""The features of a Conformer against NeMo's own calls: `torch.stft` and librosa's mel filters."""

import numpy as np
import pytest
import torch

from vaak.score.nemo_mel import SHORTEST, nemo_mel


def nemo_reference(wave: np.ndarray) -> np.ndarray:
    """`FilterbankFeatures.forward` of NeMo 1.23 in evaluation mode, line by line, for one clip."""
    librosa = pytest.importorskip("librosa", reason="librosa is not installed (resemblyzer brings it)")
    x = torch.from_numpy(wave).double()[None]
    x = torch.cat((x[:, 0].unsqueeze(1), x[:, 1:] - 0.97 * x[:, :-1]), dim=1)
    window = torch.hann_window(400, periodic=False, dtype=torch.float64)
    spectrum = torch.stft(x, n_fft=512, hop_length=160, win_length=400, center=True, window=window, return_complex=True)
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, fmin=0, fmax=8000, norm="slaney", dtype=np.float64)
    x = torch.log(torch.matmul(torch.from_numpy(filters)[None], spectrum.abs().pow(2)) + 2**-24)
    x = (x - x.mean(dim=2, keepdim=True)) / (x.std(dim=2, keepdim=True) + 1e-5)
    return x[0].numpy()


@pytest.mark.parametrize("samples", [SHORTEST, 400, 16000, 16001, 31999])
def test_they_are_those_of_nemo(samples):
    rng = np.random.default_rng(samples)
    wave = (rng.normal(0, 0.05, samples) + 0.3 * np.sin(np.arange(samples) * 0.2)).astype(np.float32)
    features = nemo_mel(wave)
    assert features.shape == (80, samples // 160 + 1) and features.dtype == np.float32
    np.testing.assert_allclose(features, nemo_reference(wave), atol=2e-5)


def test_a_silent_clip_is_zero_in_all_bands():
    np.testing.assert_allclose(nemo_mel(np.zeros(4000, np.float32)), 0, atol=1e-6)
