"""A small UTMOS with random weights under the published names, and its definition in plain functions of torch."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

HEADS = 12


def random_tensors(
    hidden: int = 48, conv: int = 16, layers: int = 2, inner: int = 96, seed: int = 0
) -> dict[str, Tensor]:
    """The tensors of utmos22_strong_step7459_v1.pt: hidden 768, conv 512, layers 12 and inner 3,072 are its sizes."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        scale = 0.2 if len(shape) < 2 else (1.5 / torch.tensor(shape[1:]).prod().sqrt()).item()
        return torch.randn(shape, generator=generator) * scale

    tensors = {"domain_emb": draw(1, 128), "judge_emb": draw(1, 128), "wav2vec2.mask_emb": draw(hidden)}
    for i, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        tensors[f"wav2vec2.feature_extractor.conv_layers.{i}.0.weight"] = draw(conv, conv if i else 1, kernel)
    linear = {"wav2vec2.post_extract_proj": (hidden, conv), "projection.0": (64, 40), "projection.2": (1, 64)}
    norms = {"wav2vec2.feature_extractor.conv_layers.0.2": conv, "wav2vec2.layer_norm": conv}
    norms["wav2vec2.encoder.layer_norm"] = hidden
    for i in range(layers):
        layer = f"wav2vec2.encoder.layers.{i}"
        linear |= {f"{layer}.self_attn.{one}_proj": (hidden, hidden) for one in ("q", "k", "v", "out")}
        linear |= {f"{layer}.fc1": (inner, hidden), f"{layer}.fc2": (hidden, inner)}
        norms |= {f"{layer}.self_attn_layer_norm": hidden, f"{layer}.final_layer_norm": hidden}
    for name, (out, wide) in linear.items():
        tensors |= {f"{name}.weight": draw(out, wide), f"{name}.bias": draw(out)}
    for name, wide in norms.items():
        tensors |= {f"{name}.weight": 1 + draw(wide), f"{name}.bias": draw(wide)}
    position = "wav2vec2.encoder.pos_conv.0"
    tensors |= {f"{position}.weight_v": draw(hidden, hidden // 16, 128), f"{position}.bias": draw(hidden)}
    tensors[f"{position}.weight_g"] = tensors[f"{position}.weight_v"].norm(dim=(0, 1), keepdim=True) + 0.1
    for way in ("", "_reverse"):
        for name, wide in ((f"ih_l0{way}", hidden + 256), (f"hh_l0{way}", 20)):
            tensors |= {f"blstm.weight_{name}": draw(80, wide), f"blstm.bias_{name}": draw(80)}
    return tensors


def make_utmos(folder: Path, **sizes: int) -> Path:
    folder.mkdir(parents=True)
    save_file(random_tensors(**sizes), folder / "model.safetensors")
    return folder


def plain_utmos(t: dict[str, Tensor], wave: Tensor) -> float:
    """The definition: convolutions, a convolution of positions, layers normalised after, an LSTM each way, the mean."""
    x = wave[None, None]
    for i, stride in enumerate((5, 2, 2, 2, 2, 2, 2)):
        name = f"wav2vec2.feature_extractor.conv_layers.{i}"
        x = F.conv1d(x, t[f"{name}.0.weight"], stride=stride)
        if i == 0:
            x = F.group_norm(x, x.shape[1], t[f"{name}.2.weight"], t[f"{name}.2.bias"])
        x = F.gelu(x)
    x = _linear(t, "wav2vec2.post_extract_proj", _norm(t, "wav2vec2.layer_norm", x[0].T))
    v, g = (t[f"wav2vec2.encoder.pos_conv.0.weight_{one}"] for one in "vg")
    weight = v * (g / v.norm(dim=(0, 1), keepdim=True))
    shifted = F.conv1d(x.T[None], weight, t["wav2vec2.encoder.pos_conv.0.bias"], padding=64, groups=16)[0, :, :-1]
    x = _norm(t, "wav2vec2.encoder.layer_norm", x + F.gelu(shifted).T)
    for i in range(sum(name.endswith("fc1.weight") for name in t)):
        layer = f"wav2vec2.encoder.layers.{i}"
        x = _norm(t, f"{layer}.self_attn_layer_norm", x + _attention(t, f"{layer}.self_attn", x))
        inner = _linear(t, f"{layer}.fc2", F.gelu(_linear(t, f"{layer}.fc1", x)))
        x = _norm(t, f"{layer}.final_layer_norm", x + inner)
    x = torch.cat([x, t["domain_emb"].expand(len(x), -1), t["judge_emb"].expand(len(x), -1)], dim=1)
    x = torch.cat([_lstm(t, x, ""), _lstm(t, x.flip(0), "_reverse").flip(0)], dim=1)
    scores = _linear(t, "projection.2", _linear(t, "projection.0", x).relu())
    return scores.mean().item() * 2 + 3


def _linear(t: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]


def _norm(t: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"])


def _attention(t: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    q, k, v = (_linear(t, f"{name}.{one}_proj", x).unflatten(1, (HEADS, -1)).transpose(0, 1) for one in "qkv")
    weights = (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(-1)
    return _linear(t, f"{name}.out_proj", (weights @ v).transpose(0, 1).flatten(1))


def _lstm(t: dict[str, Tensor], x: Tensor, way: str) -> Tensor:
    wide = t[f"blstm.weight_hh_l0{way}"].shape[1]
    h, c, states = torch.zeros(wide), torch.zeros(wide), []
    for step in x:
        gates = t[f"blstm.weight_ih_l0{way}"] @ step + t[f"blstm.bias_ih_l0{way}"]
        i, f, g, o = (gates + t[f"blstm.weight_hh_l0{way}"] @ h + t[f"blstm.bias_hh_l0{way}"]).chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states)
