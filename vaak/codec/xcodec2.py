"""xcodec2 and NeuCodec through transformers' own classes: 16 kHz in, 50 codes a second, one codebook of 65,536.

A wave of T samples has ceil(T / 320) codes: its last frame is filled up with zeros, and the frame more that the public
extractors append (they pad one sample, then to a whole frame) is cut off. Waves of one length share a batch, because
the acoustic encoders have no mask. Everything is computed in float32 and without TF32, whose rounding moves codes.
Sources: Ye et al., 2025 (xcodec2); transformers `models/xcodec2` and `models/neucodec`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaak.codec.audio import check_wave
from vaak.codec.batches import equal_length_batches, windows
from vaak.codec.fbank import stacked_features
from vaak.errors import BadInput

RATE = 16000
SAMPLES_PER_CODE = 320

# Attention is quadratic: what is longer than a minute is coded in windows of 30 s that hear 2 s to each side.
_WHOLE, _WINDOW, _CONTEXT = 3000, 1500, 100
_BATCH_SAMPLES = 240 * RATE


@dataclass(frozen=True)
class _Family:
    """How a family's public extractor prepares a wave: `side` zeros around it for the filter bank; `whole_frames` if
    the wave must end on a frame already, because its encoder gives one code less than frames."""

    model_class: str
    side: int
    whole_frames: bool


FAMILIES = {
    "xcodec2": _Family("Xcodec2Model", side=SAMPLES_PER_CODE // 2, whole_frames=False),
    "neucodec": _Family("NeuCodecModel", side=0, whole_frames=True),
}


class Xcodec2Codec:
    """See `vaak.codec.door.Codec`. Made by `open_xcodec2`; runs on this process's GPU if there is one."""

    sample_rate = RATE
    tokens_per_second = RATE // SAMPLES_PER_CODE

    def __init__(self, model: Any, name: str, hash: str, origin: str) -> None:
        self.name, self.hash = name, hash
        self.codebook_size = int(np.prod(model.config.quantization_levels))
        self.output_rate = int(getattr(model.config, "output_sampling_rate", RATE))
        self._family = FAMILIES[model.config.model_type]
        self._device = _device()
        self._model = model.to(self._device).eval().requires_grad_(False)
        self._origin = origin

    def __reduce__(self):
        from vaak.codec.door import open_codec

        # Another process opens the codec itself: the weights are not sent.
        return open_codec, (self._origin,)

    def encode(self, wave: np.ndarray) -> np.ndarray:
        return self.encode_batch([wave])[0]

    @torch.inference_mode()
    def encode_batch(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        checked = [check_wave(wave) for wave in waves]
        codes = [np.zeros(-(-len(wave) // SAMPLES_PER_CODE), np.uint16) for wave in checked]
        pieces = []
        for number, wave in enumerate(checked):
            for start, stop, left, right in windows(len(codes[number]), _WHOLE, _WINDOW, _CONTEXT):
                part = wave[left * SAMPLES_PER_CODE : right * SAMPLES_PER_CODE]
                pieces.append((codes[number][start:stop], start - left, self._padded(part)))
        for batch in equal_length_batches([len(piece[2]) for piece in pieces], _BATCH_SAMPLES):
            found = self._encode(torch.from_numpy(np.stack([pieces[i][2] for i in batch])).to(self._device))
            for row, i in enumerate(batch):
                target, first, _ = pieces[i]
                target[:] = found[row, first : first + len(target)]
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self.decode_batch([codes])[0]

    @torch.inference_mode()
    def decode_batch(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        checked = [self._check_codes(one) for one in codes]
        hop = self.output_rate // self.tokens_per_second
        waves = [np.zeros(len(one) * hop, np.float32) for one in checked]
        pieces = []
        for number, one in enumerate(checked):
            if len(one):
                for start, stop, left, right in windows(len(one), _WHOLE, _WINDOW, _CONTEXT):
                    pieces.append((waves[number][start * hop : stop * hop], (start - left) * hop, one[left:right]))
        limit = _BATCH_SAMPLES // SAMPLES_PER_CODE
        for batch in equal_length_batches([len(piece[2]) for piece in pieces], limit):
            found = self._decode(torch.from_numpy(np.stack([pieces[i][2] for i in batch])).to(self._device))
            for row, i in enumerate(batch):
                target, first, _ = pieces[i]
                target[:] = found[row, first : first + len(target)]
        return waves

    def _padded(self, wave: np.ndarray) -> np.ndarray:
        """The wave as the public extractor pads it: at least one zero, then to a whole frame."""
        n = len(wave)
        if self._family.whole_frames:
            n = -(-n // SAMPLES_PER_CODE) * SAMPLES_PER_CODE
        return np.pad(wave, (0, (n // SAMPLES_PER_CODE + 1) * SAMPLES_PER_CODE - len(wave)))

    def _encode(self, waves: Tensor) -> np.ndarray:
        """[B, T] padded waves of one length to uint16[B, codes], a frame too many included."""
        side = self._family.side
        features = torch.stack([stacked_features(torch.nn.functional.pad(wave, (side, side))) for wave in waves])
        with _exact():
            codes = self._model.encode(waves.unsqueeze(1), input_features=features).audio_codes
        return codes[:, 0].cpu().numpy().astype(np.uint16)

    def _decode(self, codes: Tensor) -> np.ndarray:
        """[B, N] codes to float32[B, samples], in [-1, 1]."""
        with _exact():
            waves = self._model.decode(audio_codes=codes.unsqueeze(1)).audio_values
        return waves[:, 0].clamp(-1.0, 1.0).float().cpu().numpy()

    def _check_codes(self, codes: np.ndarray) -> np.ndarray:
        array = np.asarray(codes)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise BadInput(f"codes: expected one row of integers, got {array.dtype}{list(array.shape)}")
        if array.size and (int(array.min()) < 0 or int(array.max()) >= self.codebook_size):
            raise BadInput(f"codes: {int(array.max())} is outside the codebook of {self.codebook_size} of {self.name}")
        return array.astype(np.int64)


def open_xcodec2(folder: Path, name: str, origin: str) -> Xcodec2Codec:
    """Reads config.json and the safetensors of `folder`; the hash covers both. `origin` opens the same codec again.

    Raises `BadInput` where a file is missing, damaged, lacks weights, or describes another rate than 50 codes a second
    from 16 kHz. Nothing is unpickled and no code of the folder is run.
    """
    import transformers
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    config_bytes, weights = _files(folder)
    try:
        config = json.loads(config_bytes)
        model_class = getattr(transformers, FAMILIES[config["model_type"]].model_class)
        model, found = model_class.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"codec {name!r} in {folder} cannot be opened ({error}); copy it again") from error
    # transformers fills what is missing with random numbers and goes on.
    for what in ("missing_keys", "mismatched_keys"):
        if found[what]:
            raise BadInput(
                f"codec {name!r} in {folder} lacks {len(found[what])} weights, such as {sorted(found[what])[0]}; "
                "copy it again"
            )
    rate = getattr(model.config, "input_sampling_rate", None) or getattr(model.config, "sampling_rate", None)
    hop = int(np.prod(model.config.downsampling_ratios))
    levels = int(np.prod(model.config.quantization_levels))
    if (rate, hop) != (RATE, SAMPLES_PER_CODE) or levels > 65536:
        raise BadInput(
            f"codec {name!r} in {folder} makes a code of {hop} samples at {rate} Hz in a codebook of {levels}; "
            f"only {SAMPLES_PER_CODE} at {RATE} and at most 65,536 are known here"
        )
    digest = hashlib.sha256(hashlib.sha256(config_bytes).digest())
    for path in weights:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Xcodec2Codec(model, name, digest.hexdigest(), origin)


def model_type(folder: Path) -> str | None:
    """The `model_type` in a folder's config.json, if it has one and is one of `FAMILIES`."""
    try:
        found = json.loads((folder / "config.json").read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
    return found if found in FAMILIES else None


def _files(folder: Path) -> tuple[bytes, list[Path]]:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BadInput(f"{folder} holds no .safetensors; a codec's weights are read from no other kind of file")
    try:
        return (folder / "config.json").read_bytes(), weights
    except OSError as error:
        raise BadInput(f"{folder / 'config.json'} cannot be read ({error.strerror}); copy the codec again") from error


def _device() -> torch.device:
    """This process's GPU under torchrun, the first one otherwise, or the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def _exact():
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
