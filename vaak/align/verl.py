"""An alignment as a run of verl (Sheng et al. 2024) on several machines: the same recipe, written out as what verl reads.

The folder holds the model, the prompts in ids, verl's settings as overrides of its own configuration, and a script. verl's rollouts
call `vaak.align.verl_rollout`, which sends those ids to vLLM and lets the judges of this package score each group; its
training imports `vaak.align.verl_policy`, so that text has no probability there either. No chat template is ever used.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from math import gcd
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from vaak.align.prompts import AlignPrompt
from vaak.align.stage import pack_of, prompts_of
from vaak.checkpoint import find_checkpoint, find_model
from vaak.checkpoint.export import export_checkpoint
from vaak.codec import open_codec
from vaak.errors import BadInput
from vaak.grammar.export import text_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.open import open_model
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import resolve_path
from vaak.recipe.align_tree import AlignRecipe
from vaak.speak.speech import check_codec
from vaak.storage.files import sync_folder, write_bytes, write_json
from vaak.train.schedule import warmup_steps

# The release whose configuration and interfaces this is written for, and checked against.
VERL = "0.9.1"
AGENT = "vaak"
_SCRIPT = Path(__file__).parent / "verl.sh"


def export_verl(
    recipe: AlignRecipe, out: str | Path, trusted: Collection[str], *, nodes: int = 1, gpus_per_node: int = 8
) -> Path:
    """Write the run of `recipe` on `nodes` machines into the new folder `out`, which all of them must see under its path.

    trusted: the languages in which the recipe's recogniser may judge, as for a run of our own. Written: `model/` an export of
    the parent, `prompts.parquet` the prompts in the order of the run, `overrides.txt` and `agent.yaml` for verl, `alignment.json`
    for the judges, `run.sh`. Raises `BadInput` for what verl cannot do, for what `gather_prompts` refuses, and where `out` is
    not empty.
    """
    out = Path(out).resolve()
    check_for_verl(recipe, nodes * gpus_per_node)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise BadInput(f"{out} is not empty; name a new folder for the export")
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write_model(recipe.parent, part / "model")
    model = open_model(part / "model")
    prompts = _prompts(recipe, model, part / "model")
    pq.write_table(prompt_table(prompts), part / "prompts.parquet")
    settings = verl_settings(recipe, out, prompts, model.vocabulary, nodes, gpus_per_node)
    write_bytes(part / "overrides.txt", "".join(f"{line}\n" for line in override_lines(settings)).encode())
    agent = {"name": AGENT, "_target_": "vaak.align.verl_rollout.SpeechLoop", "folder": str(out)}
    write_bytes(part / "agent.yaml", yaml.safe_dump([agent], sort_keys=False).encode())
    write_json(part / "alignment.json", {"recipe": recipe.model_dump(mode="json"), "trusted": sorted(trusted)})
    script = _SCRIPT.read_text().replace("@NODES@", str(nodes)).replace("@GPUS@", str(gpus_per_node))
    write_bytes(part / "run.sh", script.encode())
    (part / "judged").mkdir()
    sync_folder(part)
    if out.exists():
        out.rmdir()
    part.rename(out)
    return out


def check_for_verl(recipe: AlignRecipe, gpus: int) -> None:
    """Raises `BadInput` for a recipe that verl would train otherwise than we do, naming the field to set."""
    completions, schedule = recipe.prompts_per_step * recipe.group, recipe.schedule
    refused = [
        (recipe.kind != "grpo", f"kind {recipe.kind}, and this export is of grpo"),
        (
            schedule.kind == "linear" and schedule.min_lr != schedule.peak_lr,
            "verl's rates fall as a cosine or not at all; set schedule.kind=cosine",
        ),
        (recipe.optimizer.kind != "adamw", "verl has no Muon; set optimizer.kind=adamw"),
        (recipe.precision == "fp32", "attention over verl's unpadded batches needs bf16; set precision=bf16"),
        (recipe.device == "cpu", "verl needs GPUs; set device=auto"),
        (
            completions % gpus != 0,
            f"{completions} completions a step do not divide by {gpus} GPUs; set prompts_per_step, or take other GPUs",
        ),
        (
            len(recipe.checkpoints.intervals) > 1,
            "verl saves every so many steps, and no cadences; set checkpoints.every to a number",
        ),
    ]
    for is_so, reason in refused:
        if is_so:
            raise BadInput(f"{recipe.name} cannot go to verl: {reason}")


def verl_settings(
    recipe: AlignRecipe,
    out: Path,
    prompts: Sequence[AlignPrompt],
    vocabulary: Vocabulary,
    nodes: int,
    gpus_per_node: int,
) -> dict[str, Any]:
    """verl's keys, with dots, and their values; a key with + before it is one that verl's own configuration does not have.

    Steps of verl are batches: those of the recipe divided by `updates_per_batch`.
    """
    per_gpu = recipe.prompts_per_step * recipe.group // (nodes * gpus_per_node)
    microbatch = gcd(recipe.microbatch, per_gpu)
    return {
        "algorithm.adv_estimator": "grpo",
        "algorithm.norm_adv_by_std_in_grpo": recipe.normalise,
        "algorithm.use_kl_in_reward": False,
        "data.train_files": str(out / "prompts.parquet"),
        "data.val_files": str(out / "prompts.parquet"),  # opened and never used: the sidecar evaluates
        "data.val_max_samples": 1,
        "data.train_batch_size": recipe.prompts_per_step,
        "data.max_prompt_length": max(len(one.ids) for one in prompts),
        "data.max_response_length": max(one.limit for one in prompts),
        "data.shuffle": False,  # the rows stand in the order of the run
        "data.filter_overlong_prompts": False,  # would ask a chat template for lengths
        "data.seed": recipe.seed,
        **_model(recipe, out, vocabulary),
        **_actor(recipe, microbatch),
        **_optimizer(recipe),
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": microbatch,
        **_rollout(recipe, out, nodes * gpus_per_node, microbatch),
        "reward.num_workers": 1,  # the rollouts have the rewards already
        **_trainer(recipe, out, nodes, gpus_per_node),
    }


def _model(recipe: AlignRecipe, out: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    model = "actor_rollout_ref.model"
    return {
        f"{model}.path": str(out / "model"),
        f"{model}.external_lib": "vaak.align.verl_policy",
        f"+{model}.override_config.speech_ids": [vocabulary.speech_end, vocabulary.first_speech_id, vocabulary.size],
        f"{model}.use_fused_kernels": False,  # they never form the logits that verl_policy restricts
        f"{model}.enable_gradient_checkpointing": recipe.activation_checkpointing != "none",
    }


def _actor(recipe: AlignRecipe, microbatch: int) -> dict[str, Any]:
    """The loss, and what is saved of what learns by it."""
    actor = "actor_rollout_ref.actor"
    return {
        f"{actor}.strategy": "fsdp",
        f"{actor}.ppo_mini_batch_size": recipe.prompts_per_step,
        f"{actor}.ppo_micro_batch_size_per_gpu": microbatch,
        f"{actor}.ppo_epochs": recipe.updates_per_batch,
        f"{actor}.clip_ratio": recipe.clip,
        f"{actor}.clip_ratio_low": recipe.clip,
        f"{actor}.clip_ratio_high": recipe.clip,
        f"{actor}.clip_ratio_c": 1e6,  # no second bound, as in the loss of our own runs
        f"{actor}.loss_agg_mode": "token-mean",
        f"{actor}.entropy_coeff": 0.0,
        f"{actor}.use_kl_loss": recipe.kl > 0,
        f"{actor}.kl_loss_coef": recipe.kl,
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{actor}.data_loader_seed": recipe.seed,
        f"{actor}.fsdp_config.seed": recipe.seed,
        # The last is a folder that Vaak opens, once vocabulary.json lies in it.
        f"{actor}.checkpoint.save_contents": ["model", "optimizer", "extra", "hf_model"],
        f"{actor}.checkpoint.load_contents": ["model", "optimizer", "extra"],
    }


def _rollout(recipe: AlignRecipe, out: Path, gpus: int, microbatch: int) -> dict[str, Any]:
    """How completions are drawn: from everything that `vaak.align.verl_rollout` allows, which no truncation may narrow."""
    rollout = "actor_rollout_ref.rollout"
    return {
        f"{rollout}.name": "vllm",
        f"{rollout}.n": recipe.group,
        f"{rollout}.temperature": recipe.rollouts.temperature,
        f"{rollout}.top_p": 1.0,
        f"{rollout}.top_k": -1,
        f"{rollout}.seed": recipe.seed,
        f"{rollout}.tensor_model_parallel_size": 1,
        f"{rollout}.gpu_memory_utilization": recipe.rollouts.gpu_memory,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": microbatch,
        f"{rollout}.agent.default_agent_loop": AGENT,
        f"{rollout}.agent.agent_loop_config_path": str(out / "agent.yaml"),
        f"{rollout}.agent.num_workers": gpus,
    }


def _optimizer(recipe: AlignRecipe) -> dict[str, Any]:
    """AdamW with the rates of `vaak.train.schedule`: counted from 1 and warm for one step more, verl's are the same."""
    actor, settings, schedule = "actor_rollout_ref.actor", recipe.optimizer, recipe.schedule
    return {
        f"{actor}.grad_clip": settings.grad_clip,
        f"{actor}.optim.optimizer": "AdamW",
        f"{actor}.optim.lr": schedule.peak_lr,
        f"{actor}.optim.lr_scheduler_type": "cosine",
        f"{actor}.optim.min_lr_ratio": schedule.min_lr / schedule.peak_lr,
        f"{actor}.optim.lr_warmup_steps": warmup_steps(schedule, _batches(recipe)) + 1,
        f"{actor}.optim.zero_indexed_step": False,
        f"{actor}.optim.betas": list(settings.betas),
        f"{actor}.optim.weight_decay": settings.weight_decay,
        f"{actor}.optim.clip_grad": settings.grad_clip,
        f"{actor}.optim.override_optimizer_config": {"eps": settings.eps},
    }


