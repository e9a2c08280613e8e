"""The curves of an alignment on a page: the reward and its parts, how far the model went, what fell to gates and judges."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from vaak.launch.report_curves import LANGUAGE_NAMES, Stretch, chart, extremes_table, family
from vaak.page import details, grid
from vaak.track.curves import Curves

_SMOOTH = 9


def alignment_parts(curves: Curves) -> dict[str, Sequence[Markup | str]]:
    """The sections of an alignment; of DPO, which hears nobody, margins and log-probabilities in place of rewards."""
    along = [Stretch(curves)]
    reward = [
        chart(along, {"reward": "reward"}, "Reward", smooth=_SMOOTH),
        chart(along, _parts(curves), "Parts of the reward, of those that passed the gates", smooth=_SMOOTH),
        chart(along, family(curves, "reward/language/", LANGUAGE_NAMES), "Reward by language", smooth=_SMOOTH),
        chart(along, {"preferred": "preferred"}, "Share of pairs whose better one is likelier", smooth=_SMOOTH),
        chart(along, {"margin": "margin"}, "Margin between the better and the worse", smooth=_SMOOTH),
    ]
    narrow = [
        chart(along, names, title, smooth=_SMOOTH, width=560)
        for title, names in (
            ("Divergence from the parent (nats a code)", {"kl": "kl"}),
            ("Loss", {"loss": "loss"}),
            ("Spread of rewards in a group", {"reward_spread": "spread"}),
            ("Gated, dropped and dead", {"gated": "gated", "dropped": "dropped groups", "dead": "dead groups"}),
            ("Stopped by itself", {"stopped": "stopped"}),
            ("Length beside the recording", {"length_ratio": "ratio", "length_spread": "spread"}),
            ("Entropy (nats a code)", {"entropy": "entropy"}),
            ("Log-probabilities of pairs", {"logp/chosen": "better", "logp/rejected": "worse"}),
        )
    ]
    every = {name: name for prefix in ("reward", "gated", "judges/") for name in curves.names(prefix)}
    extremes = details(
        "Each figure: its ends and its extremes", extremes_table(curves, every, "Rewards, gates, judges")
    )
    return {
        "Reward": [part for part in reward if part] or ["No step has a reward."],
        "How it got there": [grid(*(part for part in narrow if part), min_width_rem=26), extremes],
    }


def _parts(curves: Curves) -> dict[str, str]:
    found = family(curves, "reward/")
    return {name: label for name, label in found.items() if "/" not in label}
