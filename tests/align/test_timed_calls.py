"""Calls with a limit of time: order, errors, what hangs, and how all of it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from vaak.align.timed_calls import Hung, TimedCalls, Together, Withdrawn


def test_calls_are_taken_up_in_their_order_and_give_or_raise_what_their_work_does():
    calls, order = TimedCalls(1, 20), []
    started = [calls.start(lambda i=i: order.append(i) or 1 / i, Together()) for i in (4, 2, 0, 1)]
    assert [calls.outcome(one) for one in started[:2]] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        calls.outcome(started[2])
    assert calls.outcome(started[3]) == 1 and order == [4, 2, 0, 1]
    calls.close()


def test_as_many_run_at_once_as_there_are_threads():
    calls, meeting = TimedCalls(3, 20), threading.Barrier(3)
    started = [calls.start(lambda: meeting.wait(20), Together()) for _ in range(6)]
    assert sorted(calls.outcome(one) for one in started) == [0, 0, 1, 1, 2, 2]
    calls.close()


def test_time_in_the_queue_does_not_count():
    calls = TimedCalls(1, 1.0)
    started = [calls.start(lambda: time.sleep(0.2), Together()) for _ in range(8)]
    assert [calls.outcome(one) for one in started] == [None] * 8
    calls.close()


def test_after_a_call_that_hung_its_own_are_not_made_and_others_are():
    calls, release, made = TimedCalls(1, 0.5), threading.Event(), []
    mine, other = Together(), Together()
    hung = calls.start(lambda: release.wait(20), mine)
    own = calls.start(lambda: made.append("own"), mine)
    others = calls.start(lambda: made.append("other"), other)
    assert calls.outcome(others) is None
    with pytest.raises(Hung, match=r"no answer within 0\.5 s"):
        calls.outcome(hung)
    for one in (own, calls.start(lambda: made.append("late"), mine)):
        with pytest.raises(Withdrawn):
            calls.outcome(one)
    release.set()
    assert made == ["other"] and mine.hung and not other.hung
    calls.close()


def test_threads_that_were_lost_are_replaced_and_those_that_come_back_end():
    calls, release = TimedCalls(2, 0.4), threading.Event()
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(Hung):
            calls.outcome(calls.start(lambda: release.wait(20), Together()))
    assert threading.active_count() == before + 3
    assert calls.outcome(calls.start(lambda: 7, Together())) == 7
    release.set()
    calls.close()
    time.sleep(0.1)
    assert threading.active_count() == before - 2


def test_the_end_waits_a_moment_for_what_is_at_work_and_no_longer_for_what_hangs():
    calls, done = TimedCalls(1, 20), []
    calls.start(lambda: time.sleep(0.3) or done.append(1), Together())
    time.sleep(0.05)
    calls.close()
    assert done == [1]
    calls, release = TimedCalls(1, 0.2), threading.Event()
    with pytest.raises(Hung):
        calls.outcome(calls.start(lambda: release.wait(20), Together()))
    began = time.monotonic()
    calls.close()
    assert 0.9 < time.monotonic() - began < 5
    release.set()


def test_a_program_that_ends_in_the_middle_of_a_network_ends_well():
    program = """
import time
import torch
from vaak.align.timed_calls import TimedCalls, Together

matrix = torch.rand(500, 500)
calls = TimedCalls(2, 20)
for _ in range(4):
    calls.start(lambda: [matrix @ matrix for _ in range(50)], Together())
time.sleep(0.1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
