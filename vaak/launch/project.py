"""The project file: which corpora, gates and stages a launch walks through. YAML, unknown keys refused."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaak.corpus.pack_material import Voices
from vaak.errors import BadInput


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackSettings(_Part):
    """How large the gold pack is (SPEC G2): cross-entropy samples and decode prompts by kind; whose voices speak, and the sources
    that prompts of one sentence are drawn from, all if none are named. See `vaak.corpus.pack.build_pack`."""

    ce: int = 1000
    per_language: int = 4
    cross_lingual: int = 12
    long_form: int = 4
    probes: int = 2
    extended: int | dict[str, int] = Field(default_factory=dict)
    voices: Voices = "any"
    sources: list[str] = Field(default_factory=list)


class AuditSettings(_Part):
    """How many samples the audit reads, and how many per language it decodes to listen to (SPEC G1)."""

    samples: int = 10_000
    listen_per_language: int = 100


class OverfitSettings(_Part):
    """The recipe whose model must overfit `samples` samples (SPEC G3)."""

    recipe: str
    samples: int = 32
    max_seconds: float = 600.0


class Stage(_Part):
    """One training stage: a recipe, the stage whose weights it takes, and its share of a training-time budget."""

    name: str
    recipe: str
    parent: str | None = None
    share: float | None = None
    overrides: tuple[str, ...] = ()


class EvaluationSettings(_Part):
    """Stages whose checkpoints the sidecar follows; the last of them is scored in full."""

    follow: tuple[str, ...] = ()
    final: str


class Project(_Part):
    """A launch, whole."""

    name: str
    corpora: tuple[str, ...]
    tokenizer: str
    codec: str
    seed: int = 1
    overrides: tuple[str, ...] = ()
    pack: PackSettings = PackSettings()
    audit: AuditSettings = AuditSettings()
    overfit: OverfitSettings
    minutes: float | None = None
    stages: tuple[Stage, ...]
    evaluate: EvaluationSettings


def load_project(path: Path) -> Project:
    """Read a project file. Raises `BadInput` naming the key at fault and the nearest known one."""
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read as YAML ({str(error).splitlines()[0]}); give a project file") from error
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: is not a mapping; a project file has keys such as 'corpora' and 'stages'")
    try:
        project = Project.model_validate(tree)
    except ValidationError as error:
        raise BadInput(_first_fault(path, error)) from error
    _check_stages(path, project)
    return project


def _first_fault(path: Path, error: ValidationError) -> str:
    faults = error.errors()
    # An unknown key comes first: a misspelled one is also reported as missing under its right name.
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = sorted({name for part in (Project, *_Part.__subclasses__()) for name in part.model_fields})
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        return f"{path}: unknown key '{where}'" + (f"; did you mean '{near[0]}'?" if near else "; remove it")
    return f"{path}: '{where}': {fault['msg']}; correct it"


def _check_stages(path: Path, project: Project) -> None:
    seen: set[str] = set()
    for stage in project.stages:
        if stage.name in seen:
            raise BadInput(f"{path}: stage '{stage.name}' stands twice; give each stage its own name")
        if stage.parent is not None and stage.parent not in seen:
            raise BadInput(
                f"{path}: stage '{stage.name}' names the parent '{stage.parent}', which is no stage before it"
            )
        seen.add(stage.name)
    for name in (*project.evaluate.follow, project.evaluate.final):
        if name not in seen:
            raise BadInput(f"{path}: evaluate names the stage '{name}', which does not exist; known: {sorted(seen)}")
    if project.minutes is not None and any(stage.share is None for stage in project.stages):
        raise BadInput(f"{path}: 'minutes' needs a 'share' in every stage, so that the budget can be divided")
