"""A wave in pieces is the wave at once, for the embedded codec; for any other, windows that meet without a click."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speak.tiny_speaker import ToneCodec
from vaak.codec import open_codec
from vaak.codec.network import HOP
from vaak.codec.neural_stream import PulseStream, receptive_codes
from vaak.codec.noise import CodeNoise
from vaak.codec.pitch import fill_unvoiced, pulse_train
from vaak.codec.stream import WindowedStream, open_stream
from vaak.errors import BadInput

FADES = 24  # frames of a pause, up to which the pitch of a fading voice is known in time


def in_pieces(stream, codes, size):
    return np.concatenate([*(stream.push(codes[i : i + size]) for i in range(0, len(codes), size)), stream.finish()])


def fades_before_pauses(codec, codes):
    """bool[F]: frames in whose windows a voice fades before a pause so long that its next pitch is not waited for."""
    with torch.inference_mode():
        _, voicing = codec._network.decoder.tones(codec._hidden(torch.from_numpy(codes.astype(np.int64)))[None])
    voiced = (voicing[0] > 0).numpy()
    near = np.zeros(len(voiced), bool)
    for first in np.flatnonzero(voiced[:-1] & ~voiced[1:]) + 1:
        pause = next((n for n, voice in enumerate(voiced[first:]) if voice), len(voiced) - first)
        if pause > FADES:
            near[max(first - 3, 0) : first + 4] = True
    return near


@pytest.mark.parametrize("size", [1, 10, 33, 1000])
def test_the_pieces_joined_are_the_wave_decoded_at_once(codec, speechlike, size):
    codes = codec.encode(speechlike(1.5 if size == 1 else 4.0))
    whole, joined = codec.decode(codes), in_pieces(open_stream(codec), codes, size)
    assert joined.dtype == np.float32 and joined.shape == whole.shape
    apart = np.abs(joined - whole).reshape(-1, HOP).max(1)
    near = fades_before_pauses(codec, codes)
    # Rounding, as the phase of the pulses adds up the last bits of a pitch that another matrix product gave; and fading voice.
    assert apart[~near].max() < 2e-3 and near.mean() < 0.2
    if codec.name == "embedded":
        assert np.square(joined - whole).mean() < 1e-5 * np.square(whole).mean()  # 50 dB below the wave


def test_a_piece_follows_its_codes_by_twenty_and_nothing_is_kept_that_is_not_needed(small_folder, speechlike):
    codec: Any = open_codec(small_folder)
    codes = codec.encode(speechlike(6.0))
    stream, heard = codec.stream(), 0
    # Wherever there is voice the delay is the network's reach and 40 ms for the overlapping windows.
    delay = receptive_codes(codec._network.settings) + 2
    delays = []
    for i in range(len(codes)):
        heard += len(stream.push(codes[i : i + 1]))
        delays.append(i + 1 - heard / 320)
    assert delay == 20 and min(delays[delay:]) == delay and sorted(delays)[len(delays) // 2] <= delay + 0.5
    assert max(delays[delay:]) <= delay + 0.5 * (FADES + 2)
    assert len(stream._hidden) < 200 and len(stream._codes) < 100 and len(stream._sources[0]) < 200 * HOP


def test_the_network_hears_so_many_codes_to_each_side_and_no_more(codec):
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(0, codec.codebook_size, 200))
    changed = codes.clone()
    changed[100] = (changed[100] + 1) % codec.codebook_size
    with torch.inference_mode():
        one, other = (
            codec._network.decoder.hidden(codec._network.quantiser.values(c)[None])[0] for c in (codes, changed)
        )
    frames = torch.nonzero((one != other).any(-1))[:, 0]
    reach = receptive_codes(codec._network.settings)
    sides = int(100 - frames.min() // 2), int(frames.max() // 2 - 100)
    # At the far end a difference may be lost in rounding.
    assert reach == 18 and max(sides) == reach and min(sides) >= reach - 1


def test_nothing_is_heard_of_nothing_and_what_is_no_code_is_refused(codec):
    stream = codec.stream()
    assert len(stream.push(np.zeros(0, np.uint16))) == 0 and len(stream.finish()) == 0
    with pytest.raises(BadInput, match="outside"):
        codec.stream().push(np.array([codec.codebook_size]))
    short = np.arange(3, dtype=np.uint16)
    assert np.allclose(in_pieces(codec.stream(), short, 2), codec.decode(short), atol=1e-5)


def pitches(seed: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Stretches with and without voice in turn, none of the latter longer than `longest` frames; beginning with either."""
    rng = np.random.default_rng(seed)
    voiced = np.concatenate(
        [np.full(rng.integers(1, longest + 1), bool((i + seed) % 2)) for i in range(int(rng.integers(1, 9)))]
    )
    return rng.uniform(70, 400, len(voiced)).astype(np.float32), voiced


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=25)
def test_pulses_in_pieces_are_the_pulse_train(seed, size):
    f0, voiced = pitches(seed, FADES)
    whole, stream = pulse_train(fill_unvoiced(f0, voiced), voiced), PulseStream()
    parts = [stream.more(f0[i : i + size], voiced[i : i + size]) for i in range(0, len(f0), size)]
    assert np.allclose(np.concatenate([*parts, stream.finish()]), whole, atol=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_before_a_long_pause_only_the_fading_voice_may_differ(seed):
    f0, voiced = pitches(seed, 80)
    whole, stream = pulse_train(fill_unvoiced(f0, voiced), voiced), PulseStream()
    joined = np.concatenate([*(stream.more(f0[i : i + 1], voiced[i : i + 1]) for i in range(len(f0))), stream.finish()])
    ends = np.flatnonzero(voiced[:-1] & ~voiced[1:])
    fading = np.zeros(len(whole), bool)
    for frame in ends:
        fading[frame * HOP + 80 : (frame + 1) * HOP + 80] = True
    assert np.allclose(joined[~fading], whole[~fading], atol=1e-4)


def test_noise_is_white_the_codes_own_and_the_same_in_pieces():
    codes = np.random.default_rng(0).integers(0, 4096, 300)
    whole, stream = CodeNoise().more(codes), CodeNoise()
    assert np.array_equal(np.concatenate([stream.more(codes[:7]), stream.more(codes[7:])]), whole)
    assert whole.std() == pytest.approx(1, abs=0.02) and abs(whole.mean()) < 0.02
    assert abs(np.corrcoef(whole[1:], whole[:-1])[0, 1]) < 0.02
    other = CodeNoise().more(np.append(codes[0] ^ 1, codes[1:]))
    assert np.array_equal(other[: 8 * 320], whole[: 8 * 320])
    assert abs(np.corrcoef(whole[8 * 320 :], other[8 * 320 :])[0, 1]) < 0.02


class SmoothCodec(ToneCodec):
    """Each code is its own level, smoothed over ten codes to each side: a decoder that looks a bounded way."""

    def decode(self, codes):
        levels = np.pad(np.asarray(codes, np.float32) / 64, 10, mode="edge")
        return np.repeat(np.convolve(levels, np.ones(21, np.float32) / 21, "valid"), 320).astype(np.float32)


@pytest.mark.parametrize("size", [1, 30, 500])
def test_a_codec_without_a_stream_is_decoded_in_windows_that_meet(size):
    codes = np.random.default_rng(0).integers(0, 64, 400).astype(np.uint16)
    codec = SmoothCodec()
    stream = open_stream(codec)
    assert isinstance(stream, WindowedStream)
    assert np.allclose(in_pieces(stream, codes, size), codec.decode(codes), atol=1e-5)
    # A tone whose phase runs on is another one in every window: the pieces are as long, and fade into each other.
    joined = in_pieces(WindowedStream(ToneCodec()), np.full(300, 5, np.uint16), size)
    assert len(joined) == 300 * 320 and np.abs(np.diff(joined)).max() < 0.1
    assert len(in_pieces(open_stream(codec), codes[:0], size)) == 0
