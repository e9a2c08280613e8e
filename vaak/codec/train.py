"""Trains a codec on a list of audio files: `python -m vaak.codec.train --audio FOLDER --out FOLDER --steps N`.

Two phases: spectra and pitch alone, then a critic joins. Run it again with the same folder and it continues from
the last saved step; give it another number of steps and the decay of the learning rate moves there.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vaak.codec.losses import Critic, SpectralLoss, adversarial_loss, critic_loss, feature_loss, tone_loss
from vaak.codec.material import Crops, Material, draw, prepare
from vaak.codec.network import CodecNetwork, Filters, NetworkSettings, render
from vaak.codec.prior import Prior
from vaak.errors import BadInput

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")


@dataclass(frozen=True)
class CodecTraining:
    """How to train: `critic_from` is the share of the steps after which the critic joins, `decay` the share of the
    steps over which the learning rate falls to a twentieth; `rate` is the weight of the codes' cost in nats (`Prior`)."""

    steps: int = 4000
    batch: int = 8
    crop: int = 20480
    peak_lr: float = 1.5e-3
    critic_lr: float = 4e-4
    decay: float = 0.35
    critic_from: float = 0.65
    rate: float = 0.08
    ema: float = 0.998
    seed: int = 0
    save_every: int = 250


def train_codec(
    audio: Sequence[Path],
    out: Path,
    settings: NetworkSettings | None = None,
    how: CodecTraining | None = None,
    stop: Callable[[], bool] = lambda: False,
    start_from: Path | None = None,
) -> Path:
    """Trains (or continues) in folder `out`; writes out/codec/{model.safetensors,config.json} and returns that folder.

    Begins with the weights of the codec in folder `start_from`, where one is named.
    `out` also keeps the prepared audio (material.npz), the full state (state.safetensors, state.json) and the losses
    (metrics.jsonl). Saves and returns before its end once `stop()` is true. Raises `BadInput` if there is no audio.
    """
    settings, how = settings or NetworkSettings(), how or CodecTraining()
    out.mkdir(parents=True, exist_ok=True)
    material = _material(audio, out, how)
    print(f"{material.hours:.2f} hours of audio", flush=True)
    run = _Run(settings, how, out)
    if (out / "state.json").exists():
        run.load()
    elif start_from is not None:
        run.start_from(start_from)
    began, before = time.monotonic(), run.step
    while run.step < how.steps and not stop():
        losses = run.advance(material)
        if run.step % 25 == 0:
            pace = (run.step - before) / (time.monotonic() - began)
            _report(out, run.step, losses | {"steps_per_s": pace})
        if run.step % how.save_every == 0:
            run.save()
    run.save()
    return out / "codec"


