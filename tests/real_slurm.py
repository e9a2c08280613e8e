"""A real Slurm of one machine: munged, slurmctld and slurmd of Debian, in a folder, on free ports of the loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
# Two devices that every machine has stand for GPUs: they are counted, and nobody opens them.
_GPUS = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
_CONFIGURATION = """
ClusterName=vaak
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller}
SlurmdPort={node}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
SchedulerParameters=sched_interval=2,batch_sched_delay=1
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={megabytes} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why no Slurm can run here, or nothing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [name for name in (*DAEMONS, "sbatch", "srun") if shutil.which(name, path=path) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurmctld slurmd slurm-client munge)"
    return "" if os.geteuid() == 0 else "Slurm's daemons want to be started by root"


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `sbatch` and the rest reach the cluster, which ends with the block, jobs and all."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    host = socket.gethostname().partition(".")[0]
    controller, node = _free_ports()
    settings = {
        "host": host,
        "folder": folder,
        "controller": controller,
        "node": node,
        "cores": os.cpu_count() or 1,
        # Jobs that ask for memory are refused where a node does not say how much it has.
        "megabytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10 >> 20,
    }
    (folder / "slurm.conf").write_text(_CONFIGURATION.format(**settings))
    (folder / "gres.conf").write_text(_GPUS)
    environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    files = {name: folder / f"munge.{name}" for name in ("sock", "pid", "log", "seed")}
    munge = ["munged", "--force", f"--key-file={key}", f"--socket={files['sock']}", f"--pid-file={files['pid']}",
             f"--log-file={files['log']}", f"--seed-file={files['seed']}"]  # fmt: skip
    try:
        for command in (munge, ["slurmctld", "-c"], ["slurmd", "-c"]):
            subprocess.run(command, env=os.environ | environment, check=True, timeout=30, stdin=subprocess.DEVNULL)
        _wait_for_node(environment)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=os.environ | environment, timeout=30)
        for name in ("slurmd.pid", "slurmctld.pid", "munge.pid"):
            if (folder / name).exists():
                os.kill(int((folder / name).read_text()), signal.SIGTERM)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _wait_for_node(environment: dict[str, str]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        states = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"], env=os.environ | environment, capture_output=True, text=True
        )
        if states.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    raise RuntimeError(f"the node is {states.stdout.strip()} {states.stderr}")
