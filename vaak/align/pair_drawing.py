"""Preference pairs of a recipe: groups of completions drawn and judged, and the best and the worst of each kept.

Groups that are done stand beside the new folder, in `<out>.unfinished`, so that a work that ended in its midst goes on there.
A group is drawn with the others that it would be drawn with in any case, and so comes out the same.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaak.align.batches import MOST_LOST, own_draw
from vaak.align.judges import Judged, Judges
from vaak.align.pairs import CHOSEN, REJECTED, PairFolder, identity, open_pairs, write_pairs
from vaak.align.prompts import PromptOrder
from vaak.align.rollouts import BegunGroup, Draw, Rollout, at_once, begin_groups
from vaak.align.stage import judges_of, open_asr_of, pack_of, prompts_of
from vaak.align.trust import trust_of
from vaak.checkpoint import find_model
from vaak.codec import open_codec
from vaak.corpus.work_folders import make_folder, work_folder
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.grammar.export import text_tokenizer
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model.open import open_model
from vaak.recipe import resolve_path
from vaak.recipe.align_tree import AlignRecipe
from vaak.speak.generation import Generation
from vaak.speak.speech import check_codec
from vaak.storage.files import read_json, room_on_disk, write_json
from vaak.storage.locks import only_one
from vaak.train.callbacks import OnStep
from vaak.train.run_folder import Say
from vaak.train.world import joined

# Rewards of one group that are no further apart are no preference. Of 64 groups of four completions of the shipped model at
# temperature 1 55 differ by more, half of those by more than .14.
LEAST_DIFFERENCE = 0.05
_WORK = re.compile(r"settings\.json|groups-\d{9}\.json|results\.db(-wal|-shm)?|frozen|\.lock")
_DROPPED, _ALIKE, _PAIR = "dropped", "alike", "pair"


@dataclass(frozen=True)
class Drawing:
    """Who speaks what, and what the manifest will say of them. prompts: how many; `batch` completions are drawn together."""

    order: PromptOrder
    prompts: int
    group: int
    seed: int
    batch: int
    draw: Draw
    settings: Mapping[str, Any]


def make_pairs(
    recipe: AlignRecipe,
    out: str | Path,
    *,
    prompts: int | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Say = print,
) -> PairFolder:
    """Pairs of as many prompts as the recipe's run takes, or of `prompts`, frozen in a new folder `out`.

    It goes on where it was interrupted, and a folder that is finished is opened as it is; `on_step` hears of each batch of
    prompts. The prompts, the group, how it is drawn, the judges and the reward are the recipe's; its model is the parent. A
    pair is kept where best and worst of a group differ by `LEAST_DIFFERENCE` in reward. Raises `BadInput` for a folder of
    other settings or a rollout engine that is not Vaak's own, `CheckFailed` if no pair came of it, and `Interrupted` when it
    was asked to stop.
    """
    out = Path(out)
    if recipe.rollouts.engine != "own":
        raise BadInput(
            f"pairs are drawn by Vaak's own loop, not by {recipe.rollouts.engine}; say --set rollouts.engine=own"
        )
    count = prompts or recipe.prompts_by(recipe.steps)
    asked = asked_of(recipe, count)
    work = work_folder(out, ".unfinished", _WORK)
    if out.exists():
        found = open_pairs(out)
        _check_same(found.folder, found.manifest, asked | _by_whom(recipe))
        shutil.rmtree(work, ignore_errors=True)  # of a work that was killed after its last step but one
        return found
    make_folder(work)
    with room_on_disk(work), only_one(work / ".lock", f"{work} is being made by another process; wait for it"):
        if (work / "settings.json").is_file():
            _check_same(work, read_json(work / "settings.json"), asked)
        with ExitStack() as opened:
            drawing, judges = _opened(recipe, count, work, asked, opened, stop, say)
            draw_pairs(drawing, judges, out, work, on_step, stop)
        shutil.rmtree(work)
    return open_pairs(out)


def asked_of(recipe: AlignRecipe, prompts: int) -> dict[str, Any]:
    """What a recipe asks of pairs: with other words here, they are other pairs."""
    tree = recipe.model_dump(mode="json")
    return {
        "prompts": prompts,
        "prompt_settings": tree["prompts"],
        "group": recipe.group,
        "seed": recipe.seed,
        "temperature": recipe.rollouts.temperature,
        "batch": recipe.rollouts.batch,
        "least_difference": LEAST_DIFFERENCE,
        "reward": tree["reward"],
    }


def _by_whom(recipe: AlignRecipe) -> dict[str, Any]:
    """Who speaks and who hears, of the recipe as it is now."""
    asr = open_asr_of(recipe)
    return {
        "parent": find_model(resolve_path(recipe.parent))[0],
        "codec_hash": open_codec(recipe.codec).hash,
        "asr": {"name": asr.name, "hash": asr.hash},
    }


def _opened(
    recipe: AlignRecipe,
    count: int,
    work: Path,
    asked: Mapping[str, Any],
    opened: ExitStack,
    stop: Callable[[], bool],
    say: Say,
) -> tuple[Drawing, Judges]:
    """The parent and its prompts and judges, which are closed with `opened`."""
    world = opened.enter_context(joined(recipe.device))
    if world.size > 1:
        raise BadInput("pairs are made in one process; start it without torchrun")
    parent_id, parent = find_model(resolve_path(recipe.parent))
    model = open_model(parent).to(world.device).eval()
    codec = open_codec(recipe.codec)
    check_codec(model.vocabulary, codec)
    tokenizer = text_tokenizer(load_tokenizer(parent), model.vocabulary)
    pack, asr = pack_of(recipe, codec), open_asr_of(recipe)
    say(f"{parent_id} speaks {count} prompts, {recipe.group} times each")
    trusted = trust_of(recipe, pack, codec, asr, work, say, stop)
    if stop():  # what is half measured decides nothing
        raise Interrupted(f"stopped before the first prompt; what was measured is kept in {work}")
    order = prompts_of(recipe, model, tokenizer, codec, pack, count)
    judges = judges_of(recipe, codec, asr, trusted)
    opened.callback(judges.close)
    settings = {
        **identity(parent_id, model.vocabulary, tokenizer, codec),
        "asr": {"name": asr.name, "hash": asr.hash},
        "trusted": sorted(trusted & set(recipe.prompts.languages)),
        "fingerprint": order.fingerprint,
        **asked,
    }
    draw = own_draw(model, recipe.rollouts)
    return Drawing(order, count, recipe.group, recipe.seed, recipe.rollouts.batch, draw, settings), judges


def draw_pairs(
    drawing: Drawing,
    judges: Judges,
    out: Path,
    work: Path,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Draw and judge the groups that `work` does not have yet, and freeze the pairs of all as `out`; returns its manifest."""
    if (work / "settings.json").is_file():
        _check_same(work, read_json(work / "settings.json"), drawing.settings)
    else:
        write_json(work / "settings.json", drawing.settings)
    torch.manual_seed(drawing.seed)
    size = at_once(drawing.batch, drawing.group)
    starts = range(0, drawing.prompts, size)
    missing = [start for start in starts if not _file(work, start).is_file()]
    waiting: tuple[int, list[BegunGroup]] | None = None
    lost: list[int] = []
    for start in [*missing, None]:
        begun = None
        if start is not None and not stop():
            begun = start, _begin(drawing, judges, range(start, min(start + size, drawing.prompts)))
        # While these are judged, the next ones are drawn.
        if waiting is not None:
            lost = [*lost, waiting[0]] if _keep(work, *waiting) else []
        if len(lost) >= MOST_LOST:
            for one in lost:  # judged again, by judges that are whole
                _file(work, one).unlink()
            raise RuntimeError(
                f"every group of the last {len(lost)} batches was dropped; look after the judge that fails "
                f"({judges.counters.failed}) and run it again, it goes on"
            )
        waiting = begun
        done = sum(_file(work, one).is_file() for one in starts)
        if on_step is not None:
            on_step(min(done * size, drawing.prompts), drawing.prompts, "prompts")
        if begun is None and done < len(starts):
            raise Interrupted(f"{done * size} of {drawing.prompts} prompts are judged and kept in {work}")
    return _freeze([one for start in starts for one in read_json(_file(work, start))], drawing.settings, out, work)


