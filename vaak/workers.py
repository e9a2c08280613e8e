"""What a worker process owes the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Let this worker process end when its parent is gone: one that is killed cannot end its workers. Ctrl-C, which reaches every
    process of a terminal, and what a scheduler sends to all of a job, is left to the parent."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
