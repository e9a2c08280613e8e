"""Faults of judges and decoder while a model is trained: what they do to its parameters and to the counters of its run."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.align.groups import TEXT, VOICE, Faults, FaultyAsr, FaultyCodec, codes_of, raises, sample
from tests.align.toy_alignment import make_prompt, make_recipe, make_stage, run_stage
from vaak.align.judges import Judges
from vaak.speak.generation import Generation

# Each sample is known by its length; the prompt's recording has 50 codes.
GROUP = [sample(length) for length in (50, 51, 52, 53)]
SHORT = [sample(length) for length in (5, 6, 7)]
NAN = float("nan")


def trained(tmp_path, monkeypatch, group, fault) -> tuple[dict, bool]:
    """The last row of two steps on one prompt, and whether the parameters, which are finite in any case, changed."""
    faults = Faults()
    faults.install(monkeypatch)
    codec = FaultyCodec()
    fault(faults, codec)
    prompt = make_prompt(TEXT, limit=125)
    prompt = replace(prompt, sample=replace(prompt.sample, reference_codes=codes_of(50, seed=99)))
    monkeypatch.setattr(type(prompt), "voice", lambda self: VOICE)
    recipe = make_recipe(prompts_per_step=1, steps=2)
    stage = make_stage(tmp_path / "run", recipe, [prompt])
    before = [one.detach().clone() for one in stage.model.parameters()]
    judges = Judges(codec, FaultyAsr(faults), recipe.reward, frozenset({"en"}), timeout_s=0.5)
    rows = run_stage(stage, judges, lambda prompts, limits, seeds: list(group))
    assert all(bool(torch.isfinite(one).all()) for one in stage.model.parameters())
    moved = any(not torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))
    return rows[-1], moved


def judged_badly(judge: str, answers: dict):
    def fault(faults: Faults, codec: FaultyCodec) -> None:
        setattr(faults, judge, answers)

    return fault


@pytest.mark.parametrize(
    "fault, counted",
    [
        (judged_badly("quality", {51: NAN}), "judges/failed/quality: NotFinite"),
        (judged_badly("quality", {51: raises(OSError("no memory"))}), "judges/failed/quality: OSError"),
        (judged_badly("heard", {52: raises(RuntimeError("lost"))}), "judges/failed/asr: RuntimeError"),
        (judged_badly("voice", {53: np.array([NAN, 0, 0, 0])}), "judges/failed/similarity: NotFinite"),
        (judged_badly("heard", {50: "", 51: ""}), "judges/failed/asr: EmptyTranscript"),
    ],
    ids=["nan", "raises", "recogniser raises", "voice of nan", "empty for half of the group"],
)
def test_a_judge_that_fails_drops_its_group_and_nothing_is_learned(tmp_path, monkeypatch, fault, counted):
    row, moved = trained(tmp_path, monkeypatch, GROUP, fault)
    assert not moved and row["skipped"] == 2 and row["dropped"] == 1.0 and "reward" not in row
    assert (
        row["judges/groups"] == row["judges/dropped_groups"] == 2 and row["judges/lost"] == row["judges/samples"] == 8
    )
    assert row["judges/judged"] == 0
    assert sum(n for name, n in row.items() if name.startswith(counted)) >= 2, row


def test_a_judge_that_hangs_is_left_behind(tmp_path, monkeypatch):
    never: Future[str] = Future()  # nobody ever answers
    row, moved = trained(tmp_path, monkeypatch, GROUP, judged_badly("heard", {51: never.result}))
    assert not moved and row["judges/dropped_groups"] == 2 and row["judges/hung/asr"] == 2
    never.set_result("")


def test_a_judge_that_hangs_again_and_again_ends_the_run_with_its_name(tmp_path, monkeypatch):
    never: Future[str] = Future()
    monkeypatch.setattr("vaak.align.judges.MOST_HUNG_GROUPS", 2)
    with pytest.raises(RuntimeError, match="judges that hang: asr in 2 groups"):
        trained(tmp_path, monkeypatch, GROUP, judged_badly("heard", {51: never.result}))
    never.set_result("")


def test_a_judge_that_is_broken_for_good_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("vaak.align.batches.MOST_LOST", 2)
    with pytest.raises(
        RuntimeError, match="every group of the last 2 batches was dropped, the last one by asr: OSError"
    ):
        trained(tmp_path, monkeypatch, GROUP, judged_badly("heard", {51: raises(OSError("no model"))}))


def test_a_decoder_that_crashes_on_one_sample_sends_that_one_to_the_bottom(tmp_path, monkeypatch):
    def fault(faults: Faults, codec: FaultyCodec) -> None:
        codec.crashes = {52: ValueError("code 3 is none")}

    row, moved = trained(tmp_path, monkeypatch, GROUP, fault)
    assert moved and row["dropped"] == 0.0 and row["gated/crashed"] == 1.0 and row["gated"] == 0.25
    assert row["judges/decode_crashes"] == 2 and row["judges/judged"] == 6 and row["judges/gated/crashed"] == 2


def test_rewards_that_are_all_equal_teach_nothing(tmp_path, monkeypatch):
    group = [Generation(codes_of(50), True)] * 4
    row, moved = trained(tmp_path, monkeypatch, group, lambda faults, codec: None)
    assert not moved and row["dead"] == 1.0 and row["judges/dead_groups"] == 2 and row["dropped"] == 0.0


def test_a_group_with_one_valid_sample_makes_that_one_likelier(tmp_path, monkeypatch):
    row, moved = trained(tmp_path, monkeypatch, [GROUP[0], *SHORT], lambda faults, codec: None)
    assert moved and row["gated/short"] == 3.0 and row["gated"] == 0.75
    assert row["judges/judged"] == 2 and row["judges/gated/short"] == 6 and row["dropped"] == 0.0


def test_without_faults_it_learns(tmp_path, monkeypatch):
    row, moved = trained(tmp_path, monkeypatch, GROUP, lambda faults, codec: None)
    assert moved and row["dropped"] == 0.0 and row["judges/judged"] == 8
