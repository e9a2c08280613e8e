"""A step means the same on one process and on several, whole copies or cut among them: tested on real gloo processes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.train.on_ranks import OPTIMIZERS, ROWS, SETTINGS, after_steps, ended, first_gradients, start_ranks, validated
from vaak.errors import BadInput
from vaak.recipe import ParallelSettings
from vaak.train.parallel import check_shards
from vaak.train.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(toy, tmp_path_factory):
    """What one process finds with one big batch."""
    folder, world = tmp_path_factory.mktemp("alone"), World()
    torch.set_num_threads(1)
    found = {"gradients": first_gradients(toy, folder, world, ParallelSettings(), ROWS)}
    for optimizer in OPTIMIZERS:
        found[optimizer] = after_steps(toy, folder, world, ParallelSettings(), ROWS, optimizer)
    return found, validated(toy, folder, world, ParallelSettings())


@pytest.fixture(scope="module", params=[2, 4])
def together(request, toy, tmp_path_factory):
    """What that many processes find, kind by kind, in microbatches."""
    out = tmp_path_factory.mktemp(f"ranks-{request.param}")
    results = ended(start_ranks(request.param, "-m", "tests.train.on_ranks", str(toy), str(out)))
    assert all(code == 0 for code, _ in results), results
    kinds = [kind for kind in SETTINGS if (out / f"{kind}-gradients.safetensors").exists()]
    assert len(kinds) == (2 if request.param == 2 else 3)
    tensors = {
        kind: {what: load_file(out / f"{kind}-{what}.safetensors") for what in ("gradients", *OPTIMIZERS)}
        for kind in kinds
    }
    return request.param, tensors, json.loads((out / "validation.json").read_text())


def test_gradients_are_those_of_one_big_batch(alone, together):
    size, tensors, _ = together
    wanted = alone[0]["gradients"]
    for kind, found in tensors.items():
        found = found["gradients"]
        assert found.keys() == wanted.keys()
        # The ranks have unlike numbers of targets, or a mean of means would pass.
        assert found["targets"] * size != wanted["targets"]
        assert float(found["loss"]) == pytest.approx(float(wanted["loss"]), rel=1e-6)
        for name, gradient in wanted.items():
            if name not in ("loss", "targets"):
                assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm(), (kind, name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_parameters_and_moments_after_five_steps_are_those_of_one_process(alone, together, optimizer):
    wanted = alone[0][optimizer]
    for kind, found in together[1].items():
        found = found[optimizer]
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert torch.allclose(found[name].double(), tensor.double(), rtol=1e-9, atol=1e-9), (kind, name)


def test_validation_gives_the_same_numbers(alone, together):
    for kind, numbers in together[2].items():
        assert numbers == alone[1], kind


def test_shards_must_divide_the_processes(toy, tmp_path):
    with pytest.raises(BadInput, match="does not divide 6 processes"):
        check_shards(ParallelSettings(shards=4), World(size=6))
