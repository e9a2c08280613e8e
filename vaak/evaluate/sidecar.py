"""The sidecar process: `python -m vaak.evaluate.sidecar RUN ... --pack PACK --db DB --stop-file FILE`.

It runs at low priority and on one thread (unless told otherwise), so that training beside it keeps its cores, and
writes what it does to a log file. It may be killed at any moment and started again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from vaak.evaluate.database import folder_of, without_password
from vaak.track.open import chosen_trackers

_NICENESS = 10
# Set before anything numerical is imported. Passive waiting matters: a spinning OpenMP thread takes a core from training.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false"}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _environment(threads: int) -> dict[str, str]:
    return _ENVIRONMENT | dict.fromkeys(_THREADS, str(threads))


def start_sidecar(
    runs: Sequence[str | Path],
    pack: str | Path,
    db: str | Path,
    *,
    stop_file: str | Path,
    codec: str = "embedded",
    full: Sequence[str] = (),
    every: int = 1,
    held_out: bool = False,
    threads: int = 1,
    requests: str | Path | None = None,
    track: str | Sequence[str] | None = None,
    log: str | Path | None = None,
) -> subprocess.Popen:
    """Start a sidecar beside this process; the arguments are those of `follow`, and `track` names trackers as
    `vaak.evaluate.told_to` does. It logs to `log` (default: sidecar.log beside the database). Write `stop_file` and wait
    for it; or terminate it, and start it again later. It ends by itself soon after this process is gone, however that
    happened."""
    database, secret = without_password(db)
    command = [sys.executable, "-m", "vaak.evaluate.sidecar", *map(str, runs), "--pack", str(pack), "--db", database]
    command += ["--stop-file", str(stop_file), "--codec", codec, "--every", str(every)]
    command += ["--threads", str(threads), *(["--held-out"] if held_out else [])]
    command += [part for name in full for part in ("--full", name)]
    command += ["--requests", str(requests)] if requests is not None else []
    command += [part for choice in chosen_trackers(track) for part in ("--track", choice)]
    command += ["--log", str(log)] if log is not None else []
    command += ["--parent", str(os.getpid())]
    # Its own process group: an interrupt from the keyboard reaches the parent, which decides what becomes of it.
    return subprocess.Popen(
        command,
        env=os.environ | _environment(threads) | secret,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        process_group=0,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0: everything was evaluated; 1: some checkpoint failed, see the log; 2: bad input."""
    options = _parser().parse_args(arguments)
    os.environ.update(_environment(options.threads))
    os.nice(_NICENESS)
    log = Path(options.log or folder_of(options.db) / "sidecar.log")
    log.parent.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}\n")

    # Signals only raise a flag, so that an item is never left half written.
    asked: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.append(True))
    return _follow(options, say, lambda: bool(asked) or options.parent not in (None, os.getppid()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vaak sidecar", description="Evaluate the checkpoints of runs as they come.")
    parser.add_argument("runs", nargs="+", help="run folders, which may not exist yet, or their addresses")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--db", required=True, help="results database: a file on a local disk, or an address")
    parser.add_argument("--stop-file", required=True, help="once it exists, end when nothing is left to do")
    parser.add_argument("--codec", default="embedded")
    parser.add_argument("--full", action="append", default=[], help="run or checkpoint that gets the full evaluation")
    parser.add_argument("--every", type=int, default=1, help="look at checkpoints whose step is a multiple of this")
    parser.add_argument("--held-out", action="store_true", help="judges that no reward listens with hear every run")
    parser.add_argument("--threads", type=int, default=1, help="cores to use; more only where nothing trains beside it")
    parser.add_argument("--requests", help='JSON file {"full": [names]}, read again at every round')
    parser.add_argument(
        "--track",
        action="append",
        help="also tell figures and sounds: wandb[:PROJECT], trackio[:PROJECT], jsonl:PATH or prometheus[:PORT]",
    )
    parser.add_argument("--log", help="log file; sidecar.log beside the database by default")
    parser.add_argument("--parent", type=int, help="end when the parent is no longer this process")
    return parser


def _follow(options: argparse.Namespace, say, stop) -> int:
    import torch

    from vaak.errors import BadInput, CheckFailed
    from vaak.evaluate.following import follow
    from vaak.evaluate.told_to import told_to

    torch.set_num_threads(options.threads)
    try:
        done = follow(
            options.runs,
            options.pack,
            options.db,
            stop_file=options.stop_file,
            codec=options.codec,
            full=options.full,
            every=options.every,
            held_out=options.held_out,
            threads=options.threads,
            requests=options.requests,
            **told_to(options.track, folder_of(options.db), say, options.runs),
            say=say,
            stop=stop,
        )
    except (BadInput, CheckFailed) as error:
        say(f"cannot go on: {error}")
        print(error, file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except Exception:
        say(traceback.format_exc())
        raise
    say(
        f"ended: {len(done.evaluated)} evaluated, {len(done.failed)} failed, {len(done.gone)} removed before their turn"
    )
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
