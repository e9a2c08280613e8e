"""A build spread over tasks of this machine that is killed or interrupted, whole or a task of it: it ends, and goes on later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.text.dumps import heed_ctrl_c
from tests.text.scaled_builds import COMMAND, dump, of_one_machine, outcome, scaled
from vaak.errors import BadInput

pytest.importorskip("datatrove", reason="datatrove is not installed (pip install vaak[scale])")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return of_one_machine(tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_killed_run_comes_to_the_same_corpus(tmp_path, plain, whole_group):
    configuration = dump(tmp_path, executor="local", tasks=5, options={"workers": 2})
    groups, ended = [], []
    try:
        for inputs in ("*", "*/DONE.json"):  # killed when the first input is begun, and when one is done
            process = subprocess.Popen(
                [*COMMAND, str(configuration)], stdout=subprocess.DEVNULL, start_new_session=True
            )
            groups.append(process.pid)
            while process.poll() is None and not list((tmp_path / "corpus.build" / "inputs").glob(inputs)):
                time.sleep(0.001)
            os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
            ended.append(process.wait())
        assert ended[0] == -signal.SIGKILL
        built_at_last(configuration)
    finally:
        for group in groups:  # what one that is killed alone leaves behind
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
    assert outcome(tmp_path) == plain


def built_at_last(configuration: Path) -> None:
    """A task of a run that was killed alone may take a moment to end, and is not disturbed."""
    end = time.monotonic() + 60
    while True:
        try:
            scaled(configuration)
            return
        except BadInput as error:
            assert "another process" in str(error) and time.monotonic() < end
            time.sleep(0.2)


@contextmanager
def waiting(folder: Path, tasks: int) -> Iterator[subprocess.Popen]:
    """A build with workers, all of whose inputs are done but one, which waits for somebody to write."""
    configuration = dump(folder, executor="local", tasks=tasks, options={"workers": tasks})
    os.mkfifo(folder / "in" / "5.jsonl")
    process = subprocess.Popen(
        [*COMMAND, str(configuration)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    with process:
        try:
            inputs = folder / "corpus.build" / "inputs"
            while len(list(inputs.glob("*/DONE.json"))) < 5 or len(list(inputs.iterdir())) < 6:
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
    (folder / "in" / "5.jsonl").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [1, 2])
def test_a_task_that_is_killed_ends_the_run_in_one_sentence(tmp_path, plain, tasks):
    with waiting(tmp_path, tasks) as run:
        for child in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split():
            with suppress(ProcessLookupError):  # ended by the run, as another one was killed
                os.kill(int(child), signal.SIGKILL)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 2 and "a task was ended" in said and "Traceback" not in said
    scaled(tmp_path / "text.yaml")
    assert outcome(tmp_path) == plain


@pytest.mark.slow
def test_who_interrupts_does_not_wait_for_the_tasks(tmp_path, plain):
    with waiting(tmp_path, 2) as run:
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130 and "inputs that are done are kept" in said and "Traceback" not in said
    scaled(tmp_path / "text.yaml")
    assert outcome(tmp_path) == plain
