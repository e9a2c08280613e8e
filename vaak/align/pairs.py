"""Better and worse completions of prompts in a frozen folder, and their order in a run: a closed form of a pair's number.

pairs.jsonl     a pair on each line: its prompt, and of both completions the reward, its parts, the gate and what was heard
codes.npy       uint16[all]: the codes of the first pair's chosen completion, of its rejected one, of the next pair's
prompts.npy     int32[all]: the ids of the prompts, one after another
MANIFEST.json   who drew and judged them, how many of each language came of how many groups, and every file's hash
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaak.codec import Codec
from vaak.corpus.manifest import damaged_files, freeze_folder, read_manifest
from vaak.errors import BadInput, CheckFailed
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.order import key_of, permute
from vaak.storage.files import hash_json, write_bytes

PAIRS_FORMAT = "vaak-pairs-1"
CHOSEN, REJECTED = "chosen", "rejected"


@dataclass(frozen=True)
class Pair:
    """One prompt and two completions of it. All are ids, int64[n]; a completion that stopped ends with the stop token."""

    item: str
    language: str
    prompt: np.ndarray
    chosen: np.ndarray
    rejected: np.ndarray


@dataclass(frozen=True)
class PairFolder:
    """An opened folder of pairs. rows: the lines of pairs.jsonl; codes and prompts: the flat arrays that they point into."""

    folder: Path
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]
    codes: np.ndarray
    prompts: np.ndarray

    @property
    def id(self) -> str:
        return self.manifest["id"]

    def pair(self, row: int, vocabulary: Vocabulary) -> Pair:
        """The pair of one line."""
        one = self.rows[row]
        start, n = one["prompt"]
        prompt = np.asarray(self.prompts[start : start + n], np.int64)
        chosen, rejected = (self._completion(one[side], vocabulary) for side in (CHOSEN, REJECTED))
        return Pair(one["item"], one["language"], prompt, chosen, rejected)

    def _completion(self, side: Mapping[str, Any], vocabulary: Vocabulary) -> np.ndarray:
        start, n = side["codes"]
        ids = vocabulary.speech_ids(np.asarray(self.codes[start : start + n]))
        return np.append(ids, vocabulary.speech_end) if side["stopped"] else ids


class PairOrder:
    """The pairs of a run by their number, from 0: all of them in an order that the seed names before one comes again."""

    def __init__(self, pairs: PairFolder, vocabulary: Vocabulary, seed: int) -> None:
        self.pairs, self.vocabulary, self.seed = pairs, vocabulary, seed

    def __getitem__(self, number: int) -> Pair:
        turn, place = divmod(number, len(self.pairs.rows))
        key = np.array([key_of("pairs", self.seed, turn)], np.uint64)
        row = permute(np.array([place]), np.array([len(self.pairs.rows)]), key)[0]
        return self.pairs.pair(int(row), self.vocabulary)

    @property
    def fingerprint(self) -> str:
        """Names the pairs and their order: another one is another run."""
        return hash_json({"pairs": self.pairs.id, "seed": self.seed})


def write_pairs(folder: Path, pairs: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Freeze pairs in a new folder; returns the manifest.

    pairs: rows whose `prompt` is a list of ids, and whose `chosen` and `rejected` have lists of codes; the same pairs and
    metadata give the same bytes. What the manifest says besides is `metadata`.
    """
    rows, codes, prompts = [], [], []
    ids_before, codes_before = 0, 0
    for pair in pairs:
        row = {**pair, "prompt": [ids_before, len(pair["prompt"])]}
        prompts += pair["prompt"]
        ids_before = len(prompts)
        for side in (CHOSEN, REJECTED):
            row[side] = {**pair[side], "codes": [codes_before, len(pair[side]["codes"])]}
            codes += pair[side]["codes"]
            codes_before = len(codes)
        rows.append(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    folder.mkdir(parents=True)
    write_bytes(folder / "pairs.jsonl", "".join(rows).encode())
    np.save(folder / "codes.npy", np.array(codes, np.uint16))
    np.save(folder / "prompts.npy", np.array(prompts, np.int32))
    return freeze_folder(folder, {"format": PAIRS_FORMAT, **metadata})


def open_pairs(folder: str | Path) -> PairFolder:
    """Open pairs, every byte checked against its hashes.

    Raises `BadInput` for a folder that holds no finished pairs, `CheckFailed` naming the files that changed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, PAIRS_FORMAT)
    if damaged := damaged_files(folder, PAIRS_FORMAT):
        raise CheckFailed(f"pairs {folder} are damaged: {'; '.join(damaged[:5])}; restore them, or make them again")
    lines = (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    codes, prompts = (
        np.load(folder / name, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        for name in ("codes.npy", "prompts.npy")
    )
    return PairFolder(folder, manifest, [json.loads(line) for line in lines], codes, prompts)


def identity(parent: str, vocabulary: Vocabulary, tokenizer: TextTokenizer, codec: Codec) -> dict[str, Any]:
    """What a manifest says of the model that spoke and of what its ids and codes mean."""
    return {
        "parent": parent,
        "vocabulary": asdict(vocabulary),
        "tokenizer_hash": tokenizer.hash,
        "codec": codec.name,
        "codec_hash": codec.hash,
    }


def check_pairs(pairs: PairFolder, model: Mapping[str, Any], temperature: float) -> None:
    """Raises `BadInput` unless ids and codes of the pairs mean the same to a model of this `identity` (its weights may be others),
    and they were drawn at the `temperature` at which a run takes their log-probabilities: another one is another policy."""
    for name in ("vocabulary", "tokenizer_hash", "codec_hash"):
        if pairs.manifest[name] != model[name]:
            raise BadInput(
                f"{pairs.folder}: its {name} {pairs.manifest[name]} is another one than this model's {model[name]}; "
                "make pairs with this model, `vaak align pairs`"
            )
    drawn = pairs.manifest["temperature"]
    if drawn != temperature:
        raise BadInput(
            f"{pairs.folder}: its completions were drawn at temperature {drawn:g}, and rollouts.temperature is {temperature:g}; "
            f"say --set rollouts.temperature={drawn:g}, or make pairs at {temperature:g}, `vaak align pairs`"
        )
