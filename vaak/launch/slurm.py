"""Slurm as the launch needs it: submit a job once, ask how it is, find it again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from vaak.errors import BadInput
from vaak.launch.project import LauncherSettings
from vaak.storage.files import read_json, write_json

# Slurm's controller serves a whole cluster: nobody asks it every second.
POLL_SECONDS = 10.0
# States in which a job comes to nothing more (squeue's and sacct's words); one that is requeued is PENDING again.
OVER = frozenset(
    (
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "GONE",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    )
)
_COMMANDS = ("sbatch", "squeue")
_ANSWER_SECONDS = 120.0


def installed() -> bool:
    """Whether Slurm can be asked on this machine."""
    return all(shutil.which(name) is not None for name in _COMMANDS)


def check_installed() -> None:
    """Raises `BadInput` without Slurm's commands on this machine."""
    for name in _COMMANDS:
        if shutil.which(name) is None:
            raise BadInput(
                f"launcher slurm needs {name}, which is not on this machine; start the launch on a login node"
            )


def submit(name: str, run: Path, arguments: Sequence[str], log: Path, settings: LauncherSettings) -> str:
    """Submit the training of a run; returns the number of its job.

    A launch may be killed between the submission and the note of its number, so the job has a name that only this run has, and
    one of that name that is queued or runs is taken for it. Raises `BadInput` with Slurm's own sentence if it refuses.
    """
    alone = job_name(name, run)
    there = _ask(["squeue", "--noheader", "--format=%A", f"--name={alone}", "--me"])
    if there.returncode == 0 and there.stdout.split():
        return _noted(run, there.stdout.split()[0])
    processes = settings.processes or 8
    command = ["sbatch", "--parsable", f"--job-name={alone}", f"--output={log}", "--open-mode=append"]
    command += [f"--nodes={settings.nodes}", f"--ntasks-per-node={processes}", f"--gpus-per-node={processes}"]
    # The project's own options come last: of two that say the same Slurm takes the later.
    command += [*settings.sbatch, str(files("vaak.launch").joinpath("train.sbatch")), *arguments]
    done = _ask(command)
    if done.returncode:
        raise BadInput(f"{name}: sbatch refuses ({_sentence(done)}); correct launcher in the project file")
    return _noted(run, done.stdout.strip().split(";")[0])


def job_name(name: str, run: Path) -> str:
    """The name of a run's job: the stage and a digest of the run's folder."""
    return f"vaak-{name}-{hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:8]}"


def known_job(run: Path) -> str | None:
    """The job that a run was last submitted as, or None."""
    note = _note(run)
    return str(read_json(note)["job"]) if note.is_file() else None


def state(job: str) -> str:
    """How a job is, in Slurm's word; GONE for one that neither the queue nor the accounting knows, UNKNOWN while Slurm does not
    answer."""
    queue = _ask(["squeue", "--noheader", "--format=%T", "--states=all", f"--jobs={job}"])
    if queue.returncode == 0 and queue.stdout.strip():
        return queue.stdout.split()[0].rstrip("+")
    if queue.returncode and "nvalid job id" not in queue.stderr:
        return "UNKNOWN"
    if shutil.which("sacct") is not None:
        told = _ask(["sacct", "--noheader", "--allocations", "--format=State%30", f"--jobs={job}"])
        if told.returncode == 0 and told.stdout.strip():
            return told.stdout.split()[0].rstrip("+")
    return "GONE"


def _note(run: Path) -> Path:
    return run.with_name(f"{run.name}.job.json")


def _noted(run: Path, job: str) -> str:
    if not job.isdigit():
        raise BadInput(
            f"{run}: sbatch answered {job!r} where a job's number belongs; look at the queue before going on"
        )
    write_json(_note(run), {"job": job})
    return job


def _ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {_ANSWER_SECONDS:.0f} s")


def _sentence(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit {done.returncode}"
