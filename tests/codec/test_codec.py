"""The contract of a codec, on an untrained one and on the embedded one."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaak.codec import open_codec
from vaak.errors import BadInput


@given(samples=st.integers(1, 20000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_code_for_each_20_ms_begun_and_320_samples_for_each_code(codec, samples):
    wave = np.sin(np.arange(samples) / 20).astype(np.float32) * 0.3
    codes = codec.encode(wave)
    assert codes.dtype == np.uint16 and len(codes) == -(-samples // 320)
    assert codes.max() < codec.codebook_size
    decoded = codec.decode(codes)
    assert decoded.dtype == np.float32 and len(decoded) == 320 * len(codes)
    assert np.isfinite(decoded).all() and np.abs(decoded).max() <= 1


def test_a_list_is_encoded_and_decoded_one_by_one(codec, speechlike, monkeypatch):
    """No network here ever sees two waves at once; that codes are a recording's own through `encode_list` is in
    tests/corpus/test_encode_batches.py."""
    seen = []
    for name in ("encoder", "decoder"):
        module = getattr(codec._network, name)
        forward = module.forward if name == "encoder" else module.hidden
        watch = lambda heard, *more, forward=forward: seen.append(heard.shape[0]) or forward(heard, *more)  # noqa: E731
        monkeypatch.setattr(module, "forward" if name == "encoder" else "hidden", watch)
    waves = [speechlike(seconds, seed) for seed, seconds in enumerate((0.7, 0.7, 0.7, 0.3))]
    together = codec.encode_batch(waves)
    assert [len(one) for one in together] == [35, 35, 35, 15] and len(codec.decode_batch(together)) == 4
    assert set(seen) == {1} and len(seen) == 8


def test_codes_hardly_depend_on_the_number_of_threads(codec, speechlike):
    wave = speechlike(6)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = codec.encode(wave)
        torch.set_num_threads(2)
        two = codec.encode(wave)
    finally:
        torch.set_num_threads(threads)
    assert (one != two).mean() <= 0.01


def test_a_long_wave_has_the_codes_of_its_parts_away_from_the_seams(codec, speechlike):
    wave = speechlike(70)  # more than two chunks of 30 s
    codes = codec.encode(wave)
    part = codec.encode(wave[25 * 16000 : 35 * 16000])
    assert len(codes) == 3500 and (codes[1300:1700] != part[50:450]).mean() <= 0.01
    # Each chunk is filtered with its neighbours in view: no click where they meet.
    decoded = codec.decode(codes)
    steps = np.abs(np.diff(decoded))
    assert steps[480000 - 200 : 480000 + 200].max() <= np.quantile(steps, 0.9999) + 0.05


def test_silence_and_full_scale_are_survived(codec):
    for wave in (np.zeros(16000, np.float32), np.ones(16000, np.float32), np.full(4000, 1e-30, np.float32)):
        assert np.isfinite(codec.decode(codec.encode(wave))).all()


def test_decoding_is_repeatable_and_nothing_decodes_to_nothing(codec):
    codes = np.arange(100, dtype=np.uint16)
    assert np.array_equal(codec.decode(codes), codec.decode(codes))
    assert codec.decode(codes[:0]).shape == (0,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_wave_that_is_not_finite_is_refused(codec, value):
    wave = np.zeros(1000, np.float32)
    wave[500] = value
    with pytest.raises(BadInput, match="NaN or infinity"):
        codec.encode(wave)
    with pytest.raises(BadInput, match="no samples"):
        codec.encode(wave[:0])


@pytest.mark.parametrize(
    "codes", [np.array([65535], np.uint16), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int)]
)
def test_codes_that_are_none_are_refused(codec, codes):
    with pytest.raises(BadInput, match="codes"):
        codec.decode(codes)


def test_the_hash_is_that_of_configuration_and_weights(small_folder, tmp_path):
    parts = [(small_folder / name).read_bytes() for name in ("config.json", "model.safetensors")]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    assert open_codec(small_folder).hash == digest
    assert open_codec(shutil.copytree(small_folder, tmp_path / "copy")).hash == digest


def damage_weights(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def damage_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    config["network"]["decoder_width"] += 8
    (folder / "config.json").write_text(json.dumps(config))


def damage_json(folder):
    (folder / "config.json").write_text("{")


def damage_kind(folder):
    (folder / "config.json").write_text('{"kind": "another"}')


def lose_weights(folder):
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("damage", [damage_weights, damage_shape, damage_json, damage_kind, lose_weights])
def test_a_damaged_codec_is_refused(small_folder, tmp_path, damage):
    folder = shutil.copytree(small_folder, tmp_path / "damaged")
    damage(folder)
    with pytest.raises(BadInput, match="damaged"):
        open_codec(folder)


def test_an_unknown_name_is_refused():
    with pytest.raises(BadInput, match="embedded"):
        open_codec("no-such-codec")
