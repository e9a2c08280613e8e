"""Jobs and leases: one sidecar at a time, in the right order, and none that lost its lease writes any more."""

from __future__ import annotations

import time

import pytest

from vaak.checkpoint import CheckpointGone
from vaak.evaluate import jobs as leases
from vaak.evaluate.jobs import (
    DONE,
    FAILED,
    GONE,
    WAITING,
    Job,
    LeaseLost,
    claim_job,
    end_job,
    hold,
    list_jobs,
    offer_jobs,
    settle_gone,
)
from vaak.evaluate.outbox import Entry, drain_outbox
from vaak.evaluate.store import Result, open_results
from vaak.evaluate.turns import Stopped
from vaak.evaluate.working import Postponed, work_through


@pytest.fixture
def results(db):
    opened = open_results(db)
    yield opened
    opened.close()


def job(name: str, level: str = "quick", completed_at: float = 0.0, place: str = "") -> Job:
    return Job(name, "pack", level, "abc", completed_at=completed_at, place=place)


def offered(results, *jobs: Job) -> list[Job]:
    offer_jobs(results.database, jobs)
    return list(jobs)


def state(results, name: str, level: str = "quick") -> str:
    return next(
        one["state"] for one in list_jobs(results.database) if (one["checkpoint_id"], one["level"]) == (name, level)
    )


def lapse(results) -> None:
    """As if time had passed: every lease that is held now has expired, unless it is renewed."""
    past = (
        leases.JOBS.update().values(expires_at=results.database.now - 1.0).where(leases.JOBS.c.expires_at.is_not(None))
    )
    results.database.transact(lambda connection: connection.execute(past))


def figure(name: str, item: str = "a", value: float = 0.5) -> Result:
    return Result(name, "pack", "wer", "1", "en", item, value)


def test_the_scale_first_then_full_evaluations_then_the_newest_and_each_once(results):
    jobs = offered(
        results, job("old", completed_at=1), job("new", completed_at=9), job("asked", "full"), job("r", "reference")
    )
    order = []
    while claim := claim_job(results.database, f"sidecar {len(order)}", jobs):
        order.append(claim.job.checkpoint_id)
    assert order == ["r", "asked", "new", "old"]


def test_only_what_a_sidecar_sees_itself_is_claimed(results):
    offered(results, job("elsewhere", completed_at=9))
    [mine] = offered(results, job("here"))
    claim = claim_job(results.database, "me", [mine])
    assert claim is not None and claim.job is mine


def test_a_lease_that_is_renewed_stays_and_one_that_is_not_may_be_taken(results):
    jobs = offered(results, job("c"))
    first = claim_job(results.database, "first", jobs)
    assert first is not None
    assert claim_job(results.database, "second", jobs) is None
    for _ in range(2):
        lapse(results)
        results.database.transact(lambda connection: hold(connection, results.database, first))
        assert claim_job(results.database, "second", jobs) is None
    lapse(results)
    second = claim_job(results.database, "second", jobs)
    assert second is not None and second.fence == first.fence + 1


