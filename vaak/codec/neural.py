"""A codec whose network `vaak.codec.network` describes: whole waves to codes and back, in chunks where they are long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from vaak.codec.audio import check_wave
from vaak.codec.network import HOP, RATE, SAMPLES_PER_CODE, CodecNetwork, render
from vaak.codec.neural_stream import NeuralStream
from vaak.codec.noise import CodeNoise
from vaak.codec.pitch import fill_unvoiced, pulse_train
from vaak.codec.settings import NetworkSettings
from vaak.errors import BadInput

KIND = "vaak-fsq"
_CHUNK = 1500  # codes, 30 s: ten minutes of audio there and back add 0.4 GB of memory
_ENCODER_CONTEXT = 16  # codes; more than an encoder's code hears to each side
_DECODER_CONTEXT = 32  # codes; likewise for the decoder
_FRAME_CONTEXT = 4  # frames that overlap with one another in `render`
_SIDE = 240


class NeuralCodec:
    """See `vaak.codec.door.Codec`. Made by `open_neural`."""

    sample_rate = RATE
    output_rate = RATE
    tokens_per_second = RATE // SAMPLES_PER_CODE

    def __init__(self, network: CodecNetwork, name: str, hash: str, origin: str | None = None) -> None:
        self.name, self.hash = name, hash
        self._origin = origin
        self.codebook_size = network.settings.codebook_size
        self._network = network.eval().requires_grad_(False)

    def __reduce__(self):
        from vaak.codec.door import open_codec

        # Another process opens the codec itself: the weights are not sent.
        if self._origin is None:
            raise TypeError(f"codec {self.name!r} was made in memory; save it to a folder and open it from there")
        return open_codec, (self._origin,)

    @torch.inference_mode()
    def encode(self, wave: np.ndarray) -> np.ndarray:
        wave = check_wave(wave)
        n_codes = -(-len(wave) // SAMPLES_PER_CODE)
        padded = torch.from_numpy(np.pad(wave, (0, n_codes * SAMPLES_PER_CODE - len(wave))))
        codes = torch.zeros(n_codes, dtype=torch.long)
        for start, stop, left, right in _chunks(n_codes, _ENCODER_CONTEXT):
            part = padded[left * SAMPLES_PER_CODE : right * SAMPLES_PER_CODE]
            numbers = self._network.encoder(part.unsqueeze(0))
            codes[start:stop] = self._network.quantiser.codes(numbers)[0, start - left : stop - left]
        return codes.numpy().astype(np.uint16)

    def encode_batch(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        # One by one on purpose: padding to a common length would change codes near the end of the shorter waves.
        return [self.encode(wave) for wave in waves]

    @torch.inference_mode()
    def decode(self, codes: np.ndarray) -> np.ndarray:
        numbers = torch.from_numpy(self._check_codes(codes))
        if len(numbers) == 0:
            return np.zeros(0, np.float32)
        hidden = self._hidden(numbers)
        pulses = self._pulses(hidden)
        noise = CodeNoise().more(numbers.numpy())
        return self._render(hidden, pulses, noise).numpy()

    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self.decode(one) for one in codes]

    def stream(self) -> NeuralStream:
        """`decode` in pieces, for codes that are still being drawn: see `vaak.codec.stream`."""
        return NeuralStream(self._network, self._check_codes)

    def _check_codes(self, codes: np.ndarray) -> np.ndarray:
        array = np.asarray(codes)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise BadInput(f"codes: expected one row of integers, got {array.dtype}{list(array.shape)}")
        if array.size and (int(array.min()) < 0 or int(array.max()) >= self.codebook_size):
            raise BadInput(
                f"codes: {int(array.max())} is outside the codebook of {self.codebook_size} of {self.name!r}"
            )
        return array.astype(np.int64)

    def _hidden(self, codes: Tensor) -> Tensor:
        """[2 N, width]: everything that the decoder knows about each frame of 10 ms."""
        values = self._network.quantiser.values(codes)
        parts = []
        for start, stop, left, right in _chunks(len(codes), _DECODER_CONTEXT):
            hidden = self._network.decoder.hidden(values[left:right].unsqueeze(0))[0]
            parts.append(hidden[2 * (start - left) : 2 * (stop - left)])
        return torch.cat(parts)

    def _pulses(self, hidden: Tensor) -> np.ndarray:
        octave, voicing = self._network.decoder.tones(hidden.unsqueeze(0))
        voiced = (voicing[0] > 0).numpy()
        f0 = 100 * np.exp2(octave[0].double().numpy())
        return pulse_train(fill_unvoiced(f0.astype(np.float32), voiced), voiced)

    def _render(self, hidden: Tensor, pulses: np.ndarray, noise: np.ndarray) -> Tensor:
        sides = (_FRAME_CONTEXT * HOP + _SIDE,) * 2
        sources = [torch.from_numpy(np.pad(source, sides)) for source in (pulses, noise)]
        # Beyond its ends the wave is silence, filtered as its first and last frame are.
        hidden = hidden[torch.arange(-_FRAME_CONTEXT, len(hidden) + _FRAME_CONTEXT).clamp(0, len(hidden) - 1)]
        parts = []
        for start in range(0, len(pulses) // HOP, 2 * _CHUNK):
            stop = min(start + 2 * _CHUNK, len(pulses) // HOP)
            first, last = start * HOP, (stop + 2 * _FRAME_CONTEXT) * HOP + 2 * _SIDE
            filters = self._network.decoder.heads(hidden[start : stop + 2 * _FRAME_CONTEXT].unsqueeze(0))
            inside = [source[first:last].unsqueeze(0) for source in sources]
            wave = render(filters, inside[0], inside[1], self._network.encoder.window)[0]
            parts.append(wave[_FRAME_CONTEXT * HOP : (_FRAME_CONTEXT + stop - start) * HOP])
        return torch.cat(parts).clamp(-1.0, 1.0)


def open_neural(folder: Path, name: str, origin: str | None = None) -> NeuralCodec:
    """Reads config.json and model.safetensors of `folder`; `BadInput` where one is missing, foreign or damaged.

    `origin` is what `open_codec` opens the same codec by, in another process.
    """
    try:
        config_bytes = (folder / "config.json").read_bytes()
        weight_bytes = (folder / "model.safetensors").read_bytes()
    except OSError as error:
        raise BadInput(
            f"codec {name!r}: {error.filename} cannot be read; a codec is config.json and model.safetensors"
        ) from error
    try:
        config = json.loads(config_bytes)
        if config["kind"] != KIND:
            raise BadInput(f"{folder / 'config.json'}: kind {config['kind']!r} is unknown here; expected {KIND!r}")
        network = CodecNetwork(NetworkSettings.model_validate(config["network"]))
        weights = {key: tensor.float() for key, tensor in load(weight_bytes).items()}
        network.load_state_dict(weights)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"codec {name!r} in {folder} is damaged ({error}); copy it again") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise BadInput(f"codec {name!r} in {folder} has weights that are not finite; copy or train it again")
    digest = hashlib.sha256(hashlib.sha256(config_bytes).digest() + hashlib.sha256(weight_bytes).digest())
    return NeuralCodec(network, name, digest.hexdigest(), origin)


def _chunks(n_codes: int, context: int) -> list[tuple[int, int, int, int]]:
    """(start, stop, left, right): what to keep, and the wider part that has to be computed for it."""
    starts = range(0, n_codes, _CHUNK)
    return [(s, min(s + _CHUNK, n_codes), max(0, s - context), min(n_codes, s + _CHUNK + context)) for s in starts]
