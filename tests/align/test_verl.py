"""The export for verl: the same prompts, settings and judges, as verl's own configuration, data set and agent worker take them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.align.verl_process import in_verl, needs_verl
from vaak.align.log_probabilities import log_probabilities
from vaak.align.verl import export_verl, override_lines
from vaak.align.verl_rollout import prompt_of_row
from vaak.checkpoint import find_model
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.errors import BadInput
from vaak.grammar.prompt import prompt_ids
from vaak.grammar.tokenizer import load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.open import open_model
from vaak.recipe import AlignRecipe, load_align_recipe, resolve_path
from vaak.storage.files import read_json
from vaak.train.schedule import learning_rate

RECIPE = load_align_recipe(
    "grpo-tiny",
    [
        "precision=bf16",
        "schedule={peak_lr: 1.0e-4, min_lr: 1.0e-5, warmup_ratio: 0.3, kind: cosine}",
        "prompts={languages: {en: 0.5, hi: 0.5}, tiers: [clean], most_seconds: 3.0}",
        "prompts_per_step=4",
        "group=2",
        "microbatch=4",
        "steps=12",
        "updates_per_batch=2",
        "kl=0.02",
        "seed=7",
        "checkpoints={every: 6, model_only_every: 4, milestones: null}",
        "judges.asr=pocketsphinx",
    ],
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    # A name that would fall apart where it is not quoted.
    return export_verl(RECIPE, tmp_path_factory.mktemp("verl") / "it's = {a}, b", {"en"}, nodes=2, gpus_per_node=2)


@pytest.fixture(scope="module")
def seen(exported) -> dict:
    """What verl makes of the export: its settings, rates and rows."""
    return in_verl("configuration", str(exported))


def rows_of(folder: Path) -> list[dict]:
    return pq.read_table(folder / "prompts.parquet").to_pylist()


def test_the_folder_is_whole_and_says_what_the_judges_need(exported):
    names = {one.name for one in exported.iterdir()}
    assert names >= {"model", "prompts.parquet", "overrides.txt", "agent.yaml", "alignment.json", "run.sh", "judged"}
    run = read_json(exported / "alignment.json")
    assert AlignRecipe.model_validate(run["recipe"]) == RECIPE and run["trusted"] == ["en"]
    assert find_model(exported / "model")[0].startswith("export/")
    script = (exported / "run.sh").read_text()
    assert "@" not in script.replace('"${overrides[@]}"', "") and "--num-gpus=2" in script


def test_rows_hold_the_ids_of_the_training_grammar_in_the_order_of_the_run(exported):
    """Built here from the corpus's own text and the tokenizer that training reads, past everything that exports."""
    corpus = open_corpus(resolve_path(RECIPE.corpora[0]))
    vocabulary, tokenizer = Vocabulary.load(exported / "model"), load_tokenizer(resolve_path("example:tokenizer"))
    known = {
        sample.sample_id: (sample, np.asarray(group.tokens(number)))
        for (stream, language, _), group in corpus.groups.items()
        if stream == "paired" and language in ("en", "hi")
        for number, sample in enumerate(group.samples_at(np.arange(group.n_samples)))
    }
    rows = rows_of(exported)
    assert len(rows) == 6 * 4 and {row["data_source"] for row in rows} == {"en", "hi"}
    assert len({row["extra_info"]["item"] for row in rows}) == len(rows)
    for row in rows:
        extra = row["extra_info"]
        sample, codes = known[extra["item"]]
        assert sample.transcript
        voice = tokenizer.encode(sample.voice_description) if sample.voice_description else None
        assert extra["ids"] == prompt_ids(vocabulary, tokenizer.encode(sample.transcript), voice).tolist()
        assert extra["reference_codes"] == codes.tolist()


def test_a_prompt_comes_back_from_its_row(exported):
    row = rows_of(exported)[3]["extra_info"]
    prompt = prompt_of_row(row, open_codec("embedded"))
    assert (prompt.item, prompt.language, prompt.text, prompt.limit) == (
        row["item"],
        row["language"],
        row["text"],
        row["limit"],
    )
    assert prompt.ids.dtype == np.int64 and prompt.reference_codes.dtype == np.uint16
    assert prompt.ids.tolist() == row["ids"] and np.isfinite(np.asarray(prompt.voice())).all()


