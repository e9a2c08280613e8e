"""Muon against the singular value decomposition, and against steps written out for one matrix at a time."""

import numpy as np
import pytest
import torch

from vaak.model.open import create_model
from vaak.recipe import OptimizerSettings
from vaak.storage.tensors import write_tensors
from vaak.train.muon import BLOCK, ITERATIONS, POLYNOMIAL, Muon, orthogonal
from vaak.train.optimizer import build_optimizer, load_optimizer, optimizer_tensors

MUON = OptimizerSettings(kind="muon")


def plain_orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The polynomial on the singular values themselves."""
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.square().sum().sqrt()
    a, b, c = POLYNOMIAL
    for _ in range(ITERATIONS):
        s = a * s + b * s**3 + c * s**5
    return (u @ torch.diag(s) @ v).float()


@pytest.mark.parametrize("shape", [(8, 8), (6, 16), (16, 6), (1, 5)])
def test_the_direction_has_singular_values_of_about_one(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices)
    for one, matrix in zip(found, matrices, strict=True):
        assert torch.allclose(one, plain_orthogonal(matrix), atol=1e-4)
    # Four applications bring every singular value above a fiftieth of the norm to where it belongs.
    known = torch.diag(torch.tensor([1.0, 0.5, 0.1, 0.05]))
    values = torch.linalg.svdvals(orthogonal(known[None])[0])
    assert values.min() > 0.6 and values.max() < 1.3


@pytest.mark.parametrize("shape", [(256, 300), (300, 256)])
def test_a_large_matrix_is_made_orthogonal_in_blocks(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(4))
    found = orthogonal(matrix[None])[0]
    if shape[0] > shape[1]:
        matrix, found = matrix.T, found.T
    for start in (0, BLOCK):
        assert torch.allclose(found[start : start + BLOCK], plain_orthogonal(matrix[start : start + BLOCK]), atol=1e-4)


def test_in_bfloat16_singular_values_are_as_near_to_one():
    matrices = torch.randn(3, 128, 256, generator=torch.Generator().manual_seed(5))
    wanted, found = orthogonal(matrices), orthogonal(matrices.bfloat16()).float()
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6 and values.max() < 1.3
    # The same directions: rounding is a hundredth of what stands in them.
    assert (found - wanted).norm() < 0.05 * wanted.norm()


def test_parameters_and_momentum_keep_their_type_when_bfloat16_computes():
    weight = torch.nn.Parameter(torch.ones(4, 6))
    rest = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    muon = Muon([weight], rest, lr=0.1, momentum=0.9, weight_decay=0.0, compute=torch.bfloat16)
    weight.grad = torch.randn(4, 6, generator=torch.Generator().manual_seed(6))
    muon.step()
    assert weight.dtype == muon.state[weight]["momentum"].dtype == torch.float32
    step = 0.1 * 0.2 * 6**0.5 * plain_orthogonal(weight.grad * 1.9)
    assert torch.allclose(weight.detach(), 1 - step, atol=0.01 * float(step.abs().max()) + 1e-3)


def test_a_matrix_without_gradient_direction_stays():
    assert torch.equal(orthogonal(torch.zeros(1, 4, 6)), torch.zeros(1, 4, 6))


def test_steps_are_those_of_one_matrix_at_a_time():
    generator = torch.Generator().manual_seed(2)
    weights = [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in ((4, 6), (4, 6), (6, 4))]
    bias = torch.nn.Parameter(torch.zeros(3))
    wanted, momentum = [w.detach().clone() for w in weights], [torch.zeros_like(w) for w in weights]
    muon = Muon(weights, torch.optim.AdamW([bias], lr=0.1), lr=0.1, momentum=0.9, weight_decay=0.2)
    for _ in range(3):
        gradients = [torch.randn(w.shape, generator=generator) for w in weights]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.clone()
        bias.grad = torch.ones(3)
        muon.step()
        for i, gradient in enumerate(gradients):
            momentum[i] = 0.9 * momentum[i] + gradient
            direction = plain_orthogonal(gradient + 0.9 * momentum[i])
            wanted[i] = wanted[i] * (1 - 0.1 * 0.2) - 0.1 * 0.2 * 6**0.5 * direction
    for weight, one in zip(weights, wanted, strict=True):
        assert torch.allclose(weight, one, atol=1e-4)
    assert torch.allclose(bias, torch.full((3,), -0.3), atol=0.01)


def test_rate_zero_and_missing_gradients_change_nothing():
    weights = [torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2, 3))]
    muon = Muon(
        weights, torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]), lr=0.0, momentum=0.9, weight_decay=0.1
    )
    weights[0].grad = torch.ones(2, 3)
    muon.step()
    assert all(torch.equal(weight, torch.ones(2, 3)) for weight in weights)
    assert "momentum" in muon.state[weights[0]] and weights[1] not in muon.state


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_head_and_norms_are_adamws(served, recipe, tied):
    fields = {**(recipe.model.config or {}), "tie_word_embeddings": tied}
    model = create_model(recipe.model.model_copy(update={"config": fields}), served[0].vocabulary, seed=1)
    optimizer = build_optimizer(model, MUON, 1e-3)
    own = {id(p) for p in optimizer.param_groups[0]["params"]}
    everything = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(everything) == len(set(everything)) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert (id(parameter) in own) == name.endswith("proj.weight"), name


def test_its_state_goes_through_a_checkpoint(served, recipe, tmp_path):
    def model_and_optimizer():
        model = create_model(recipe.model, served[0].vocabulary, seed=3)
        return model, build_optimizer(model, MUON, 1e-2)

    def steps(model, optimizer, count, seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()

    straight, optimizer = model_and_optimizer()
    steps(straight, optimizer, 2, seed=1)
    write_tensors(tmp_path, optimizer_tensors(straight, optimizer))
    weights = {name: value.clone() for name, value in straight.state_dict().items()}
    steps(straight, optimizer, 2, seed=2)

    resumed, optimizer = model_and_optimizer()
    resumed.load_state_dict(weights)
    load_optimizer(resumed, optimizer, tmp_path)
    steps(resumed, optimizer, 2, seed=2)
    for one, two in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), two.detach().numpy())
