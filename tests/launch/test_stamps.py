"""What was verified is not verified again until somebody touches it; and then it is, whatever its size and time say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vaak.launch.stamps import Stamps, stamps_of


class Verifying:
    """Counts how often it is asked; finds what `wrong` says."""

    def __init__(self) -> None:
        self.asked, self.wrong = 0, []

    def __call__(self) -> list[str]:
        self.asked += 1
        return list(self.wrong)


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "shard").write_bytes(b"codes")
    return folder


def test_it_is_verified_once_and_also_for_the_next_process(tmp_path: Path) -> None:
    folder, verify = folder_of(tmp_path), Verifying()
    for _ in range(3):
        assert Stamps(tmp_path / "stamps.json").problems(folder, verify) == []
    assert verify.asked == 1


def test_a_changed_file_is_noticed_though_its_size_and_time_are_put_back(tmp_path: Path) -> None:
    folder, verify, stamps = folder_of(tmp_path), Verifying(), Stamps(tmp_path / "stamps.json")
    stamps.problems(folder, verify)
    shard = folder / "raw" / "shard"
    before = shard.stat()
    shard.write_bytes(b"cides")
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shard.stat().st_mtime_ns == before.st_mtime_ns and shard.stat().st_size == before.st_size
    stamps.problems(folder, verify)
    assert verify.asked == 2


def test_an_added_and_a_removed_file_are_noticed(tmp_path: Path) -> None:
    folder, verify, stamps = folder_of(tmp_path), Verifying(), Stamps(tmp_path / "stamps.json")
    stamps.problems(folder, verify)
    (folder / "more").touch()
    stamps.problems(folder, verify)
    (folder / "more").unlink()
    stamps.problems(folder, verify)
    assert verify.asked == 3


def test_what_was_found_wrong_is_looked_at_again_each_time(tmp_path: Path) -> None:
    folder, verify, stamps = folder_of(tmp_path), Verifying(), Stamps(tmp_path / "stamps.json")
    verify.wrong = ["raw/shard: damaged"]
    assert stamps.problems(folder, verify) == stamps.problems(folder, verify) == ["raw/shard: damaged"]
    assert verify.asked == 2


def test_a_broken_file_of_stamps_only_costs_the_reading(tmp_path: Path) -> None:
    folder, verify = folder_of(tmp_path), Verifying()
    (tmp_path / "stamps.json").write_text('{"half')
    assert Stamps(tmp_path / "stamps.json").problems(folder, verify) == [] and verify.asked == 1


def test_a_file_in_a_linked_folder_is_seen_too(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "shard").write_text("a")
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "paired").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(folder)  # which ends nowhere
    before = stamps_of(folder)
    assert list(before) == ["paired/shard"]
    (tmp_path / "disk" / "shard").write_text("b")
    assert stamps_of(folder) != before


@pytest.mark.parametrize("text", ["[]", "{", "3"])
def test_notes_that_somebody_broke_only_cost_a_reading(tmp_path: Path, text: str) -> None:
    (tmp_path / "stamps.json").write_text(text)
    (tmp_path / "file").touch()
    assert Stamps(tmp_path / "stamps.json").problems(tmp_path, lambda: ["damaged"]) == ["damaged"]
