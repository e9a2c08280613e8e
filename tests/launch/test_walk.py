"""Walking a launch: each step once, resumable, stopping at a gate; its ledger survives a torn write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.evaluate.panel_run import gate_alarms
from vaak.launch.console import Console
from vaak.launch.ledger import Ledger
from vaak.launch.limits import Judged
from vaak.launch.project import Project, load_project
from vaak.launch.walk import Launch, Override, Step, held, walk
from vaak.storage.locks import lock_file, unlock

PROJECT = """
name: small
corpora: [example:corpus]
tokenizer: example:tokenizer
codec: embedded
overfit: {recipe: sft-tiny}
stages:
  - {name: first, recipe: pt-s1-tiny}
  - {name: second, recipe: sft-tiny, parent: first}
evaluate: {follow: [second], final: second}
"""


def project(tmp_path: Path, text: str = PROJECT) -> Project:
    path = tmp_path / "project.yaml"
    path.write_text(text)
    return load_project(path)


def launch(tmp_path: Path, overrides: tuple[Override, ...] = (), stop=lambda: False) -> Launch:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    return Launch(project(tmp_path), tmp_path, ledger, Console(quiet=True), stop, overrides)


class Counting:
    """Steps that note when they ran; `fails` names those that do not hold."""

    def __init__(self, *fails: str) -> None:
        self.ran: list[str] = []
        self.fails = fails
        self.depends = {"a": 1, "b": 1, "c": 1}

    def steps(self) -> list[Step]:
        return [Step(name, name, self._inputs(name), self._run(name)) for name in self.depends]

    def _inputs(self, name: str):
        return lambda launch: {"value": self.depends[name]}

    def _run(self, name: str):
        def run(launch: Launch) -> dict:
            self.ran.append(name)
            if name in self.fails:
                raise CheckFailed(f"{name} does not hold")
            return {"name": name}

        return run


def test_a_second_walk_does_nothing_again(tmp_path: Path) -> None:
    work = Counting()
    walk(launch(tmp_path), work.steps())
    walk(launch(tmp_path), work.steps())
    assert work.ran == ["a", "b", "c"]


def test_a_step_whose_inputs_changed_is_done_again(tmp_path: Path) -> None:
    work = Counting()
    walk(launch(tmp_path), work.steps())
    work.depends["b"] = 2
    walk(launch(tmp_path), work.steps())
    assert work.ran == ["a", "b", "c", "b"]


def test_a_step_whose_outputs_are_gone_is_done_again(tmp_path: Path, capsys) -> None:
    work = Counting()
    output = tmp_path / "output"
    output.touch()
    steps = work.steps()
    steps[1] = replace(steps[1], holds=lambda launch, evidence: output.exists())
    walk(launch(tmp_path), steps)
    walk(launch(tmp_path), steps)
    output.unlink()
    walk(replace(launch(tmp_path), console=Console()), steps)
    assert work.ran == ["a", "b", "c", "b"]
    assert capsys.readouterr().out.count("again, since what it made is gone") == 1


def test_a_step_that_is_always_done_is_done_again(tmp_path: Path) -> None:
    work = Counting()
    steps = [*work.steps()[:2], replace(work.steps()[2], always=True)]
    walk(launch(tmp_path), steps)
    walk(launch(tmp_path), steps)
    assert work.ran == ["a", "b", "c", "c"]


def test_a_gate_that_fails_stops_the_walk_and_is_tried_again_next_time(tmp_path: Path) -> None:
    work = Counting("b")
    with pytest.raises(CheckFailed, match="b does not hold"):
        walk(launch(tmp_path), work.steps())
    assert work.ran == ["a", "b"]
    assert Ledger(tmp_path / "ledger.jsonl").records[-1].status == "failed"
    work.fails = ()
    walk(launch(tmp_path), work.steps())
    assert work.ran == ["a", "b", "b", "c"]


def test_an_override_goes_on_and_is_recorded_with_its_reason(tmp_path: Path) -> None:
    work = Counting("b")
    walk(launch(tmp_path, (Override("b", "known"),)), work.steps())
    assert work.ran == ["a", "b", "c"]
    record = Ledger(tmp_path / "ledger.jsonl").newest("b", "overridden")
    assert record is not None and record.because == "known" and "does not hold" in record.evidence["failure"]


def test_an_override_needs_a_gate_that_exists_and_a_reason(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such gate"):
        walk(launch(tmp_path, (Override("z", "why"),)), Counting().steps())
    with pytest.raises(BadInput, match="give a reason"):
        walk(launch(tmp_path, (Override("b", " "),)), Counting().steps())


class Measuring:
    """One step that finds a figure, which the project's limit judges; `limit` may change between two walks."""

    def __init__(self, found: float, limit: float, shipped: float = 1.0) -> None:
        self.found, self.limit, self.shipped, self.ran = found, limit, shipped, 0

    def steps(self) -> list[Step]:
        return [Step("m", "m", lambda launch: {}, self._run, self._judge, remedy="look there")]

    def _run(self, launch: Launch) -> dict:
        self.ran += 1
        return {"figure": self.found}

    def _judge(self, launch: Launch, evidence: dict) -> list[Judged]:
        return [Judged("figure", evidence["figure"], self.limit, self.shipped)]


