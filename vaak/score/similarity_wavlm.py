"""WavLM with an x-vector head (Chen et al. 2022, Snyder et al. 2018), laid out as `microsoft/wavlm-base-plus-sv`.

Read are `config.json`, `preprocessor_config.json` and `model.safetensors` of a local folder. Pickled weights are refused,
nothing is downloaded, and a tensor that is missing or too many is an error: transformers would draw it at random and say
so in a log. Not yet run on the published weights, of which the Hub's main branch has a pickle only: tested on random ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vaak.errors import BadInput
from vaak.score.asr import RATE
from vaak.storage.files import hash_json, read_json, sha256_file

_WEIGHTS = "model.safetensors"
_FILES = ("config.json", "preprocessor_config.json", _WEIGHTS)
_REMEDY = "convert microsoft/wavlm-base-plus-sv once as docs/score.md says, and name that folder"
# The head sees fifteen frames of 20 ms at once: a shorter clip is repeated, a longer one heard in its beginning.
_SHORTEST, _LONGEST = RATE // 2, 20 * RATE
# torch named the two halves of a normalised weight otherwise before 2.0; published files have these names.
_OLD_NAMES = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


class WavlmEmbedder:
    """Embeddings float32[512] of clips' first 20 s; the hash is over the three files. Raises `BadInput` naming a file."""

    def __init__(self, folder: Path):
        self._model, self._normalised = _open(folder)
        self.name = folder.name
        self.hash = hash_json({name: sha256_file(folder / name) for name in _FILES})

    def embed(self, wave: np.ndarray) -> np.ndarray:
        import torch

        wave = (np.resize(wave, _SHORTEST) if len(wave) < _SHORTEST else wave[:_LONGEST]).astype(np.float64)
        if self._normalised:
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        with torch.inference_mode():
            voice = self._model(torch.from_numpy(wave.astype(np.float32))[None]).embeddings[0].double().numpy()
        return (voice / max(float(np.linalg.norm(voice)), 1e-12)).astype(np.float32)


def _open(folder: Path) -> tuple[Any, bool]:
    """The network, and whether it hears waves of mean 0 and variance 1."""
    _check_files(folder)
    hearing = read_json(folder / "preprocessor_config.json")
    if hearing.get("sampling_rate") != RATE:
        raise BadInput(f"{folder / 'preprocessor_config.json'} is not for {RATE} Hz; {_REMEDY}")
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import WavLMConfig, WavLMForXVector

    if read_json(folder / "config.json").get("architectures") != ["WavLMForXVector"]:
        raise BadInput(f"{folder / 'config.json'} is of another architecture than WavLMForXVector; {_REMEDY}")
    model = WavLMForXVector(WavLMConfig.from_json_file(str(folder / "config.json"))).eval()
    try:
        tensors = load_file(folder / _WEIGHTS)
        model.load_state_dict({_new_name(name): tensor for name, tensor in tensors.items()})
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"{folder / _WEIGHTS} does not fit its config.json ({reason}); {_REMEDY}") from error
    return model, bool(hearing.get("do_normalize", True))


def _check_files(folder: Path) -> None:
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if _WEIGHTS in missing and list(folder.glob("*.bin")):
        raise BadInput(f"{folder} has its weights as a pickle, which can run code and is not opened; {_REMEDY}")
    if missing:
        raise BadInput(f"{folder / missing[0]} is missing, so this is no WavLM for x-vectors; {_REMEDY}")


def _new_name(name: str) -> str:
    stem, _, last = name.rpartition(".")
    return f"{stem}.{_OLD_NAMES[last]}" if last in _OLD_NAMES else name