def test_a_rate_that_does_not_fall_may_be_of_any_kind(tmp_path):
    steady = RECIPE.schedule.model_copy(update={"kind": "linear", "min_lr": RECIPE.schedule.peak_lr})
    folder = export_verl(RECIPE.model_copy(update={"schedule": steady}), tmp_path / "out", (), gpus_per_node=1)
    assert "actor_rollout_ref.actor.optim.min_lr_ratio=1.0" in (folder / "overrides.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("override", "gpus", "said"),
    [
        ("schedule.kind=linear", 4, "schedule.kind=cosine"),
        ("optimizer={kind: muon}", 4, "optimizer.kind=adamw"),
        ("precision=fp32", 4, "precision=bf16"),
        ("device=cpu", 4, "device=auto"),
        ("group=3", 8, "12 completions a step do not divide by 8 GPUs"),
        ("checkpoints.every=[{every: 2, until: 4}, {every: 4}]", 4, "checkpoints.every to a number"),
    ],
)
def test_what_verl_would_do_otherwise_is_refused(tmp_path, override, gpus, said):
    changed = load_align_recipe("grpo-tiny", [*_overrides(), override])
    with pytest.raises(BadInput, match=said):
        export_verl(changed, tmp_path / "out", (), nodes=1, gpus_per_node=gpus)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        export_verl(RECIPE, tmp_path, (), nodes=1, gpus_per_node=1)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def _overrides() -> list[str]:
    return [f"{name}={json.dumps(value)}" for name, value in RECIPE.model_dump(mode="json").items()]


@needs_verl
@pytest.mark.slow
def test_verl_composes_and_validates_its_own_configuration_with_ours(exported, seen):
    found = seen["settings"]
    assert found["refused"] == [
        "actor_rollout_ref.rollout.temprature=1.0",
        "trainer.steps=3",
        "actor_rollout_ref.rollout.n=many",
        "trainer.n_gpus_per_node=7",
    ]
    assert found["reference"] and not found["critic"]
    config = found["config"]
    actor, rollout = config["actor_rollout_ref"]["actor"], config["actor_rollout_ref"]["rollout"]
    assert config["algorithm"]["adv_estimator"] == "grpo" and config["algorithm"]["norm_adv_by_std_in_grpo"]
    assert (rollout["n"], rollout["temperature"], rollout["top_p"], rollout["top_k"]) == (
        2,
        RECIPE.rollouts.temperature,
        1.0,
        -1,
    )
    assert (rollout["prompt_length"], rollout["response_length"]) == (
        max(len(row["extra_info"]["ids"]) for row in rows_of(exported)),
        max(row["extra_info"]["limit"] for row in rows_of(exported)),
    )
    assert (actor["optim"]["lr"], actor["clip_ratio_low"], actor["clip_ratio_high"]) == (1e-4, 0.2, 0.2)
    assert (actor["use_kl_loss"], actor["kl_loss_coef"], actor["ppo_epochs"]) == (True, 0.02, 2)
    assert (actor["ppo_mini_batch_size"], actor["ppo_micro_batch_size_per_gpu"]) == (4, 2)
    assert actor["optim"]["override_optimizer_config"] == {"eps": 1e-8}
    trainer = config["trainer"]
    assert (trainer["nnodes"], trainer["n_gpus_per_node"]) == (2, 2)
    assert (trainer["total_training_steps"], trainer["save_freq"]) == (6, 1)
    assert {rollout["seed"], config["data"]["seed"], actor["data_loader_seed"]} == {7}
    assert config["data"]["train_files"] == str(exported / "prompts.parquet")


