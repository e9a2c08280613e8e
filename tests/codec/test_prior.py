"""What codes cost: next to nothing where they can be foreseen, and the slope leads to the cheaper level."""

import math

import pytest
import torch

from vaak.codec.network import Quantiser
from vaak.codec.prior import Prior

LEVELS = (4, 5)


def bounded(levels: list[list[int]]) -> torch.Tensor:
    """Numbers that lie exactly on levels 0, 1, …: [1, N, D]."""
    return torch.tensor(levels, dtype=torch.float32)[None] - torch.tensor([count // 2 for count in LEVELS])


def learned(prior: Prior, numbers: torch.Tensor) -> float:
    optimiser = torch.optim.Adam(prior.parameters(), 3e-3)
    cost = torch.zeros(())
    for _ in range(150):
        optimiser.zero_grad()
        cost = prior(numbers)
        cost.backward()
        optimiser.step()
    return float(cost.detach())


@pytest.fixture
def prior() -> Prior:
    torch.manual_seed(0)
    return Prior(LEVELS, width=32)


def test_a_fresh_prior_pays_about_the_whole_codebook(prior):
    assert float(prior(thrown(400, seed=0)).detach()) == pytest.approx(math.log(20), rel=0.1)


def thrown(n: int, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return bounded([[int(torch.randint(count, (1,), generator=rng)) for count in LEVELS] for _ in range(n)])


def test_a_melody_is_cheap_and_dice_are_not(prior):
    assert learned(prior, bounded([[n % 4, (n // 2) % 5] for n in range(400)])) < 0.2
    luckless = Prior(LEVELS, width=32)
    learned(luckless, thrown(1000, seed=1))
    assert float(luckless(thrown(1000, seed=2)).detach()) > 2.8  # ln 20 is 3.0


def test_what_comes_later_does_not_change_what_a_code_costs(prior):
    """Mean costs times their counts: the codes that two endings share must cost the same in both."""
    numbers = bounded([[n % 4, n % 5] for n in range(60)])
    slopes = []
    for end in (0, 3):
        longer = torch.cat([numbers, bounded([[end, end]] * 20)], dim=1)
        longer.requires_grad_(True)
        hidden_cost = prior(longer[:, :60]) * 60
        (slope,) = torch.autograd.grad(hidden_cost, longer)
        slopes.append((float(hidden_cost.detach()), slope))
        assert not slope[:, 60:].any()
    assert slopes[0][0] == slopes[1][0]
    with_end = [float(prior(torch.cat([numbers, bounded([[end, end]])], dim=1)).detach()) * 61 for end in (0, 3)]
    shared = slopes[0][0]
    alone = [whole - shared for whole in with_end]  # what the last code cost
    assert all(0 < one < 8 for one in alone)


def test_the_slope_leads_to_the_level_that_is_expected(prior):
    learned(prior, bounded([[1, 2]] * 200))
    numbers = bounded([[1, 2]] * 30)
    numbers[0, 15, 0] += 0.4  # between level 1, which always comes, and level 2, which never does
    numbers.requires_grad_(True)
    prior(numbers).backward()
    assert numbers.grad is not None and numbers.grad[0, 15, 0] > 0  # descending goes back to level 1


def test_the_outermost_numbers_of_a_quantiser_have_two_levels_beside_them(prior):
    far = Quantiser(LEVELS).bound(torch.tensor([[[-50.0, 50.0], [50.0, -50.0]]]))
    assert torch.isfinite(prior(far))
