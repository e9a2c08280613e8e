"""UTMOS, the strong learner of 2022 (Saeki et al. 2022): a network's guess at a listener's 1 to 5 for synthetic speech.

It hears what DNSMOS does not: an unnatural voice. wav2vec 2.0 base over the raw wave, a two-way LSTM over its frames with
one domain and one listener beside them, a linear score a frame; the mean of these times two plus three. Read is a local
`model.safetensors` with the tensors of the file that `tarepan/SpeechMOS` publishes (utmos22_strong_step7459_v1.pt), under
their names. No publisher has it in a format that runs no code, so one converts it once, see docs/score.md. Not yet run on
the published weights: tested on random ones of their layout, against its definition.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vaak.errors import BadInput
from vaak.score.asr import RATE, at_rate
from vaak.score.quality import BOTTOM
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share
from vaak.storage.files import sha256_file

_WEIGHTS = "model.safetensors"
_PICKLES = ("*.pt", "*.pth", "*.ckpt", "*.bin")
_REMEDY = "convert utmos22_strong_step7459_v1.pt of tarepan/SpeechMOS once as docs/score.md says"
_LONGEST = 20 * RATE
# Of wav2vec 2.0 base; the widths and the number of layers are read from the tensors.
_KERNELS, _STRIDES, _HEADS = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), 12
# Fairseq's names and those of transformers, which has the same network.
_RENAMED = (
    (r"^wav2vec2\.mask_emb$", "wav2vec2.masked_spec_embed"),
    (r"^wav2vec2\.layer_norm\.", "wav2vec2.feature_projection.layer_norm."),
    (r"\.post_extract_proj\.", ".feature_projection.projection."),
    (r"\.conv_layers\.0\.2\.", ".conv_layers.0.layer_norm."),
    (r"\.conv_layers\.(\d)\.0\.", r".conv_layers.\1.conv."),
    (r"\.pos_conv\.0\.weight_g$", ".pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"\.pos_conv\.0\.weight_v$", ".pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"\.pos_conv\.0\.bias$", ".pos_conv_embed.conv.bias"),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


class Utmos:
    """A judge of naturalness with its `name` and the `hash` of its weights."""

    name = "utmos22-strong"

    def __init__(self, folder: Path):
        self._network = _open_network(folder)
        self.hash = sha256_file(folder / _WEIGHTS)

    def score(self, wave: np.ndarray, rate: int) -> float:
        """UTMOS of `wave` (float32[T]), 1.0 to 5.0; 1.0 exactly when there is no speech energy in it.

        Clips beyond 20 s are scored on their first 20 s.
        """
        wave = at_rate(wave, rate)[:_LONGEST]
        if len(wave) < RATE // 10 or speech_share(wave, RATE) < MIN_SPEECH_SHARE:
            return BOTTOM
        with torch.inference_mode():
            return float(np.clip(self._network(torch.from_numpy(wave)), BOTTOM, 5.0))


def open_utmos(path: str | Path | None = None) -> Utmos | None:
    """The judge in folder `path`, or in `VAAK_UTMOS`; None where neither names one: it is optional. Opened once a process.

    Raises `BadInput` when the folder has no `model.safetensors`, or tensors that are not those of UTMOS.
    """
    named = str(path or os.environ.get("VAAK_UTMOS") or "")
    return _opened(named) if named else None


@cache
def _opened(folder: str) -> Utmos:
    return Utmos(Path(folder))


class _Strong(nn.Module):
    """The network, its widths those of `tensors`, under the names of transformers."""

    def __init__(self, tensors: dict[str, Tensor]):
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        super().__init__()
        hidden, grouped, positions = tensors["wav2vec2.encoder.pos_conv.0.weight_v"].shape
        domain, listener = tensors["domain_emb"], tensors["judge_emb"]
        hears = tensors["projection.0.weight"].shape
        config = Wav2Vec2Config(
            hidden_size=hidden,
            num_hidden_layers=len([name for name in tensors if name.endswith(".fc1.weight")]),
            num_attention_heads=_HEADS,
            intermediate_size=tensors["wav2vec2.encoder.layers.0.fc1.weight"].shape[0],
            conv_dim=(tensors["wav2vec2.post_extract_proj.weight"].shape[1],) * len(_KERNELS),
            conv_kernel=_KERNELS,
            conv_stride=_STRIDES,
            num_conv_pos_embeddings=positions,
            num_conv_pos_embedding_groups=hidden // grouped,
        )
        self.wav2vec2 = Wav2Vec2Model(config)
        self.domain_emb, self.judge_emb = (
            nn.Parameter(torch.empty_like(domain)),
            nn.Parameter(torch.empty_like(listener)),
        )
        width = hidden + domain.shape[1] + listener.shape[1]
        self.blstm = nn.LSTM(width, hears[1] // 2, batch_first=True, bidirectional=True)
        self.projection = nn.Sequential(nn.Linear(hears[1], hears[0]), nn.ReLU(), nn.Linear(hears[0], 1))
        self.load_state_dict({_new_name(name): tensor for name, tensor in tensors.items()})

    def forward(self, wave: Tensor) -> float:
        frames = self.wav2vec2(wave[None]).last_hidden_state[0]
        beside = torch.cat([self.domain_emb, self.judge_emb], dim=1).expand(len(frames), -1)
        scores = self.projection(self.blstm(torch.cat([frames, beside], dim=1)[None])[0])
        return float(scores.mean()) * 2 + 3


def _open_network(folder: Path) -> _Strong:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / _WEIGHTS
    if not path.is_file():
        if any(list(folder.glob(pattern)) for pattern in _PICKLES):
            raise BadInput(f"{folder} has pickled weights, which can run code and are not opened; {_REMEDY}")
        raise BadInput(f"{path} is missing, so this is no UTMOS; {_REMEDY}")
    try:
        return _Strong(load_file(path)).eval()
    except KeyError as error:
        raise BadInput(f"{path} has no tensor {error}, so it is no UTMOS; {_REMEDY}") from error
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"{path} has not the tensors of UTMOS ({reason}); {_REMEDY}") from error


def _new_name(name: str) -> str:
    for old, new in _RENAMED:
        name = re.sub(old, new, name)
    return name