def test_who_lost_the_lease_cannot_write_finish_or_end(results):
    jobs = offered(results, job("c"))
    first = claim_job(results.database, "first", jobs)
    assert first is not None
    results.under(first).write([figure("c", "a")], [Entry("c a", 1, {})])
    lapse(results)
    results.under(first).write([figure("c", "b")])  # expired, but nobody took it: it holds
    lapse(results)
    second = claim_job(results.database, "second", jobs)
    late = results.under(first)
    for write in (
        lambda: late.write([figure("c", "late")], [Entry("c late", 1, {})]),
        lambda: late.finish("c", "pack", "quick", "abc", 2, 1.0),
        lambda: end_job(results.database, first, DONE),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert [row.item for row in results.read()] == ["a", "b"] and results.finished() == []
    results.under(second).finish("c", "pack", "quick", "abc", 2, 1.0)
    assert state(results, "c") == DONE
    heard: list[Entry] = []
    assert drain_outbox(results.database, heard.append) == 1 and heard[0].key == "c a"


def test_what_was_committed_with_its_answer_lost_is_done_again_without_harm(results):
    jobs = offered(results, job("c"))
    claim = claim_job(results.database, "me", jobs)
    again = claim_job(results.database, "me", jobs)  # the answer to the first was lost
    assert claim is not None and again is not None and again.fence == claim.fence + 1
    for _ in range(2):
        results.under(again).write([figure("c")], [Entry("c a", 1, {})])
    for _ in range(2):
        results.under(again).finish("c", "pack", "quick", "abc", 1, 1.0, [Entry("c", 1, {})])
    assert [end_job(results.database, again, DONE) for _ in range(2)] == [DONE, DONE]
    assert len(results.read()) == 1 and len(results.finished()) == 1
    assert list_jobs(results.database)[0]["deaths"] == 0


def test_a_quick_look_is_part_of_a_full_evaluation_and_never_beside_it(results):
    jobs = offered(results, job("c", "quick"), job("c", "full"), job("d", "quick"))
    full = claim_job(results.database, "one", jobs)
    assert full is not None and full.job.level == "full"
    other = claim_job(results.database, "two", jobs)
    assert other is not None and other.job.checkpoint_id == "d"
    results.under(full).finish("c", "pack", "full", "abc", 9, 1.0)
    assert state(results, "c", "quick") == state(results, "c", "full") == DONE


def test_an_evaluation_by_hand_settles_the_job(results):
    offered(results, job("c"))
    results.finish("c", "pack", "quick", "abc", 9, 1.0)
    assert state(results, "c") == DONE


def test_failures_are_counted_and_the_job_put_aside_with_the_last_reason_until_it_is_offered_again(results):
    jobs = offered(results, job("c"))
    for number in range(leases.ATTEMPTS):
        claim = claim_job(results.database, str(number), jobs)
        assert claim is not None
        end_job(results.database, claim, FAILED, f"reason {number}")
    assert claim_job(results.database, "more", jobs) is None
    [row] = list_jobs(results.database)
    assert (row["state"], row["failures"], row["reason"]) == (FAILED, leases.ATTEMPTS, f"reason {leases.ATTEMPTS - 1}")
    offer_jobs(results.database, jobs)
    assert claim_job(results.database, "again", jobs) is not None


def test_a_job_that_ends_every_sidecar_is_put_aside_and_one_that_gets_on_is_not(results):
    poison, slow = offered(results, job("poison"), job("slow"))
    for number in range(2 * leases.DEATHS):
        claim_job(results.database, f"p{number}", [poison])
        claim = claim_job(results.database, f"s{number}", [slow])
        assert claim is not None
        results.under(claim).write([figure("slow", str(number))])
        lapse(results)
    assert state(results, "poison") == FAILED and state(results, "slow") != FAILED
    [reason] = [one["reason"] for one in list_jobs(results.database) if one["checkpoint_id"] == "poison"]
    assert f"{leases.DEATHS} sidecars in a row" in reason


def test_what_is_gone_is_noted_with_its_reason_and_fenced_off_and_may_come_back(results):
    jobs = offered(results, job("c", place="here"), job("d", place="there"))
    held = claim_job(results.database, "me", jobs[:1])
    gone = lambda place: "removed" if place == "here" else None  # noqa: E731
    assert settle_gone(results.database, "pack", gone) == {}  # somebody is at it
    lapse(results)
    assert settle_gone(results.database, "pack", gone) == {jobs[0].key: "removed"}
    assert state(results, "c") == GONE and state(results, "d") == WAITING
    with pytest.raises(LeaseLost):
        results.under(held).write([figure("c")])
    offer_jobs(results.database, jobs)
    assert state(results, "c") == WAITING


def test_what_another_machine_named_is_not_gone_because_it_is_not_here(results, monkeypatch):
    offered(results, job("c", place="here"))
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert settle_gone(results.database, "pack", lambda place: "removed") == {}


def test_the_loop_does_each_job_and_says_what_became_of_it(results):
    jobs, lines, tries = [job("good"), job("bad"), job("removed")], [], []

    def do(claim, stop):
        tries.append(claim.job.checkpoint_id)
        if claim.job.checkpoint_id == "bad":
            raise ValueError("no")
        if claim.job.checkpoint_id == "removed":
            raise CheckpointGone("removed by hand")

    done = work_through(
        results.database, lambda: jobs, do, last_round=lambda: True, poll_seconds=0.01, say=lines.append
    )
    assert (done.evaluated, done.failed, done.gone) == (
        ["good"], {"bad": "ValueError: no"}, {"removed": "removed by hand"},
    )  # fmt: skip
    assert tries.count("bad") == leases.ATTEMPTS and tries.count("good") == 1
    assert any("is tried again" in line for line in lines)


def test_work_that_is_put_off_waits_and_is_no_failure(results):
    tries, lines = [], []

    def do(claim, stop):
        tries.append(claim.fence)
        if len(tries) <= leases.ATTEMPTS + 1:
            raise Postponed("the bucket does not answer")

    done = work_through(
        results.database, lambda: [job("c")], do, last_round=lambda: True, poll_seconds=0.01, say=lines.append
    )
    assert (done.evaluated, done.failed, len(tries)) == (["c"], {}, leases.ATTEMPTS + 2)
    assert lines == ["c: the bucket does not answer; it waits"] * (leases.ATTEMPTS + 1)
    assert list_jobs(results.database)[0]["failures"] == 0


def test_what_another_sidecar_noted_as_gone_is_done_where_it_is_still_seen(results):
    """A run's folder and the address that it was published to, followed on two machines."""
    offered(results, job("c", place="there"))
    rounds = []

    def find():
        rounds.append(state(results, "c"))
        if len(rounds) == 2:  # while this one does something else
            settle_gone(results.database, "pack", lambda place: "removed there")
        return [job("other"), job("c", place="here")]

    def do(claim, stop):
        if claim.job.checkpoint_id == "other" and len(rounds) == 1:
            raise Postponed("away")

    done = work_through(results.database, find, do, last_round=lambda: len(rounds) > 2, poll_seconds=0.01)
    assert "c" in done.evaluated and done.gone == {} and state(results, "c") == DONE


def test_a_heartbeat_renews_a_lease_through_work_that_writes_nothing(results, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 3.0)
    renewed = []

    def do(claim, stop):
        for _ in range(2):
            lapse(results)
            until = time.monotonic() + 10
            while not renewed_since(claim) and time.monotonic() < until:
                time.sleep(0.02)
            renewed.append(renewed_since(claim))
        assert not stop()

    def renewed_since(claim) -> bool:
        row = leases.JOBS.select().where(leases.JOBS.c.id == claim.id, leases.JOBS.c.expires_at > results.database.now)
        return len(results.database.read(row)) == 1

    work_through(results.database, lambda: [job("c")], do, last_round=lambda: True, poll_seconds=0.01)
    assert renewed == [True, True] and state(results, "c") == DONE


def test_stopped_work_waits_for_the_next_and_lost_work_is_told_to_stop(results):
    asked = []

    def stopped(claim, stop):
        asked.append(True)
        raise Stopped

    work_through(results.database, lambda: [job("c")], stopped, last_round=lambda: True, stop=lambda: bool(asked))
    assert state(results, "c") == WAITING and list_jobs(results.database)[0]["deaths"] == 0

    def robbed(claim, stop):
        row = leases.JOBS.update().values(fence=claim.fence + 1, state=DONE)  # as another sidecar would
        results.database.transact(lambda connection: connection.execute(row))
        until = time.monotonic() + 5
        while not stop() and time.monotonic() < until:
            time.sleep(0.01)
        assert stop()
        raise Stopped

    lines: list[str] = []
    done = work_through(results.database, lambda: [job("c")], robbed, last_round=lambda: True, say=lines.append)
    assert done.evaluated == [] and any("taken over" in line for line in lines)
