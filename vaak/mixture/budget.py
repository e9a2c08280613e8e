"""From wanted shares to a share of the target tokens for each cell; pure arithmetic on available token counts.

Nothing gives way in silence: whatever cannot be met is returned as a sentence beside the shares.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
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
    available: Mapping[str, float], rule: LanguageRule, where: str, total: float | None = None
) -> tuple[dict[str, float], list[str]]:
    """Shares of one stream by language, summing to 1, for the languages with `available` tokens; and what gave way.

    Fixed languages get their share and capped ones their cap or what is left over; the others divide the rest in
    proportion to sqrt(tokens), each at least the floor. With `rule.epoch_limit` and the `total` target tokens that the
    stream is to have, no language is passed more often while another can take its place: fixed shares and floors give
    way first, the limit last. A language without data leaves its share to the rest; where there is no rest, all others
    grow in proportion. The notes name every rule that is broken.
    """
    present = {language: float(tokens) for language, tokens in available.items() if tokens > 0}
    if not present:
        raise ValueError(f"{where}: no language has data")
    notes = []
    for language, share in {**rule.fixed, **rule.caps}.items():
        if language not in present and share > 0:
            notes.append(f"{where}: no {language} data; its {share:.1%} go to the other languages")
    pool = [language for language in sorted(present) if language not in rule.fixed and language not in rule.caps]
    if pool and rule.rest is None:
        raise ValueError(f"{where}: the rule has no share for {', '.join(pool)}; add `rest` or name them")
    rest = rule.rest.share if rule.rest and pool else 0.0
    if rule.rest and not pool:
        notes.append(f"{where}: no language of the rest has data; its {rule.rest.share:.1%} go to the named languages")

    limits, of_limits = _epoch_limits(present, rule, pool, total, where)
    notes += of_limits
    fixed: dict[str, float] = {}
    for language, share in rule.fixed.items():
        if language in present:
            fixed[language] = min(share, limits[language])
            if fixed[language] < share - EPSILON:
                notes.append(_limited(where, f"the fixed share of {share:.1%} for {language}", fixed[language], rule))
    caps = {code: min(cap, limits[code]) for code, cap in rule.caps.items() if code in present and cap > 0}
    # Capped languages fill what is left, none above its own, and what the rest cannot take.
    room = 1.0 - sum(fixed.values()) - rest
    most = sum(limits[language] for language in pool)
    if most < rest - EPSILON:
        notes.append(_limited(where, f"the rest's share of {rest:.1%}", most, rule))
    taken = min(sum(caps.values()), max(room, 1.0 - sum(fixed.values()) - most))
    shares = dict(fixed)
    if caps and taken > 0:
        shares |= _filled({language: rule.caps[language] for language in caps}, {}, caps, taken)
    left = 1.0 - sum(shares.values())
    if pool and rule.rest:
        of_pool = {language: present[language] ** 0.5 for language in pool}
        floors = _floors(pool, left, limits, rule, where, notes)
        shares |= _filled(of_pool, floors, limits, min(left, most))
    elif left > EPSILON:
        shares = _grow(shares, limits, rule, where, notes)
    whole = sum(shares.values())
    return {language: share / whole for language, share in sorted(shares.items()) if share > 0}, notes


def _epoch_limits(
    present: Mapping[str, float], rule: LanguageRule, pool: Sequence[str], total: float | None, where: str
) -> tuple[dict[str, float], list[str]]:
    """The largest share of each language, by `epoch_limit`; and what is said if all of them together are not enough."""
    if rule.epoch_limit is None or not total:
        return dict.fromkeys(present, 1.0), []

    def largest(epochs: float) -> dict[str, float]:
        return {language: min(1.0, epochs * tokens / total) for language, tokens in present.items()}

    # Where nobody takes the rest, caps and fixed shares give way before data is passed too often.
    named = sum({**rule.fixed, **rule.caps}.get(language, 0.0) for language in present)
    most = (
        {**dict.fromkeys(pool, 1.0), **rule.fixed, **rule.caps} if pool or named >= 1 else dict.fromkeys(present, 1.0)
    )

    def enough(epochs: float) -> bool:
        return sum(min(most[language], share) for language, share in largest(epochs).items()) >= 1.0 - EPSILON

    if enough(rule.epoch_limit):
        return largest(rule.epoch_limit), []
    low, high = rule.epoch_limit, 2 * max(rule.epoch_limit, total / min(present.values()))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    held = sum(largest(rule.epoch_limit).values())
    return largest(high), [
        f"{where}: the limit of {rule.epoch_limit:g} epochs gives way to {high:.2f}: so often passed, all data is "
        f"{held:.1%} of the stream, and caps and fixed shares let in no more of it"
    ]


def _limited(where: str, what: str, share: float, rule: LanguageRule) -> str:
    return f"{where}: {what} gives way to {share:.2%}: more would pass it more than {rule.epoch_limit:g} times"


def _filled(
    weights: Mapping[str, float], lower: Mapping[str, float], upper: Mapping[str, float], total: float
) -> dict[str, float]:
    """`waterfill` over named vessels; without a lower bound it is 0."""
    names = sorted(weights)
    filled = waterfill(
        np.array([weights[name] for name in names]),
        np.array([lower.get(name, 0.0) for name in names]),
        np.array([upper[name] for name in names]),
        total,
    )
    return dict(zip(names, filled.tolist(), strict=True))


def _floors(
    pool: Sequence[str], share: float, limits: Mapping[str, float], rule: LanguageRule, where: str, notes: list[str]
) -> dict[str, float]:
    """The least share of each language of the rest, which has `share` together."""
    floor = rule.rest.floor if rule.rest else 0.0
    if floor * len(pool) > share + EPSILON:
        notes.append(
            f"{where}: a floor of {floor:.1%} for {len(pool)} languages needs {floor * len(pool):.1%}, but the rest has "
            f"{share:.1%}; the floor gives way to {share / len(pool):.2%}"
        )
        floor = share / len(pool)
    for language in pool:
        if limits[language] < floor - EPSILON:
            notes.append(_limited(where, f"the floor of {floor:.1%} for {language}", limits[language], rule))
    return {language: min(floor, limits[language]) for language in pool}


def _grow(
    shares: dict[str, float], limits: Mapping[str, float], rule: LanguageRule, where: str, notes: list[str]
) -> dict[str, float]:
    """All grow in proportion, none above its epochs while another may: nothing else has data."""
    upper = {language: max(share, limits[language]) for language, share in shares.items()}
    grown = _filled(shares, shares, upper, min(1.0, sum(upper.values())))
    for language, share in sorted(grown.items()):
        kind, limit = ("cap", rule.caps[language]) if language in rule.caps else ("fixed share", rule.fixed[language])
        if share > limit + EPSILON:
            notes.append(
                f"{where}: the {kind} of {limit:.1%} for {language} gives way to {share:.1%}: nothing else has data"
            )
    return grown


@dataclass
class Constraint:
    """One linear demand on the table: `kind` is '=', '<=' or '>=' over the cells of `mask`, `price` that of its slack."""

    name: str
    mask: NDArray[np.bool_]
    kind: str
    value: float
    price: float
    slack: float = 0.0


def source_language_shares(
    available: Mapping[tuple[str, str], float],
    sources: Mapping[str, float],
    rule: LanguageRule,
    where: str,
    total: float | None = None,
) -> tuple[dict[tuple[str, str], float], list[str]]:
    """Shares by (source, language), summing to 1, nearest to the data in relative entropy under all demands at once.

    Demands: source shares, language caps, fixed shares, the rest's share as a minimum, a floor for each language of the
    rest, and with `rule.epoch_limit` and the `total` target tokens of the stream a limit for each cell. The reference is each source's share spread over its languages as its tokens lie. If the demands conflict
    a linear programme finds the smallest total slack, and every demand that gives way is named in the notes.
    """
    cells = _cells(available, sources)
    if not cells:
        raise ValueError(f"{where}: none of the sources {', '.join(sources)} has data")
    constraints, notes = constraints_of(available, sources, rule, where, total)
    for constraint, slack in zip(constraints, least_slack(constraints), strict=True):
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


def _cells(available: Mapping[tuple[str, str], float], sources: Mapping[str, float]) -> list[tuple[str, str]]:
    """The (source, language) that have data and may have a share, sorted: the entries of every array below."""
    return [cell for cell in sorted(available) if available[cell] > 0 and sources.get(cell[0], 0.0) > 0]


def constraints_of(
    available: Mapping[tuple[str, str], float],
    sources: Mapping[str, float],
    rule: LanguageRule,
    where: str,
    total: float | None = None,
) -> tuple[list[Constraint], list[str]]:
    """The demands of `source_language_shares`, and a note for each that nothing can meet."""
    cells = _cells(available, sources)
    source_of = np.array([source for source, _ in cells])
    language_of = np.array([language for _, language in cells])
    notes, found = [], []
    present = sum(share for source, share in sources.items() if (source_of == source).any())
    for source, share in sources.items():
        mask = source_of == source
        if mask.any():
            found.append(Constraint(f"the share of source {source}", mask, "=", share / present, 1.0))
        elif share > 0:
            notes.append(f"{where}: no {source} data fits; its {share:.1%} go to the other sources")
    for language, share in rule.fixed.items():
        if (language_of == language).any():
            found.append(Constraint(f"the fixed share of {language}", language_of == language, "=", share, 1.03))
        elif share > 0:
            notes.append(f"{where}: no {language} data; its {share:.1%} go to the other languages")
    for language, share in rule.caps.items():
        if (language_of == language).any():
            found.append(Constraint(f"the cap of {language}", language_of == language, "<=", share, 1.04))
    if rule.rest:
        found += _of_rest(language_of, rule, where, notes)
    return [*found, *_limits(cells, available, rule, total)], notes


def _of_rest(language_of: NDArray[Any], rule: LanguageRule, where: str, notes: list[str]) -> list[Constraint]:
    """The rest's share and floors."""
    assert rule.rest is not None
    share, floor = rule.rest.share, rule.rest.floor
    pool = sorted(set(language_of) - set(rule.fixed) - set(rule.caps))
    if not pool:
        if share > 0:
            notes.append(f"{where}: no language of the rest has data; its {share:.1%} go to the named languages")
        return []
    found = [Constraint("the rest's share", np.isin(language_of, pool), ">=", share, 1.01)]
    if floor > 0:
        found += [Constraint(f"the floor of {one}", language_of == one, ">=", floor, 1.02) for one in pool]
    return found


