"""From wanted shares to a share of the target tokens for each cell; pure arithmetic on available token counts.

Nothing gives way in silence: whatever cannot be met is returned as a sentence beside the shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.mixture.settings import LanguageRule

# Solver noise below this is no share at all, and no slack.
EPSILON = 1e-6


def waterfill(
    weights: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """The x with sum `total` and x_i = clip(λ·w_i, lower_i, upper_i) for one common level λ; float64[n].

    Exact: between two neighbouring bends the sum is linear in λ. Raises `ValueError` unless
    sum(lower) <= total <= sum(upper) and all weights are positive.
    """
    if (weights <= 0).any() or lower.sum() > total + EPSILON or upper.sum() < total - EPSILON:
        raise ValueError("no level fills the vessels: the bounds do not enclose the total")
    bends = np.unique(np.concatenate([lower / weights, upper / weights]))
    sums = np.clip(bends[:, None] * weights, lower, upper).sum(axis=1)
    after = int(np.searchsorted(sums, total))
    if after == 0:
        level = bends[0]
    elif after == len(bends):
        level = bends[-1]
    else:
        rise = sums[after] - sums[after - 1]
        level = bends[after - 1] + (total - sums[after - 1]) / rise * (bends[after] - bends[after - 1])
    return np.clip(level * weights, lower, upper)


def language_shares(
    available: Mapping[str, float], rule: LanguageRule, where: str
) -> tuple[dict[str, float], list[str]]:
    """Shares of one stream by language, summing to 1, for the languages with `available` tokens; and what gave way.

    Fixed languages get their share and capped ones their cap or what is left over; the others divide the rest in
    proportion to sqrt(tokens), each at least the floor. A language without data leaves its share to the rest; where
    there is no rest, all others grow in proportion and the notes name every rule that this breaks.
    """
    present = {language: float(tokens) for language, tokens in available.items() if tokens > 0}
    if not present:
        raise ValueError(f"{where}: no language has data")
    notes = []
    for language, share in {**rule.fixed, **rule.caps}.items():
        if language not in present and share > 0:
            notes.append(f"{where}: no {language} data; its {share:.1%} go to the other languages")
    fixed = {language: share for language, share in rule.fixed.items() if language in present}
    caps = {language: share for language, share in rule.caps.items() if language in present}
    pool = {language: tokens for language, tokens in present.items() if language not in fixed and language not in caps}
    if pool and rule.rest is None:
        raise ValueError(f"{where}: the rule has no share for {', '.join(sorted(pool))}; add `rest` or name them")
    rest = rule.rest.share if rule.rest and pool else 0.0
    if rule.rest and not pool:
        notes.append(f"{where}: no language of the rest has data; its {rule.rest.share:.1%} go to the named languages")

    room = 1.0 - sum(fixed.values()) - rest
    shares = dict(fixed)
    if caps:
        # Capped languages fill what is left in proportion to their caps, none above its own.
        taken = min(room, sum(caps.values()))
        shares |= {language: cap / sum(caps.values()) * taken for language, cap in caps.items()} if taken > 0 else {}
        room -= taken
    if pool and rule.rest:
        shares |= _rest_shares(pool, rest + room, rule.rest.floor, where, notes)
    elif room > EPSILON:
        shares = _grow(shares, fixed, caps, where, notes)
    total = sum(shares.values())
    return {language: share / total for language, share in sorted(shares.items()) if share > 0}, notes


def _rest_shares(pool: dict[str, float], share: float, floor: float, where: str, notes: list[str]) -> dict[str, float]:
    names = sorted(pool)
    if floor * len(names) > share + EPSILON:
        notes.append(
            f"{where}: a floor of {floor:.1%} for {len(names)} languages needs {floor * len(names):.1%}, but the rest has "
            f"{share:.1%}; the floor gives way to {share / len(names):.2%}"
        )
        floor = share / len(names)
    lower = np.full(len(names), floor)
    filled = waterfill(np.sqrt([pool[name] for name in names]), lower, np.full(len(names), share), share)
    return dict(zip(names, filled.tolist(), strict=True))


def _grow(
    shares: dict[str, float], fixed: dict[str, float], caps: dict[str, float], where: str, notes: list[str]
) -> dict[str, float]:
    scale = 1.0 / sum(shares.values())
    grown = {language: share * scale for language, share in shares.items()}
    for language, share in sorted(grown.items()):
        kind, limit = ("cap", caps[language]) if language in caps else ("fixed share", fixed[language])
        if share > limit + EPSILON:
            notes.append(
                f"{where}: the {kind} of {limit:.1%} for {language} gives way to {share:.1%}: nothing else has data"
            )
    return grown


@dataclass
class _Constraint:
    """One linear demand on the table: `kind` is '=', '<=' or '>=' over the cells of `mask`, `price` that of its slack."""

    name: str
    mask: NDArray[np.bool_]
    kind: str
    value: float
    price: float
    slack: float = 0.0


def source_language_shares(
    available: Mapping[tuple[str, str], float], sources: Mapping[str, float], rule: LanguageRule, where: str
) -> tuple[dict[tuple[str, str], float], list[str]]:
    """Shares by (source, language), summing to 1, nearest to the data in relative entropy under all demands at once.

    Demands: source shares, language caps, fixed shares, the rest's share as a minimum, and a floor for each language of
    the rest. The reference is each source's share spread over its languages as its tokens lie. If the demands conflict
    a linear programme finds the smallest total slack, and every demand that gives way is named in the notes.
    """
    cells = [cell for cell in sorted(available) if available[cell] > 0 and sources.get(cell[0], 0.0) > 0]
    if not cells:
        raise ValueError(f"{where}: none of the sources {', '.join(sources)} has data")
    constraints, notes = _constraints(cells, sources, rule, where)
    slacks = _least_slack(len(cells), constraints)
    for constraint, slack in zip(constraints, slacks, strict=True):
        constraint.slack = float(slack)
    reference = np.array([sources[source] * available[source, language] for source, language in cells])
    totals = {source: sum(tokens for (s, _), tokens in available.items() if s == source) for source in sources}
    reference /= np.array([totals[source] for source, _ in cells])
    shares = _nearest(reference / reference.sum(), constraints)
    for constraint in constraints:
        if constraint.slack > 0:
            got = shares[constraint.mask].sum()
            notes.append(
                f"{where}: {constraint.name}, {constraint.value:.1%}, gives way to {got:.2%}: the demands conflict"
            )
    return dict(zip(cells, shares.tolist(), strict=True)), notes


def _constraints(
    cells: list[tuple[str, str]], sources: Mapping[str, float], rule: LanguageRule, where: str
) -> tuple[list[_Constraint], list[str]]:
    source_of = np.array([source for source, _ in cells])
    language_of = np.array([language for _, language in cells])
    notes, found = [], []
    present = sum(share for source, share in sources.items() if (source_of == source).any())
    for source, share in sources.items():
        mask = source_of == source
        if mask.any():
            found.append(_Constraint(f"the share of source {source}", mask, "=", share / present, 1.0))
        elif share > 0:
            notes.append(f"{where}: no {source} data fits; its {share:.1%} go to the other sources")
    for language, share in rule.fixed.items():
        if (language_of == language).any():
            found.append(_Constraint(f"the fixed share of {language}", language_of == language, "=", share, 1.03))
        elif share > 0:
            notes.append(f"{where}: no {language} data; its {share:.1%} go to the other languages")
    for language, share in rule.caps.items():
        if (language_of == language).any():
            found.append(_Constraint(f"the cap of {language}", language_of == language, "<=", share, 1.04))
    if rule.rest:
        pool = sorted(set(language_of) - set(rule.fixed) - set(rule.caps))
        if pool:
            found.append(_Constraint("the rest's share", np.isin(language_of, pool), ">=", rule.rest.share, 1.01))
        elif rule.rest.share > 0:
            notes.append(
                f"{where}: no language of the rest has data; its {rule.rest.share:.1%} go to the named languages"
            )
        if rule.rest.floor > 0:
            for language in pool:
                found.append(
                    _Constraint(f"the floor of {language}", language_of == language, ">=", rule.rest.floor, 1.02)
                )
    return found, notes


def _least_slack(n: int, constraints: list[_Constraint]) -> NDArray[np.float64]:
    """The smallest total slack per demand (float64[m], all zero if the demands agree), by a linear programme.

    The simplex method ends in a corner, so few demands give way at once; prices that differ by a hundredth let a source
    share give way before a floor, and a cap last, where the totals are equal.
    """
    import cvxpy as cp  # about a second to import, and only plans with source shares need it

    x, slack = cp.Variable(n), cp.Variable(len(constraints))
    demands: list[Any] = [x >= 0, slack >= 0, cp.sum(x) == 1]
    demands += _demands(x, constraints, [slack[i] for i in range(len(constraints))])
    prices = np.array([constraint.price for constraint in constraints])
    cp.Problem(cp.Minimize(prices @ slack), demands).solve(solver=cp.SCIPY, scipy_options={"method": "highs-ds"})
    found = np.maximum(np.asarray(slack.value, dtype=np.float64), 0.0)
    return np.where(found > EPSILON, found, 0.0)


def _nearest(reference: NDArray[np.float64], constraints: list[_Constraint]) -> NDArray[np.float64]:
    """The shares of least relative entropy to `reference` within the demands and their slacks (float64[n])."""
    import cvxpy as cp

    x = cp.Variable(len(reference))
    # A slack that was found is granted with a hair more, or rounding alone could close the feasible set.
    grants = [c.slack + (EPSILON if c.slack > 0 else 0.0) for c in constraints]
    demands: list[Any] = [x >= 0, cp.sum(x) == 1, *_demands(x, constraints, grants)]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.rel_entr(x, reference))), demands)
    problem.solve(solver=cp.CLARABEL)
    if x.value is None:
        raise ValueError(f"the solver ended with {problem.status}; loosen a source share or a language floor")
    # Rounded so that two machines whose solvers differ in the last bits make the same plan.
    shares = np.round(np.maximum(np.asarray(x.value), 0.0), 7)
    shares[shares < EPSILON] = 0.0
    return shares / shares.sum()


def _demands(x: Any, constraints: list[_Constraint], slacks: list[Any]) -> list[Any]:
    found: list[Any] = []
    for constraint, slack in zip(constraints, slacks, strict=True):
        amount = constraint.mask.astype(np.float64) @ x
        if isinstance(slack, float) and slack == 0.0 and constraint.kind == "=":
            found.append(amount == constraint.value)
            continue
        if constraint.kind in ("=", "<="):
            found.append(amount <= constraint.value + slack)
        if constraint.kind in ("=", ">="):
            found.append(amount >= constraint.value - slack)
    return found
