"""The same build on many machines: each input prepared by a task of `datatrove`, on Slurm, on Ray or on this machine.

A task prepares every so-many-th input into the work folder, with the code that one machine uses, and a last task, which
waits for them all, finds the duplicates and writes the corpus. So the kept documents are the same by construction. The
work folder must be on a file system that all machines share and that knows locks (`flock`).

What is done is what lies whole in the work folder. datatrove's own marks of finished tasks know nothing of an input that
changed since, so every run has a new folder of logs and its marks hold for this run alone. A task that failed stops the
freezing; an input that is not done in spite of that is prepared by the freezing task: a part is never frozen.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.corpus.work_folders import make_folder
from vaak.errors import BadInput
from vaak.storage.locks import only_one
from vaak.text.build import build_text, finished_report, inputs_done, prepare_share
from vaak.text.scale_options import check_slurm_path, executor_class, executor_options
from vaak.text.settings import TextSettings
from vaak.workers import end_with_parent

_ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|BadInput|Exception): (.+)")


@dataclass(frozen=True)
class PrepareInputs:
    """A step of a pipeline: prepares a rank's share of the inputs and writes to the log what became of their documents."""

    settings: TextSettings
    processes: int

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        from datatrove.utils.logging import logger

        counts = prepare_share(self.settings, rank, world_size, self.processes)
        logger.info(", ".join(f"{n:,} {what}" for what, n in counts.items()) or "nothing to prepare")


@dataclass(frozen=True)
class FreezeCorpus:
    """A step of a pipeline, for one task: finds the duplicates over all inputs, writes the corpus and its report."""

    settings: TextSettings
    processes: int

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        build_text(self.settings, self.processes)


def build_scaled(settings: TextSettings, say: Callable[[str], None]) -> str:
    """Run a build as its `scale` says, or submit it to Slurm; returns what happened, `say` is told what begins.

    What is in Slurm's queue is left alone: then nothing is submitted. Raises `BadInput` for options that the executor does
    not take, if another process runs or submits this build, and if a task failed.
    """
    scale = settings.scale
    assert scale is not None
    options = executor_options(scale)
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        raise BadInput(
            "this is a task of a Slurm array, and datatrove would take it for one of its own; start it outside"
        )
    logs = settings.corpus.with_name(settings.corpus.name + ".logs")
    if scale.executor == "slurm":
        check_slurm_path(logs)
    make_folder(logs)
    with only_one(logs / "lock", f"another process runs the build of {settings.corpus}; wait for it"):
        if finished_report(settings) is not None:
            return f"{settings.corpus} is frozen"
        name = f"vaak-text-{hashlib.sha256(str(settings.corpus.resolve()).encode()).hexdigest()[:12]}"
        if scale.executor == "slurm" and (jobs := _queued(name)):
            return f"nothing was submitted, as this build is in Slurm's queue: {jobs}; logs in {_runs(logs)[-1]}"
        done, inputs = inputs_done(settings)
        before = _runs(logs)
        if before and (reason := _reason(before[-1])):
            say(f"the run before ended with: {reason}")
        run, tasks = logs / f"run-{len(before) + 1}", min(scale.tasks, max(inputs, 1))
        make_folder(run)
        say(f"{inputs} inputs, {done} of them done, for {tasks} tasks and one that freezes; logs in {run}")
        if scale.executor == "slurm":
            return _submit(*_executors(settings, tasks, run, {**options, "job_name": name}), run)
        _run(*_executors(settings, tasks, run, options), run, scale.executor == "ray")
        return f"all tasks are done; logs in {run}"


def _executors(settings: TextSettings, tasks: int, run: Path, options: dict[str, Any]) -> tuple[Any, Any]:
    """datatrove's executors of the preparing tasks and of the freezing one; they warn of logs that may not be shared."""
    assert settings.scale is not None
    executor = executor_class(settings.scale)
    processes = 1 if settings.scale.executor == "local" else options.get("cpus_per_task", 1)
    prepare, freeze = PrepareInputs(settings, processes), FreezeCorpus(settings, processes)
    with _console_into(run / "console.log"):
        return (
            executor([prepare], tasks=tasks, logging_dir=str(run / "prepare"), **options),
            executor([freeze], tasks=1, logging_dir=str(run / "freeze"), **options),
        )


