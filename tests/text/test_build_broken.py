"""What a build survives: interruptions at its very end, a full disk, links, folders that it writes itself, damaged work."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.text.dumps import heed_ctrl_c, real_documents, write_configuration, write_jsonl
from vaak.errors import BadInput
from vaak.storage.files import read_json, write_json
from vaak.text import build
from vaak.text.build import build_text
from vaak.text.inputs import list_inputs
from vaak.text.settings import load_settings
from vaak.text.sources import HubDataset, Source

ENGLISH, HINDI = real_documents("en")[:12], real_documents("hi")[:12]
WEB = {"name": "web", "reader": "jsonl", "language_field": "language", "id_field": "id"}


def built(folder, **changes):
    return build_text(load_settings(write_configuration(folder, **changes)), 1)


def read(report):
    return sum(row["read"] for row in report["sources"])


def broken_off(folder, **changes):
    """A build that has done `in/a.jsonl` and met a damaged file."""
    write_jsonl(folder / "in" / "a.jsonl", ENGLISH)
    (folder / "in" / "z.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(BadInput, match=r"z\.jsonl\.gz"):
        built(folder, **changes)
    (folder / "in" / "z.jsonl.gz").unlink()


def test_what_an_interrupted_clearing_left_goes_the_next_time(tmp_path, monkeypatch):
    write_jsonl(tmp_path / "in" / "a.jsonl", ENGLISH)
    real = shutil.rmtree

    def interrupted(path, *args, **options):
        if (tmp_path / "corpus" / "MANIFEST.json").exists():
            (tmp_path / "corpus.build" / "report.json").unlink(missing_ok=True)
            raise KeyboardInterrupt
        real(path, *args, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built(tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "corpus.build" / "inputs").exists()
    assert built(tmp_path) == read_json(tmp_path / "corpus.report" / "report.json")
    assert not (tmp_path / "corpus.build").exists()


def test_a_disk_that_is_full_at_the_report_is_said_and_the_report_comes_later(tmp_path):
    for folder in (tmp_path, tmp_path / "whole"):
        write_jsonl(folder / "in" / "a.jsonl", ENGLISH)
    built(tmp_path / "whole")
    page = (tmp_path / "whole" / "corpus.report" / "report.html").stat().st_size  # the largest file of so small a build
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (page - 1000, before[1]))
    try:
        with pytest.raises(BadInput, match="is full"):
            built(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "corpus" / "MANIFEST.json").exists()
    assert read(built(tmp_path)) == len(ENGLISH)
    assert (tmp_path / "corpus.report" / "report.html").exists() and not (tmp_path / "corpus.build").exists()


def test_a_file_where_the_report_goes_is_refused_before_the_work(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", ENGLISH)
    (tmp_path / "corpus.report").write_text("mine")
    with pytest.raises(BadInput, match=r"corpus\.report .*move it away"):
        built(tmp_path)
    assert not (tmp_path / "corpus").exists()


def test_what_the_build_writes_is_no_input_of_it(tmp_path):
    here = [{**WEB, "files": "."}]
    broken_off(tmp_path, sources=here)
    (tmp_path / "tokenizer" / "tokenizer.json").rename(tmp_path / ".tokenizer.json")
    assert (tmp_path / "corpus.build").exists()
    configuration = write_configuration(tmp_path, sources=here, tokenizer=".tokenizer.json")
    shutil.rmtree(tmp_path / "tokenizer")
    assert read(build_text(load_settings(configuration), 1)) == len(ENGLISH)


def test_linked_folders_are_read_and_circles_end(tmp_path):
    write_jsonl(tmp_path / "elsewhere" / "a.jsonl", ENGLISH)
    write_jsonl(tmp_path / "in" / "b.jsonl", HINDI)
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    assert read(built(tmp_path)) == len(ENGLISH) + len(HINDI)


def test_a_link_that_leads_nowhere_is_said(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", ENGLISH)
    (tmp_path / "in" / "b.jsonl").symlink_to(tmp_path / "gone.jsonl")
    for files in ("in", "in/*.jsonl"):
        with pytest.raises(BadInput, match=r"b\.jsonl cannot be read"):
            list_inputs(Source.model_validate({**WEB, "files": files}), tmp_path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    path = write_jsonl(tmp_path / "in" / "a.jsonl", ENGLISH)
    (one,) = list_inputs(Source.model_validate({**WEB, "files": "in"}), tmp_path)
    documents = one.open_documents()
    next(documents)
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadInput, match="changed since it was listed"):
        list(documents)


@pytest.mark.parametrize("name", ["ids.u32", "kept.arrow", "dropped.arrow", "DONE.json"])
def test_prepared_work_that_was_damaged_is_done_again(tmp_path, name):
    broken_off(tmp_path)
    (path,) = (tmp_path / "corpus.build" / "inputs").glob(f"*/{name}")
    path.write_bytes(path.read_bytes()[:-8])
    write_jsonl(tmp_path / "whole" / "in" / "a.jsonl", ENGLISH)
    assert built(tmp_path)["corpus"]["id"] == built(tmp_path / "whole")["corpus"]["id"]


def test_the_time_of_earlier_runs_counts(tmp_path):
    broken_off(tmp_path)
    (done,) = (tmp_path / "corpus.build" / "inputs").glob("*/DONE.json")
    write_json(done, {**read_json(done), "seconds": 1000.0})
    report = built(tmp_path)
    assert report["seconds"] >= 1000 and report["documents_per_second"] <= len(ENGLISH) / 1000 + 0.1


def test_another_split_of_a_data_set_is_other_work(tmp_path, monkeypatch):
    """Shards that have no name of their own are called alike in each split."""
    settings = load_settings(write_configuration(tmp_path))
    tokenizer = build.load_tokenizer(settings.tokenizer)
    write_jsonl(tmp_path / "in" / "a.jsonl", ENGLISH)
    listed = list_inputs(settings.sources[0], tmp_path)
    monkeypatch.setattr(build, "list_inputs", lambda *_: listed)
    made_of = []
    for split in ("hin", "tam"):
        source = Source(name="s", reader="sangraha", hub=HubDataset(dataset="x/y", split=split))
        one = settings.model_copy(update={"sources": (source,)})
        made_of += [task.made_of for task in build.tasks_of(one, tokenizer, tmp_path / "work")]
    assert made_of[0] != made_of[1]


def test_of_two_texts_with_one_id_the_order_does_not_choose(tmp_path):
    one = ENGLISH[0]
    rows = [one, {**one, "text": one["text"].upper()}]
    for name, order in (("one", rows), ("other", rows[::-1])):
        write_jsonl(tmp_path / name / "in" / "a.jsonl", order)
    one, other = built(tmp_path / "one"), built(tmp_path / "other")
    assert one["corpus"]["id"] == other["corpus"]["id"] and one["examples"] == other["examples"]


@pytest.mark.slow
def test_who_interrupts_is_told_what_is_kept(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", [{**one, "id": f"{i}"} for i in range(3000) for one in ENGLISH[:4]])
    command = [sys.executable, "-m", "vaak.cli.main", "text", "build", str(write_configuration(tmp_path)), "--json"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "corpus.build" / "inputs").exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert said.count("\n") == 1 and "inputs that are done are kept" in said
