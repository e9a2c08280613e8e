"""The order of the specification on two cores: PT-S1, PT-S2, PT-S3 and fine-tuning, each from the weights of the one before."""

from itertools import pairwise

import pytest

from vaak.checkpoint import find_checkpoint
from vaak.corpus import open_corpus
from vaak.corpus.pack import build_pack
from vaak.recipe import load_recipe, resolve_path
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train

pytestmark = pytest.mark.slow

LANGUAGES = {"as", "bn", "en", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te"}
STEPS = {"pt-s1-tiny": 30, "pt-s2-tiny": 24, "pt-s3-tiny": 5, "sft-tiny": 16}
# Of these lengths a warm-up of 2% is no step at all; the body is smaller than the recipes' too, for this test to be short.
SMALL = ["model.config.num_hidden_layers=2", "model.config.hidden_size=128", "model.config.intermediate_size=256"]
SETTINGS = ["schedule.warmup_ratio=0.2", "validation={every: 1000, samples: 96}", *SMALL]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Name of a stage to its run folder and what it said."""
    root, runs, parent = tmp_path_factory.mktemp("chain"), {}, None
    corpus = open_corpus(resolve_path("example:corpus"))
    build_pack(corpus, root / "pack", seed=0, n_ce=96, per_language=1, cross_lingual=0, probes=0)
    for name, steps in STEPS.items():
        said: list[str] = []
        recipe = load_recipe(name, [*SETTINGS, f"length={{steps: {steps}}}", f"pack={root / 'pack'}"])
        train(recipe, root / name, parent=parent, say=said.append)
        runs[name], parent = (root / name, said), root / name
    return runs


def rows(run, name):
    return [row for row in read_jsonl(run / "metrics.jsonl") if name in row]


def test_the_loss_falls_in_every_stage(chain):
    """From the first step to the last three, of what the stage itself is trained on."""
    for name, (run, _) in chain.items():
        losses = [row["loss"] for row in rows(run, "loss")]
        assert len(losses) == STEPS[name]
        assert sum(losses[-3:]) / 3 < losses[0], name


def test_every_language_has_a_loss_in_every_stage(chain):
    for name, (run, _) in chain.items():
        trained = {key for row in rows(run, "loss") for key in row if key.startswith("loss/language/")}
        held_out = {key for key in rows(run, "val/loss")[-1] if key.startswith("val/language/")}
        assert held_out == {f"val/language/{language}" for language in LANGUAGES}, name
        if name != "pt-s3-tiny":  # not every language of the example has long-form speech
            assert trained == {f"loss/language/{language}" for language in LANGUAGES}, name


def test_every_restart_of_the_rate_is_seen(chain):
    """Each stage warms up to its own peak, below that of the one before, and falls to its own floor."""
    peaks = []
    for name, (run, said) in chain.items():
        schedule = load_recipe(name).schedule
        rates = [row["lr"] for row in rows(run, "loss")]
        at = rates.index(max(rates))
        assert max(rates) == pytest.approx(schedule.peak_lr) and rates[-1] == pytest.approx(schedule.min_lr, rel=0.05)
        assert all(a < b for a, b in pairwise(rates[: at + 1])) and all(a >= b for a, b in pairwise(rates[at:]))
        peaks.append(max(rates))
        if len(peaks) > 1:
            assert any("the optimizer starts anew; the peak rate" in sentence for sentence in said)
    assert all(a > b for a, b in pairwise(peaks))


def test_a_stage_begins_where_the_one_before_ended(chain):
    for (_, (before, _)), (_, (after, said)) in pairwise(chain.items()):
        assert any(find_checkpoint(before).id in sentence for sentence in said)
        assert load_recipe(after / "recipe.yaml").parent == str(before)
