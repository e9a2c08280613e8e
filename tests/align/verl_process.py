"""verl in a process of its own, where its models take the place of transformers': `in_verl` calls a function of this module there
and reads what it returns. verl may lie in a folder beside the environment's packages."""

# pyright: reportMissingImports=false
from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Where `make setup` puts it: it asks for an older transformers than the environment has (requirements-verl.txt).
_BESIDE = Path(sys.prefix) / "verl"
_INSTALLED = importlib.util.find_spec("verl") is not None or (_BESIDE / "verl").is_dir()
needs_verl = pytest.mark.skipif(
    not _INSTALLED, reason=f"verl is not installed: pip install --no-deps --target {_BESIDE} -r requirements-verl.txt"
)


def in_verl(function: str, *arguments: str) -> Any:
    """What a function of this module returns, in JSON values, in a process that finds verl."""
    call = f"verl_process.{function}(*{arguments!r})"
    program = f"import json; from tests.align import verl_process; print(json.dumps({call}, default=str))"
    # Behind the environment's own packages, so that none of them is another one there.
    search = os.pathsep.join([*filter(None, sys.path), str(_BESIDE)])
    child = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": search, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout.strip().splitlines()[-1])


def composed(folder: str, *more: str) -> Any:
    """verl's own configuration with the overrides of an export over it, as `verl.trainer.main_ppo` composes it."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    lines = (Path(folder) / "overrides.txt").read_text().splitlines()
    found = importlib.util.find_spec("verl")
    assert found is not None and found.submodule_search_locations
    root = Path(found.submodule_search_locations[0]) / "trainer" / "config"
    with initialize_config_dir(str(root), version_base=None):
        config = compose("ppo_trainer", overrides=[*lines, *more])
    OmegaConf.resolve(config)
    return config


def configuration(folder: str) -> dict[str, Any]:
    """What needs no model: all in one process, since verl takes seconds to be imported."""
    return {"settings": settings(folder), "rates": rates(folder), "rows": rows(folder)}


def settings(folder: str) -> dict[str, Any]:
    """What verl's checks say, and the values that arrive, after the conversion to its typed dataclasses."""
    from hydra.errors import ConfigCompositionException
    from omegaconf import OmegaConf
    from omegaconf.errors import ValidationError
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config
    from verl.workers.config import FSDPActorConfig, FSDPOptimizerConfig, RolloutConfig

    config = composed(folder)
    validate_config(config, need_reference_policy(config), need_critic(config))
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    # Merging with a structured configuration refuses values of another type.
    omega_conf_to_dataclass(actor.optim, FSDPOptimizerConfig)
    omega_conf_to_dataclass(rollout, RolloutConfig)
    assert isinstance(omega_conf_to_dataclass(actor), FSDPActorConfig)
    omega_conf_to_dataclass(config.algorithm)
    refused = []
    for wrong in ("actor_rollout_ref.rollout.temprature=1.0", "trainer.steps=3"):
        try:
            composed(folder, wrong)
        except ConfigCompositionException:
            refused.append(wrong)
    try:
        wrong = "actor_rollout_ref.rollout.n=many"
        omega_conf_to_dataclass(composed(folder, wrong).actor_rollout_ref.rollout, RolloutConfig)
    except ValidationError:
        refused.append(wrong)
    try:
        composed_bad = composed(folder, "trainer.n_gpus_per_node=7")
        validate_config(composed_bad, need_reference_policy(composed_bad), need_critic(composed_bad))
    except AssertionError:
        refused.append("trainer.n_gpus_per_node=7")
    return {
        "refused": refused,
        "reference": need_reference_policy(config),
        "critic": need_critic(config),
        "config": OmegaConf.to_container(config, resolve=True),
    }


def rates(folder: str) -> list[float]:
    """verl's learning rates as shares of the peak, one for each step."""
    import torch
    from verl.utils.torch_functional import get_cosine_schedule_with_warmup

    optim, steps = composed(folder).actor_rollout_ref.actor.optim, composed(folder).trainer.total_training_steps
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_cosine_schedule_with_warmup(
        optimizer,
        optim.lr_warmup_steps,
        steps,
        min_lr_ratio=optim.min_lr_ratio,
        num_cycles=optim.num_cycles,
        zero_indexed_step=optim.zero_indexed_step,
    )
    return [schedule.lr_lambdas[0](step) for step in range(steps)]


def policy(folder: str, ids: str, prompt: str) -> dict[str, Any]:
    """Log-probabilities of the completion of `ids`, whose first `prompt` are the prompt, by the model that verl opens; the
    smallest probability share that its softmax leaves to speech; and what transformers reads from a checkpoint of verl's kind."""
    import torch
    from verl.utils.config import omega_conf_to_dataclass
    from verl.utils.model import get_hf_auto_model_class
    from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits

    from vaak.grammar.vocabulary import Vocabulary

    config = composed(folder, "+actor_rollout_ref.model.override_config.attn_implementation=sdpa")
    model_config = omega_conf_to_dataclass(config.actor_rollout_ref.model)
    opener = get_hf_auto_model_class(hf_config=model_config.hf_config)
    lm = opener.from_pretrained(model_config.local_path, torch_dtype=torch.float32, config=model_config.hf_config)
    row, start = torch.tensor([json.loads(ids)]), int(prompt)
    logits = lm(row).logits[:, start - 1 : -1]
    logps = logprobs_from_logits(logits, row[:, start:])
    logps.sum().backward()
    vocabulary = Vocabulary.load(Path(folder) / "model")
    speech = logits.softmax(-1)[..., [vocabulary.speech_end, *range(vocabulary.first_speech_id, vocabulary.size)]]
    saved = Path(folder) / "saved"
    with torch.device("meta"):
        empty = opener.from_config(model_config.hf_config, torch_dtype=torch.bfloat16)
    empty.to_empty(device="cpu").save_pretrained(saved, state_dict=lm.state_dict())
    return {
        "logps": logps[0].tolist(),
        "entropy": entropy_from_logits(logits)[0].tolist(),
        "least_speech": speech.sum(-1).min().item(),
        "gradients_finite": all(bool(one.grad.isfinite().all()) for one in lm.parameters()),
        "class": f"{type(lm).__module__}.{type(lm).__name__}",
    }


