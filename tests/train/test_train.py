"""The loop: it trains, logs, saves, stops, and continues to the bit."""

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.toy_stage import CODEC, SFT, make_recipe
from vaak.checkpoint import list_checkpoints, load_state
from vaak.corpus import CorpusWriter, Sample
from vaak.corpus.transfer import push_corpus
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.model import open_model
from vaak.storage.tensors import read_tensors
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train
from vaak.train.run_folder import locked
from vaak.train.stage import open_data

# The file of the first process.
SHARD = "shard-00001-model-00001-of-00001.safetensors"


def quiet(sentence):
    pass


def weights(folder):
    return read_tensors(folder / "model")


def step_rows(run):
    return [row for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]


def stop_after(step):
    """A `stop` that says yes after so many steps; it is asked once before the first, too."""
    asked = 0

    def stop():
        nonlocal asked
        asked += 1
        return asked > step

    return stop


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """A run that nothing disturbed."""
    torch.set_num_threads(1)
    run = tmp_path_factory.mktemp("whole") / "run"
    final = train(make_recipe(toy), run, say=quiet)
    return run, final


def test_losses_fall_and_every_meter_is_there(whole):
    run, final = whole
    rows = [row for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    names = {"tokens", "time", "grad_norm", "lr", "tokens_per_s", "audio_s_per_s", "data_wait", "padding", "skipped"}
    groups = {
        "loss/audio", "loss/text", "loss/stream/raw", "loss/stream/paired", "loss/stream/text",
        "loss/language/en", "loss/language/hi", "loss/source/studio", "loss/source/street",
    }  # fmt: skip
    for row in rows:
        assert names <= row.keys()
    assert groups <= {name for row in rows for name in row}
    assert rows[-1]["tokens"] == 12 * 1024 and rows[-1]["skipped"] == 0
    assert json.loads((run / "DONE.json").read_text())["step"] == 12
    assert open_model(final).vocabulary.codebook_size == 64


def test_the_page_of_metrics_defines_every_meter_and_no_other(whole):
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    defined = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall("`([^`]+)`", line.split(" | ")[0])
    }
    found = {name for row in read_jsonl(whole[0] / "metrics.jsonl") for name in row} - {"step"}
    kinds = {re.sub("(stream|language|source)/.+", r"\1/…", name) for name in found if "reference/" not in name}
    assert kinds == defined - {"memory_gb", "shard_wait_s"}  # of a GPU, and of a corpus in object storage


def test_validation_falls_in_total_and_by_language_and_stream(whole):
    rows = [row for row in read_jsonl(whole[0] / "metrics.jsonl") if "val/loss" in row]
    assert [row["step"] for row in rows] == [6, 12]
    for name in ("val/loss", "val/language/en", "val/language/hi", "val/stream/paired", "val/stream/text"):
        assert rows[1][name] < rows[0][name]


def test_checkpoints_follow_the_policy_and_say_where_they_stand(whole):
    run, final = whole
    assert [one.step for one in list_checkpoints(run)] == [5, 10, 12]
    state = load_state(final)
    assert state["versions"].keys() == {"vaak", "torch", "transformers", "numpy", "python"}
    assert state["row"] == 12 * 8 and state["step"] == 12 and len(state["corpora"]) == 1
    saved = {"recipe.yaml", "plan.json", "tokenizer.json", "vocabulary.json", "config.json", "model", "training"}
    assert saved <= {path.name for path in final.iterdir()}


def test_a_finished_run_is_not_trained_again(whole, toy):
    run, final = whole
    before = (run / "metrics.jsonl").read_bytes()
    assert train(make_recipe(toy), run, say=quiet) == final
    assert (run / "metrics.jsonl").read_bytes() == before


def test_a_finished_run_does_not_pass_for_one_of_another_recipe(whole, toy):
    recipe = make_recipe(toy)
    changed = recipe.model_copy(update={"seed": recipe.seed + 1})
    with pytest.raises(BadInput, match="began with seed"):
        train(changed, whole[0], say=quiet)