def _limits(
    cells: list[tuple[str, str]], available: Mapping[tuple[str, str], float], rule: LanguageRule, total: float | None
) -> list[Constraint]:
    """No cell more often than `epoch_limit`."""
    if rule.epoch_limit is None or not total:
        return []
    found = []
    for i, cell in enumerate(cells):
        limit = rule.epoch_limit * available[cell] / total
        if limit < 1:
            name = f"the limit of {rule.epoch_limit:g} epochs for {cell[0]} {cell[1]}"
            found.append(Constraint(name, np.arange(len(cells)) == i, "<=", limit, 1.05))
    return found


def least_slack(constraints: list[Constraint]) -> NDArray[np.float64]:
    """The smallest total slack per demand (float64[m], all zero if the demands agree), by a linear programme.

    The simplex method ends in a corner, so few demands give way at once; prices that differ by a hundredth let a source
    share give way before a floor, and a cap last, where the totals are equal.
    """
    import cvxpy as cp  # about a second to import, and only plans with source shares need it

    x, slack = cp.Variable(len(constraints[0].mask)), cp.Variable(len(constraints))
    demands: list[Any] = [x >= 0, slack >= 0, cp.sum(x) == 1]
    demands += _demands(x, constraints, [slack[i] for i in range(len(constraints))])
    prices = np.array([constraint.price for constraint in constraints])
    cp.Problem(cp.Minimize(prices @ slack), demands).solve(solver=cp.SCIPY, scipy_options={"method": "highs-ds"})
    found = np.maximum(np.asarray(slack.value, dtype=np.float64), 0.0)
    return np.where(found > EPSILON, found, 0.0)


