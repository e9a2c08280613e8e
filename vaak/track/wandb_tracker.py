"""Weights & Biases: one W&B run, online where there is a key and a network, else offline in a folder that is sent later.

Only numbers, tables and sounds leave this process: no command line, no code, no console, no list of packages, no figures of
the machine. A command line may hold the password of a database.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vaak.track.sentences import sentence_of
from vaak.track.tracker import Sound

# Families of metrics that come at steps of their own, and the axis of each: W&B drops what goes backwards on its own count of
# rows, but plots these over their axis in whatever order they come. `checkpoint/step` and `publish/step` are metrics themselves.
_OWN_AXES = {
    "val": "val/step",
    "evaluate": "evaluate/step",
    "sidecar": "sidecar/step",
    "checkpoint": "checkpoint/at_step",
    "publish": "publish/at_step",
}
# All others are the training's own.
_AXIS = "step"
# What the name of an artifact may not have.
_SPELLED = re.compile(r"[^\w.-]+", re.ASCII)
# Seconds until a W&B that does not answer is given up and the run is kept offline, and for what is still to be sent at the end.
_INIT_SECONDS, _FINISH_SECONDS = 20.0, 20.0


class WandbTracker:
    """A new W&B run, named `run`, of job type `job`, in the group `run` of `project` (None: W&B's own setting, else "vaak").

    Its files lie in `folder/wandb`, and what W&B stages of tables and sounds in `folder/wandb/data`, unless WANDB_DIR and
    WANDB_DATA_DIR say otherwise. `say` is told why a run is kept offline. The key is read by W&B itself and never named here.
    """

    def __init__(
        self, run: str, *, job: str, folder: str | Path, say: Callable[[str], None], project: str | None = None
    ) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        self._wandb = wandb
        os.environ.setdefault("WANDB_DATA_DIR", str(Path(folder).resolve() / "wandb" / "data"))
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
            reinit="create_new",
            init_timeout=_INIT_SECONDS,
            finish_timeout=_FINISH_SECONDS,
        )
        place = os.environ.get("WANDB_DIR") or str(folder)
        named = {"project": project or os.environ.get("WANDB_PROJECT") or "vaak", "name": run, "group": run}
        self._named = run
        self._run = _opened({**named, "job_type": job, "dir": place, "settings": settings}, say)
        self._defined: set[str] = set()
        # Before the first row: what is defined in between would still be on its way when the process is killed, and the row with it.
        for family, axis in _OWN_AXES.items():
            self._define(axis, "")
            self._define(f"{family}/*", axis)

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """A row of W&B's history, which counts rows by itself: `step` is a column."""
        self._run.log({**self._axes(values, step), **values})

    def _axes(self, names: Iterable[str], step: int) -> dict[str, int]:
        """The step under each axis that these metrics are plotted over, which W&B is told when it sees a family first."""
        axes = {_AXIS: step}
        for name in names:
            family, _, rest = name.partition("/")
            axis = _OWN_AXES.get(family, _AXIS)
            axes[axis] = step
            self._define(axis, "")
            if name not in _OWN_AXES.values() and name != _AXIS:
                self._define(f"{family}/*" if rest else name, axis)
        return axes

    def _define(self, name: str, axis: str) -> None:
        if name not in self._defined:
            self._defined.add(name)
            self._run.define_metric(name, **({"step_metric": axis} if axis else {}))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A `wandb.Table` with players. W&B has copied every sound when this returns."""
        columns: list[Any] = list(rows[0]) if rows else []
        with tempfile.TemporaryDirectory() as folder:
            cells: Any = [[self._cell(row[column], Path(folder)) for column in columns] for row in rows]
            table = self._wandb.Table(columns=columns, data=cells)
            self._run.log({**self._axes([name], step), name: table})

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        """An artifact of type `name` that has the address only: nothing there is read, hashed or sent. A folder that is gone is
        not told."""
        if address.startswith("file://") and not Path(unquote(urlsplit(address).path)).exists():
            return
        artifact = self._wandb.Artifact(f"{_SPELLED.sub('-', self._named)}-{name}", type=name, metadata=dict(metadata))
        if address.startswith("file://"):
            artifact.add_reference(address, checksum=False)
        else:  # W&B's own way to name an object in a store asks the store, with a library for each kind
            from wandb.sdk.artifacts.artifact_manifest_entry import (  # pyright: ignore[reportMissingImports]
                ArtifactManifestEntry,
            )
            from wandb.sdk.lib.paths import LogicalPath  # pyright: ignore[reportMissingImports]

            artifact.manifest.add_entry(ArtifactManifestEntry(path=LogicalPath(name), ref=address, digest=address))
        self._run.log_artifact(artifact, aliases=["latest", f"step-{step}"])

    def _cell(self, value: Any, folder: Path) -> Any:
        if not isinstance(value, Sound):
            return value
        path = folder / value.name
        path.write_bytes(value.data)
        return self._wandb.Audio(str(path), caption=path.stem)

    def close(self) -> None:
        """Ends the run; what cannot be sent within half a minute stays in its folder."""
        self._run.finish()


def _opened(arguments: dict[str, Any], say: Callable[[str], None]) -> Any:
    """A run that is online if it can be; never asks for a key at the terminal."""
    import wandb  # pyright: ignore[reportMissingImports]

    mode = os.environ.get("WANDB_MODE", "online")
    why = "" if mode == "online" else f"WANDB_MODE is {mode}"
    if not why:
        try:
            if wandb.login(prompt=False, verify=False):
                return wandb.init(mode="online", **arguments)
            why = "there is no key"
        except Exception as error:
            why = sentence_of(error)
    run = wandb.init(mode="offline", **arguments)
    place = Path(run.dir).parent
    say(f"W&B has the run {arguments['name']} offline ({why}); send it from this machine with: wandb sync {place}")
    return run
