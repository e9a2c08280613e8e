"""Codes that a checkpoint generated, kept beside the database: a new metric scores them without decoding again.

`generations/<checkpoint>/<decoding>/<item>.npy` holds the codes (uint16), `<item>.json` its text and how it went. The
JSON is written last: an item without it was not finished.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vaak.corpus.pack_items import Prompt
from vaak.errors import BadInput
from vaak.evaluate.items import most_codes, prompt_of, seed_of
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.storage.files import read_json, write_bytes, write_json

# Part of every metric version that hears generated speech: other sampling makes other figures.
DECODING = f"t{TEMPERATURE:g}-k{TOP_K}-p{TOP_P:g}"
_BATCH = 32


@dataclass(frozen=True)
class Spoken:
    """One generated item. `crashed` says why there is nothing, and is empty otherwise; `limit` is how many codes it could
    have had, 0 where that was not kept."""

    item: str
    text: str
    language: str
    codes: np.ndarray
    stopped: bool
    crashed: str
    limit: int = 0


def generations_folder(results_folder: Path, checkpoint_id: str, pack_id: str) -> Path:
    """Where the generations of a checkpoint for a pack lie."""
    digest = hashlib.sha256(f"{checkpoint_id}\n{pack_id}".encode()).hexdigest()[:12]
    run, _, rest = checkpoint_id.partition("/")
    name = re.sub(r"[^\w.-]", "_", f"{run}-{rest.partition('/')[0]}-{digest}")
    return results_folder / "generations" / name / DECODING


def load_generation(folder: Path, prompt: Prompt) -> Spoken | None:
    """A finished generation, or None."""
    stem = _stem(prompt.item)
    if missing_of(folder, [prompt]):
        return None
    row = read_json(folder / f"{stem}.json")
    codes = np.load(folder / f"{stem}.npy", allow_pickle=False)
    return Spoken(**{**row, "codes": codes})


def missing_of(folder: Path, prompts: Sequence[Prompt]) -> list[Prompt]:
    """The prompts that have no finished generation in `folder`."""
    return [prompt for prompt in prompts if not (folder / f"{_stem(prompt.item)}.json").exists()]


def generate_items(
    model, tokenizer, prompts: Sequence[Prompt], folder: Path, stop: Callable[[], bool] = lambda: False
) -> None:
    """Generate every prompt that is not in `folder` yet; returns early, between batches, when `stop` turns true.

    When a batch fails its items are tried one by one, and the item at fault is kept as crashed, with the reason. A failure
    that all of them share is raised, unless an item that was spoken before is still spoken: then it is theirs.
    """
    missing = missing_of(folder, prompts)
    missing.sort(key=most_codes)
    for start in range(0, len(missing), _BATCH):
        if stop():
            return
        batch = missing[start : start + _BATCH]
        try:
            spoken = _generate(model, tokenizer, batch)
        except Exception as error:
            spoken = [_generate_one(model, tokenizer, prompt) for prompt in batch]
            # All alike is a fault of the program or of its use, not of the items; a diverged model is its own fault.
            alike = len({one.crashed for one in spoken}) == 1 and not isinstance(error, FloatingPointError)
            if alike and not _still_speaks(model, tokenizer, prompts, folder):
                raise
        for one in spoken:
            _save(folder, one)


def _generate(model, tokenizer, prompts: Sequence[Prompt]) -> list[Spoken]:
    from vaak.speak.generation import generate

    ids = [prompt_of(prompt, model.vocabulary, tokenizer) for prompt in prompts]
    room = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    for prompt, each in zip(prompts, ids, strict=True):
        if len(each) >= room:
            raise BadInput(
                f"{prompt.item}: its prompt of {len(each)} ids leaves no room in the model's {room} positions"
            )
    limits = [min(most_codes(prompt), room - len(each)) for prompt, each in zip(prompts, ids, strict=True)]
    generations = generate(
        model,
        ids,
        max_codes=limits,
        temperature=TEMPERATURE,
        top_k=TOP_K,
        top_p=TOP_P,
        seeds=[seed_of(prompt) for prompt in prompts],
    )
    return [
        Spoken(prompt.item, prompt.text, prompt.language, each.codes, each.stopped, "", limit)
        for prompt, each, limit in zip(prompts, generations, limits, strict=True)
    ]


def _generate_one(model, tokenizer, prompt: Prompt) -> Spoken:
    try:
        return _generate(model, tokenizer, [prompt])[0]
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        return Spoken(prompt.item, prompt.text, prompt.language, np.zeros(0, np.uint16), False, reason)


def _still_speaks(model, tokenizer, prompts: Sequence[Prompt], folder: Path) -> bool:
    """Whether the shortest item that was spoken without a crash is spoken again; without such a one nothing is known."""
    for prompt in sorted(prompts, key=most_codes):
        before = load_generation(folder, prompt)
        if before is not None and not before.crashed:
            return not _generate_one(model, tokenizer, prompt).crashed
    return False


def _save(folder: Path, spoken: Spoken) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = _stem(spoken.item)
    buffer = io.BytesIO()
    np.save(buffer, spoken.codes.astype(np.uint16), allow_pickle=False)
    write_bytes(folder / f"{stem}.npy", buffer.getvalue())
    row = asdict(spoken)
    del row["codes"]
    write_json(folder / f"{stem}.json", row)


def _stem(item: str) -> str:
    """A file name for an item: its own name where that is plain, else with a hash so that no two meet."""
    plain = re.sub(r"[^\w.-]", "_", item)
    return plain if plain == item else f"{plain[:80]}-{hashlib.sha256(item.encode()).hexdigest()[:8]}"