def _run(prepare: Any, freeze: Any, run: Path, on_ray: bool) -> None:
    with _console_into(run / "console.log"), _ray() if on_ray else nullcontext():
        for executor, what in ((prepare, "prepare"), (freeze, "freeze")):
            if on_ray:
                executor.run()
            else:
                _run_local(executor)
            # datatrove itself would now wait without an end for tasks of Ray that failed.
            if failed := executor.get_incomplete_ranks(skip_completed=True):
                raise BadInput(
                    f"{len(failed)} of {executor.world_size} tasks could not {what}: {_reason(run) or 'see the logs'}; "
                    f"what is done is kept, run it again; logs in {run / what}"
                )


def _run_local(executor: Any) -> None:
    """Each task in a process, as many at once as `workers`. datatrove's own pool waits without an end for one that is killed."""
    executor.save_executor_as_json()
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    pool = ProcessPoolExecutor(min(executor.workers, executor.world_size), context, end_with_parent)
    try:
        # Not the executor's `run`: for each task it forks a process of its own, which outlives a task that is killed, holds
        # what tells the pool of that death, and lets it wait without an end.
        futures = [pool.submit(executor._run_for_rank, rank) for rank in range(executor.world_size)]
        for future in as_completed(futures):
            if isinstance(future.exception(), BrokenProcessPool):
                raise BadInput(
                    "a task was ended (often there was too little memory); what is done is kept, run it again with fewer "
                    "'workers'"
                )
            # Any other exception stands in the task's log, and its task is not complete.
    except BaseException:  # whoever interrupts does not wait for tasks, which are long
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(prepare: Any, freeze: Any, run: Path) -> str:
    freeze.depends = prepare
    console = run / "console.log"
    try:
        with _console_into(console):
            freeze.run()
    except subprocess.CalledProcessError as error:
        said = [line for line in console.read_text(errors="replace").splitlines() if line.startswith("sbatch: ")]
        raise BadInput(f"Slurm refused the build: {said[-1] if said else error}; correct 'scale.options'") from error
    return (
        f"submitted to Slurm: job {prepare.job_id} prepares, job {freeze.job_id} freezes if all of it ended well; "
        "run the same command again to see how it goes, and then the report"
    )


def _queued(name: str) -> str:
    """The jobs of a name that wait or run, in words; empty if there are none. Raises `BadInput` if Slurm cannot be asked."""
    command = ["squeue", "--noheader", "--me", f"--name={name}", "--format=%F %T"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if answer.returncode != 0:
        raise BadInput(f"Slurm does not say what is in its queue ({answer.stderr.strip()}); ask again when it does")
    jobs = sorted({tuple(line.split()) for line in answer.stdout.splitlines() if line.strip()})
    return ", ".join(f"job {job} {state.lower()}" for job, state in jobs)


def _runs(logs: Path) -> list[Path]:
    """The folders of logs of the runs so far, the last one last."""
    return sorted(logs.glob("run-*"), key=lambda one: int(one.name.removeprefix("run-")))


def _reason(run: Path) -> str:
    """The last error in the logs of a run's tasks, empty if there is none."""
    found = ""
    for log in sorted(run.glob("*/logs/task_*.log")):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if match := _ERROR.fullmatch(line):
                found = match[1]
    return found


@contextmanager
def _console_into(path: Path) -> Iterator[None]:
    """What datatrove, the processes that it starts and Slurm's commands print goes into a file, as descriptors are inherited."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        with open(path, "ab") as file:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _ray() -> Iterator[None]:
    """The cluster that `RAY_ADDRESS` or this machine names, or else a Ray of this machine alone while the block runs."""
    import ray  # pyright: ignore[reportMissingImports]

    if ray.is_initialized():
        yield
        return
    ray.init(log_to_driver=False, runtime_env={"env_vars": {"LOGURU_DIAGNOSE": "NO"}})
    try:
        yield
    finally:
        ray.shutdown()
