"""What `scale.options` may say for an executor of `datatrove`, and what is filled in where it says nothing."""

from __future__ import annotations

import difflib
import inspect
import os
import re
import shlex
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.text.processes import default_processes
from vaak.text.settings import Scale

# What a build decides itself: which tasks there are, what waits for what, and where their marks lie. A part of the tasks, or
# several machines for one task, would not come to the same corpus.
_DECIDED = frozenset(
    {
        *("self", "pipeline", "tasks", "nodes_per_task", "local_tasks", "local_rank_offset", "start_method"),
        *("depends", "depends_job_id", "run_on_dependency_fail", "max_array_launch_parallel", "stagger_max_array_jobs"),
        *("logging_dir", "skip_completed", "job_name", "job_id_position", "job_id_retriever"),
    }
)
_NUMBERS = ("cpus_per_task", "workers", "tasks_per_job")
# YAML reads 10:00:00 without quotes as 36000, which Slurm takes for minutes.
_SLURM_TIME = re.compile(r"(\d+-)?\d+(:\d+){0,2}")


def executor_class(scale: Scale) -> type[Any]:
    """The executor of `datatrove`. Raises `BadInput` if what it needs is not on this machine."""
    # Its logs are not to show the values of variables, among which may be secrets. Tasks inherit this.
    os.environ.setdefault("LOGURU_DIAGNOSE", "NO")
    try:
        from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
    except ImportError as error:
        raise BadInput(f"'scale' needs datatrove ({error}); pip install 'vaak[scale]'") from error
    if scale.executor == "slurm":
        for command in ("sbatch", "squeue"):
            if shutil.which(command) is None:
                raise BadInput(f"executor slurm needs {command}, which is not on this machine; build on a login node")
        return SlurmPipelineExecutor
    if scale.executor == "ray":
        if find_spec("ray") is None:
            raise BadInput("executor ray needs ray, which is not installed; pip install ray, here and on its nodes")
        return RayPipelineExecutor
    return LocalPipelineExecutor


def executor_options(scale: Scale) -> dict[str, Any]:
    """The options of a configuration, completed. Raises `BadInput` naming the one that is unknown, missing or no such value."""
    takes = inspect.signature(executor_class(scale).__init__).parameters
    for name in scale.options:
        if name in _DECIDED:
            raise BadInput(f"'scale.options.{name}' is decided by the build itself; remove it")
        if name not in takes:
            near = difflib.get_close_matches(name, sorted(set(takes) - _DECIDED), n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(sorted(set(takes) - _DECIDED))}"
            raise BadInput(f"'scale.options.{name}' is no option of executor {scale.executor}; {hint}")
    for name, parameter in takes.items():
        if parameter.default is inspect.Parameter.empty and name not in _DECIDED and name not in scale.options:
            raise BadInput(f"executor {scale.executor} needs 'scale.options.{name}'; add it")
    options = dict(scale.options)
    for name in set(_NUMBERS) & set(options):
        if type(options[name]) is not int or (options[name] < 1 and (name, options[name]) != ("workers", -1)):
            raise BadInput(f"'scale.options.{name}' is {options[name]!r}; give a whole number from 1 up")
    if scale.executor == "local" and options.get("workers", -1) == -1:
        options["workers"] = min(scale.tasks, default_processes())
    return _for_slurm(options) if scale.executor == "slurm" else options


def _for_slurm(options: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(options["time"], str) or not _SLURM_TIME.fullmatch(options["time"]):
        raise BadInput(
            f"'scale.options.time' is {options['time']!r}; give Slurm's words in quotes, such as \"10:00:00\""
        )
    for name in ("sbatch_args", "srun_args"):
        if not isinstance(options.get(name) or {}, dict):
            raise BadInput(f"'scale.options.{name}' is no mapping; give Slurm's long options as keys, without dashes")
    if not any(options.get(name) for name in ("env_command", "condaenv", "venv_path")):
        # The job finds this environment's programs without activating it, as they name their interpreter.
        options["env_command"] = f'export PATH={shlex.quote(sysconfig.get_path("scripts"))}:"$PATH"'
    # The user's own quality of service, where datatrove asks for one that not every cluster has.
    options.setdefault("qos", "")
    # What waits for a task that failed would wait for ever, and would look like a build that goes on.
    options["sbatch_args"] = {"kill-on-invalid-dep": "yes", **(options.get("sbatch_args") or {})}
    # srun does not take over from sbatch how many cores a task has.
    options["srun_args"] = {"cpus-per-task": options.get("cpus_per_task", 1), **(options.get("srun_args") or {})}
    return options


def check_slurm_path(folder: Path) -> None:
    """Raises `BadInput` if datatrove's job script, which does not quote the folder of logs, would take it for several words."""
    if shlex.quote(str(folder)) != str(folder):
        raise BadInput(f"Slurm's job script cannot name {folder}; give the corpus a path without spaces and quotes")
