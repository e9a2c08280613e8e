"""A run that was published and pulled on another machine continues there to the bit."""

from __future__ import annotations

import pytest
import torch

from tests.train.toy_stage import make_recipe
from vaak.checkpoint import find_checkpoint, list_remote, pull_checkpoint, verify_remote
from vaak.checkpoint.publish import publish_run
from vaak.errors import Interrupted
from vaak.recipe import load_recipe
from vaak.storage.tensors import read_tensors
from vaak.train.loop import train


def quiet(sentence: str) -> None:
    pass


@pytest.mark.slow
def test_a_pulled_run_continues_to_the_bit(toy, s3, tmp_path):
    recipe, asked = make_recipe(toy), []

    def stop() -> bool:
        asked.append(None)
        return len(asked) >= 5

    whole = train(recipe, tmp_path / "whole", say=quiet)
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "here/run", say=quiet, stop=stop)
    policy = load_recipe(tmp_path / "here/run/recipe.yaml").checkpoints
    publish_run(tmp_path / "here/run", to=s3, policy=policy, say=quiet)
    pulled = pull_checkpoint(s3, tmp_path / "there/run")
    pulled_step = find_checkpoint(tmp_path / "there/run").step
    assert pulled.full and 0 < pulled_step < 12
    resumed: list[int] = []
    final = train(recipe, tmp_path / "there/run", say=quiet, on_step=lambda step, steps, words: resumed.append(step))
    assert resumed[0] == pulled_step + 1 and resumed[-1] == 12
    ours, theirs = read_tensors(final / "model"), read_tensors(whole / "model")
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    publish_run(tmp_path / "there/run", to=s3, policy=policy, follow=True, say=quiet)
    assert list_remote(s3)[-1].step == 12 and verify_remote(s3, 12) == []
