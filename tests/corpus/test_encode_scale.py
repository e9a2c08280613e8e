"""Many workers, many ranks, workers that die, disks that are full: always the same corpus, or a sentence."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.codec.small_xcodec2 import save_small
from tests.corpus.toy import LevelCodec
from vaak.codec import open_codec
from vaak.corpus import encode as encode_module
from vaak.corpus import open_corpus, verify_corpus
from vaak.corpus.encode import EncodeOptions, encode_list, encode_share
from vaak.corpus.lists import ListDefaults
from vaak.errors import BadInput

ENGLISH = ListDefaults(language="en")


class DeadlyCodec(LevelCodec):
    """Is ended by the system, as for want of memory, at the first wave of 0.5 s."""

    def encode_batch(self, waves):
        if any(len(wave) == 8000 for wave in waves):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_batch(waves)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Forty recordings of 0.3 to 1.1 s, one of them 0.5 s, every seventh silent, every ninth held out with a text."""
    folder = tmp_path_factory.mktemp("recordings")
    rows = []
    for i in range(40):
        time_axis = np.arange(4800 + 321 * i + (0 if i else 3200)) / 16000
        level = 0.0 if i % 7 == 3 else 0.1 + i / 100
        soundfile.write(folder / f"{i}.wav", level * np.sin(2 * np.pi * 200 * time_axis), 16000)
        row = {"path": f"{i}.wav", "language": "en", "held_out": i % 9 == 0}
        rows.append({**row, "text": f"number {i}"} if i % 9 == 0 else row)
    (folder / "list.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "list.jsonl"


@pytest.fixture(scope="module")
def undisturbed(recordings, tmp_path_factory):
    return encode_list(recordings, LevelCodec(), tmp_path_factory.mktemp("whole") / "out", "one")


@pytest.mark.parametrize(("workers", "part_items"), [(1, 3), (2, 3), (3, 7)])
def test_any_number_of_workers_and_any_size_of_part_give_one_corpus(
    recordings, undisturbed, tmp_path, workers, part_items
):
    told = []
    report = encode_list(
        recordings,
        LevelCodec(),
        tmp_path / "out",
        "one",
        progress=lambda *at: told.append(at),
        options=EncodeOptions(workers=workers, part_items=part_items),
    )
    assert report.corpus_id == undisturbed.corpus_id
    assert (report.read, report.kept, report.set_aside) == (40, 34, {"silent": 6})
    assert report.set_aside_file.read_text() == undisturbed.set_aside_file.read_text()
    assert len(told) == -(-40 // part_items) and told == sorted(told) and told[-1] == (40, 40)
    assert len(list((tmp_path / "out").rglob("*.tokens.npy"))) == 2  # one shard set: one of raw, one of paired


@pytest.mark.slow
def test_xcodec2_gives_one_corpus_with_any_number_of_workers(recordings, tmp_path):
    """Real classes, small random weights: a batch is drawn from a part, so who encodes the part changes nothing."""
    codec = open_codec(save_small("xcodec2", tmp_path / "xcodec2"))
    reports = [
        encode_list(recordings, codec, tmp_path / f"out-{workers}", "one", options=EncodeOptions(workers=workers))
        for workers in (1, 2)
    ]
    parted = EncodeOptions(part_items=10)
    reports.append(encode_list(recordings, codec, tmp_path / "out-parted", "one", options=parted))
    assert len({report.corpus_id for report in reports[:2]}) == 1
    first, last = (open_corpus(tmp_path / name) for name in ("out-1", "out-parted"))
    assert first.codec_hash == codec.hash and first.codebook_size == 65536
    for key, group in first.groups.items():
        codes, others = group.flat(0, group.n_tokens), last.groups[key].flat(0, group.n_tokens)
        assert (codes == others).mean() >= 0.999 and len(set(codes.tolist())) > 10


@pytest.mark.slow
def test_a_worker_that_the_system_ends_costs_only_its_part(recordings, undisturbed, tmp_path):
    options = EncodeOptions(workers=2, part_items=4)
    with pytest.raises(BadInput, match=r"signal 9 .* run again with fewer --workers"):
        encode_list(recordings, DeadlyCodec(), tmp_path / "out", "one", options=options)
    assert multiprocessing.active_children() == []
    with pytest.raises(BadInput, match="unfinished"):
        open_corpus(tmp_path / "out")
    report = encode_list(recordings, LevelCodec(), tmp_path / "out", "one", options=options)
    assert report.corpus_id == undisturbed.corpus_id


def be_rank(rank: int, ranks: int, path: Path, out: Path, delay: float, tell) -> None:
    """What each process of a torchrun does, with no process group between them."""
    options = EncodeOptions(rank=rank, ranks=ranks, part_items=3)
    time.sleep(delay)
    if rank:
        tell.put(encode_share(path, LevelCodec(), out, options=options))
    else:
        tell.put(encode_list(path, LevelCodec(), out, "one", options=options).corpus_id)


@pytest.mark.slow
@pytest.mark.parametrize("delays", [(0.0, 1.0), (1.0, 0.0)])
def test_two_ranks_share_the_parts_and_the_first_puts_them_together(recordings, undisturbed, tmp_path, delays):
    context = multiprocessing.get_context("spawn")
    tell = [context.Queue(), context.Queue()]
    processes = [
        context.Process(target=be_rank, args=(rank, 2, recordings, tmp_path / "out", delays[rank], tell[rank]))
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    assert tell[0].get(timeout=60) == undisturbed.corpus_id
    assert tell[1].get(timeout=60) == 7 * 3 - 2  # parts 1, 3, ... 13, the last of one recording
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert verify_corpus(tmp_path / "out") == [] and not (tmp_path / "out.parts").exists()


def test_a_rank_whose_parts_are_missing_is_waited_for_only_so_long(recordings, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(encode_module, "PATIENCE", 0.5)
    half = EncodeOptions(rank=0, ranks=2, part_items=10)
    with pytest.raises(BadInput, match="lacks part 1 and 1 more"):
        encode_list(recordings, LevelCodec(), tmp_path / "out", "one", options=half)
    # Another number of ranks goes on with what there is.
    codec = LevelCodec()
    whole = encode_list(recordings, codec, tmp_path / "out", "one", options=EncodeOptions(part_items=10))
    assert whole.corpus_id == undisturbed.corpus_id and codec.encoded == 16
    with pytest.raises(BadInput, match="was not begun by rank 0"):
        encode_share(recordings, LevelCodec(), tmp_path / "late", options=EncodeOptions(rank=1, ranks=2))


def test_ranks_of_different_lists_do_not_mix(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(encode_module, "PATIENCE", 0.5)
    with pytest.raises(BadInput, match="lacks part"):
        encode_list(recordings, LevelCodec(), tmp_path / "out", options=EncodeOptions(ranks=2, part_items=10))
    other = EncodeOptions(rank=1, ranks=2, part_items=10)
    with pytest.raises(BadInput, match="another list or codec"):
        encode_share(recordings, LevelCodec(), tmp_path / "out", ListDefaults(tier="wild"), options=other)


def test_two_processes_do_not_encode_into_one_corpus(recordings, tmp_path):
    def again(*_):
        encode_list(recordings, LevelCodec(), tmp_path / "out")

    with pytest.raises(BadInput, match=r"another process is at work in .*out\.parts"):
        encode_list(recordings, LevelCodec(), tmp_path / "out", progress=again)


def test_the_corpus_is_put_together_from_the_parts_alone(recordings, undisturbed, tmp_path):
    """Recordings that vanish once they are encoded are not missed, those that are held out included."""
    folder = shutil.copytree(recordings.parent, tmp_path / "recordings")

    def vanish(done, total):
        if done == total:
            shutil.rmtree(folder)

    report = encode_list(folder / "list.jsonl", LevelCodec(), tmp_path / "out", "one", progress=vanish)
    assert report.corpus_id == undisturbed.corpus_id
    samples = list(open_corpus(tmp_path / "out").groups["paired", "en", "unrated"].samples())
    assert len(samples) == 5 and all(sample.held_out for sample in samples)
    for sample in samples:
        kept = (tmp_path / "out" / (sample.audio or "")).read_bytes()
        assert kept == (recordings.parent / (sample.source_id or "")).read_bytes()


SCRIPT = """if True:
    import sys
    from tests.corpus.toy import LevelCodec
    from vaak.corpus.encode import EncodeOptions, encode_list
    from vaak.errors import BadInput
    try:
        options = EncodeOptions(part_items=8, workers=int(sys.argv[3]))
        print(encode_list(sys.argv[1], LevelCodec(), sys.argv[2], "one", options=options).corpus_id)
    except BadInput as error:
        sys.exit(str(error))
"""


def small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (25000, 25000))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_may_not_grow_is_a_sentence_and_costs_nothing(recordings, undisturbed, tmp_path, workers):
    """The system's own limit stands for a full disk, which a test cannot make without being root."""
    command = [sys.executable, "-c", SCRIPT, str(recordings), str(tmp_path / "out"), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=small_files_only)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "is full; make room" in done.stderr and "what is finished is kept" in done.stderr
    # Parts 3 and 4 are too long; whoever came to one of them first had made the ones before it.
    made = {path.stem for path in (tmp_path / "out.parts").glob("*.npz")}
    assert made and made <= {"000000", "000001", "000002"}
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == undisturbed.corpus_id, done.stderr
    assert verify_corpus(tmp_path / "out") == []


def test_a_full_disk_is_a_sentence_and_costs_nothing(recordings, undisturbed, tmp_path):
    """A real disk of 110 kB, where one can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=110k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        options = EncodeOptions(part_items=8)
        with pytest.raises(BadInput, match="is full; make room"):
            encode_list(recordings, LevelCodec(), disk / "out", "one", options=options)
        finished = len(list((disk / "out.parts").glob("*.npz")))
        assert finished > 0
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        codec = LevelCodec()
        assert encode_list(recordings, codec, disk / "out", "one", options=options).corpus_id == undisturbed.corpus_id
        assert codec.encoded < 34
    finally:
        subprocess.run(["umount", str(disk)], check=True)
