"""Pairs from groups: best and worst where they differ, nothing where a judge failed, and the same folder however often it was killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.align.toy_alignment import SetJudges, make_model, make_prompt, make_recipe, said
from vaak.align.judges import Judged
from vaak.align.pair_drawing import LEAST_DIFFERENCE, Drawing, draw_pairs, make_pairs, outcome_of
from vaak.align.pairs import open_pairs
from vaak.align.prompts import PromptOrder
from vaak.align.rollouts import Rollout
from vaak.cli.main import main
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.model.sampling import TEMPERATURE
from vaak.recipe import load_align_recipe
from vaak.speak.generation import generate
from vaak.storage.files import list_files


def judged(reward: float | None, failure: str = "") -> Judged:
    return Judged(reward, {}, None, "", failure, None, "")


def outcome(*rewards: float | None, failure: str = "") -> dict:
    prompt = make_prompt("one two three")
    generations = [said(n, n + 1) for n in range(len(rewards))]
    return outcome_of(7, Rollout(prompt, generations, [judged(one, failure) for one in rewards]))


def test_best_and_worst_of_a_group_are_the_pair():
    pair = outcome(0.4, 0.7, 0.1, 0.7)["pair"]
    assert (pair["chosen"]["reward"], pair["rejected"]["reward"]) == (0.7, 0.1)
    assert (pair["chosen"]["codes"], pair["rejected"]["codes"]) == ([1, 2], [2, 3])  # of equal ones the first
    assert pair["number"] == 7 and pair["prompt"] == make_prompt("one two three").ids.tolist()


@pytest.mark.parametrize("away", [0.0, LEAST_DIFFERENCE * 0.99])
def test_alike_rewards_are_no_preference(away):
    assert outcome(0.5, 0.5 + away) == {"language": "en", "outcome": "alike"}
    assert outcome(0.5, 0.5 + LEAST_DIFFERENCE * 1.01)["outcome"] == "pair"


def test_a_group_whose_judge_failed_gives_nothing_and_says_which_judge():
    """Without the words of the exception: they may differ from run to run."""
    found = outcome(None, None, failure="asr: TimeoutError: longer than 60 s")
    assert found == {"language": "en", "outcome": "dropped", "failure": "asr: TimeoutError"}


TEXTS = ["one two", "red blue", "old new", "big ten", "three four five"]


def make_drawing(prompts: int = 10, settings: dict | None = None, calls: list | None = None) -> Drawing:
    """Real draws of a small model, four prompts of two completions at a time."""
    model = make_model().eval()
    pool = [make_prompt(text) for text in TEXTS] + [make_prompt("green", "hi")]

    def draw(prompts, limits, seeds):
        if calls is not None:
            calls.append(len(prompts))
        return generate(model, prompts, max_codes=list(limits), seeds=list(seeds), batch_size=8)

    pools = {"en": pool[:-1], "hi": pool[-1:]}
    order = PromptOrder(pools, {"en": 0.8, "hi": 0.2}, 1)
    return Drawing(order, prompts, 2, 1, 8, draw, settings or {"parent": "toy/0/0", "trusted": []})


def word(prompt, one) -> float | None:
    """Depends on what was said alone, as a judge's word does; the judges of Hindi fail."""
    return None if prompt.language == "hi" else float(np.mean(one.codes) / 64 if len(one.codes) else 0)


def drawn(folder: Path, stop=lambda: False, calls: list | None = None, word=word, **changes) -> dict:
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    return draw_pairs(make_drawing(calls=calls, **changes), SetJudges(word), folder / "pairs", work, stop=stop)  # pyright: ignore


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in list_files(folder)}


def test_counts_of_each_language_add_up(tmp_path):
    manifest = drawn(tmp_path)
    english, hindi = manifest["languages"]["en"], manifest["languages"]["hi"]
    assert english["groups"] + hindi["groups"] == 10 and hindi["groups"] == 2
    assert hindi == {"groups": 2, "pairs": 0, "dropped": 2, "alike": 0, "chosen_reward": None, "rejected_reward": None}
    assert english["groups"] == english["pairs"] + english["alike"] and english["dropped"] == 0
    assert english["chosen_reward"] - english["rejected_reward"] >= LEAST_DIFFERENCE
    assert manifest["failures"] == {"": 2}
    rows = open_pairs(tmp_path / "pairs").rows
    assert len(rows) == english["pairs"] and {row["language"] for row in rows} == {"en"}


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_killed_and_run_again_it_is_the_folder_that_was_not(tmp_path, killed_after):
    """Only what was not done is drawn again."""
    drawn(tmp_path / "whole")
    calls: list[int] = []
    with pytest.raises(Interrupted, match=rf"{4 * killed_after} of 10 prompts"):
        drawn(tmp_path / "broken", stop=lambda: len(calls) >= killed_after, calls=calls)
    drawn(tmp_path / "broken", calls=calls)
    assert calls == [8, 8, 4]
    assert contents(tmp_path / "broken" / "pairs") == contents(tmp_path / "whole" / "pairs")


