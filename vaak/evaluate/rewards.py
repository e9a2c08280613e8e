"""The reward that each item of an evaluation would have had, told from its rows: nothing is measured for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vaak.evaluate.recognition import first_figure
from vaak.evaluate.store import Result
from vaak.score.reward import Figures, Reward, reward_of
from vaak.score.reward_settings import RewardSettings

_GATED = ("stopped", "truncated", "crashed", "invalid_rate", "loop_share", "silence_share", "level_db")


def item_rewards(rows: Sequence[Result], trusted: frozenset[str], settings: RewardSettings) -> dict[str, Reward]:
    """Item -> its reward, from rows of one checkpoint in one version of each metric. `trusted`: languages of its recogniser.

    The whole of the content part is that of the error rate, also where a recipe gives the likelihood a share: no row has
    one. Left out is an item without a row that counts: one without a voice to be like, or not measured with held-out judges.
    """
    settings = settings.model_copy(update={"likelihood": 0.0})
    items: dict[str, dict[str, Result]] = {}
    for row in rows:
        items.setdefault(row.item, {})[row.metric] = row
    found = {}
    for item, of in items.items():
        language = next(iter(of.values())).language
        if _needed(language in trusted, language, settings) <= of.keys():
            found[item] = reward_of(figures_of(of), language in trusted, settings)
    return found


def reward_rows(rows: Sequence[Result], trusted: frozenset[str], settings: RewardSettings) -> list[Result]:
    """The rewards as rows of a metric "reward" that is kept nowhere, its parts and gate in the detail."""
    of_item = {row.item: row for row in rows}
    return [
        Result(of_item[item].checkpoint_id, of_item[item].pack_id, "reward", "derived", of_item[item].language, item,
               one.total, {"parts": one.parts, "gate": one.gate})
        for item, one in item_rewards(rows, trusted, settings).items()
    ]  # fmt: skip


def figures_of(rows: Mapping[str, Result]) -> Figures:
    """What the reward looks at, from the rows of one item by metric. Without the recording of a prompt no length and no copy
    of it is known; that nothing was said shows in its silence."""

    def value(metric: str) -> float | None:
        return rows[metric].value if metric in rows else None

    length = rows["duration_ratio"].detail if "duration_ratio" in rows else {"codes": 1, "target": None}
    return Figures(
        stopped=bool(rows["stopped"].value),
        truncated=bool(rows["truncated"].value),
        codes=length["codes"],
        reference_codes=length["target"],
        invalid_rate=rows["invalid_rate"].value,
        loop_share=rows["loop_share"].value,
        silence_share=rows["silence_share"].value,
        level_db=rows["level_db"].value,
        copied=value("copied") or 0.0,
        crashed=bool(rows["crashed"].value),
        errors=value(first_figure(next(iter(rows.values())).language)),
        similarity=value("similarity"),
        quality=value("dnsmos"),
    )


def _needed(trusted: bool, language: str, settings: RewardSettings) -> set[str]:
    needed = set(_GATED)
    needed |= {first_figure(language)} if trusted and settings.content else set()
    needed |= {"similarity"} if settings.similarity else set()
    return needed | ({"dnsmos"} if settings.quality else set())