@needs_verl
def test_overrides_mean_the_same_after_hydra_read_them():
    values = {
        "a": "it's",
        "b.c": "a\\b",
        "d": "ends with \\",
        "e": "\\'",
        "f": "x=1, {y: [z]}",
        "g": [1, "two"],
        "h": {"eps": 1e-8},
        "i": True,
        "j": None,
    }
    assert in_verl("overrides", json.dumps(override_lines(values))) == [list(one) for one in values.items()]


@needs_verl
@pytest.mark.slow
def test_verls_rates_are_those_of_our_runs(seen):
    wanted = [learning_rate(RECIPE.schedule, step, 6) / RECIPE.schedule.peak_lr for step in range(6)]
    assert seen["rates"] == pytest.approx(wanted, abs=1e-9)


@needs_verl
@pytest.mark.slow
def test_verls_data_set_hands_the_ids_on_as_they_are(exported, seen):
    assert seen["rows"] == [row["extra_info"]["ids"] for row in rows_of(exported)]


@needs_verl
@pytest.mark.slow
def test_the_model_that_verl_opens_says_nothing_but_speech(exported):
    """Its log-probabilities are those of our own runs, its entropy is finite, and what it saves opens here again."""
    row, model = rows_of(exported)[0]["extra_info"], open_model(exported / "model")
    said = [*model.vocabulary.speech_ids(row["reference_codes"][:40]).tolist(), model.vocabulary.speech_end]
    found = in_verl("policy", str(exported), json.dumps([*row["ids"], *said]), str(len(row["ids"])))
    assert found["class"] == "vaak.align.verl_policy.Qwen3ForCausalLM"
    with torch.no_grad():
        ours, entropies = log_probabilities(model, [torch.tensor(row["ids"])], [torch.tensor(said)])
    assert found["logps"] == pytest.approx(ours.tolist(), abs=1e-4)
    assert found["entropy"] == pytest.approx(entropies.tolist(), abs=1e-4)
    assert found["least_speech"] > 1 - 1e-5 and found["gradients_finite"]
    model.vocabulary.save(exported / "saved" / "vocabulary.json")
    again = open_model(exported / "saved")
    assert torch.equal(again.lm.get_input_embeddings().weight, model.lm.get_input_embeddings().weight)


@needs_verl
@pytest.mark.slow
def test_verls_agent_worker_draws_from_our_ids_and_drops_a_group_whole(tmp_path):
    """Four prompts of two completions: one healthy, one whose engine breaks, one cut off, one whose judge breaks."""
    english = RECIPE.prompts.model_copy(update={"languages": {"en": 1.0}})
    recipe = RECIPE.model_copy(update={"prompts": english, "steps": 2})
    folder = export_verl(recipe, tmp_path / "out", (), nodes=1, gpus_per_node=1)
    found = in_verl("rollout", str(folder))
    rows = [row["extra_info"] for row in rows_of(folder)]
    vocabulary = Vocabulary.load(folder / "model")
    assert [one["ids"] for one in found["asked"]] == [row["ids"] for row in rows for _ in range(2)]
    asked = found["asked"][0]
    assert asked["allowed_token_ids"] == [vocabulary.speech_end, *range(vocabulary.first_speech_id, vocabulary.size)]
    assert (asked["stop_token_ids"], asked["max_tokens"]) == ([vocabulary.speech_end], rows[0]["limit"])
    for one in found["came_to"][:2]:
        assert one["ids"] == [*rows[0]["ids"], *one["learned"]] and one["log_probabilities"] == len(one["learned"])
        assert one["learned"][-1] == vocabulary.speech_end or len(one["learned"]) == rows[0]["limit"]
        assert 0 <= one["reward"] <= 1
    said = found["came_to"][2:]
    assert said[1] == "RuntimeError: the engine broke"
    assert all(one.startswith("Dropped") for one in said[:1] + said[2:])
    assert "without a stop token" in said[3] and "the judge broke" in said[4] and "the judge broke" in said[5]
    assert found["left"] == 0
    assert [(one["item"], one["rewards"].count(None)) for one in found["written"]] == [
        (rows[0]["item"], 0),
        (rows[3]["item"], 2),
    ]
    assert found["written"][0]["rewards"] == [one["reward"] for one in found["came_to"][:2]]
