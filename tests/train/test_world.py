"""What a process of several waits for before it ends."""

import ctypes
import hashlib
import threading
import time

from tests.train.on_ranks import ended, start_ranks
from vaak.train.world import _let_go

PR_SET_NAME = 15  # linux/prctl.h


def test_a_process_does_not_end_while_a_thread_of_gloo_is_at_work():
    """Else a run that is done is aborted now and then, while the interpreter is taken down."""
    begun, done, block = threading.Event(), [], bytes(1 << 26)

    def work() -> None:
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"pt_gloo_runloop", 0, 0, 0)
        begun.set()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            hashlib.sha256(block)  # long, without Python's lock
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10) and not done
    _let_go()
    assert done
    thread.join()


def test_the_threads_of_gloo_have_the_name_that_is_looked_for():
    names = """
from pathlib import Path
from vaak.train.world import joined
with joined("cpu") as world:
    world.total([1.0])
    print("pt_gloo_runloop" in [one.read_text().strip() for one in Path("/proc/self/task").glob("*/comm")])
"""
    assert ended(start_ranks(2, "-c", names)) == [(0, "True\n")] * 2