def _file(work: Path, start: int) -> Path:
    return work / f"groups-{start:09d}.json"


def _begin(drawing: Drawing, judges: Judges, numbers: range) -> list[BegunGroup]:
    prompts = [drawing.order[number] for number in numbers]
    return list(
        begin_groups(
            prompts,
            numbers,
            group=drawing.group,
            seed=drawing.seed,
            batch=drawing.batch,
            draw=drawing.draw,
            judges=judges,
        )
    )


def _keep(work: Path, start: int, begun: Sequence[BegunGroup]) -> bool:
    """Write what became of groups, once they are judged. Returns whether all of them were dropped."""
    outcomes = [outcome_of(start + i, one.wait()) for i, one in enumerate(begun)]
    write_json(_file(work, start), outcomes)
    return all(one["outcome"] == _DROPPED for one in outcomes)


def outcome_of(number: int, rollout: Rollout) -> dict[str, Any]:
    """What becomes of the group of prompt `number`: `outcome` is "dropped", "alike" or "pair", and a pair has its row."""
    outcome: dict[str, Any] = {"language": rollout.prompt.language}
    if rollout.dropped:
        failure = next(one.failure for one in rollout.judged if one.reward is None)
        # Without the words of an exception, which may hold anything.
        return outcome | {"outcome": _DROPPED, "failure": ": ".join(failure.split(": ")[:2])}
    rewards = np.array([one.reward for one in rollout.judged], np.float64)
    best, worst = int(rewards.argmax()), int(rewards.argmin())
    if rewards[best] - rewards[worst] < LEAST_DIFFERENCE:
        return outcome | {"outcome": _ALIKE}
    row = {
        "number": number,
        "item": rollout.prompt.item,
        "language": rollout.prompt.language,
        "text": rollout.prompt.text,
        "prompt": rollout.prompt.ids.tolist(),
        CHOSEN: _side(rollout.generations[best], rollout.judged[best]),
        REJECTED: _side(rollout.generations[worst], rollout.judged[worst]),
    }
    return outcome | {"outcome": _PAIR, "pair": row}


