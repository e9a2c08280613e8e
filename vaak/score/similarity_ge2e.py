"""The GE2E speaker encoder (Wan et al. 2018) whose weights are in the `resemblyzer` wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np

from vaak.errors import BadInput
from vaak.score.asr import RATE
from vaak.score.sanity import frame_levels
from vaak.storage.files import sha256_file

# Its network wants one loudness: this root mean square for the loud frames of a clip.
_LEVEL = 0.1


class Ge2eEmbedder:
    """Embeddings float32[256]. The network is opened when the first voice is heard; name and hash are there before."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("resemblyzer")
        if spec is None or spec.origin is None:
            raise BadInput(
                "speaker similarity needs resemblyzer; `pip install resemblyzer`, or name a WavLM in VAAK_SPEAKER"
            )
        self.name = f"resemblyzer-{importlib.metadata.version('resemblyzer')}"
        self.hash = sha256_file(Path(spec.origin).parent / "pretrained.pt")

    @cached_property
    def _encoder(self):
        with warnings.catch_warnings():
            # Its voice activity detector imports pkg_resources, which warns of its own removal: the pin is in pyproject.toml.
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
            from resemblyzer import VoiceEncoder

        return VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        loud = 10 ** (float(np.quantile(frame_levels(wave, RATE), 0.95)) / 20)
        levelled = np.clip(wave * (_LEVEL / loud), -1, 1).astype(np.float32)
        return np.asarray(self._encoder.embed_utterance(levelled))
