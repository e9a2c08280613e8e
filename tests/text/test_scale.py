"""The pipeline of `datatrove` comes to the corpus of one machine, whichever executor runs it and whatever goes wrong."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import real_slurm
from tests.text.dumps import write_jsonl
from tests.text.scaled_builds import ALL, COMMAND, HINDI, dump, of_one_machine, outcome, scaled
from vaak.errors import BadInput
from vaak.storage.locks import lock_file, only_one, unlock
from vaak.text.build import build_text, finished_report, prepare_share
from vaak.text.prepared import PreparedWriter
from vaak.text.scale import FreezeCorpus
from vaak.text.scale_options import executor_options
from vaak.text.settings import Scale, load_settings

pytest.importorskip("datatrove", reason="datatrove is not installed (pip install vaak[scale])")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return of_one_machine(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(("tasks", "workers"), [(1, 1), (3, 2), (9, 1)])
def test_tasks_of_datatrove_come_to_the_corpus_of_one_machine(tmp_path, plain, tasks, workers):
    said = scaled(dump(tmp_path, executor="local", tasks=tasks, options={"workers": workers}))
    assert outcome(tmp_path) == plain
    run = tmp_path / "corpus.logs" / "run-1"
    assert said == [
        f"5 inputs, 0 of them done, for {min(tasks, 5)} tasks and one that freezes; logs in {run}",
        f"all tasks are done; logs in {run}",
    ]
    assert len(list((run / "prepare" / "logs").iterdir())) == min(tasks, 5) and not (tmp_path / "corpus.build").exists()
    log = (run / "prepare" / "logs" / "task_00000.log").read_text()
    assert "read" in log and "kept" in log


def test_an_input_that_cannot_be_read_stops_the_freezing_and_the_next_run_goes_on(tmp_path, plain):
    configuration = dump(tmp_path, executor="local", tasks=3, options={"workers": 1})
    whole = (tmp_path / "in" / "4.jsonl").read_bytes()
    (tmp_path / "in" / "4.jsonl").unlink()
    (tmp_path / "in" / "5.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")  # of the second task, after 1.jsonl
    with pytest.raises(BadInput, match=r"5\.jsonl\.gz"):
        scaled(configuration)
    assert not (tmp_path / "corpus").exists()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus.build" / "inputs").glob("*/DONE.json")}
    assert len(done) == 4  # the other tasks went on
    (tmp_path / "in" / "5.jsonl.gz").unlink()
    (tmp_path / "in" / "4.jsonl").write_bytes(whole)
    prepare_share(load_settings(configuration), 4, 5)
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    said = scaled(configuration)
    assert "5.jsonl.gz" in said[0] and "5 inputs, 5 of them done" in said[1] and said[1].endswith("run-2")
    assert outcome(tmp_path) == plain


def test_an_input_that_changes_after_its_task_is_prepared_again(tmp_path, plain):
    configuration = dump(tmp_path, executor="local", tasks=2, options={"workers": 1})
    right = (tmp_path / "in" / "2.jsonl").read_bytes()
    write_jsonl(tmp_path / "in" / "2.jsonl", HINDI[:2])
    (tmp_path / "in" / "bad.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(BadInput):
        scaled(configuration)
    completed = tmp_path / "corpus.logs" / "run-1" / "prepare" / "completions" / "00000"
    assert completed.exists()  # datatrove took the task of 2.jsonl for done
    (tmp_path / "in" / "bad.jsonl.gz").unlink()
    (tmp_path / "in" / "2.jsonl").write_bytes(right)
    scaled(configuration)
    assert outcome(tmp_path) == plain


def test_the_freezing_task_prepares_what_no_task_did(tmp_path, plain):
    settings = load_settings(dump(tmp_path))
    prepare_share(settings, 0, 2)
    FreezeCorpus(settings, 1)(None)
    assert outcome(tmp_path) == plain


def test_a_task_counts_its_documents_and_one_that_comes_late_does_nothing(tmp_path, plain):
    settings = load_settings(dump(tmp_path))
    counts = prepare_share(settings, 0, 1)
    reasons = {"too short": 1, "wrong language": 1}
    assert counts == {"read": len(ALL), "kept": len(ALL) - 2, **reasons}
    assert prepare_share(settings, 7, 9) == {}
    build_text(settings, 1)
    assert prepare_share(settings, 0, 1) == {} and not (tmp_path / "corpus.build").exists()


def test_several_may_come_to_a_report_at_once(tmp_path, plain, monkeypatch):
    def stop(folder, report):
        raise KeyboardInterrupt

    settings = load_settings(dump(tmp_path))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("vaak.text.build.write_report", stop)
        build_text(settings, 1)
    assert (tmp_path / "corpus.build" / "report.json").exists()
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: finished_report(settings), range(8)))
    assert all(report == reports[0] for report in reports) and not (tmp_path / "corpus.build").exists()
    assert outcome(tmp_path) == plain


def test_nobody_prepares_the_same_input_or_freezes_meanwhile(tmp_path):
    settings = load_settings(dump(tmp_path))
    prepare_share(settings, 1, 2)
    folder = next((tmp_path / "corpus.build" / "inputs").glob("*/DONE.json")).parent
    first = PreparedWriter(folder, "web", 0)
    with pytest.raises(BadInput, match="another process prepares the same input of source 'web'"):
        prepare_share(settings, 0, 1)
    first.abandon()
    prepare_share(settings, 0, 1)
    assert len(list((tmp_path / "corpus.build" / "inputs").glob("*/DONE.json"))) == 5
    handle = lock_file(tmp_path / "corpus.build" / "lock", exclusive=False, wait=False)
    assert handle is not None
    with pytest.raises(BadInput, match="another process builds"):
        build_text(settings, 1)
    prepare_share(settings, 0, 1)
    unlock(handle)


def test_two_builds_at_once_are_refused(tmp_path):
    configuration = dump(tmp_path, executor="local", tasks=2, options={"workers": 1})
    (tmp_path / "corpus.build").mkdir()
    with only_one(tmp_path / "corpus.build" / "lock", ""), pytest.raises(BadInput, match="another process builds"):
        scaled(configuration)
    with (
        only_one(tmp_path / "corpus.logs" / "lock", ""),
        pytest.raises(BadInput, match="another process runs the build"),
    ):
        scaled(configuration)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("executor", "options", "words"),
    [
        ("local", {"worker": 2}, "'scale.options.worker' is no option of executor local; did you mean 'workers'?"),
        ("local", {"time": "1:00"}, "is no option of executor local; it takes randomize_start_duration, workers"),
        ("local", {"skip_completed": False}, "'scale.options.skip_completed' is decided by the build"),
        ("local", {"workers": 0}, "'scale.options.workers' is 0; give a whole number from 1 up"),
        ("slurm", {"time": "1:00"}, "executor slurm needs 'scale.options.partition'; add it"),
        ("slurm", {"time": 36000, "partition": "main"}, "'scale.options.time' is 36000; give Slurm's words in quotes"),
        ("slurm", {"time": "1:00", "partition": "main", "cpus": 2}, "is no option of executor slurm"),
        ("slurm", {"time": "1:00", "partition": "main", "sbatch_args": ["x"]}, "sbatch_args' is no mapping"),
    ],
)
def test_options_that_an_executor_does_not_take_are_named(executor, options, words, tmp_path, monkeypatch):
    for name in ("sbatch", "squeue"):  # only looked for
        (tmp_path / name).touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput) as refused:
        executor_options(Scale(executor=executor, tasks=2, options=options))
    assert words in str(refused.value)


def test_slurm_gets_this_environment_and_the_cores_of_a_task(tmp_path, monkeypatch):
    for name in ("sbatch", "squeue"):
        (tmp_path / name).touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    given = {"time": "1-10:00", "partition": "main", "cpus_per_task": 8, "sbatch_args": {"account": "speech"}}
    options = executor_options(Scale(executor="slurm", tasks=2, options=given))
    found = subprocess.run(
        ["/bin/sh", "-c", f"{options['env_command']}; command -v python"], capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).parent == Path(sysconfig.get_path("scripts"))
    assert options["srun_args"] == {"cpus-per-task": 8}
    assert options["sbatch_args"] == {"kill-on-invalid-dep": "yes", "account": "speech"}
    own = executor_options(Scale(executor="slurm", tasks=2, options={**given, "venv_path": "/venv/bin/activate"}))
    assert "env_command" not in own


def test_what_an_executor_needs_is_said_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="executor slurm needs sbatch"):
        executor_options(Scale(executor="slurm", tasks=2, options={"time": "1:00", "partition": "main"}))
    if find_spec("ray") is None:
        with pytest.raises(BadInput, match="pip install ray"):
            executor_options(Scale(executor="ray", tasks=2))


@pytest.mark.slow
def test_the_command_prints_json_alone_and_then_only_reports(tmp_path, plain):
    configuration = dump(tmp_path, executor="local", tasks=2, options={"workers": 2})
    refused = subprocess.run([*COMMAND, str(configuration), "--processes", "2"], capture_output=True, text=True)
    assert refused.returncode == 2 and "--processes is for a build without 'scale'" in refused.stderr
    printed = subprocess.run([*COMMAND, str(configuration), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(printed.stdout)["corpus"]["id"] == plain[0] and printed.stderr == ""
    assert "Launching pipeline" in (tmp_path / "corpus.logs" / "run-1" / "console.log").read_text()
    assert scaled(configuration) == [f"{tmp_path / 'corpus'} is frozen"]
    again = subprocess.run([*COMMAND, str(configuration)], capture_output=True, text=True, check=True)
    assert "frozen as" in again.stdout and len(list((tmp_path / "corpus.logs").glob("run-*"))) == 1


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory):
    if reason := real_slurm.why_not():
        pytest.skip(reason)
    with real_slurm.slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def cluster(slurm, monkeypatch):
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    # Jobs inherit it: the package under test, wherever the tests run.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    yield
    subprocess.run(["scancel", "--me"], check=True)


def queued() -> list[str]:
    """The states of this user's jobs that wait or run."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--me", "--format=%F %T"], capture_output=True, text=True, check=True
    )
    return asked.stdout.splitlines()


