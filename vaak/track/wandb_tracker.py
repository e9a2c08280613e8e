"""Weights & Biases: one W&B run, online where there is a key and a network, else offline in a folder that is sent later.

Only numbers, tables and sounds leave this process: no command line, no code, no console, no list of packages, no figures of
the machine. A command line may hold the password of a database.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vaak.track.tracker import Sound

# Metrics that have a step of their own, `evaluate/step`: W&B drops what goes backwards on its own count of rows, but
# plots these over their own step in whatever order they come.
_OWN_STEPS = ("evaluate",)
# Seconds until a W&B that does not answer is given up and the run is kept offline, and for what is still to be sent at the end.
_INIT_SECONDS, _FINISH_SECONDS = 20.0, 30.0


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
        self._run = _opened({**named, "job_type": job, "dir": place, "settings": settings}, say)
        for family in _OWN_STEPS:
            self._run.define_metric(f"{family}/step")
            self._run.define_metric(f"{family}/*", step_metric=f"{family}/step")

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """A row of W&B's history, which counts rows by itself: `step` is a column."""
        self._run.log({**_axes(values, step), **values})

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A `wandb.Table` with players. W&B has copied every sound when this returns."""
        columns: list[Any] = list(rows[0]) if rows else []
        with tempfile.TemporaryDirectory() as folder:
            cells: Any = [[self._cell(row[column], Path(folder)) for column in columns] for row in rows]
            table = self._wandb.Table(columns=columns, data=cells)
            self._run.log({**_axes([name], step), name: table})

    def _cell(self, value: Any, folder: Path) -> Any:
        if not isinstance(value, Sound):
            return value
        path = folder / value.name
        path.write_bytes(value.data)
        return self._wandb.Audio(str(path), caption=path.stem)

    def close(self) -> None:
        """Ends the run; what cannot be sent within half a minute stays in its folder."""
        self._run.finish()


def _axes(names: Iterable[str], step: int) -> dict[str, int]:
    families = {name.split("/", 1)[0] for name in names}
    return {"step": step} | {f"{family}/step": step for family in _OWN_STEPS if family in families}


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
            why = _without_key(f"{type(error).__name__}: {error}".splitlines()[0])
    run = wandb.init(mode="offline", **arguments)
    place = Path(run.dir).parent
    say(f"W&B has the run {arguments['name']} offline ({why}); send it from this machine with: wandb sync {place}")
    return run


def _without_key(text: str) -> str:
    key = os.environ.get("WANDB_API_KEY")
    return text.replace(key, "***") if key else text
