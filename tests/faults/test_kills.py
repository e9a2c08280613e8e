"""SIGKILL at random moments, in saves and in uploads: the run ends as if nothing had happened, and so does what it published.

The long version, fifty kills, is benchmarks/kills.py.
"""

import pytest
import torch

from tests.faults.killing import Compared, compare, kill_often, undisturbed
from tests.train.toy_stage import make_corpus, make_recipe

KILLS = 8


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, s3):
    policy = {"every": 25, "model_only_every": 40, "milestones": 100, "keep_last_full": 2, "keep_last_model_only": 3}
    recipe = make_recipe(make_corpus(tmp_path), length={"steps": 500}, checkpoints=policy, pack=None)
    kills = kill_often(recipe, tmp_path, KILLS, seed=1, address=s3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = undisturbed(recipe, tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert kills.total == KILLS and kills.in_save >= 2, kills
    assert compare(tmp_path / "run", whole, s3) == Compared(True, True, True, True, True)