def test_a_figure_beyond_its_limit_fails_with_what_to_do_and_is_not_found_again(tmp_path: Path) -> None:
    work = Measuring(found=3.0, limit=1.0)
    for _ in range(2):
        with pytest.raises(CheckFailed, match="m: figure 3, wanted at most 1; look there, or go on with --override m"):
            walk(launch(tmp_path), work.steps())
    assert work.ran == 1  # judged twice, measured once
    walk(launch(tmp_path, (Override("m", "a toy"),)), work.steps())
    newest = Ledger(tmp_path / "ledger.jsonl").newest("m")
    assert newest is not None and (newest.status, newest.because) == ("overridden", "a toy")
    assert newest.evidence["figure"] == 3.0 and work.ran == 1  # what it found is there for the steps that follow
    walk(launch(tmp_path), work.steps())  # what was overridden on the same evidence stays so
    assert Ledger(tmp_path / "ledger.jsonl").records[-1] == newest


def test_a_gate_that_broke_off_without_figures_stays_overridden_too(tmp_path: Path) -> None:
    work = Measuring(found=3.0, limit=5.0)

    def breaks(launch: Launch) -> dict:
        raise CheckFailed("the loss is no number")

    broken = [replace(work.steps()[0], run=breaks)]
    walk(launch(tmp_path, (Override("m", "a toy"),)), broken)
    walk(launch(tmp_path), broken)  # there is no figure to judge again
    assert [record.status for record in Ledger(tmp_path / "ledger.jsonl").records] == ["began", "overridden"]


def test_another_limit_judges_the_same_evidence_anew(tmp_path: Path) -> None:
    work = Measuring(found=3.0, limit=5.0)
    walk(launch(tmp_path), work.steps())
    newest = Ledger(tmp_path / "ledger.jsonl").newest("m")
    assert newest is not None and newest.status == "done"
    assert newest.evidence["loosened"] == [
        "limit of figure loosened from 1 to 5; found 3, which the shipped limit would have stopped"
    ]
    work.limit = 2.0
    with pytest.raises(CheckFailed, match="wanted at most 2"):
        walk(launch(tmp_path), work.steps())
    assert work.ran == 1


def test_a_step_whose_evidence_others_need_cannot_be_overridden_without_any(tmp_path: Path) -> None:
    work = Counting("b")
    steps = [replace(step, needed=True) for step in work.steps()]
    with pytest.raises(CheckFailed, match="b left nothing to go on with"):
        walk(launch(tmp_path, (Override("b", "why"),)), steps)
    assert work.ran == ["a", "b"]


def test_what_changed_since_it_was_checked_stops_the_walk_by_name(tmp_path: Path) -> None:
    work = Counting()
    touched: list[str] = []
    steps = work.steps()
    steps[0] = replace(steps[0], changed=lambda launch, evidence: list(touched))
    steps[1] = replace(steps[1], run=lambda one: touched.append("shard 3: damaged") or {})
    with pytest.raises(CheckFailed, match="a: shard 3: damaged: changed since it was checked; restore it"):
        walk(launch(tmp_path), steps)
    assert Ledger(tmp_path / "ledger.jsonl").records[-1].status == "changed" and work.ran == ["a"]
    touched.clear()  # restored
    steps[1] = work.steps()[1]
    walk(launch(tmp_path), steps)
    assert work.ran == ["a", "a", "c"]  # checked again; what was done on it stands


