"""What is set aside is never lost: not by a second run that is told otherwise, and not by a power cut."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.corpus.inworld import ROWS, target, write_split
from tests.corpus.toy import LevelCodec
from vaak.corpus import encode, import_run
from vaak.corpus import import_inworld as inworld_module
from vaak.corpus.encode import EncodeOptions, encode_list
from vaak.corpus.ids import SeenIds
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.lists import ListDefaults
from vaak.errors import BadInput

COMMON = ("kind", "detail", "where", "sample_id")


def begun_with_a_bad_row(tmp_path, monkeypatch):
    """An import with a quarantine, interrupted after its bad second row was noted."""
    source = write_split(tmp_path / "src", rows=[ROWS[0], "{broken", *ROWS[2:]])
    noted = target(tmp_path / "out", note_every=1, quarantine=tmp_path / "aside")

    def interrupt(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inworld_module, "_BLOCK", 2)
        with pytest.raises(KeyboardInterrupt):
            import_inworld(source, noted, progress=interrupt)
    return source, noted


def test_an_import_that_was_begun_with_a_quarantine_does_not_go_on_without(tmp_path, monkeypatch):
    source, noted = begun_with_a_bad_row(tmp_path, monkeypatch)
    with pytest.raises(BadInput, match=r"begun with --quarantine .*aside; give it again"):
        import_inworld(source, replace(noted, quarantine=None))
    report = import_inworld(source, noted)
    assert report.set_aside == {"invalid JSON": 1} and report.set_aside_file is not None
    assert [json.loads(line)["row"] for line in report.set_aside_file.read_text().splitlines()] == [1]


def test_all_reasons_go_to_the_quarantine_that_is_named_last(tmp_path, monkeypatch):
    source, noted = begun_with_a_bad_row(tmp_path, monkeypatch)
    report = import_inworld(source, replace(noted, quarantine=tmp_path / "other"))
    place = tmp_path / "other" / "imported.set-aside.jsonl"
    assert report.set_aside_file == place and len(place.read_text().splitlines()) == 1


def test_an_import_that_was_begun_without_a_quarantine_goes_on_with_one(tmp_path, monkeypatch):
    source = write_split(tmp_path / "src", rows=[ROWS[0], ROWS[1], ROWS[2], "{broken", ROWS[4]])
    noted = target(tmp_path / "out", note_every=1)
    monkeypatch.setattr(inworld_module, "_BLOCK", 2)
    with pytest.raises(BadInput, match="--quarantine DIR"):
        import_inworld(source, noted)
    assert (tmp_path / "out.import" / "state.json").exists()
    with_one = replace(noted, quarantine=tmp_path / "aside")

    def interrupt(done: int, total: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_inworld(source, with_one, progress=interrupt)
    # From here on it is one that was begun with a quarantine.
    with pytest.raises(BadInput, match="begun with --quarantine"):
        import_inworld(source, noted)
    report = import_inworld(source, with_one)
    assert report.kept == 4 and report.set_aside_file is not None and report.set_aside_file.exists()


def test_an_import_that_was_killed_when_all_was_done_remembers_where_the_reasons_are(tmp_path, monkeypatch):
    source = write_split(tmp_path / "src", rows=["{broken", *ROWS[1:]])

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(import_run.shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))
    report = import_inworld(source, target(tmp_path / "out"))
    assert report.set_aside_file == tmp_path / "aside" / "imported.set-aside.jsonl" and report.kept == 4


@pytest.mark.parametrize("again", [None, "aside", "other"])
def test_an_encoding_that_was_killed_when_all_was_done_does_too(tmp_path, monkeypatch, again):
    path = bad_list(tmp_path)

    def kill(parts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encode, "_remove", lambda parts: (parts / "plan.json").unlink() or kill(parts))
        with pytest.raises(KeyboardInterrupt):
            encode_list(path, LevelCodec(), tmp_path / "out", options=EncodeOptions(quarantine=tmp_path / "aside"))
    options = EncodeOptions(quarantine=tmp_path / again if again else None)
    report = encode_list(path, LevelCodec(), tmp_path / "out", options=options)
    assert report.set_aside_file == tmp_path / "aside" / "out.set-aside.jsonl" and report.kept == 1
    assert len(report.set_aside_file.read_text().splitlines()) == 2


def test_the_reasons_of_an_earlier_run_are_not_written_over(tmp_path):
    source = write_split(tmp_path / "src", rows=["{broken", *ROWS[1:]])
    import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "aside"))
    with pytest.raises(BadInput, match="there already"):
        import_inworld(source, target(tmp_path / "again", quarantine=tmp_path / "aside"))
    list_ = bad_list(tmp_path)
    options = EncodeOptions(quarantine=tmp_path / "aside")
    with pytest.raises(BadInput, match="there already"):
        encode_list(list_, LevelCodec(), tmp_path / "encoded", "imported", options=options)


def bad_list(tmp_path: Path) -> Path:
    """A list of a good recording, a silent one and a row that is none."""
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "good.wav", 0.3 * np.sin(np.arange(8000) / 9), 16000)
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    rows = [{"path": "good.wav", "language": "hi"}, {"path": "silent.wav", "language": "hi"}]
    (folder / "list.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]) + "\n")
    return folder / "list.jsonl"


def test_import_and_encode_write_the_same_file_in_the_same_place(tmp_path):
    """One option, one place, and lines that begin alike."""
    source = write_split(tmp_path / "src", rows=["{broken", *ROWS[1:]])
    imported = import_inworld(source, target(tmp_path / "out", quarantine=tmp_path / "a"))
    options = EncodeOptions(quarantine=tmp_path / "b")
    encoded = encode_list(bad_list(tmp_path), LevelCodec(), tmp_path / "corpus", "imported", options=options)
    assert imported.set_aside_file == tmp_path / "a" / "imported.set-aside.jsonl"
    assert encoded.set_aside_file == tmp_path / "b" / "imported.set-aside.jsonl"
    lines = []
    for report in (imported, encoded):
        assert report.set_aside_file is not None
        lines += [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert {tuple(line)[:4] for line in lines} == {COMMON}
    assert [line["where"].rsplit("/", 1)[1] for line in lines] == [
        "train_samples.jsonl, line 1", "list.jsonl, row 2", "list.jsonl, row 3"]  # fmt: skip
    assert [line["kind"] for line in lines] == ["invalid JSON", "silent", "bad row"]


def test_without_a_quarantine_only_a_bad_row_ends_an_encoding(tmp_path):
    path = bad_list(tmp_path)
    codec = LevelCodec()
    with pytest.raises(BadInput, match="row 3 is not valid JSON"):
        encode_list(path, codec, tmp_path / "out")
    assert codec.encoded == 0
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    report = encode_list(path, codec, tmp_path / "out")
    assert (report.set_aside, report.set_aside_file) == ({"silent": 1}, tmp_path / "out.set-aside.jsonl")


@pytest.mark.parametrize("command", ["import", "encode"])
@pytest.mark.parametrize("where", ["a file", "below a file", "the corpus", "the work folder"])
def test_a_quarantine_that_cannot_hold_anything_is_said_at_once(tmp_path, command, where):
    (tmp_path / "note.txt").write_text("a file")
    ending = ".import" if command == "import" else ".parts"
    place = {"a file": tmp_path / "note.txt", "below a file": tmp_path / "note.txt" / "aside",
             "the corpus": tmp_path / "out" / "aside", "the work folder": tmp_path / f"out{ending}" / "aside"}[where]  # fmt: skip
    codec = LevelCodec()
    with pytest.raises(BadInput, match="cannot be made" if "file" in where else "inside the new corpus"):
        if command == "import":
            import_inworld(write_split(tmp_path / "src"), target(tmp_path / "out", quarantine=place))
        else:
            encode_list(bad_list(tmp_path), codec, tmp_path / "out", options=EncodeOptions(quarantine=place))
    assert codec.encoded == 0 and not (tmp_path / f"out{ending}").exists() and not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "note.txt").write_text("a file")
    with pytest.raises(BadInput, match="cannot be made"):
        import_inworld(write_split(tmp_path / "src"), target(tmp_path / "note.txt" / "out"))
    with pytest.raises(BadInput, match="cannot be made"):
        encode_list(
            bad_list(tmp_path),
            LevelCodec(),
            tmp_path / "note.txt" / "out",
            options=EncodeOptions(quarantine=tmp_path / "q"),
        )


class Disk:
    """Notes, in order, what is brought to the disk, renamed and removed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, str]] = []
        fsync, rename, unlink, rmtree = os.fsync, os.replace, Path.unlink, shutil.rmtree

        def spied_fsync(handle):
            self.done.append(
                ("fsync", os.readlink(f"/proc/self/fd/{handle if isinstance(handle, int) else handle.fileno()}"))
            )
            fsync(handle)

        def spied_replace(old, new):
            self.done.append(("rename", str(new)))
            rename(old, new)

        def spied_unlink(path, missing_ok=False):
            self.done.append(("remove", str(path)))
            unlink(path, missing_ok)

        def spied_rmtree(path, *more, **named):
            self.done.append(("remove", str(path)))
            rmtree(path, *more, **named)

        monkeypatch.setattr(os, "fsync", spied_fsync)
        monkeypatch.setattr(os, "replace", spied_replace)
        monkeypatch.setattr(Path, "unlink", spied_unlink)
        monkeypatch.setattr(shutil, "rmtree", spied_rmtree)

    def order(self, *wanted: tuple[str, str]) -> bool:
        """Whether these happened one after the other."""
        rest = iter(self.done)
        return all(one in rest for one in wanted)