@pytest.mark.parametrize("at", [1, 7])
def test_a_stopped_run_continues_to_the_bit(whole, toy, tmp_path, at):
    recipe = make_recipe(toy)
    with pytest.raises(Interrupted, match=f"after step {at}"):
        train(recipe, tmp_path / "run", stop=stop_after(at), say=quiet)
    torch.rand(3)  # what the process does in between does not matter
    final = train(recipe, tmp_path / "run", say=quiet)
    for name in ("model", "training"):
        assert all(torch.equal(a, read_tensors(whole[1] / name)[key]) for key, a in read_tensors(final / name).items())
    losses = [[row["loss"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row] for run in (whole[0], final.parents[1])]  # fmt: skip
    assert losses[0] == losses[1]


def test_a_stopped_run_continues_to_the_bit_with_worker_processes(whole, toy, tmp_path):
    with pytest.raises(Interrupted):
        train(make_recipe(toy), tmp_path, say=quiet, stop=stop_after(4))
    again = train(make_recipe(toy, loader_workers=2), tmp_path, say=quiet)
    assert all(torch.equal(one, weights(whole[1])[name]) for name, one in weights(again).items())


def test_a_run_with_muon_and_every_help_for_small_data_continues_to_the_bit(toy, tmp_path):
    half = {"start": 1.0, "end": 0.0, "until": 0.5}
    recipe = make_recipe(toy, optimizer={"kind": "muon"}, context_noise=half, alignment_prior=half)
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "cut", stop=stop_after(4), say=quiet)
    finals = [train(recipe, tmp_path / run, say=quiet) for run in ("cut", "whole")]
    for name in ("model", "training"):
        cut, uncut = (read_tensors(final / name) for final in finals)
        assert cut.keys() == uncut.keys() and all(torch.equal(cut[key], uncut[key]) for key in cut)
    rows = [row for row in read_jsonl(tmp_path / "whole" / "metrics.jsonl") if "loss" in row]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]


