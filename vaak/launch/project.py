"""The project file: which corpora, gates and stages a launch walks through, and where they run. YAML, unknown keys refused."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaak.corpus.pack_material import Voices
from vaak.errors import BadInput
from vaak.evaluate.database import without_password
from vaak.track import chosen_trackers, default_trackers

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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
    """How many samples the audit reads, how many per language it decodes to listen to (SPEC G1), and a file of limits that
    stand in place of the room's own (docs/audit.md)."""

    samples: int = 10_000
    listen_per_language: int = 100
    limits: str | None = None


class OverfitSettings(_Part):
    """The recipe whose model must overfit `samples` samples (SPEC G3), and its limits: a loss below `loss` nats, and at least the
    share `reproduced` of codes and stop tokens said again."""

    recipe: str
    overrides: tuple[str, ...] = ()
    samples: Count = 32
    loss: Annotated[float, Field(gt=0)] = 0.01
    reproduced: Share = 0.99
    max_seconds: float = 600.0


class StageLimits(_Part):
    """What a stage has to show before the next one begins.

    loss: mean training loss of its last tenth of steps over that of its first; held_out: its last in-loop validation over its
    first. skipped: share of its steps that were left out, besides three. mass: largest distance of a served share of target tokens from the
    planned one, in percentage points.
    """

    loss: float = 1.02
    held_out: float = 1.02
    skipped: Share = 0.01
    mass: float = 1.0


class Stage(_Part):
    """One training stage: a recipe, the stage whose weights it takes, and its share of a training-time budget."""

    name: str
    recipe: str
    parent: str | None = None
    share: Positive | None = None
    overrides: tuple[str, ...] = ()
    limits: StageLimits = StageLimits()


class EvaluationSettings(_Part):
    """Stages whose checkpoints the sidecar follows; the last of them is scored in full.

    where: `beside` starts the sidecar with the launch; `elsewhere` waits for one on another machine, which writes to the same
    database. db: a SQLite file or a PostgreSQL address; results.db in the launch's folder if not given. every: steps between
    two checkpoints that get a quick look.
    """

    follow: tuple[str, ...] = ()
    final: str
    where: Literal["beside", "elsewhere"] = "beside"
    db: str | None = None
    every: Count = 1000


class LauncherSettings(_Part):
    """How stages start: in this process, by torchrun on this machine, or as Slurm jobs.

    processes: on each machine, one for each GPU. restarts: how often torchrun starts all processes again, from the last checkpoint,
    when one has died. nodes and sbatch (further options, as in `--partition=gpu`) are for Slurm.
    """

    kind: Literal["in-process", "torchrun", "slurm"] = "in-process"
    processes: Count | None = None
    restarts: Annotated[int, Field(ge=0)] = 0
    nodes: Count = 1
    sbatch: tuple[str, ...] = ()


class HardwareSettings(_Part):
    """What the plan is priced on (`vaak launch --dry-run`): a GPU of `vaak cost`, how many, the share of its peak that a step
    reaches, and the price of a GPU hour; the last two by default those of the GPU."""

    gpu: str
    gpus: Count
    mfu: Annotated[float, Field(gt=0, le=1)] | None = None
    price: Annotated[float, Field(ge=0)] | None = None


class StorageSettings(_Part):
    """Where every stage publishes to while it trains: full checkpoints to `checkpoints`/STAGE, an address; milestones to the Hub's
    repository `hub`-STAGE."""

    checkpoints: str | None = None
    hub: str | None = None


class Project(_Part):
    """A launch, whole."""

    name: str
    corpora: Annotated[tuple[str, ...], Field(min_length=1)]
    tokenizer: str
    codec: str
    seed: Annotated[int, Field(ge=0)] = 1
    overrides: tuple[str, ...] = ()
    pack: PackSettings = PackSettings()
    audit: AuditSettings = AuditSettings()
    overfit: OverfitSettings
    minutes: Positive | None = None
    stages: tuple[Stage, ...]
    evaluate: EvaluationSettings
    launcher: LauncherSettings = LauncherSettings()
    hardware: HardwareSettings | None = None
    storage: StorageSettings = StorageSettings()
    # Whom figures are told besides metrics.jsonl, as in `vaak train --track`: one or several; none of them is `none`.
    track: str | tuple[str, ...] | None = None

    @property
    def trackers(self) -> tuple[str, ...]:
        """Their choices, empty for none. Raises `BadInput`."""
        return chosen_trackers(self.track, default_trackers())


def load_project(path: Path, minutes: float | None = None) -> Project:
    """Read a project file; `minutes` stands in place of its own. Raises `BadInput` naming the key at fault and the nearest known
    one."""
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read as YAML ({str(error).splitlines()[0]}); give a project file") from error
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: is not a mapping; a project file has keys such as 'corpora' and 'stages'")
    if minutes is not None:
        tree = tree | {"minutes": minutes}
    try:
        project = Project.model_validate(tree)
    except ValidationError as error:
        raise BadInput(_first_fault(path, error)) from error
    _check_stages(path, project)
    _check_launcher(path, project)
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
    if not project.stages:
        raise BadInput(f"{path}: has no stage; name one under 'stages'")
    seen: set[str] = set()
    for stage in project.stages:
        if stage.name in seen:
            raise BadInput(f"{path}: stage '{stage.name}' stands twice; give each stage its own name")
        if stage.name in STEP_NAMES or not stage.name.replace("-", "").replace("_", "").isalnum():
            raise BadInput(
                f"{path}: a stage cannot be called '{stage.name}'; use letters, digits, dashes and underscores, and no gate's name"
            )
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


# What is no stage in the order; a stage of such a name could not be told from it in the ledger.
STEP_NAMES = (
    "freeze", "pack", "audit", "judges", "overfit", "size", "publish", "evaluate", "milestones", "report", "launch",
)  # fmt: skip


def _check_launcher(path: Path, project: Project) -> None:
    launcher = project.launcher
    if launcher.kind == "in-process" and launcher.processes is not None:
        raise BadInput(f"{path}: launcher in-process is one process; use kind torchrun for {launcher.processes}")
    if launcher.kind != "torchrun" and launcher.restarts:
        raise BadInput(f"{path}: launcher {launcher.kind} has no 'restarts'; use kind torchrun")
    if launcher.kind != "slurm" and (launcher.nodes > 1 or launcher.sbatch):
        raise BadInput(f"{path}: launcher {launcher.kind} has no 'nodes' and no 'sbatch'; use kind slurm")
    if launcher.kind != "in-process" and project.minutes is not None:
        raise BadInput(
            f"{path}: 'minutes' measures the speed of one process; with launcher {launcher.kind} give each stage a length"
        )
    if project.evaluate.where == "elsewhere" and project.evaluate.db is None:
        raise BadInput(f"{path}: evaluate elsewhere needs 'db', the database that the other machine writes to")
    if project.evaluate.db is not None and without_password(project.evaluate.db)[1]:
        raise BadInput(
            f"{path}: evaluate.db holds a password, and this file is kept with the launch; set PGPASSWORD instead"
        )
    if project.storage.checkpoints is not None and "://" not in project.storage.checkpoints:
        raise BadInput(
            f"{path}: storage.checkpoints is {project.storage.checkpoints!r}; give an address such as s3://bucket/runs"
        )
