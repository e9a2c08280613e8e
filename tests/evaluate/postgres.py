"""A real PostgreSQL server on loopback, with its own temporary data folder and a password, that ends with its parent."""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.storage.server import free_ports

START_SECONDS = 60


def why_no_postgres() -> str:
    """Why there is no server here, or nothing."""
    if _program("postgres") is None or _program("initdb") is None:
        return "PostgreSQL is not installed (make system, or apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return f"psycopg is not installed (pip install vaak[postgres]: {error})"
    return ""


class Postgres:
    """`url` is the address of its empty database, with the password; `restart` crashes it and starts it again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_ports(1)[0]
        self._as = _unprivileged()
        self.password = secrets.token_hex(8)
        self.url = f"postgresql+psycopg://vaak:{self.password}@127.0.0.1:{self._port}/postgres"
        (folder / "password").write_text(self.password)
        if self._as:
            for path in (folder, folder / "password"):
                shutil.chown(path, self._as["user"], self._as["group"])
        command = [str(_program("initdb")), "-D", str(folder / "data"), "-U", "vaak", "--auth=scram-sha-256"]
        command += [f"--pwfile={folder / 'password'}", "--no-sync", "--no-locale", "-E", "UTF8"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **self._as)
        self.start()

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": self._port}
        command = [str(_program("postgres")), "-D", str(self._folder / "data")]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, preexec_fn=_end_with_parent, **self._as
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End at once, as in a crash: what was committed is recovered at the next start."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _wait_until_it_answers(self) -> None:
        import psycopg

        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that runs while the body does."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        server = Postgres(Path(name))
        try:
            yield server
        finally:
            server.stop()


def _program(name: str) -> str | None:
    """Debian keeps the server's programs beside each other in a folder per version, which is not on the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))
    return shutil.which(name, path=os.pathsep.join(map(str, reversed(folders)))) or shutil.which(name)


def _unprivileged() -> dict:
    """The server refuses to run as root: whom to run it as then."""
    if os.getuid() != 0:
        return {}
    names = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG, see prctl(2)