def _trainer(recipe: AlignRecipe, out: Path, nodes: int, gpus_per_node: int) -> dict[str, Any]:
    [(_, every)] = recipe.checkpoints.intervals
    # verl writes the model beside the rest each time, so there is one frequency for both.
    every = gcd(every, recipe.checkpoints.model_only_every or every)
    return {
        "trainer.nnodes": nodes,
        "trainer.n_gpus_per_node": gpus_per_node,
        "trainer.total_epochs": 1,
        "trainer.total_training_steps": _batches(recipe),
        "trainer.save_freq": every // recipe.updates_per_batch,
        "trainer.max_actor_ckpt_to_keep": recipe.checkpoints.keep_last_full,
        "trainer.default_local_dir": str(out / "checkpoints"),
        "trainer.resume_mode": "auto",
        "trainer.val_before_train": False,
        "trainer.test_freq": -1,
        "trainer.logger": ["console"],
        "trainer.project_name": "vaak",
        "trainer.experiment_name": recipe.name,
        "trainer.use_v1": True,
        "trainer.v1.trainer_mode": "sync",
        # A group of which a judge failed raises, and another prompt takes its place.
        "trainer.v1.sampler.sync_refill_failed_groups": True,
    }


def prompt_table(prompts: Sequence[AlignPrompt]) -> pa.Table:
    """The prompts as verl's data set reads them, one row each.

    `extra_info` has the ids, int64[n], and what the judges need. `prompt` is the chat that verl demands of every row and shows
    in its logs; no id comes from it. `data_source` is the language.
    """
    rows = [
        {
            "data_source": one.language,
            "prompt": [{"role": "user", "content": one.text}],
            "extra_info": {
                "index": number,
                "item": one.item,
                "language": one.language,
                "text": one.text,
                "speaker": one.sample.speaker,
                "voice_description": one.sample.voice_description,
                "ids": one.ids.tolist(),
                "limit": one.limit,
                "reference_codes": one.reference_codes.tolist(),
            },
        }
        for number, one in enumerate(prompts)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_TEXT, _COUNT = pa.string(), pa.int64()
_SCHEMA = pa.schema(
    {
        "data_source": _TEXT,
        "prompt": pa.list_(pa.struct({"role": _TEXT, "content": _TEXT})),
        "extra_info": pa.struct(
            {
                "index": _COUNT,
                "item": _TEXT,
                "language": _TEXT,
                "text": _TEXT,
                "speaker": _TEXT,
                "voice_description": _TEXT,
                "ids": pa.list_(_COUNT),
                "limit": _COUNT,
                "reference_codes": pa.list_(_COUNT),
            }
        ),
    }
)


def override_lines(settings: Mapping[str, Any]) -> list[str]:
    """`key=value` in the grammar of Hydra, one each. verl refuses a key that its configuration does not have."""
    return [f"{key}={_written(value)}" for key, value in settings.items()]


def _written(value: Any) -> str:
    if isinstance(value, str):
        # A backslash means something only before a quote.
        return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value) + "'"
    if isinstance(value, list):
        return "[" + ",".join(_written(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def _write_model(parent: str, folder: Path) -> None:
    """What Hugging Face and vLLM open; an export is taken as it is."""
    name, found = find_model(resolve_path(parent))
    if name.startswith("export/"):
        shutil.copytree(found, folder)
    else:
        export_checkpoint(find_checkpoint(found), folder)


def _prompts(recipe: AlignRecipe, model: SpeechLM, folder: Path) -> list[AlignPrompt]:
    """The prompts of the whole run, in its order."""
    codec = open_codec(recipe.codec)
    check_codec(model.vocabulary, codec)
    tokenizer = text_tokenizer(load_tokenizer(folder), model.vocabulary)
    order = prompts_of(recipe, model, tokenizer, codec, pack_of(recipe, codec))
    return [order[number] for number in range(recipe.prompts_by(recipe.steps))]


def _batches(recipe: AlignRecipe) -> int:
    """verl's steps: each draws a batch and learns from it `updates_per_batch` times."""
    return recipe.steps // recipe.updates_per_batch
