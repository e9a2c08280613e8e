"""The state of a codec's training at one step, how it takes the next, and how it comes back from disk to the bit."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from vaak.codec.crops import Crops
from vaak.codec.losses import Critic, SpectralLoss, adversarial_loss, critic_loss, feature_loss, tone_loss
from vaak.codec.network import CodecNetwork, Filters, render
from vaak.codec.prior import Prior
from vaak.codec.settings import CodecRecipe
from vaak.errors import BadInput
from vaak.host import Precision, compute_in
from vaak.storage.files import write_bytes

STATE = "state.safetensors"
_ADAM = (0.9, 0.98)
_CRITIC_ADAM = (0.8, 0.98)


class CodecRun:
    """Network, critic, prior, their optimisers and the averaged weights, at one step, on one device."""

    def __init__(self, recipe: CodecRecipe, precision: Precision, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.precision: Precision = precision
        self.continued = False  # begun from the weights of another codec
        self.joined = False  # the critic has
        self.network = CodecNetwork(recipe.network).to(device)
        self.averaged = CodecNetwork(recipe.network).to(device).requires_grad_(False)
        self.averaged.load_state_dict(self.network.state_dict())
        self.critic = Critic(recipe.critic.width).to(device)
        self.prior = Prior(recipe.network.levels).to(device)
        self.spectral = SpectralLoss().to(device)
        self.trained = [*self.network.parameters(), *self.prior.parameters()]
        # In one kernel on a GPU, where a step of so small a network waits for its launches.
        fused = device.type == "cuda"
        self.optimiser = torch.optim.AdamW(
            self.trained, recipe.peak_lr, betas=_ADAM, weight_decay=recipe.weight_decay, fused=fused
        )
        self.critic_optimiser = torch.optim.AdamW(
            self.critic.parameters(), recipe.critic.lr, betas=_CRITIC_ADAM, fused=fused
        )

    def learning_rate(self) -> float:
        """Share of the peak: `warmup` steps up, then level, then linearly down to a twentieth."""
        left = (self.recipe.steps - self.step) / max(self.recipe.steps * self.recipe.decay, 1)
        return min(1.0, (self.step + 1) / self.recipe.warmup) * max(0.05, min(1.0, left))

    def advance(self, crops: Crops) -> dict[str, float]:
        """One step on a batch; its losses, the norm of its gradient, and whether it was left out as not finite."""
        recipe, share = self.recipe, self.learning_rate()
        for optimiser, peak in ((self.optimiser, recipe.peak_lr), (self.critic_optimiser, recipe.critic.lr)):
            for group in optimiser.param_groups:
                group["lr"] = peak * share
        crops = crops.to(self.device)
        target = crops.target
        wave, losses = self._decoded(crops)
        self.joined = self.joined or self.step >= recipe.steps * recipe.critic.joins
        if self.joined:
            losses |= self._critic_step(wave, target)
        weights = recipe.losses.model_dump()
        total = sum((weights[name] * value for name, value in losses.items() if name in weights), wave.new_zeros(()))
        self.optimiser.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, recipe.grad_clip)
        if finite := bool(torch.isfinite(norm)):
            self.optimiser.step()
            self._average()
        self.step += 1
        values = torch.stack([value.detach().float() for value in losses.values()]).tolist()
        return dict(zip(losses, values, strict=True)) | {
            "grad_norm": float(norm),
            "lr": recipe.peak_lr * share,
            "skipped": float(not finite),
        }

    def _decoded(self, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        network, target = self.network, crops.target
        with compute_in(self.precision, self.device):
            numbers = network.encoder(crops.heard)
            filters: Filters = network.decoder.heads(network.decoder.hidden(network.quantiser(numbers)))
        wave = render(filters, crops.pulses, crops.noise, network.encoder.window)
        mel, linear = self.spectral(wave, target)
        pitch, voicing = tone_loss(filters.octave, filters.voicing, crops.f0, crops.voiced)
        losses = {"mel": mel, "linear": linear, "pitch": pitch, "voicing": voicing}
        # Until the numbers mean something, making all of them equal would be cheapest.
        if self.step < self.recipe.steps * self.recipe.priced_from and not self.continued:
            return wave, losses
        # The same speech without the noise, a quarter of a hop later, should get the same codes: numbers far from a
        # rounding edge are easier for a language model to foresee.
        bounded = network.quantiser.bound(numbers)
        with compute_in(self.precision, self.device):
            again = network.quantiser.bound(network.encoder(target.roll(40, dims=1)))
        return wave, losses | {"steady": (bounded - again).square().mean(), "cost": self.prior(bounded)}

    def _critic_step(self, wave: Tensor, target: Tensor) -> dict[str, Tensor]:
        half = len(wave)
        with compute_in(self.precision, self.device):
            verdicts, features = self.critic(torch.cat([wave.detach(), target]))
            loss = critic_loss([v[half:] for v in verdicts], [v[:half] for v in verdicts])
        self.critic_optimiser.zero_grad()
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in self.critic.parameters() if p.grad is not None])
        if bool(torch.isfinite(norm)):
            self.critic_optimiser.step()
        with compute_in(self.precision, self.device):
            verdicts, ours = self.critic(wave)
            theirs = [f[half:] for f in features]
            return {"critic": loss, "adversarial": adversarial_loss(verdicts), "feature": feature_loss(theirs, ours)}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begin with the weights of another codec. Raises `BadInput` if its network has another shape."""
        try:
            for network in (self.network, self.averaged):
                network.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
        except RuntimeError as error:
            raise BadInput(
                f"start_from: that codec has another network ({str(error).splitlines()[-1].strip()}); give its 'network'"
            ) from error
        self.continued = True

    def _parts(self) -> dict[str, nn.Module]:
        return {"network": self.network, "averaged": self.averaged, "critic": self.critic, "prior": self.prior}

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimiser": self.optimiser, "critic_optimiser": self.critic_optimiser}

    def save(self, folder: Path) -> None:
        """Write the whole state into one file: it is all of one step, or it is that of the step before."""
        tensors = {f"{part}.{key}": t for part, m in self._parts().items() for key, t in m.state_dict().items()}
        for label, optimiser in self._optimisers().items():
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{label}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
        about = {
            "step": str(self.step),
            "continued": str(int(self.continued)),
            "joined": str(int(self.joined)),
            "precision": self.precision,
        }
        write_bytes(folder / STATE, save({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, about))

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises `BadInput` if the file is damaged or of another network."""
        path = folder / STATE
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata()
            tensors = load_file(path)
            for part, module in self._parts().items():
                module.load_state_dict(_below(tensors, part))
            for label, optimiser in self._optimisers().items():
                state: dict[int, dict[str, Tensor]] = {}
                for key, tensor in _below(tensors, label).items():
                    index, name = key.split(".")
                    state.setdefault(int(index), {})[name] = tensor
                optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
            self.step, self.continued, self.joined = (
                int(about["step"]),
                about["continued"] == "1",
                about["joined"] == "1",
            )
            if self.recipe.precision == "auto":  # asked again, a busy machine might answer otherwise
                self.precision = "bf16" if about["precision"] == "bf16" else "fp32"
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(f"{path} cannot be continued from ({first}); remove that file to begin anew") from error


def _below(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key[len(part) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(part + ".")}