def test_a_run_that_died_continues_from_its_last_checkpoint_to_the_bit(whole, toy, tmp_path):
    recipe, run = make_recipe(toy), tmp_path / "run"

    def die(step, steps, words):
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, run, on_step=die, say=quiet)
    damaged = list_checkpoints(run)[-1]
    assert damaged.step == 5 and read_jsonl(run / "metrics.jsonl")[-1]["step"] == 8
    said = []
    final = train(recipe, run, say=said.append)
    assert any("continues run/5/" in sentence for sentence in said)
    assert all(torch.equal(a, weights(whole[1])[key]) for key, a in weights(final).items())
    steps = [row["step"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]
    assert steps == list(range(1, 13))


def test_a_damaged_checkpoint_is_passed_over_by_name(toy, tmp_path):
    recipe, run = make_recipe(toy), tmp_path / "run"
    with pytest.raises(Interrupted):
        train(recipe, run, stop=stop_after(7), say=quiet)
    broken = run / "checkpoints" / "step-00000007" / "training" / SHARD
    content = bytearray(broken.read_bytes())
    content[-1] ^= 1
    broken.write_bytes(content)
    said = []
    train(recipe, run, say=said.append)
    assert any("step-00000007" in sentence and SHARD in sentence for sentence in said)
    assert any("continues run/5/" in sentence for sentence in said)


def test_a_stage_takes_weights_from_its_parent_and_starts_its_schedule_anew(whole, toy, tmp_path):
    schedule = {"peak_lr": 5e-3, "min_lr": 5e-4, "warmup_ratio": 0.1}
    recipe = make_recipe(toy, name="next", length={"steps": 2}, schedule=schedule, **SFT)
    said = []
    final = train(recipe, tmp_path / "next", parent=whole[1], say=said.append)
    assert any("0.005 is 5.00 times" in sentence and "0.001" in sentence for sentence in said)
    rows = read_jsonl(tmp_path / "next" / "metrics.jsonl")
    first = read_jsonl(whole[0] / "metrics.jsonl")[0]
    assert rows[0]["step"] == 1 and rows[0]["loss/audio"] < first["loss/audio"]
    assert "loss/text" not in rows[0]  # SFT has no text targets
    assert load_state(final)["step"] == 2 and read_tensors(final / "training")


def test_a_peak_that_is_not_below_the_parents_is_refused(whole, toy, tmp_path):
    with pytest.raises(BadInput, match="allow_higher_peak"):
        train(make_recipe(toy), tmp_path / "next", parent=whole[1], say=quiet)
    allowed = make_recipe(toy, allow_higher_peak=True, length={"steps": 1})
    train(allowed, tmp_path / "again", parent=whole[1], say=quiet)


def test_a_run_folder_belongs_to_one_recipe_and_one_process(toy, tmp_path):
    with pytest.raises(Interrupted):
        train(make_recipe(toy), tmp_path, stop=stop_after(1), say=quiet)
    with pytest.raises(BadInput, match="schedule"):
        schedule = {"peak_lr": 5e-3, "min_lr": 1e-3, "warmup_ratio": 0.1}
        train(make_recipe(toy, schedule=schedule), tmp_path, say=quiet)
    with pytest.raises(BadInput, match="already holds a run"):
        train(make_recipe(toy), tmp_path, resume=False, say=quiet)
    with locked(tmp_path), pytest.raises(BadInput, match="another process"):
        train(make_recipe(toy), tmp_path, say=quiet)


def test_steps_without_finite_gradients_change_nothing_and_end_the_run(toy, tmp_path, monkeypatch):
    from vaak.model.speech_lm import SpeechLM

    good = SpeechLM.forward_loss
    calls = 0

    def sometimes(self, batch):
        nonlocal calls
        calls += 1
        output = good(self, batch)
        bad = calls in bad_calls
        return replace(output, sum=output.sum * float("nan")) if bad else output

    monkeypatch.setattr(SpeechLM, "forward_loss", sometimes)
    recipe = make_recipe(toy, pack=None, length={"steps": 8})
    bad_calls = {3, 5}  # microbatches of the second and the third step
    train(recipe, tmp_path / "one", say=quiet)
    assert step_rows(tmp_path / "one")[-1]["skipped"] == 2
    calls, bad_calls = 0, set(range(100))
    with pytest.raises(CheckFailed, match=r"10 steps in a row .* rows 72 to 79"):
        train(make_recipe(toy, pack=None, length={"steps": 12}), tmp_path / "two", say=quiet)


def test_corpora_of_two_codecs_are_never_mixed(toy, tmp_path):
    """Of one codebook size, so that every id would be legal and nothing else would notice."""
    writer = CorpusWriter(tmp_path / "other", "other", codec={**CODEC, "hash": "f" * 64})
    writer.add("raw", Sample("x", "studio", "en"), [1, 2, 3] * 60)
    writer.freeze()
    recipe = make_recipe(toy, corpora=[str(toy / "corpus"), str(tmp_path / "other")])
    with pytest.raises(BadInput, match=r"different codecs .*ffffffffffff"):
        open_data(recipe)


def test_a_corpus_in_object_storage_trains_the_same_weights(toy, whole, s3, tmp_path):
    push_corpus(toy / "corpus", s3)
    sizes = [one.stat().st_size for one in (toy / "corpus").rglob("*.tokens.npy")]
    assert 2 * max(sizes) < sum(sizes)
    staging = {"folder": str(tmp_path / "shards"), "limit_gb": 2 * max(sizes) / 1e9}
    recipe = make_recipe(toy, corpora=[s3], staging=staging)
    before = threading.active_count()
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "run", stop=stop_after(3), say=quiet)
    final = train(recipe, tmp_path / "run", say=quiet)
    here, there = weights(final), weights(whole[1])
    assert all(torch.equal(here[name], there[name]) for name in there)
    rows = [row for row in read_jsonl(tmp_path / "run" / "metrics.jsonl") if "loss" in row]
    assert all(row["shard_wait_s"] >= 0 for row in rows) and sum(row["shard_wait_s"] for row in rows) > 0
    assert not any("shard_wait_s" in row for row in read_jsonl(whole[0] / "metrics.jsonl"))
    assert threading.active_count() == before
