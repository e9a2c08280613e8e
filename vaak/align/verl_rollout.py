"""What verl's rollout workers do with one prompt: its ids go to vLLM as they are, and its group is judged as in a run of our own.

verl runs `SpeechLoop.run` once for each completion of a prompt, all of a prompt in one process. They wait for each other here, since
judges see groups: where one of them fails, all raise, verl marks the group as failed and draws another prompt in its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vaak.align.judges import Judged, Judges
from vaak.align.prompts import AlignPrompt, as_item
from vaak.align.stage import judges_of, open_asr_of
from vaak.codec import Codec, open_codec
from vaak.grammar.vocabulary import Vocabulary
from vaak.recipe.align_tree import AlignRecipe
from vaak.speak.generation import Generation, generation_of
from vaak.speak.vllm import speech_only
from vaak.storage.files import read_json


class Dropped(RuntimeError):
    """A group without rewards. verl logs it, counts it as `training/rollout_failure/evicted_samples`, and never trains on it."""


@dataclass
class Group:
    """The completions of one prompt as they arrive. `judged` has a result when all have come, or an error when one failed."""

    size: int
    judged: asyncio.Future[list[Judged]]
    said: dict[int, Generation] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """What a process keeps between prompts: judges, the groups that are under way, and the file that says what became of them."""

    vocabulary: Vocabulary
    codec: Codec
    judges: Judges
    groups: dict[str, Group]
    record: Path


@cache
def open_desk(folder: str) -> Desk:
    """The desk of this process, as the export in `folder` says. Loading runs no code."""
    run = read_json(Path(folder) / "alignment.json")
    recipe = AlignRecipe.model_validate(run["recipe"])
    codec = open_codec(recipe.codec)
    judges = judges_of(recipe, codec, open_asr_of(recipe), frozenset(run["trusted"]))
    record = Path(folder) / "judged" / f"{socket.gethostname()}-{os.getpid()}.jsonl"
    return Desk(Vocabulary.load(Path(folder) / "model"), codec, judges, {}, record)


class SpeechLoop:
    """An agent loop of verl 0.9: it is made for each completion, with what `agent.yaml` says and verl's own objects."""

    def __init__(self, folder: str, trainer_config: Any, server_manager: Any, **_: Any) -> None:
        self._desk = open_desk(folder)
        self._group_size = int(trainer_config.config.actor_rollout_ref.rollout.n)
        self._server = server_manager

    async def run(
        self, sampling_params: Mapping[str, Any], *, uid: str, session_id: int, extra_info: Mapping[str, Any], **_: Any
    ) -> Any:
        """verl's `AgentLoopOutput` of one completion, with its reward. uid: of the prompt in this step; session_id: its place in
        the group. Raises `Dropped` where the group has no rewards."""
        from verl.experimental.agent_loop.agent_loop import AgentLoopOutput  # pyright: ignore[reportMissingImports]

        prompt = prompt_of_row(extra_info, self._desk.codec)
        started = time.perf_counter()
        answer, said = await self._drawn(uid, session_id, prompt, sampling_params)
        drawn = time.perf_counter()
        judged = await self._judged(uid, session_id, prompt, said)
        assert judged.reward is not None
        detail = {"gate": judged.gate, **{f"part_{name}": worth for name, worth in judged.parts.items()}}
        return AgentLoopOutput(
            prompt_ids=prompt.ids.tolist(),
            response_ids=list(answer.token_ids),
            response_mask=[1] * len(answer.token_ids),
            response_logprobs=answer.log_probs,
            reward_score=judged.reward,
            num_turns=2,
            metrics={"generate_sequences": drawn - started, "compute_score": time.perf_counter() - drawn},
            extra_fields={**answer.extra_fields, "reward_extra_info": detail, "turn_scores": [], "tool_rewards": []},
        )

    async def _drawn(
        self, uid: str, place: int, prompt: AlignPrompt, sampling_params: Mapping[str, Any]
    ) -> tuple[Any, Generation]:
        """verl's answer and the codes in it. A failure is the whole group's."""
        vocabulary = self._desk.vocabulary
        try:
            answer = await self._server.generate(
                request_id=f"{uid}-{place}",
                prompt_ids=prompt.ids.tolist(),
                sampling_params={**sampling_params, **speech_parameters(vocabulary, prompt.limit)},
            )
            said = generation_of(vocabulary, answer.token_ids, prompt.limit)
            if not said.stopped and len(said.codes) < prompt.limit:
                raise Dropped(
                    f"{prompt.item}: {answer.stop_reason} after {len(said.codes)} codes, without a stop token"
                )
        except BaseException as error:
            group = self._group(uid)
            if not group.judged.done():
                group.judged.set_exception(Dropped(f"{prompt.item}: a completion failed ({error!r})"))
                group.judged.exception()  # seen: nobody may be waiting
            self._leave(uid, place, Generation(np.zeros(0, np.uint16), False))
            raise
        return answer, said

    async def _judged(self, uid: str, place: int, prompt: AlignPrompt, said: Generation) -> Judged:
        group = self._group(uid)
        self._leave(uid, place, said)
        if len(group.said) == group.size and not group.judged.done():
            await self._judge(group, prompt)
        judged = (await asyncio.shield(group.judged))[place]
        if judged.reward is None:
            raise Dropped(f"{prompt.item}: {judged.failure or 'too few completions of the group have a reward'}")
        return judged

    async def _judge(self, group: Group, prompt: AlignPrompt) -> None:
        generations = [group.said[place] for place in range(group.size)]
        try:
            judged = await asyncio.wrap_future(self._desk.judges.begin(prompt, generations))
        except Exception as error:
            group.judged.set_exception(Dropped(f"{prompt.item}: judging failed ({error!r})"))
            return
        write_down(self._desk.record, prompt, judged)
        group.judged.set_result(judged)

    def _group(self, uid: str) -> Group:
        if uid not in self._desk.groups:
            self._desk.groups[uid] = Group(self._group_size, asyncio.get_running_loop().create_future())
        return self._desk.groups[uid]

    def _leave(self, uid: str, place: int, said: Generation) -> None:
        """Put down what was said; the last of a group takes it off the desk."""
        group = self._group(uid)
        group.said[place] = said
        if len(group.said) == group.size:
            del self._desk.groups[uid]


def speech_parameters(vocabulary: Vocabulary, limit: int) -> dict[str, Any]:
    """Fields of vLLM's `SamplingParams`, to which verl hands on whatever a loop gives: codes and the stop token alone."""
    return {
        "max_tokens": limit,
        **speech_only(vocabulary),
    }


def prompt_of_row(row: Mapping[str, Any], codec: Codec) -> AlignPrompt:
    """The inverse of `vaak.align.verl.prompt_table` for the `extra_info` of one row."""
    codes = np.asarray(row["reference_codes"], np.uint16)
    sample = as_item(row["item"], row["language"], row["text"], row["speaker"], row["voice_description"], codes)
    return AlignPrompt(sample, np.asarray(row["ids"], np.int64), int(row["limit"]), codec)


def write_down(file: Path, prompt: AlignPrompt, judged: Sequence[Judged]) -> None:
    """Add a line of JSON: rewards, parts, gates and failures of one group, since verl keeps the totals alone."""
    line = {
        "item": prompt.item,
        "language": prompt.language,
        "rewards": [one.reward for one in judged],
        "parts": [one.parts for one in judged],
        "gates": [one.gate for one in judged],
        "failures": sorted({one.failure for one in judged if one.failure}),
    }
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
