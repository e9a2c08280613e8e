"""The reward told from rows is the one that `reward_of` gives by hand, item by item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.small_pack import AsrDouble
from vaak.evaluate import evaluate_checkpoint, open_results, reference_scores, summary
from vaak.evaluate.held_out import HeldOut
from vaak.evaluate.rewards import figures_of, item_rewards
from vaak.evaluate.store import Result
from vaak.score.reward import Figures, reward_of
from vaak.score.reward_settings import RewardSettings

GOOD = {
    "stopped": 1.0, "truncated": 0.0, "crashed": 0.0, "invalid_rate": 0.0, "loop_share": 0.0, "silence_share": 0.1,
    "level_db": -15.0, "copied": 0.02, "wer": 0.25, "cer": 0.2, "similarity": 0.85, "dnsmos": 3.0,
}  # fmt: skip
SETTINGS = RewardSettings()


def rows(values, item="a", language="en", checkpoint="run/1/x", codes=100, version="1") -> list[Result]:
    found = [Result(checkpoint, "pack", name, version, language, item, value, {}) for name, value in values.items()]
    length = {"codes": codes, "target": 100}
    return [*found, Result(checkpoint, "pack", "duration_ratio", version, language, item, codes / 100, length)]


def by_hand(**changes) -> Figures:
    figures = Figures(True, False, 100, 100, 0.0, 0.0, 0.1, -15.0, 0.02, False, 0.25, None, 0.85, 3.0)
    return replace(figures, **changes)


def test_each_item_has_the_reward_of_its_figures():
    """The whole by hand, too: content .7 at .25 errors, similarity .6 at .85, quality .2 + .8 (3 - 2) / 1.6 = .7."""
    found = item_rewards(rows(GOOD), frozenset({"en"}), SETTINGS)["a"]
    assert found == reward_of(by_hand(), True, SETTINGS) and found.total == pytest.approx(0.67)
    weights = RewardSettings(content=0.2, similarity=0.7, quality=0.1)
    assert item_rewards(rows(GOOD), frozenset({"en"}), weights)["a"] == reward_of(by_hand(), True, weights)


def test_words_that_nobody_trusted_hears_do_not_count():
    rich = item_rewards(rows(GOOD | {"wer": 0.0}), frozenset(), SETTINGS)["a"]
    assert rich == item_rewards(rows(GOOD | {"wer": 1.0}), frozenset(), SETTINGS)["a"]
    assert rich == reward_of(by_hand(), False, SETTINGS)
    hindi = item_rewards(rows(GOOD, language="hi"), frozenset({"hi"}), SETTINGS)["a"]
    assert hindi == reward_of(by_hand(errors=0.2), True, SETTINGS)  # written units, and not words


@pytest.mark.parametrize(
    ("changes", "gate"),
    [({"stopped": 0.0}, "endless"), ({"truncated": 1.0}, "truncated"), ({"crashed": 1.0}, "crashed"),
     ({"loop_share": 0.9}, "loop"), ({"silence_share": 1.0}, "silent"), ({"level_db": -60.0}, "quiet"),
     ({"copied": 0.9}, "copied"), ({"invalid_rate": 0.1}, "invalid")],
)  # fmt: skip
def test_every_gate_is_told_from_the_rows(changes, gate):
    found = item_rewards(rows(GOOD | changes), frozenset({"en"}), SETTINGS)["a"]
    assert (found.total, found.gate) == (0.0, gate)
    assert item_rewards(rows(GOOD, codes=300), frozenset({"en"}), SETTINGS)["a"].gate == "long"
    assert item_rewards(rows(GOOD, codes=0), frozenset({"en"}), SETTINGS)["a"].gate == "empty"


def test_an_item_without_a_figure_that_counts_has_no_reward():
    for missing in ("similarity", "level_db", "dnsmos", "wer"):
        some = [row for row in rows(GOOD) if row.metric != missing]
        assert item_rewards(some, frozenset({"en"}), SETTINGS) == {}
    without_voice = RewardSettings(content=0.5, similarity=0.0, quality=0.5)
    some = [row for row in rows(GOOD) if row.metric != "similarity"]
    assert set(item_rewards(some, frozenset({"en"}), without_voice)) == {"a"}


def test_a_recipe_that_weighs_the_likelihood_is_told_by_its_error_rate_alone():
    asked = RewardSettings(likelihood=0.5)
    assert item_rewards(rows(GOOD), frozenset({"en"}), asked) == item_rewards(rows(GOOD), frozenset({"en"}), SETTINGS)


def test_the_mean_of_a_real_evaluation_is_that_of_its_items(pack, checkpoint, codec, asr, tmp_path, monkeypatch):
    monkeypatch.setattr("vaak.evaluate.checkpoint.open_held_out", lambda asr, threads: None)
    db = open_results(tmp_path / "r.db")
    reference_scores(pack, codec, AsrDouble(pack), db, held_out=HeldOut(None))
    identity = evaluate_checkpoint(checkpoint.path, pack, codec, db, asr=asr, held_out=True)
    found = summary(db, identity, reward=SETTINGS)
    totals = {}
    for item in {row.item for row in db.read(identity)}:
        of = {row.metric: row for row in db.read(identity) if row.item == item}
        if "similarity" in of:
            totals[item] = reward_of(figures_of(of), of["dnsmos"].language == "en", SETTINGS).total
    assert totals and found["all"]["reward"] == pytest.approx(np.mean(list(totals.values())))
    assert "reward" not in found["versions"] and "reward" not in summary(db, identity)["all"]
