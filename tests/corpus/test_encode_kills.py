"""Thirty SIGKILLs at random moments of an encoding of real recordings; the corpus is always the undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.corpus.test_real_speech import PROMPTS, folder_of
from vaak.corpus import open_corpus, verify_corpus

pytestmark = pytest.mark.slow

KILLS = 30

# Says when it begins, so that kills fall into the work and not into the imports before it.
SCRIPT = """if True:
    import sys
    from vaak.codec import open_codec
    from vaak.corpus.encode import EncodeOptions, encode_list
    from vaak.corpus.lists import ListDefaults
    codec = open_codec("embedded")
    print("begins", flush=True)
    options = EncodeOptions(workers=int(sys.argv[3]), part_items=4)
    report = encode_list(sys.argv[1], codec, sys.argv[2], "prompts", ListDefaults(language="en"), options=options)
    print(report.corpus_id, report.read, report.kept, flush=True)
"""


def begin(recordings: Path, out: Path, workers: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(recordings), str(out), str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begins\n"
    return process


def kill_at(process: subprocess.Popen[str], seconds: float, with_workers: bool) -> str | None:
    """Kill it after so many seconds, its workers with it or left to themselves; what it said if it was done before."""
    try:
        said, _ = process.communicate(timeout=seconds)
        assert process.returncode == 0
        return said
    except subprocess.TimeoutExpired:
        process.kill()
        if with_workers:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until_gone(process.pid)
        return None


def wait_until_gone(group: int) -> None:
    """Workers whose parent was killed end by themselves."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("workers live on 20 s after their parent was killed")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Forty of the package's files: speech of one to eight seconds, beeps and silences."""
    folder = folder_of(*PROMPTS)
    out = tmp_path_factory.mktemp("prompts") / "audio"
    out.mkdir()
    files = [*sorted(folder.glob("vm-*.wav"))[:37], *sorted((folder / "silence").glob("[123].wav"))]
    for path in files:
        shutil.copy(path, out / path.name)
    return out


def test_thirty_kills(recordings, tmp_path):
    rng = random.Random(3)
    process = begin(recordings, tmp_path / "whole", 1)
    started = time.monotonic()
    expected, _ = process.communicate()
    whole = time.monotonic() - started
    assert process.returncode == 0
    kills, corpora = 0, 0
    while kills < KILLS:
        out, said = tmp_path / f"out-{corpora}", None
        while said is None and not is_finished(out):
            # A process with workers needs its time to start them before it gets anywhere.
            workers = 2 if rng.random() < 0.2 else 1
            limit = rng.uniform(0, whole * 0.7 + 6 * (workers - 1)) if kills < KILLS else 120.0
            said = kill_at(begin(recordings, out, workers), limit, rng.random() < 0.5)
            kills += said is None
        assert said in (None, expected)
        assert open_corpus(out).id == expected.split()[0] and verify_corpus(out) == []
        corpora += 1
    print(f"{kills} kills in {corpora} corpora; an undisturbed one takes {whole:.1f} s")


def is_finished(out: Path) -> bool:
    """Killed when all was done but saying so: the corpus is there, and what it was made from is gone."""
    return (out / "MANIFEST.json").exists() and not (out.with_name(out.name + ".parts") / "report.json").exists()
