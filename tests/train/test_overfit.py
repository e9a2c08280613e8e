"""The overfit gate passes where everything is right, and fails where something is wrong."""

import pytest

from tests.train.toy_stage import make_recipe
from vaak.errors import BadInput
from vaak.storage.files import read_json
from vaak.train.overfit import choose_documents, overfit
from vaak.train.speed import measure_speed
from vaak.train.stage import open_data

BODY = {
    "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "head_dim": 32, "intermediate_size": 128, "max_position_embeddings": 512,
}  # fmt: skip


def test_samples_are_distinct_trainable_and_of_all_languages(toy):
    data = open_data(make_recipe(toy))
    documents = choose_documents(data, 20, 100, seed=1)
    assert len({sample.transcript for _, _, sample in documents}) == 20
    assert {sample.language for _, _, sample in documents} == {"en", "hi"}
    assert data.pack and not data.pack.excluded_ids & {sample.sample_id for _, _, sample in documents}
    assert max(len(ids) for ids, _, _ in documents) <= 100
    with pytest.raises(BadInput, match="needs 3000"):
        choose_documents(data, 3000, 100, seed=1)


def test_a_model_learns_its_samples_by_heart_and_says_them_again(toy, tmp_path):
    result = overfit(make_recipe(toy, model={"config": BODY}), tmp_path, n=8, max_seconds=60)
    assert result.passed and result.loss < 0.01 and result.reproduced_share >= 0.99
    assert len(result.samples) == 8 and result.tokens_per_second > 0
    assert read_json(tmp_path / "overfit.json")["samples"][0]["sample_id"] == result.samples[0].sample_id


def test_a_gate_that_ran_out_of_steps_says_what_did_not_fit(toy, tmp_path):
    result = overfit(make_recipe(toy), tmp_path, n=8, max_steps=3)
    assert not result.passed and result.reproduced_share < 0.99
    assert any(sample.reproduced < 1 for sample in result.samples)


def test_speed_is_measured_on_real_rows(toy):
    assert measure_speed(make_recipe(toy), seconds=0.1) > 0
