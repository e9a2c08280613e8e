"""What a recipe says of an alignment: read by plain keys, and no recipe is an error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.evaluate.small_pack import add_checkpoint
from vaak.evaluate.aligned import aligned_of
from vaak.evaluate.held_out import held_out_of
from vaak.evaluate.places import aligned_at, reward_settings_of
from vaak.recipe import load_align_recipe, save_recipe
from vaak.score.asr import WHISPER, WHISPER_TINY
from vaak.score.reward_settings import RewardSettings

GRPO = "kind: grpo\nname: one\ngroup: 8\nreward: {content: 0.6, similarity: 0.2, quality: 0.2}\n"


def recogniser(name: str) -> Any:
    return cast(Any, SimpleNamespace(name=name, hash="h"))


@pytest.mark.parametrize("kind", ["grpo", "dpo"])
def test_the_reward_of_the_recipe_is_read_whatever_else_stands_in_it(kind):
    found = aligned_of(GRPO.replace("grpo", kind))
    assert found is not None and found.kind == kind and found.asr == ""
    assert found.reward == RewardSettings(content=0.6, similarity=0.2, quality=0.2)
    plain = aligned_of(f"kind: {kind}")
    assert plain is not None and plain.reward == RewardSettings()


@pytest.mark.parametrize(
    "text", [None, b"", "stage: sft\n", "kind: sft\n", "kind: [\n", "- grpo\n", b"\xff\xfe\x00", "grpo"]
)
def test_any_other_recipe_is_that_of_no_alignment(text):
    assert aligned_of(text) is None


def test_a_reward_that_cannot_be_read_is_said_and_nothing_is_held_against_it():
    found = aligned_of("kind: grpo\nreward: {content: 7}\n")
    assert found is not None and found.reward is None
    lines: list[str] = []
    held_out = held_out_of(found, None, lines.append)
    assert held_out.reward is None and len(lines) == 1 and "cannot be read" in lines[0]


@pytest.mark.parametrize(
    ("named", "name", "same"),
    [("whisper", "whisper-base-int8-beam5", True), ("whisper", "whisper-tiny.en-int8-beam5", False),
     ("whisper-tiny.en", "whisper-tiny.en-int8-beam5", True), ("pocketsphinx", "pocketsphinx-en-us", True),
     ("models/mine:pocketsphinx", "mine-int8-beam5", True), ("null", "whisper-base-int8-beam5", False)],
)  # fmt: skip
def test_a_recogniser_that_the_reward_listened_with_is_no_held_out_judge(named, name, same):
    assert (WHISPER, WHISPER_TINY) == ("whisper", "whisper-tiny.en")
    aligned = aligned_of(f"{GRPO}judges: {{asr: '{named}'}}\n" if named != "null" else f"{GRPO}judges: {{asr: null}}\n")
    lines: list[str] = []
    assert (held_out_of(aligned, recogniser(name), lines.append).asr is None) == same
    assert bool(lines) == same


def test_a_checkpoint_says_so_itself_or_by_the_recipe_of_its_run(tmp_path):
    checkpoint = add_checkpoint(tmp_path / "run", 5)
    assert aligned_at(checkpoint.path) is aligned_at(tmp_path / "run") is aligned_at("run/5/" + "a" * 64) is None
    assert reward_settings_of(checkpoint.path) == RewardSettings()
    (tmp_path / "run" / "recipe.yaml").write_text(GRPO)
    assert aligned_at(checkpoint.path) == aligned_at(tmp_path / "run") == aligned_of(GRPO)
    assert reward_settings_of(checkpoint.path) == RewardSettings(content=0.6, similarity=0.2, quality=0.2)
    (checkpoint.path / "recipe.yaml").write_text("kind: dpo")
    found = aligned_at(checkpoint.path)
    assert found is not None and found.kind == "dpo"


@pytest.mark.parametrize("name", ["grpo-tiny"])
def test_the_recipe_that_a_run_keeps_is_read_as_it_is_written(name, tmp_path):
    settings = "reward={content: 0.6, similarity: 0.2, quality: 0.2}"
    recipe = load_align_recipe(name, [settings, "judges.asr=whisper-tiny.en"])
    save_recipe(recipe, tmp_path / "recipe.yaml")
    found = aligned_of((tmp_path / "recipe.yaml").read_bytes())
    assert found is not None and (found.kind, found.reward, found.asr) == (
        recipe.kind,
        recipe.reward,
        "whisper-tiny.en",
    )