def test_a_crash_in_the_midst_of_drawing_keeps_what_was_judged(tmp_path):
    drawn(tmp_path / "whole")
    calls: list[int] = []

    def crash() -> bool:
        if len(calls) == 2:
            raise MemoryError
        return False

    with pytest.raises(MemoryError):
        drawn(tmp_path / "broken", stop=crash, calls=calls)
    # Half of a frozen folder, as a kill while it was written leaves it.
    (tmp_path / "broken" / "work" / "frozen").mkdir()
    (tmp_path / "broken" / "work" / "frozen" / "codes.npy").write_bytes(b"half")
    drawn(tmp_path / "broken", calls=calls)
    assert calls == [8, 8, 8, 4]  # those that were being judged are drawn again
    assert contents(tmp_path / "broken" / "pairs") == contents(tmp_path / "whole" / "pairs")


def test_it_does_not_go_on_as_other_pairs(tmp_path):
    with pytest.raises(Interrupted):
        drawn(tmp_path, stop=lambda: True)
    with pytest.raises(BadInput, match=r"parent = toy/0/0, and now it is toy/0/9; restore it"):
        drawn(tmp_path, settings={"parent": "toy/0/9", "trusted": []})


def test_no_pair_at_all_is_no_folder(tmp_path):
    with pytest.raises(CheckFailed, match="no pair came of 10 prompts: the judges failed in 2"):
        drawn(tmp_path, word=lambda prompt, _: None if prompt.language == "hi" else 0.5)
    assert not (tmp_path / "pairs").exists()


def test_vllm_is_not_asked_for_pairs(tmp_path):
    recipe = make_recipe(rollouts={"engine": "vllm_colocated"})
    with pytest.raises(BadInput, match=r"rollouts\.engine=own"):
        make_pairs(recipe, tmp_path / "pairs")


@pytest.mark.slow
def test_pairs_of_the_shipped_model_and_a_step_of_dpo_from_them(tmp_path, capsys, monkeypatch):
    """Through the doors, with real judges: made, opened again as they are, refused with other settings, and learned from."""
    monkeypatch.chdir(tmp_path)
    small = ["--set", "group=3", "--set", "rollouts.batch=6"]
    pairs = ["align", "pairs", "dpo-tiny", "--out", "pairs", "--prompts", "4", *small]

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    code, out = run(*pairs)
    assert code == 0 and "speaks 4 prompts" in out and "dropped" in out
    before = contents(tmp_path / "pairs")
    found = open_pairs(tmp_path / "pairs")
    counts = found.manifest["languages"]["en"]
    assert counts["groups"] == 4 and counts["pairs"] == len(found.rows) >= 1 and counts["dropped"] == 0
    assert run(*pairs)[0] == 0 and contents(tmp_path / "pairs") == before
    assert not (tmp_path / "pairs.unfinished").exists()
    code, out = run(*pairs, "--set", "seed=2")
    assert code == 2 and "seed = 1, and now it is 2" in out

    learn = ["--set", "pairs=pairs", "--set", "steps=1", "--set", "prompts_per_step=2", "--set", "microbatch=4"]
    code, out = run("align", "dpo-tiny", "--out", "run", *learn)
    assert code == 0, out
    assert (tmp_path / "run" / "DONE.json").is_file() and (tmp_path / "run" / "checkpoints" / "step-00000000").is_dir()
    codes = tmp_path / "pairs" / "codes.npy"
    codes.write_bytes(codes.read_bytes()[:-1] + b"\xff")
    code, out = run("align", "dpo-tiny", "--out", "again", *learn)
    assert code == 1 and "codes.npy: damaged" in out


def test_the_shipped_recipes_are_valid_and_small_steps():
    real, tiny = load_align_recipe("dpo"), load_align_recipe("dpo-tiny")
    assert real.kind == tiny.kind == "dpo" and real.schedule.peak_lr == 5e-7
    assert tiny.schedule.peak_lr > real.schedule.peak_lr
    assert tiny.rollouts.temperature == TEMPERATURE  # as an evaluation speaks