class _Run:
    """Network, critic, their optimisers and the averaged weights, at one step."""

    def __init__(self, settings: NetworkSettings, how: CodecTraining, out: Path) -> None:
        torch.manual_seed(how.seed)
        self.how, self.out, self.step = how, out, 0
        self.continued = False  # begun from the weights of another codec
        self.network = CodecNetwork(settings)
        self.averaged = CodecNetwork(settings).requires_grad_(False)
        self.averaged.load_state_dict(self.network.state_dict())
        self.critic = Critic()
        self.prior = Prior(settings.levels)
        self.spectral = SpectralLoss()
        self.trained = [*self.network.parameters(), *self.prior.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, how.peak_lr, betas=(0.9, 0.98), weight_decay=0.01)
        self.critic_optimiser = torch.optim.AdamW(self.critic.parameters(), how.critic_lr, betas=(0.8, 0.98))

    def learning_rate(self) -> float:
        """Share of the peak: 100 steps up, then level, then linearly down to a twentieth."""
        left = (self.how.steps - self.step) / max(self.how.steps * self.how.decay, 1)
        return min(1.0, (self.step + 1) / 100) * max(0.05, min(1.0, left))

    def advance(self, material: Material) -> dict[str, float]:
        """One step; the batch is a function of (seed, step) alone."""
        how = self.how
        rng = np.random.default_rng([how.seed, self.step])
        torch.manual_seed(int(rng.integers(2**31)))
        crops = draw(material, rng, how.batch, how.crop)
        for group in self.optimiser.param_groups:
            group["lr"] = how.peak_lr * self.learning_rate()
        for group in self.critic_optimiser.param_groups:
            group["lr"] = how.critic_lr * self.learning_rate()
        with_critic = self.step >= how.steps * how.critic_from
        wave, losses = self._decoded(crops)
        target = torch.from_numpy(crops.target)
        if with_critic:
            losses |= self._critic_step(wave, target)
        weights = _WEIGHTS | {"cost": how.rate}
        total = sum((weights[name] * value for name, value in losses.items() if name in weights), torch.zeros(()))
        self.optimiser.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, 2.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self._average()
        self.step += 1
        return {name: float(value.detach()) for name, value in losses.items()} | {"grad_norm": float(norm)}

    def _decoded(self, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        network, target = self.network, torch.from_numpy(crops.target)
        f0, voiced = torch.from_numpy(crops.f0), torch.from_numpy(crops.voiced)
        numbers = network.encoder(torch.from_numpy(crops.heard))
        filters: Filters = network.decoder.heads(network.decoder.hidden(network.quantiser(numbers)))
        pulses = torch.from_numpy(crops.pulses)
        wave = render(filters, pulses, torch.randn_like(pulses), network.encoder.window)
        mel, linear = self.spectral(wave, target)
        pitch, voicing = tone_loss(filters.octave, filters.voicing, f0, voiced)
        # The same speech without the noise, half a hop later, should get the same codes: numbers far from a
        # rounding edge are easier for a language model to foresee.
        losses = {"mel": mel, "linear": linear, "pitch": pitch, "voicing": voicing}
        if self.step < 400 and not self.continued:  # not before the numbers mean something: all equal would be cheapest
            return wave, losses
        bounded = network.quantiser.bound(numbers)
        again = network.quantiser.bound(network.encoder(target.roll(40, dims=1)))
        return wave, losses | {"steady": (bounded - again).square().mean(), "cost": self.prior(bounded)}

    def _critic_step(self, wave: Tensor, target: Tensor) -> dict[str, Tensor]:
        verdicts, features = self.critic(torch.cat([wave.detach(), target]))
        half = len(wave)
        loss = critic_loss([v[half:] for v in verdicts], [v[:half] for v in verdicts])
        self.critic_optimiser.zero_grad()
        loss.backward()
        self.critic_optimiser.step()
        verdicts, ours = self.critic(wave)
        theirs = [f[half:] for f in features]
        return {"critic": loss, "adversarial": adversarial_loss(verdicts), "feature": feature_loss(theirs, ours)}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.how.ema, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    def _parts(self) -> dict[str, nn.Module]:
        return {"network": self.network, "averaged": self.averaged, "critic": self.critic, "prior": self.prior}

    def save(self) -> None:
        tensors = {f"{part}.{key}": t for part, m in self._parts().items() for key, t in m.state_dict().items()}
        for label, optimiser in (("optimiser", self.optimiser), ("critic_optimiser", self.critic_optimiser)):
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{label}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
        _replace(self.out / "state.safetensors", tensors)
        _replace_json(
            self.out / "state.json", {"step": self.step, "how": asdict(self.how), "continued": self.continued}
        )
        save_codec(self.averaged, self.out / "codec", {"trained_steps": self.step, "training": asdict(self.how)})

    def start_from(self, folder: Path) -> None:
        weights = {key: tensor.float() for key, tensor in load_file(folder / "model.safetensors").items()}
        self.network.load_state_dict(weights)
        self.averaged.load_state_dict(weights)
        self.continued = True

    def load(self) -> None:
        tensors = load_file(self.out / "state.safetensors")
        for part, module in self._parts().items():
            module.load_state_dict(_below(tensors, part))
        for label, optimiser in (("optimiser", self.optimiser), ("critic_optimiser", self.critic_optimiser)):
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _below(tensors, label).items():
                index, name = key.split(".")
                state.setdefault(int(index), {})[name] = tensor
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        kept = json.loads((self.out / "state.json").read_text())
        self.step, self.continued = int(kept["step"]), bool(kept["continued"])


_WEIGHTS = {
    "mel": 3.0,
    "linear": 1.0,
    "pitch": 3.0,
    "voicing": 0.5,
    "steady": 0.15,
    "adversarial": 0.3,
    "feature": 1.0,
}


def save_codec(network: CodecNetwork, folder: Path, about: dict[str, Any]) -> None:
    """The two files of a codec: weights in half precision, and a configuration that says how to read them."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "model.safetensors", {key: tensor.half() for key, tensor in network.state_dict().items()})
    _replace_json(folder / "config.json", {"kind": "vaak-fsq", "network": network.settings.to_dict()} | about)


def _material(audio: Sequence[Path], out: Path, how: CodecTraining) -> Material:
    cache = out / "material.npz"
    if not cache.exists():
        prepared = prepare(audio, how.seed, how.crop, lambda done, n: print(f"{done}/{n}") if done % 200 == 0 else None)
        prepared.save(out / "material-unfinished.npz")
        (out / "material-unfinished.npz").replace(cache)
    return Material.load(cache)


def _below(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key[len(part) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(part + ".")}


def _replace(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def _replace_json(path: Path, values: dict[str, Any]) -> None:
    path.with_suffix(".new.json").write_text(json.dumps(values, indent=2) + "\n")
    path.with_suffix(".new.json").replace(path)


def _report(out: Path, step: int, values: dict[str, float]) -> None:
    with (out / "metrics.jsonl").open("a") as lines:
        lines.write(json.dumps({"step": step} | {name: round(value, 5) for name, value in values.items()}) + "\n")
    print(step, " ".join(f"{name} {value:.3f}" for name, value in values.items()), flush=True)


def list_audio(places: Sequence[str]) -> list[Path]:
    """Every audio file named, or lying somewhere below a folder named; sorted. `BadInput` where there is none."""
    found: list[Path] = []
    for place in map(Path, places):
        found += [place] if place.is_file() else [p for p in place.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES]
    if not found:
        raise BadInput(f"no audio in {', '.join(places)}; name files or folders with {', '.join(AUDIO_SUFFIXES)}")
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a codec on audio files.")
    parser.add_argument("--audio", nargs="+", required=True, help="files or folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=CodecTraining.steps)
    parser.add_argument("--batch", type=int, default=CodecTraining.batch)
    parser.add_argument("--peak-lr", type=float, default=CodecTraining.peak_lr)
    parser.add_argument("--rate", type=float, default=CodecTraining.rate, help="weight of the codes' cost in nats")
    parser.add_argument("--start-from", type=Path, help="folder of a codec whose weights to begin with")
    parser.add_argument("--critic-from", type=float, default=CodecTraining.critic_from)
    given = parser.parse_args()
    how = CodecTraining(
        steps=given.steps, batch=given.batch, peak_lr=given.peak_lr, rate=given.rate, critic_from=given.critic_from
    )
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.append(1))
    print(train_codec(list_audio(given.audio), given.out, None, how, lambda: bool(asked), given.start_from))


if __name__ == "__main__":
    main()