def _nearest(reference: NDArray[np.float64], constraints: list[Constraint]) -> NDArray[np.float64]:
    """The shares of least relative entropy to `reference` within the demands and their slacks (float64[n]).

    The solver fails on about one table in a hundred, and then not on the same problem in other units or with a hair more
    room: these are tried one after the other, and what it finds must hold.
    """
    for scaled in (False, True):
        for room in (0.0, EPSILON):
            shares = _solved(reference, constraints, scaled, room)
            if shares is not None and all(_holds(shares, one) for one in constraints):
                # Rounded so that two machines whose solvers differ in the last bits make the same plan.
                shares = np.round(np.maximum(shares, 0.0), 7)
                shares[shares < EPSILON] = 0.0
                return shares / shares.sum()
    raise ValueError("the solver finds no mix that meets the demands; loosen a source share or a language floor")


def _solved(
    reference: NDArray[np.float64], constraints: list[Constraint], scaled: bool, room: float
) -> NDArray[np.float64] | None:
    """What the solver finds, None if it fails; `scaled` solves for multiples of the reference."""
    import cvxpy as cp
    from cvxpy.error import SolverError

    y = cp.Variable(len(reference))
    x, entropy = (
        (cp.multiply(reference, y), reference @ -cp.entr(y)) if scaled else (y, cp.sum(cp.rel_entr(y, reference)))
    )
    # A slack that was found is granted with a hair more, or rounding alone could close the feasible set.
    grants = [c.slack + (EPSILON if c.slack > 0 else room) for c in constraints]
    demands: list[Any] = [y >= 0, cp.sum(x) == 1, *_demands(x, constraints, grants)]
    problem = cp.Problem(cp.Minimize(entropy), demands)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "may be inaccurate": that is looked at below
            problem.solve(solver=cp.CLARABEL)
    except SolverError:
        return None
    return None if x.value is None else np.asarray(x.value, np.float64)


def _holds(shares: NDArray[np.float64], one: Constraint) -> bool:
    """Whether a demand is met, to a thousandth of a percentage point beside its slack."""
    off = float(shares[one.mask].sum()) - one.value
    return (off <= one.slack + 1e-5 or one.kind == ">=") and (off >= -one.slack - 1e-5 or one.kind == "<=")


def _demands(x: Any, constraints: list[Constraint], slacks: list[Any]) -> list[Any]:
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