def wait_for(condition, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited too long; in the queue: {queued()}"
        time.sleep(0.2)


SLURM = {"time": "10:00", "partition": "main"}


@pytest.mark.slow
def test_slurm_comes_to_the_corpus_of_one_machine(tmp_path, plain, cluster):
    configuration = dump(tmp_path, executor="slurm", tasks=3, options={**SLURM, "cpus_per_task": 2})
    assert "submitted to Slurm: job" in scaled(configuration)[-1]
    again = scaled(configuration)
    assert len(again) == 1 and "nothing was submitted, as this build is in Slurm's queue: job" in again[0]
    printed = subprocess.run([*COMMAND, str(configuration), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(printed.stdout)["frozen"] is False and printed.stderr == ""
    wait_for(lambda: not queued())
    assert outcome(tmp_path) == plain
    printed = subprocess.run([*COMMAND, str(configuration), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(printed.stdout)["corpus"]["id"] == plain[0]
    assert len(list((tmp_path / "corpus.logs").glob("run-*"))) == 1


@pytest.mark.slow
def test_a_task_that_slurm_ends_or_that_fails_stops_the_freezing_and_the_next_run_goes_on(tmp_path, plain, cluster):
    configuration = dump(tmp_path, executor="slurm", tasks=5, options=SLURM)
    scaled(configuration)
    wait_for(lambda: any("RUNNING" in line for line in queued()))
    subprocess.run(["scancel", min(line.split()[0] for line in queued() if "RUNNING" in line)], check=True)
    wait_for(lambda: not queued())  # what waited for it does not wait for ever
    assert not (tmp_path / "corpus").exists()
    (tmp_path / "in" / "bad.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    scaled(configuration)
    wait_for(lambda: not queued())
    assert not (tmp_path / "corpus").exists()
    (tmp_path / "in" / "bad.jsonl.gz").unlink()
    said = scaled(configuration)
    assert "bad.jsonl.gz" in said[0] and "submitted to Slurm" in said[-1]
    wait_for(lambda: not queued())
    assert outcome(tmp_path) == plain


@pytest.mark.slow
def test_what_slurm_refuses_is_said_in_its_words(tmp_path, cluster):
    configuration = dump(tmp_path, executor="slurm", tasks=2, options={**SLURM, "partition": "none"})
    with pytest.raises(BadInput, match=r"Slurm refused the build: sbatch: error: .*partition"):
        scaled(configuration)


@pytest.mark.slow
def test_ray_comes_to_the_corpus_of_one_machine(tmp_path, plain, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed (pip install ray)")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    configuration = dump(tmp_path, executor="ray", tasks=3, options={"mem_per_cpu_gb": 0.5})
    (tmp_path / "in" / "bad.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(BadInput, match=r"1 of 3 tasks could not prepare: .*bad\.jsonl\.gz"):
        scaled(configuration)
    (tmp_path / "in" / "bad.jsonl.gz").unlink()
    scaled(configuration)
    assert outcome(tmp_path) == plain
