"""The same build on many machines: each input prepared by a task of `datatrove`, on Slurm, on Ray or on this machine.

A task prepares every `tasks`-th input into the work folder, with the code that one machine uses, and a last task, which
waits for them all, finds the duplicates and writes the corpus. So the kept documents are the same by construction. The
work folder must be on a file system that all machines share and that knows locks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datatrove.data import DocumentsPipeline
from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from vaak.errors import BadInput
from vaak.text.build import build_text, prepare_share
from vaak.text.settings import load_settings

_EXECUTORS = {"local": LocalPipelineExecutor, "slurm": SlurmPipelineExecutor, "ray": RayPipelineExecutor}


class PrepareInputs(PipelineStep):
    """Prepares a rank's share of the inputs, and says how many documents it read, kept and dropped for which reason."""

    name = "prepare"
    type = "vaak text build"

    def __init__(self, configuration: str, processes: int = 1) -> None:
        super().__init__()
        self.configuration, self.processes = configuration, processes

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        with self.track_time():
            counts = prepare_share(load_settings(self.configuration), rank, world_size, self.processes)
        for what, n in counts.items():
            self.stat_update(what, value=n)
        yield from ()


class FreezeCorpus(PipelineStep):
    """Finds the duplicates over all inputs, writes the corpus and its report; one task does it."""

    name = "freeze"
    type = "vaak text build"

    def __init__(self, configuration: str) -> None:
        super().__init__()
        self.configuration = configuration

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        with self.track_time():
            # Nothing is left to prepare; an input that is would be prepared here, so that none is ever missing.
            build_text(load_settings(self.configuration))
        yield from ()


def build_scaled(configuration: Path) -> str:
    """Run, or on Slurm submit, the build that the `scale` section of a configuration asks for; says in words what happened.

    Raises `BadInput` for options that the executor does not know.
    """
    settings = load_settings(configuration)
    assert settings.scale is not None
    scale, path = settings.scale, str(configuration.resolve())
    executor = _EXECUTORS[scale.executor]
    logs = settings.corpus.with_name(settings.corpus.name + ".logs")
    options: dict[str, Any] = dict(scale.options)
    processes = int(options.get("cpus_per_task", 1))
    try:
        prepare = executor(
            [PrepareInputs(path, processes)], tasks=scale.tasks, logging_dir=str(logs / "prepare"), **options
        )
        freeze = executor([FreezeCorpus(path)], tasks=1, logging_dir=str(logs / "freeze"), depends=prepare, **options)
    except TypeError as error:
        raise BadInput(f"{configuration}: 'scale.options': {error}; name what datatrove's executor takes") from error
    freeze.run()
    if scale.executor == "slurm":
        return f"submitted {scale.tasks} tasks and one that freezes; logs in {logs}; run this again to see the report"
    return f"{scale.tasks} tasks are done; logs in {logs}"
