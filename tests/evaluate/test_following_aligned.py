"""A sidecar that meets an aligned run: held-out judges hear it unasked, and where the reward rises while they fall it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.small_pack import AsrDouble, add_checkpoint
from tests.evaluate.test_aligned import GRPO
from vaak.evaluate import generations, held_out, held_out_changes, measures, open_results, summary, write_panel
from vaak.evaluate.following import follow
from vaak.evaluate.generations import Spoken
from vaak.evaluate.held_out import VERSIONS
from vaak.evaluate.sidecar import _parser
from vaak.score.reward_settings import RewardSettings
from vaak.storage.files import write_json
from vaak.track import read_jsonl, tracker_opener

# What two judges say at the two steps: one that the reward is made of rises, one that it is not made of falls.
QUALITY, SPREAD = {0: 2.0, 20: 3.5}, {0: 2.4, 20: 1.2}


@pytest.fixture
def options(pack, codec, tmp_path, monkeypatch) -> dict:
    """A sidecar whose checkpoints say something of the right length, and whose judges are told which one they hear."""
    (tmp_path / "stop").touch()
    at, lines = {"step": 0}, []

    def speak(model, tokenizer, prompts):
        rng = np.random.default_rng(len(prompts))
        lengths = [60 if one.reference_codes is None else len(one.reference_codes) for one in prompts]
        return [
            Spoken(
                one.item,
                one.text,
                one.language,
                rng.integers(0, codec.codebook_size, n).astype(np.uint16),
                True,
                "",
                500,
            )
            for one, n in zip(prompts, lengths, strict=True)
        ]

    def say(line: str) -> None:
        lines.append(line)
        if ": scoring " in line:
            at["step"] = int(line.split("/")[1])

    def second(first, *, threads):
        asr = AsrDouble(pack)
        asr.name, asr.hash = "second-double", "e" * 64
        return asr

    monkeypatch.setattr(generations, "_generate", speak)
    monkeypatch.setattr(measures, "dnsmos", lambda wave, rate: QUALITY.get(at["step"], 3.0))
    monkeypatch.setitem(held_out._OF_SOUND, "f0_spread", lambda wave, rate: SPREAD.get(at["step"], 2.0))
    monkeypatch.setattr("vaak.evaluate.run_judges.open_held_out", second)
    monkeypatch.setattr(held_out_changes, "LEAST_ITEMS", 6)
    return {"stop_file": tmp_path / "stop", "codec": codec, "asr": AsrDouble(pack), "say": say, "lines": lines}


def run_of(folder: Path, steps=(0, 20), recipe=GRPO) -> Path:
    for step in steps:
        add_checkpoint(folder, step, step)
    if recipe:
        (folder / "recipe.yaml").write_text(recipe)
    write_json(folder / "DONE.json", {})
    return folder


def test_an_aligned_run_is_heard_by_held_out_judges_and_another_is_not(pack, options, tmp_path):
    lines, runs = (
        options.pop("lines"),
        [run_of(tmp_path / "aligned"), run_of(tmp_path / "trained", (5,), "stage: sft\n")],
    )
    done = follow(runs, pack, tmp_path / "r.db", **options)
    assert len(done.evaluated) == 3 and done.failed == {}
    db = open_results(tmp_path / "r.db")
    for identity in done.evaluated:
        metrics = {row.metric for row in db.read(identity)}
        assert (metrics & VERSIONS.keys() == VERSIONS.keys()) == identity.startswith("aligned/"), identity
        assert bool(metrics & VERSIONS.keys()) == identity.startswith("aligned/"), identity
    assert sum("held-out judges: second-double" in line for line in lines) == 1
    calls = options["asr"].calls
    assert follow(runs, pack, tmp_path / "r.db", **options).evaluated == [] and options["asr"].calls == calls


def test_where_it_is_asked_every_run_is_and_what_was_there_stays(pack, options, tmp_path):
    lines, run = options.pop("lines"), run_of(tmp_path / "trained", (0, 20), "stage: sft\n")
    follow([run], pack, tmp_path / "r.db", **options)
    db = open_results(tmp_path / "r.db")
    before, calls = db.read(), options["asr"].calls
    follow([run], pack, tmp_path / "r.db", held_out=True, **options)
    after = db.read()
    assert [row for row in before if row not in after] == [] and options["asr"].calls == calls
    assert {row.metric for row in after if row not in before} == VERSIONS.keys()
    assert not any("ALARM" in line for line in lines)  # a training was made for no reward


def test_the_alarm_is_in_the_log_on_the_page_and_told_to_trackers(pack, options, tmp_path, codec):
    lines, run = options.pop("lines"), run_of(tmp_path / "aligned")
    trackers = tracker_opener(f"jsonl:{tmp_path / 'told.jsonl'}", job="", folder=tmp_path)
    follow([run], pack, tmp_path / "r.db", trackers=trackers, **options)
    [said] = [line for line in lines if line.startswith("ALARM")]
    assert said.startswith("ALARM aligned: step 20 against step 0, all languages, ") and "the reward rises" in said
    assert "spread of the pitch 2.400 → 1.200 (-50.0%" in said and "PLCMOS" not in said

    told = [row for row in read_jsonl(tmp_path / "told.jsonl") if "evaluate/held_out/alarm" in row]
    assert [(row["step"], row["evaluate/held_out/alarm"]) for row in told] == [(20, 1.0)]
    assert told[0]["evaluate/held_out/alarm_text"] in said
    assert told[0]["evaluate/held_out/change/f0_spread"] == pytest.approx(-0.5)
    figures = [row for row in read_jsonl(tmp_path / "told.jsonl") if "evaluate/quick/reward" in row]
    settings = RewardSettings(content=0.6, similarity=0.2, quality=0.2)  # those of the recipe
    db = open_results(tmp_path / "r.db")
    for row in figures:
        assert row["evaluate/quick/reward"] == summary(db, row["evaluate/checkpoint"], reward=settings)["all"]["reward"]
        assert row["evaluate/quick/held_out_wer"] >= 0 and row["evaluate/quick/f0_spread"] == pytest.approx(
            SPREAD[row["step"]]
        )

    page = write_panel(run, tmp_path / "panel.html", pack=pack.folder, db=tmp_path / "r.db", codec=codec).read_text()
    assert "<strong>Reward up, others down:</strong> step 20 against step 0, all languages" in page
    assert "Reward and held-out judges" in page and "Reward of an alignment" in page and "gets worse" in page
    assert "items in which nothing was said" in page


def test_a_run_that_only_gets_better_says_so_on_its_page(pack, options, tmp_path, codec, monkeypatch):
    lines, run = options.pop("lines"), run_of(tmp_path / "aligned")
    monkeypatch.setitem(held_out._OF_SOUND, "f0_spread", lambda wave, rate: 2.0)
    follow([run], pack, tmp_path / "r.db", **options)
    assert not any("ALARM" in line for line in lines)
    page = write_panel(run, tmp_path / "panel.html", pack=pack.folder, db=tmp_path / "r.db", codec=codec).read_text()
    assert "the reward rises and no held-out judge gets worse" in page and "Reward up, others down" not in page


def test_no_recipe_of_an_alignment_stops_a_sidecar_or_a_page(pack, options, tmp_path, codec):
    options.pop("lines")
    for number, recipe in enumerate(("kind: grpo\nreward: {content: 7}\n", "kind: [\n")):
        run = run_of(tmp_path / f"run{number}", (0,), recipe)
        done = follow([run], pack, tmp_path / "r.db", **options)
        assert len(done.evaluated) == 1 and done.failed == {}, recipe
        assert write_panel(run, tmp_path / "p.html", pack=pack.folder, db=tmp_path / "r.db", codec=codec).is_file()


def test_the_process_takes_the_option():
    given = ["run", "--pack", "p", "--db", "d", "--stop-file", "s"]
    assert _parser().parse_args([*given, "--held-out"]).held_out and not _parser().parse_args(given).held_out
