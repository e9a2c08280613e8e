"""How a stage is trained outside of the launch's own process: by torchrun on this machine, or as a Slurm job.

Either goes on when the launch is killed. The next launch finds it again, by a lock or by its job, and follows it: a stage is
never started twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.launch import detached, slurm
from vaak.launch.progress import LastStep
from vaak.launch.project import LauncherSettings
from vaak.storage.locks import lock_file, unlock

POLL_SECONDS = 1.0
# Saving a checkpoint of a large model to a slow disk takes its time.
_SAVING_SECONDS = 1800.0


@dataclass(frozen=True)
class Training:
    """One stage to be trained: its resolved recipe in a file, its run folder, the checkpoint that it comes from."""

    name: str
    recipe: Path
    run: Path
    parent: Path | None
    track: Sequence[str] | None

    @property
    def arguments(self) -> list[str]:
        """What follows `vaak train`."""
        more = ["--parent", str(self.parent)] if self.parent is not None else []
        more += [part for choice in self.track or () for part in ("--track", choice)]
        return [str(self.recipe), "--out", str(self.run), *more]

    @property
    def log(self) -> Path:
        """What the processes print."""
        return self.run.with_name(f"{self.run.name}.log")

    @property
    def ended(self) -> bool:
        return (self.run / "DONE.json").is_file()


OnProgress = Callable[[float, float, str], None]
Say = Callable[[str], None]


def train_by_torchrun(
    training: Training, settings: LauncherSettings, stop: Callable[[], bool], progress: OnProgress, say: Say
) -> None:
    """Train on the GPUs of this machine, one process for each, and return when the stage has reached its end.

    Asked to stop it has the processes save and raises `Interrupted`. Raises `CheckFailed` with the training's own last
    sentence if it ended before its last step.
    """
    lock = training.run.with_name(f"{training.run.name}.running")
    process = None
    if detached.running(lock) is None and not training.ended:
        processes = settings.processes or _gpus()
        command = _torchrun(training, processes, settings.restarts)
        process = detached.start(lock, command, training.log, _environment(processes))
        say(f"{training.name}: torchrun, process {process.pid}; what it prints is in {training.log}")
    elif not training.ended:
        say(
            f"{training.name}: is being trained since before this launch, process {detached.running(lock)}; it is followed"
        )
    seen = LastStep(training.run)
    while (number := detached.running(lock)) is not None:
        if stop():
            with suppress(ProcessLookupError):  # it ended in this moment
                os.kill(number, signal.SIGTERM)
            _wait_for_end(lock, process)
            step = seen.step()
            raise Interrupted(
                f"{training.name}: stopped {f'after step {step}, saved' if step else 'before its first step'}"
            )
        progress(*seen.progress())
        time.sleep(POLL_SECONDS)
        if process is not None:
            process.poll()  # a process that ended and is not asked for still looks like one
    if process is not None:
        process.wait()
    _check_ended(training)


def _torchrun(training: Training, processes: int, restarts: int) -> list[str]:
    start = ["--standalone", "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    return [sys.executable, "-m", "torch.distributed.run", *start, "-m", "vaak.cli.main", "train", *training.arguments]


def _gpus() -> int:
    import torch

    return max(1, torch.cuda.device_count())


def _environment(processes: int) -> dict[str, str]:
    """Ours, without what says which process of several this one is: those that torchrun starts would take it for theirs."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    }
    # Each computes on its GPU; on a CPU they share the cores.
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    # By itself it kills after 30 s what it has told to stop.
    environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", f"{_SAVING_SECONDS:.0f}")
    # A new store for every start: torchrun's own still holds the addresses of processes that are gone.
    return environment | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def _wait_for_end(lock: Path, process: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + _SAVING_SECONDS
    while detached.running(lock) is not None and time.monotonic() < end:
        time.sleep(POLL_SECONDS / 4)
        if process is not None:
            process.poll()


def train_by_slurm(
    training: Training, settings: LauncherSettings, stop: Callable[[], bool], progress: OnProgress, say: Say
) -> None:
    """Train as a Slurm job and return when the stage has reached its end; the job is followed by its number.

    Asked to stop, the launch ends and the job goes on: `Interrupted` says how to end that too. Raises `CheckFailed` if the job
    ended before the last step of the stage, `BadInput` if it cannot be submitted.
    """
    seen = LastStep(training.run)
    job = slurm.known_job(training.run)
    if not training.ended and (job is None or slurm.state(job) in slurm.OVER):
        job = slurm.submit(training.name, training.run, training.arguments, training.log, settings)
        say(f"{training.name}: Slurm job {job}; what it prints is in {training.log}")
    elif not training.ended:
        say(f"{training.name}: Slurm job {job} was submitted before; it is followed")
    while not training.ended:
        assert job is not None
        state = slurm.state(job)
        if state in slurm.OVER:
            # A shared disk shows what another machine wrote a little later; and a job on its way back into the queue is not over.
            time.sleep(slurm.POLL_SECONDS)
            state = slurm.state(job)
            if state in slurm.OVER:
                _check_ended(training, f"Slurm job {job} is {state.lower()}")
            continue
        if stop():
            raise Interrupted(f"{training.name}: Slurm job {job} goes on without the launch (scancel {job} ends it)")
        done, total, words = seen.progress()
        progress(done, total, words if state == "RUNNING" else f"job {job} is {state.lower()}")
        time.sleep(slurm.POLL_SECONDS)


def _check_ended(training: Training, how: str = "the training ended") -> None:
    if training.ended:
        return
    raise CheckFailed(
        f"{training.name}: {how} before its last step ({last_words(training.log)}); see {training.log}, and run again to continue"
    )


def check_not_trained(run: Path) -> None:
    """Raises `BadInput` if a run is still being trained, or waits to be: what is saved would go to whoever takes its name."""
    process, job = detached.running(run.with_name(f"{run.name}.running")), slurm.known_job(run)
    if process is not None:
        how = f"process {process}; end it with kill {process}, it saves"
    elif job is not None and slurm.installed() and slurm.state(job) not in slurm.OVER:
        how = f"Slurm job {job}; end it with scancel {job}"
    else:
        how = "a process that holds its .lock; end that"
        handle = lock_file(run / ".lock", exclusive=False, wait=False, create=True)
        if handle is not None:
            unlock(handle)
            return
    raise BadInput(f"{run}: is still being trained as the project said before, by {how}; then run again")


def last_words(log: Path) -> str:
    """The last sentence of a command's log: `vaak: …` if it ended on purpose, else its last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    except OSError:
        return "it printed nothing"
    said = [line.partition("vaak: ")[2] for line in lines if "vaak: " in line]
    return (said or lines or ["it printed nothing"])[-1][:400]


def check_launcher(settings: LauncherSettings) -> None:
    """Raises `BadInput` if stages could not be started as the project says: before anything is done, not days into it."""
    if settings.kind == "slurm":
        slurm.check_installed()
    processes = settings.processes
    if settings.kind == "torchrun" and processes is not None:
        import torch

        found = torch.cuda.device_count()
        if found and processes > found:
            raise BadInput(f"launcher.processes is {processes}, and this machine has {found} GPUs; correct it")