def _side(generation: Generation, judged: Judged) -> dict[str, Any]:
    return {
        "reward": judged.reward,
        "parts": judged.parts,
        "gate": judged.gate,
        "heard": judged.heard,
        "stopped": generation.stopped,
        "codes": generation.codes.tolist(),
    }


def _freeze(groups: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], out: Path, work: Path) -> dict[str, Any]:
    pairs = [one["pair"] for one in groups if one["outcome"] == _PAIR]
    counts = {code: asdict(_counts(groups, code)) for code in sorted({one["language"] for one in groups})}
    if not pairs:
        dropped = sum(one["dropped"] for one in counts.values())
        raise CheckFailed(
            f"no pair came of {len(groups)} prompts: the judges failed in {dropped}, and in the others all completions have "
            f"like rewards; look at the judges, and delete {work} to begin anew"
        )
    failures = [one["failure"] for one in groups if one["outcome"] == _DROPPED]
    shutil.rmtree(work / "frozen", ignore_errors=True)
    failed = {kind: failures.count(kind) for kind in sorted(set(failures))}
    manifest = write_pairs(work / "frozen", pairs, {**settings, "languages": counts, "failures": failed})
    (work / "frozen").rename(out)
    return manifest


@dataclass(frozen=True)
class LanguageCounts:
    """Of `groups`, `pairs` gave one, `dropped` lost a judge and `alike` had no difference. Rewards are means over the pairs."""

    groups: int
    pairs: int
    dropped: int
    alike: int
    chosen_reward: float | None
    rejected_reward: float | None


def _counts(groups: Sequence[Mapping[str, Any]], language: str) -> LanguageCounts:
    own = [one for one in groups if one["language"] == language]
    pairs = [one["pair"] for one in own if one["outcome"] == _PAIR]
    chosen, rejected = (
        float(np.mean([one[side]["reward"] for one in pairs])) if pairs else None for side in (CHOSEN, REJECTED)
    )
    dropped, alike = (sum(one["outcome"] == what for one in own) for what in (_DROPPED, _ALIKE))
    return LanguageCounts(len(own), len(pairs), dropped, alike, chosen, rejected)


def _check_same(folder: Path, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises `BadInput` naming the first setting of `now` that is another one `there`."""
    for name, value in now.items():
        if there.get(name) != value:
            raise BadInput(
                f"{folder} holds pairs with {name} = {there.get(name)}, and now it is {value}; restore it, or name another folder"
            )