def test_asked_to_stop_it_ends_before_the_next_step_and_goes_on_later(tmp_path: Path) -> None:
    work = Counting()
    with pytest.raises(Interrupted):
        walk(launch(tmp_path, stop=lambda: len(work.ran) == 1), work.steps())
    walk(launch(tmp_path), work.steps())
    assert work.ran == ["a", "b", "c"]


def test_a_second_process_is_refused_while_the_first_one_walks(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from vaak.launch.walk import held\n"
        "with held(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="another launch"), held(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
    with held(tmp_path):  # a killed process leaves no stale lock
        assert (tmp_path / "launch.lock").read_text() == str(os.getpid())


def test_whoever_only_looks_does_not_keep_a_launch_out(tmp_path: Path) -> None:
    (tmp_path / "launch.lock").touch()
    looking = lock_file(tmp_path / "launch.lock", exclusive=False, wait=False)
    assert looking is not None
    threading.Timer(0.2, unlock, [looking]).start()
    with held(tmp_path):
        assert (tmp_path / "launch.lock").read_text() == str(os.getpid())


def test_a_line_torn_by_a_crash_never_counted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.add("a", "began", "x")
    ledger.add("a", "done", "x")
    whole = ledger.path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[-1])):
        ledger.path.write_bytes(whole[:-cut])
        again = Ledger(ledger.path)
        assert [record.status for record in again.records] == ["began"]
        assert again.worked("a", "x") is None
        assert all(json.loads(line) for line in ledger.path.read_text().splitlines())


@pytest.mark.parametrize("because", ["a line\u2028separator", "next\x85line", "a stray byte \udcff", "क्योंकि"])
def test_a_reason_may_hold_any_character(tmp_path: Path, because: str) -> None:
    Ledger(tmp_path / "ledger.jsonl").add("a", "overridden", "x", {"failure": because}, because)
    [record] = Ledger(tmp_path / "ledger.jsonl").records
    assert (record.because, record.evidence) == (because, {"failure": because})


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    record = b'{"step": "a", "status": "done", "inputs": "x", "evidence": null}'
    for line in (b"[]", b"{", b'{"step": "\xff"}', record):
        (tmp_path / "ledger.jsonl").write_bytes(line + b"\n")
        with pytest.raises(BadInput, match=r"ledger\.jsonl: line 1 is no ledger record; restore the file"):
            Ledger(tmp_path / "ledger.jsonl")


def test_a_page_names_a_broken_ledger_too(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(b"junk\n")
    with pytest.raises(BadInput, match="line 1 is no ledger record"):
        gate_alarms(tmp_path)


def test_time_is_counted_over_continuations(tmp_path: Path) -> None:
    lines = [("began", 0.0), ("interrupted", 5.0), ("began", 100.0), ("done", 107.0)]
    rows = [{"step": "a", "status": status, "inputs": "x", "time": at} for status, at in lines]
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert Ledger(path).seconds("a") == 12.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("codec: embedded", "codek: embedded"), "did you mean 'codec'"),
        (("parent: first", "parent: third"), "names the parent 'third'"),
        (("name: second", "name: first"), "stands twice"),
        (("final: second", "final: last"), "which does not exist"),
        (("codec: embedded", "codec: embedded\nminutes: 5"), "needs a 'share'"),
        (("codec: embedded", "codec: embedded\nminutes: 0"), "'minutes'"),
        (("name: first,", "name: first, share: 0,"), "stages.0.share"),
        (("codec: embedded", "codec: embedded\nseed: -1"), "'seed'"),
        (("[example:corpus]", "[]"), "'corpora'"),
        (("  - {name: first, recipe: pt-s1-tiny}", "  - 5"), "stages.0"),
    ],
)
def test_a_faulty_project_file_is_refused_in_one_sentence(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as refusal:
        project(tmp_path, PROJECT.replace(*change, 1))
    assert "\n" not in str(refusal.value)


def test_minutes_from_outside_are_checked_like_the_project_s_own(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT)
    with pytest.raises(BadInput, match="needs a 'share'"):
        load_project(path, minutes=5)
    path.write_text(
        PROJECT.replace("recipe: pt-s1-tiny", "recipe: pt-s1-tiny, share: 1").replace(
            "parent: first", "parent: first, share: 2"
        )
    )
    assert load_project(path, minutes=5).minutes == 5
