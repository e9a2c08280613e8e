"""The border to vLLM, which needs a GPU: what is asked of it, and what becomes of its answer. TRL's own class says which
arguments there are; its engine is played here."""

from __future__ import annotations

import inspect

import numpy as np
from transformers import AutoConfig, AutoModelForCausalLM
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer.grpo_config import GRPOConfig

from tests.align.toy_alignment import VOCABULARY, make_model, make_recipe
from vaak.align.vllm_rollouts import name_rollout_model, vllm_draw, vllm_settings


class Played:
    """Answers as `VLLMGeneration.generate`: the ids of every completion, and of each id one log-probability in a list."""

    def __init__(self, answers: list[list[int]]) -> None:
        self.answers, self.asked = answers, {}

    def generate(self, **asked):
        inspect.signature(VLLMGeneration.generate).bind(self, **asked)
        self.asked = asked
        scores = [[[-0.5 - place] for place in range(len(ids))] for ids in self.answers]
        return asked["prompts"], self.answers, scores, None


def test_answers_become_generations_each_cut_at_its_own_limit():
    first, stop = VOCABULARY.first_speech_id, VOCABULARY.speech_end
    engine = Played([[first + 1, first + 2, stop], [first + 3, first + 4, first + 5, stop], [stop]])
    prompt = np.array([1, 2, VOCABULARY.speech_start])
    found = vllm_draw(engine, VOCABULARY, 3)([prompt] * 3, [9, 2, 9], [0, 1, 2])
    assert engine.asked["prompts"] == [prompt.tolist()] * 3 and engine.asked["num_generations"] == 3
    assert [one.codes.tolist() for one in found] == [[1, 2], [3, 4], []]
    assert [one.stopped for one in found] == [True, False, True]
    assert [np.asarray(one.log_probabilities).tolist() for one in found] == [[-0.5, -1.5, -2.5], [-0.5, -1.5], [-0.5]]


def test_only_codes_and_the_stop_token_may_be_drawn_from_the_whole_distribution():
    recipe = make_recipe(rollouts={"engine": "vllm_colocated", "gpu_memory": 0.4})
    settings = vllm_settings(recipe, VOCABULARY, 200)
    allowed = settings["generation_kwargs"]["allowed_token_ids"]
    assert allowed == [VOCABULARY.speech_end, *range(VOCABULARY.first_speech_id, VOCABULARY.size)]
    assert settings["vllm_mode"] == "colocate" and settings["vllm_gpu_memory_utilization"] == 0.4
    server = make_recipe(rollouts={"engine": "vllm_server", "server": "http://node1:8000"})
    assert vllm_settings(server, VOCABULARY, 200)["vllm_server_base_url"] == "http://node1:8000"
    assert vllm_settings(make_recipe(), VOCABULARY, 200) == {}
    assert settings.keys() <= set(inspect.signature(GRPOConfig).parameters)


def test_the_folder_for_vllm_has_all_rows_and_opens_in_transformers(tmp_path):
    model = make_model()
    name_rollout_model(model, tmp_path / "model", write=True)
    config = AutoConfig.from_pretrained(tmp_path / "model")
    assert config.vocab_size == VOCABULARY.padded_size and config.model_type == "qwen3"
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert opened.state_dict()["model.embed_tokens.weight"].shape[0] == VOCABULARY.padded_size
    assert model.lm.name_or_path == str(tmp_path / "model")
