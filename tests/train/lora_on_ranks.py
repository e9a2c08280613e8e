"""What several processes of one run compute with LoRA; run as a module by one of the tests."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.train.on_ranks import rows_of
from vaak.errors import Interrupted
from vaak.model import LoraSettings, create_model
from vaak.model.lora import add_lora
from vaak.recipe import OptimizerSettings, ParallelSettings, load_recipe
from vaak.train.loop import _Loop
from vaak.train.optimizer import build_optimizer, optimizer_tensors
from vaak.train.parallel import on_first_rank, parallelise
from vaak.train.stage import prepare
from vaak.train.step import Stepper
from vaak.train.world import World, joined

ROWS = 16
SETTINGS = {"ddp": ParallelSettings(kind="ddp"), "fsdp": ParallelSettings(kind="fsdp")}


def quiet(_: str) -> None:
    pass


def after_lora_steps(toy: Path, cache: Path, world: World, settings: ParallelSettings, microbatch: int) -> dict:
    """Parameters, moments and norms after some steps over the same rows, in float64; on the first rank."""
    recipe, data, batches = rows_of(toy, cache, world, microbatch, "pretrain")
    model = create_model(recipe.model, data.vocabulary, recipe.seed)
    add_lora(model, LoraSettings(rank=4, alpha=8), recipe.seed)
    model = model.double()
    module = parallelise(model, settings, world, "fp32")
    optimizer = build_optimizer(model, OptimizerSettings(), 1e-3)
    stepper = Stepper(model, optimizer, 1.0, "fp32", world, module)
    norms = [stepper.step(batches, 1e-3).grad_norm for _ in range(5)]
    moments = on_first_rank(optimizer_tensors(model, optimizer).items(), world)
    found = on_first_rank(model.named_parameters(), world) | moments
    found = {name: tensor.double() for name, tensor in found.items()}
    return found | {"norms": torch.tensor(norms, dtype=torch.float64)}


def main(toy: Path, out: Path) -> None:
    """Steps of each kind, then a whole run of each kind that is stopped on the way and goes on."""
    with joined("cpu") as world:
        for kind, settings in SETTINGS.items():
            found = after_lora_steps(toy, out / "ranks", world, settings, 2)
            if world.is_first:
                save_file({name: one.contiguous() for name, one in found.items()}, out / f"{kind}.safetensors")
            recipe = load_recipe(out / "recipe.yaml").model_copy(update={"parallel": settings})
            # What `train` does, which would join the world again.
            for stopping in (True, False):
                stage = prepare(recipe, out / kind, None, True, quiet, world)
                assert stage.step == (0 if stopping else 1)
                # Asked before the first step and after it.
                stop = iter([False, stopping, False, False, False]).__next__
                with suppress(Interrupted):
                    _Loop(stage, out / kind, world, [], quiet, None, stop).run()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