@pytest.mark.parametrize("command", ["import", "encode", "encode without a quarantine"])
def test_a_power_cut_finds_the_reasons_on_the_disk_before_their_original_goes(tmp_path, monkeypatch, command):
    place = tmp_path / "far" / "aside" / "imported.set-aside.jsonl"
    if command == "import":
        source = write_split(tmp_path / "src", rows=["{broken", *ROWS[1:]])
        disk = Disk(monkeypatch)
        import_inworld(source, target(tmp_path / "out", quarantine=place.parent))
        original = tmp_path / "out.import" / "set-aside.jsonl"
    else:
        path = bad_list(tmp_path)
        options = EncodeOptions(quarantine=place.parent)
        if "without" in command:
            place = tmp_path / "out.set-aside.jsonl"
            path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
            options = EncodeOptions()
        disk = Disk(monkeypatch)
        encode_list(path, LevelCodec(), tmp_path / "out", "imported", ListDefaults(), options=options)
        original = tmp_path / "out.parts" / "set-aside.jsonl"
    copy = ("fsync", str(place.with_name(f".{place.name}.tmp")))
    assert disk.order(copy, ("rename", str(place)), ("fsync", str(place.parent)), ("remove", str(original)))
    # The folders that were made for it too.
    for made in (tmp_path / "far", tmp_path) if place.parent != tmp_path else ():
        assert disk.order(("fsync", str(made)), ("remove", str(original)))


def test_a_power_cut_finds_the_ids_that_a_mark_counts_on(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    ids = SeenIds(tmp_path / "work" / "ids", in_memory=4)
    (tmp_path / "work").mkdir()
    ids.add_all([f"id-{i}" for i in range(6)])
    ids.save()
    for name in ("run-00000.npy", "held-a.npy"):
        path = tmp_path / "work" / "ids" / name
        synced = [("fsync", str(path.parent)), ("fsync", str(path.parent.parent))]
        assert disk.order(("fsync", f"{path}.tmp"), ("rename", str(path)), *synced)