def rows(folder: str) -> list[list[int]]:
    """The ids that reach an agent loop from verl's own data set, batches and TensorDicts."""
    from tensordict import NonTensorStack
    from verl.trainer.ppo.utils import create_rl_dataset
    from verl.utils import tensordict_utils
    from verl.utils.config import omega_conf_to_dataclass
    from verl.utils.dataset.rl_dataset import collate_fn

    config = composed(folder)
    model = omega_conf_to_dataclass(config.actor_rollout_ref.model)
    data = create_rl_dataset(config.data.train_files, config.data, model.tokenizer, model.processor, is_train=True)
    fetched = [tensordict_utils.get_tensordict(collate_fn([data[number]])) for number in range(len(data))]
    batch = tensordict_utils.concat_tensordict(fetched)
    found: list[Any] = []
    for part in batch.chunk(2):
        extra = part["extra_info"]
        assert isinstance(part.get("extra_info"), NonTensorStack)
        found += [extra[i]["ids"] for i in range(len(part))]
    return found


def overrides(lines: str) -> list[list[Any]]:
    """What Hydra reads from override lines, given as JSON."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(json.loads(lines))
    return [[one.key_or_group, one.value()] for one in parsed]


def rollout(folder: str) -> dict[str, Any]:
    """Four groups of completions by verl's agent worker with our own engine behind it; what each completion came to.

    In the second one request raises, in the third one ends early without a stop token, in the fourth a judge raises.
    """
    import torch
    from verl.experimental.agent_loop.agent_loop import AgentLoopWorker

    from vaak.align import verl_rollout

    torch.set_num_threads(1)
    config = composed(folder)
    table = _table(folder)
    engine = _Engine(folder, broken=("prompt1", 1), cut=("prompt2", 1))
    _break_judge_of(table[3]["text"])

    async def everything() -> list[Any]:
        worker = AgentLoopWorker(config, engine, None, None)  # pyright: ignore
        sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
        where = {"step": 1, "sample_index": 0, "rollout_n": 0, "validate": False}
        runs = [
            worker._run_agent_loop(dict(sampling), where, agent_name="vaak", trace=False, uid=f"prompt{number}",
                                   session_id=place, raw_prompt=[], index=number, extra_info=table[number])
            for number in range(4)
            for place in range(config.actor_rollout_ref.rollout.n)
        ]  # fmt: skip
        return await asyncio.gather(*runs, return_exceptions=True)

    outputs = asyncio.run(everything())
    desk = verl_rollout.open_desk(folder)
    answers = [f"{type(one).__name__}: {one}" if isinstance(one, BaseException) else _shown(one) for one in outputs]
    written = [json.loads(line) for line in desk.record.read_text().splitlines()]
    desk.judges.close()
    return {"asked": engine.asked, "came_to": answers, "left": len(desk.groups), "written": written}


class _Engine:
    """In place of vLLM's server: draws from the same ids, under the same limits."""

    def __init__(self, folder: str, broken: tuple[str, int], cut: tuple[str, int]) -> None:
        from vaak.model.open import open_model

        self.model, self.asked = open_model(Path(folder) / "model"), []
        self._broken, self._cut = broken, cut

    async def generate(self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any) -> Any:
        import numpy as np
        from verl.workers.rollout.replica import TokenOutput

        from vaak.align.rollouts import completion_ids
        from vaak.speak.generation import generate

        uid, place = request_id.rsplit("-", 1)
        self.asked.append({"ids": prompt_ids, **sampling_params})
        if (uid, int(place)) == self._broken:
            await asyncio.sleep(0.1)  # after the others have asked
            raise RuntimeError("the engine broke")
        limit = sampling_params["max_tokens"]
        [said] = generate(self.model, [np.array(prompt_ids)], max_codes=limit, seeds=[int(place)], scored=True)
        assert said.log_probabilities is not None
        ids = completion_ids(self.model.vocabulary, said)
        ids = ids[:20] if (uid, int(place)) == self._cut else ids
        logps = said.log_probabilities[: len(ids)].tolist()
        return TokenOutput(token_ids=ids, log_probs=logps, stop_reason="completed", extra_fields={"global_steps": 1})


def _shown(output: Any) -> dict[str, Any]:
    there = output.attention_mask[0].bool()
    return {
        "ids": output.input_ids[0][there].tolist(),
        "learned": output.response_ids[0][output.response_mask[0].bool()].tolist(),
        "log_probabilities": int((output.response_logprobs != 0).sum()),
        "reward": output.reward_score,
        "detail": output.extra_fields["reward_extra_info"],
    }


def _table(folder: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return [row["extra_info"] for row in pq.read_table(Path(folder) / "prompts.parquet").to_pylist()]


def _break_judge_of(text: str) -> None:
    """The judge of voices raises for one prompt."""
    from vaak.align.prompts import AlignPrompt

    whole = AlignPrompt.voice

    def voice(self: AlignPrompt) -> Any:
        if self.text == text:
            raise RuntimeError("the judge broke")
        return whole(self)

    AlignPrompt.voice = voice  # pyright: ignore[reportAttributeAccessIssue]
