"""What an aligned run says of itself in its recipe: that it is one, the reward that it was trained on, who listened for it.

Read by plain keys: the recipe of an alignment is another tree than that of a training, and a page or a sidecar needs no more
of it than this.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vaak.recipe.align_tree import KINDS
from vaak.score.asr import WHISPER, Asr
from vaak.score.reward_settings import RewardSettings
from vaak.score.weights import PACKAGED_NAME

RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Aligned:
    """kind: "grpo" or "dpo". reward: its settings, None where the recipe has some that cannot be used. asr: what the reward
    listened with, as `vaak.score.asr.open_asr` takes it; "" for the default."""

    kind: str
    reward: RewardSettings | None
    asr: str = ""

    def listens_with(self, asr: Asr) -> bool:
        """Whether this recogniser, by its name, is one that the reward listened with."""
        parts = [part for part in self.asr.split(os.pathsep) if part]
        names = [PACKAGED_NAME if part == WHISPER else Path(part).name for part in parts]
        return any(asr.name == name or asr.name.startswith(f"{name}-") for name in names)


def aligned_of(text: str | bytes | None) -> Aligned | None:
    """What a recipe.yaml says; None for that of a training, for what is no YAML, and for none at all."""
    try:
        tree: Any = yaml.safe_load(text) if text is not None else None
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that is none is a ValueError
        return None
    if not isinstance(tree, dict) or tree.get("kind") not in KINDS:
        return None
    try:
        reward = RewardSettings.model_validate(tree.get("reward") or {})
    except ValidationError:
        reward = None
    judges = tree.get("judges")
    asr = judges.get("asr") if isinstance(judges, dict) else None
    return Aligned(tree["kind"], reward, str(asr or ""))


def recipe_text(folder: Path) -> bytes | None:
    """The recipe in the folder of a run, a checkpoint or an export; None where there is none to read."""
    try:
        return (folder / RECIPE).read_bytes()
    except OSError:
        return None
