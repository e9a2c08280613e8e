"""Between two steps somebody touches what an earlier one vouched for: it is noticed, named, and once it is restored all goes on."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.train.toy_stage import make_corpus, make_recipe
from vaak.errors import BadInput, CheckFailed
from vaak.launch.console import Console
from vaak.launch.gates import gate_steps
from vaak.launch.ledger import Ledger
from vaak.launch.project import load_project
from vaak.launch.stages import stage_steps
from vaak.launch.walk import Launch, Override, Step, walk
from vaak.recipe import save_recipe
from vaak.track import read_jsonl


def project_in(folder: Path) -> Path:
    """A project over the toy corpus: freeze, pack and two short stages, and what else a project has to name."""
    make_corpus(folder)
    shutil.rmtree(folder / "pack")  # the launch makes its own
    recipe = make_recipe(folder, length={"steps": 3}, checkpoints={"every": 3})
    save_recipe(recipe.model_copy(update={"pack": None}), folder / "toy.yaml")
    tree = {
        "name": "toy",
        "corpora": [str(folder / "corpus")],
        "tokenizer": str(folder / "tokenizer"),
        "codec": "toy",
        "pack": {"ce": 60, "per_language": 1, "cross_lingual": 0, "probes": 0},
        "overfit": {"recipe": str(folder / "toy.yaml")},
        "stages": [
            {"name": "one", "recipe": str(folder / "toy.yaml")},
            {
                "name": "two",
                "recipe": str(folder / "toy.yaml"),
                "parent": "one",
                "overrides": ["schedule.peak_lr=1e-3"],
            },
        ],
        "evaluate": {"final": "two"},
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(tree))
    return folder / "project.yaml"


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Path, Launch, list[Step]]:
    """A launch whose corpus, pack and first stage are done, and all of its steps."""
    folder = tmp_path / "data"
    folder.mkdir()
    launch = again(project_in(folder), tmp_path / "out")
    steps = steps_of(launch)
    walk(launch, steps[:3])
    return folder, launch, steps


def again(project: Path, out: Path, *overrides: Override) -> Launch:
    """A launch that somebody starts in the same folder."""
    ledger = Ledger(out / "ledger.jsonl")
    return Launch(load_project(project), out, ledger, Console(quiet=True), lambda: False, overrides)


def steps_of(launch: Launch) -> list[Step]:
    return [one for one in gate_steps(launch) if one.name in ("freeze", "pack")] + stage_steps(launch)


def flip(path: Path) -> bytes:
    """Another byte in the middle of a file, its size and time as they were; returns what was there."""
    whole, status = path.read_bytes(), path.stat()
    at = len(whole) // 2
    path.chmod(0o644)
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return whole


def one_of(folder: Path, pattern: str) -> Path:
    return sorted(folder.rglob(pattern))[0]


@pytest.mark.parametrize(
    ("step", "below", "pattern"),
    [
        ("freeze", "data/corpus", "*.tokens.npy"),
        ("freeze", "data/corpus", "*.samples.parquet"),
        ("pack", "out/pack", "prompts.json"),
        ("one", "out/stages/one/checkpoints", "*.safetensors"),
    ],
)
def test_a_changed_file_stops_the_next_step_by_name_and_restored_it_goes_on(
    begun, tmp_path: Path, step: str, below: str, pattern: str
) -> None:
    folder, launch, _ = begun
    path = one_of(tmp_path / below, pattern)
    before = flip(path)
    with pytest.raises(CheckFailed, match=f"{step}: .*{path.name}.*changed since it was checked; restore it"):
        fresh = again(folder / "project.yaml", launch.out)
        walk(fresh, steps_of(fresh))
    newest = Ledger(launch.out / "ledger.jsonl").records[-1]
    assert (newest.step, newest.status) == (step, "changed") and path.name in newest.evidence["files"][0]
    assert not (launch.out / "stages" / "two").exists()

    path.write_bytes(before)
    fresh = again(folder / "project.yaml", launch.out)
    walk(fresh, steps_of(fresh))
    for stage in ("one", "two"):  # nothing was trained twice
        rows = read_jsonl(launch.out / "stages" / stage / "metrics.jsonl")
        assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]
    assert not list((launch.out / "stages").glob("*.replaced-*"))


def test_the_checkpoint_of_an_overridden_stage_is_watched_like_any_other(begun) -> None:
    folder, launch, _ = begun
    tree = yaml.safe_load((folder / "project.yaml").read_text())
    tree["stages"][0]["limits"] = {"loss": 0.01}
    (folder / "project.yaml").write_text(yaml.safe_dump(tree))
    strict = again(folder / "project.yaml", launch.out, Override("one", "a toy"))
    walk(strict, steps_of(strict)[:3])
    flip(one_of(launch.out / "stages" / "one" / "checkpoints", "*.safetensors"))
    fresh = again(folder / "project.yaml", launch.out)
    with pytest.raises(CheckFailed, match=r"one: .*changed since it was checked; restore it"):
        walk(fresh, steps_of(fresh))


def test_it_is_noticed_within_one_walk_too(begun) -> None:
    folder, launch, steps = begun
    shard = one_of(folder / "corpus", "*.tokens.npy")
    trained = steps[3]
    steps[3] = replace(trained, run=lambda one: flip(shard) and trained.run(one))
    last = Step("last", "last", lambda one: {}, lambda one: {})
    with pytest.raises(CheckFailed, match=shard.name):
        walk(launch, [*steps, last])
    assert launch.ledger.newest("two", "done") is not None and launch.ledger.newest("last") is None


def test_a_missing_and_an_extra_file_are_named(begun) -> None:
    folder, launch, steps = begun
    shard = one_of(folder / "corpus", "*.offsets.npy")
    hidden = shard.rename(folder / "hidden")
    with pytest.raises((CheckFailed, BadInput), match=shard.name):
        walk(launch, steps)
    hidden.rename(shard)
    (shard.parent / "stray.npy").touch()
    with pytest.raises(CheckFailed, match=r"stray\.npy: extra, not in the manifest"):
        walk(again(folder / "project.yaml", launch.out), steps)


def test_a_stage_whose_last_checkpoint_is_gone_is_not_trained_again_unasked(begun) -> None:
    folder, launch, _ = begun
    last = launch.out / launch.evidence("one")["path"]
    away = last.rename(folder / "away")
    with pytest.raises(CheckFailed, match=r"is gone \(vaak checkpoint pull brings it back"):
        fresh = again(folder / "project.yaml", launch.out)
        walk(fresh, steps_of(fresh))
    away.rename(last)
    fresh = again(folder / "project.yaml", launch.out)
    walk(fresh, steps_of(fresh))
    rows = read_jsonl(launch.out / "stages" / "one" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]


def test_another_tokenizer_is_another_input(begun) -> None:
    from vaak.grammar.tokenizer import train_tokenizer

    folder, launch, _ = begun
    before = launch.ledger.newest("one")
    (folder / "tokenizer").rename(folder / "old")
    train_tokenizer(["eleven twelve thirteen"] * 3, 280).save(folder / "tokenizer")
    fresh = again(folder / "project.yaml", launch.out)
    with pytest.raises(BadInput):  # the corpus's text has the ids of the first one
        walk(fresh, steps_of(fresh))
    newest = fresh.ledger.newest("one")
    assert before is not None and newest is not None and newest.inputs != before.inputs


def test_another_corpus_in_the_same_place_is_another_input_and_the_pack_refuses_it(begun, tmp_path: Path) -> None:
    folder, launch, _ = begun
    from vaak.corpus import CorpusWriter, Sample, open_corpus

    old = open_corpus(folder / "corpus")
    (folder / "corpus").rename(folder / "before")
    writer = CorpusWriter(folder / "corpus", "other", codec=old.manifest["codec"], tokenizer_hash=old.tokenizer_hash)
    writer.add("raw", Sample("a", "studio", "en"), [1, 2, 3])
    writer.freeze()
    fresh = again(folder / "project.yaml", launch.out)
    with pytest.raises(BadInput, match="the gold pack was frozen with corpus"):
        walk(fresh, steps_of(fresh))


def test_a_damaged_corpus_that_was_overridden_does_not_stop_every_later_step(begun) -> None:
    folder, launch, _ = begun
    shard = one_of(folder / "corpus", "*.tokens.npy")
    flip(shard)
    for _ in range(2):  # noticed first, then checked again
        with pytest.raises(CheckFailed, match=shard.name):
            fresh = again(folder / "project.yaml", launch.out)
            walk(fresh, steps_of(fresh)[:3])
    fresh = again(folder / "project.yaml", launch.out, Override("freeze", "one code of silence"))
    walk(fresh, steps_of(fresh)[:3])
    newest = fresh.ledger.newest("freeze")
    assert newest is not None and newest.status == "overridden" and shard.name in newest.evidence["failure"]
