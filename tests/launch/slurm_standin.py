"""A Slurm of one machine for tests: `sbatch`, `squeue`, `scontrol`, `scancel` and `srun` with what Vaak asks of them.

`install` puts commands of these names into a folder. Jobs lie in the folder that STANDIN names, a JSON file each, and run at
once, in a session of their own, as processes of this machine. Options have Slurm's meaning, and unknown ones are refused.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "scontrol", "scancel", "srun")


def install(folder: Path, jobs: Path) -> dict[str, str]:
    """Make the commands in `folder`; returns the environment in which they are found."""
    folder.mkdir(parents=True)
    jobs.mkdir(parents=True)
    for name in COMMANDS:
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" {name} "$@"\n')
        path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STANDIN": str(jobs)}


def _jobs() -> Path:
    return Path(os.environ["STANDIN"])


def _read(job: str) -> dict:
    return json.loads((_jobs() / f"{job}.json").read_text())


def _write(job: str, **changes) -> None:
    path = _jobs() / f"{job}.json"
    content = (json.loads(path.read_text()) if path.exists() else {}) | changes
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content))
    temporary.rename(path)


def _options(arguments: list[str], known: set[str]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    while arguments and arguments[0].startswith("--"):
        name, _, value = arguments.pop(0)[2:].partition("=")
        if name not in known:
            sys.exit(f"error: unrecognized option '--{name}'")
        found[name] = value
    return found, arguments


def sbatch(arguments: list[str]) -> None:
    known = {
        "parsable",
        "job-name",
        "output",
        "open-mode",
        "nodes",
        "ntasks-per-node",
        "gpus-per-node",
        "partition",
        "cpus-per-task",
    }
    options, rest = _options(arguments, known)
    if options.get("partition") == "nowhere":
        sys.exit("sbatch: error: Batch job submission failed: Invalid partition name specified")
    job = str(1000 + len(list(_jobs().glob("*.json"))))
    _write(job, name=options["job-name"], state="PENDING", options=options, command=rest)
    subprocess.Popen([sys.executable, __file__, "run", job], start_new_session=True, stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    print(job)


def run(arguments: list[str]) -> None:
    """A job's life: as often as it is requeued."""
    [job] = arguments
    options, command = _read(job)["options"], _read(job)["command"]
    tasks = int(options["nodes"]) * int(options["ntasks-per-node"])
    environment = os.environ | {"SLURM_JOB_ID": job, "SLURM_NTASKS": str(tasks), "SLURM_JOB_NODELIST": "localhost"}
    while True:
        with open(options["output"], "ab") as log:
            process = subprocess.Popen(["bash", *command], stdout=log, stderr=log, env=environment)
        _write(job, state="RUNNING", pid=process.pid, requeue=False)
        code = process.wait()
        if not _read(job).get("requeue"):
            break
        _write(job, state="PENDING")
    cancelled = _read(job).get("cancelled")
    _write(job, state="CANCELLED" if cancelled else "COMPLETED" if code == 0 else "FAILED")


def squeue(arguments: list[str]) -> None:
    options, _ = _options(arguments, {"noheader", "format", "name", "me", "jobs", "states"})
    waiting = [path.stem for path in sorted(_jobs().glob("*.json"))]
    if "jobs" in options:
        if options["jobs"] not in waiting:
            sys.exit("slurm_load_jobs error: Invalid job id specified")
        waiting = [options["jobs"]]
    for job in waiting:
        content = _read(job)
        queued = content["state"] in ("PENDING", "RUNNING") or options.get("states") == "all"
        if queued and options.get("name") in (None, content["name"]):
            print(job if options["format"] == "%A" else content["state"])


def scontrol(arguments: list[str]) -> None:
    if arguments[:2] == ["show", "hostnames"]:
        print(arguments[2])
    elif arguments[0] == "requeue":
        _write(arguments[1], requeue=True)
    else:
        sys.exit(f"scontrol: error: {arguments}")


def scancel(arguments: list[str]) -> None:
    """With a signal the tasks of the job get it, and its script does not; without one the job is ended, script and all."""
    options, [job] = _options(arguments, {"signal"})
    if "signal" in options:
        os.kill(_read(job)["step"], getattr(signal, f"SIG{options['signal']}"))
        return
    _write(job, cancelled=True)
    for process in ("step", "pid"):
        if process in _read(job):
            os.kill(_read(job)[process], signal.SIGTERM)


def srun(arguments: list[str]) -> None:
    _, command = _options(arguments, {"kill-on-bad-exit", "gpu-bind"})
    _write(os.environ["SLURM_JOB_ID"], step=os.getpid())
    tasks: list[subprocess.Popen] = []
    # What signals the step signals its tasks.
    signal.signal(signal.SIGTERM, lambda *_: [task.terminate() for task in tasks])
    for number in range(int(os.environ["SLURM_NTASKS"])):
        place = {"SLURM_PROCID": str(number), "SLURM_LOCALID": str(number)}
        tasks.append(subprocess.Popen(command, env=os.environ | place))
    while any(task.poll() is None for task in tasks):
        if any(task.poll() not in (None, 0) for task in tasks):
            time.sleep(5)
            for task in tasks:
                task.kill()
        time.sleep(0.05)
    sys.exit(max(abs(task.wait()) for task in tasks))


if __name__ == "__main__":
    {"sbatch": sbatch, "squeue": squeue, "scontrol": scontrol, "scancel": scancel, "srun": srun, "run": run}[
        sys.argv[1]
    ](sys.argv[2:])
