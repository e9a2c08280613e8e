"""xcodec2 and NeuCodec: lengths, batches, waves of other rates, and folders that are not whole."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tests.codec.small_xcodec2 import save_small
from vaak.codec import code_levels, open_codec, read_audio
from vaak.codec.fbank import log_mel, stacked_features
from vaak.errors import BadInput


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("codecs")
    return {kind: save_small(kind, root / kind) for kind in ("xcodec2", "neucodec")}


@pytest.fixture(scope="module", params=["xcodec2", "neucodec"])
def codec(request, folders):
    return open_codec(folders[request.param])


@pytest.fixture(scope="module")
def noise():
    """`noise(n)`: n samples of noise whose level and colour move, so that frames get different codes."""

    def make(n: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        white = rng.standard_normal(n + 8)
        coloured = white[8:] + 0.9 * np.sin(np.arange(n) / 3000) * white[:-8]
        return (0.1 * (1.2 + np.sin(np.arange(n) / 5000)) * coloured).astype(np.float32)

    return make


def test_what_it_says_of_itself(codec, folders):
    kind = codec.name
    assert (codec.sample_rate, codec.tokens_per_second, codec.codebook_size) == (16000, 50, 65536)
    assert codec.output_rate == {"xcodec2": 16000, "neucodec": 24000}[kind]
    assert code_levels(folders[kind]) == (4,) * 8
    config, weights = (folders[kind] / name for name in ("config.json", "model.safetensors"))
    parts = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in (config, weights))
    assert codec.hash == hashlib.sha256(parts).hexdigest()


@pytest.mark.parametrize("seconds", [1, 2, 7])
def test_fifty_codes_a_second_exactly(codec, noise, seconds):
    assert len(codec.encode(noise(16000 * seconds))) == 50 * seconds


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 639, 640, 641, 48000, 48001, 48319])
def test_a_started_frame_counts_and_none_is_added(codec, noise, samples):
    codes = codec.encode(noise(samples))
    assert codes.dtype == np.uint16
    assert len(codes) == -(-samples // 320)
    assert len(codec.decode(codes)) == len(codes) * codec.output_rate // 50


@pytest.mark.parametrize(("kind", "side", "given"), [("xcodec2", 160, 151), ("neucodec", 0, 150)])
def test_the_codes_are_those_of_the_public_recipe_without_its_extra_frame(folders, noise, kind, side, given):
    """By hand: one sample more, then a whole frame. xcodec2 gives 151 codes for 3 s; NeuCodec's filter bank ends a frame
    early and so cuts them to 150."""
    import transformers

    model_class = {"xcodec2": transformers.Xcodec2Model, "neucodec": transformers.NeuCodecModel}[kind]
    wave = torch.from_numpy(noise(48000))
    model = model_class.from_pretrained(folders[kind]).eval()
    padded = torch.nn.functional.pad(wave, (0, 320))
    features = stacked_features(torch.nn.functional.pad(padded, (side, side)))[None]
    mask = torch.ones(1, 48001)
    with torch.inference_mode():
        found: Any = model.encode(padded[None, None], features, mask, torch.ones(features.shape[:2]))
    assert found.audio_codes.shape[-1] == given
    if kind == "xcodec2":  # NeuCodec's own mask counts at the rate of its output and masks nothing
        assert int(found.audio_codes_mask.sum()) == 150
    assert open_codec(folders[kind]).encode(wave.numpy()).tolist() == found.audio_codes[0, 0, :150].tolist()


def test_codes_differ_from_frame_to_frame(codec, noise):
    assert len(set(codec.encode(noise(48000)).tolist())) > 20


def test_a_waves_codes_do_not_depend_on_its_batch(codec, noise):
    """Sixteen waves, seven of one length: in one batch they get the codes that each gets alone."""
    waves = [noise(32000, seed) for seed in range(7)] + [noise(9000 + 1777 * i, i) for i in range(9)]
    together = codec.encode_batch(waves)
    alone = [codec.encode(wave) for wave in waves]
    equal = sum(int((one == other).sum()) for one, other in zip(together, alone, strict=True))
    assert equal / sum(map(len, alone)) >= 0.999
    waves_back = codec.decode_batch(together)
    for codes, wave in zip(together, waves_back, strict=True):
        assert np.abs(wave - codec.decode(codes)).max() < 1e-3


@pytest.mark.slow
def test_a_long_wave_is_coded_in_windows_that_hear_beyond_their_ends(codec, noise):
    wave = noise(70 * 16000 + 5)
    codes = codec.encode(wave)
    assert len(codes) == 3501
    assert len(codec.decode(codes)) == 3501 * codec.output_rate // 50
    first = codec.encode(wave[: 32 * 16000])[:1500]
    assert (codes[:1500] == first).mean() >= 0.999


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
def test_other_rates_are_brought_to_sixteen_kilohertz(codec, tmp_path, rate):
    time = np.arange(2 * rate) / rate
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * time), rate)
    wave = read_audio(tmp_path / "tone.wav", codec.sample_rate)
    assert len(wave) == 32000
    spectrum = np.abs(np.fft.rfft(wave))
    assert np.argmax(spectrum) / 2 == pytest.approx(440, abs=1)  # half a hertz a bin
    assert len(codec.encode(wave)) == 100


def test_it_is_opened_again_in_another_process(codec):
    sent = pickle.dumps(codec)
    assert len(sent) < 1000 and pickle.loads(sent).hash == codec.hash


def test_filter_banks_are_kaldis(noise):
    """Against transformers' numpy spectrogram, which its own tests hold against torchaudio's Kaldi port."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    wave = noise(16000)
    filters = mel_filter_bank(257, 80, 20, 8000, 16000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    expected = spectrogram(
        wave.astype(np.float64) * 2**15,
        window_function(400, "povey", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    ).T
    found = log_mel(torch.from_numpy(wave)).numpy()
    assert found.shape == expected.shape == (98, 80)
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_wave_that_is_not_finite_is_refused(codec, value):
    wave = np.full(1000, value, np.float32)
    with pytest.raises(BadInput, match="NaN or infinity"):
        codec.encode(wave)


@pytest.mark.parametrize("codes", [np.array([65536]), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int)])
def test_codes_that_are_none_are_refused(codec, codes):
    with pytest.raises(BadInput, match="codes"):
        codec.decode(codes)


def test_nothing_decodes_to_nothing(codec):
    assert codec.decode(np.zeros(0, np.uint16)).shape == (0,)


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def lose_a_weight(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["quantizer.project_in.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def cut_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def only_pickled_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_a_weight, "lacks 1 weights, such as quantizer.project_in.weight"),
        (cut_weights, "cannot be opened"),
        (only_pickled_weights, "no .safetensors"),
        (lambda folder: change_config(folder, encoder_hidden_size=8), "cannot be opened|lacks"),
        (lambda folder: change_config(folder, sampling_rate=24000), "24000 Hz"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folders, tmp_path, damage, message):
    folder = shutil.copytree(folders["xcodec2"], tmp_path / "damaged")
    damage(folder)
    with pytest.raises(BadInput, match=message):
        open_codec(folder)


@pytest.mark.slow
def test_a_hub_name_is_read_from_the_hubs_cache(folders, tmp_path):
    """A cache as the Hub's client lays it out, and no network: by name, by id, and an id that is not in it."""
    revision = "0" * 40
    repository = tmp_path / "hub" / "models--HKUSTAudio--xcodec2-hf"
    shutil.copytree(folders["xcodec2"], repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    script = """if True:
        from vaak.codec import open_codec
        from vaak.errors import BadInput
        print(open_codec("xcodec2").hash, open_codec("HKUSTAudio/xcodec2-hf").name)
        try:
            open_codec("neucodec")
        except BadInput as error:
            print(error)
    """
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"{open_codec(folders['xcodec2']).hash} HKUSTAudio/xcodec2-hf"
    assert second.startswith("codec 'neuphonic/neucodec'") and "download it and name its folder" in second
