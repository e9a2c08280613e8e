"""A run that was never trained: its checkpoints are names, its codes random, its figures drawn. Only to look at pages with."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from vaak.checkpoint.folder import COMPLETE, step_folder
from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate import measures, open_results
from vaak.evaluate.generations import generations_folder
from vaak.evaluate.panel_figures import Evaluation
from vaak.evaluate.panel_sounds import to_hear
from vaak.evaluate.recognition import COUNTED, ORIGINAL
from vaak.evaluate.reference import WRONG_TEXT, round_trip_id
from vaak.evaluate.store import Result
from vaak.storage.files import write_bytes, write_json

ASR = cast(Any, SimpleNamespace(name="synthetic", hash="5" * 64, languages=frozenset({"en"})))
STEP = 1000


def synthetic_run(folder: Path, pack: GoldPack, codec: Codec, checkpoints: int, floor: float = 0.1) -> Path:
    """`folder/run` with so many complete checkpoints, 1000 steps apart, and `folder/results.db` with all their rows.

    Codes lie there for those that a panel lets be heard. `floor`: the word error rate on the originals.
    """
    run, rng = folder / "run", np.random.default_rng(0)
    results = open_results(folder / "results.db")
    results.write(_references(pack, codec, rng, floor))
    done = []
    for number in range(1, checkpoints + 1):
        identity = f"run/{number * STEP}/{number:064x}"
        write_json(step_folder(run, number * STEP) / COMPLETE, {"id": identity})
        rows = [row for prompt in pack.prompts for row in _rows(identity, pack.id, prompt, number / checkpoints, rng)]
        results.write(rows)
        results.finish(identity, pack.id, "full", "synthetic", len(pack.prompts), 60.0)
        done.append(Evaluation(identity, number * STEP, "full", len(pack.prompts), 60.0, ""))
    for one in to_hear(done):
        for prompt in pack.prompts:
            _speak(generations_folder(folder, one.checkpoint_id, pack.id), prompt, codec, rng)
    results.close()
    return run


def _rows(identity: str, pack_id: str, prompt: Prompt, progress: float, rng: np.random.Generator) -> list[Result]:
    """Figures that grow better with `progress`, 0 to 1."""
    worse = 1 - progress
    values = {
        "crashed": (float(rng.random() < 0.01 * worse), {}),
        "stopped": (float(rng.random() > 0.3 * worse), {}),
        "truncated": (float(rng.random() < 0.2 * worse), {"limit": 300}),
        "duration_ratio": (float(rng.normal(1 + worse, 0.1)), {}),
        "repeat_rate": (float(rng.uniform(0, 0.3)), {}),
        "loop_share": (float(rng.uniform(0, 0.2) * worse), {}),
        "ngram_repetition": (float(rng.uniform(0, 0.2)), {}),
        "invalid_rate": (0.0, {}),
        "voice_share": (float(rng.uniform(0.8 * progress, 1)), {}),
        "silence_share": (float(rng.uniform(0, 0.2 + 0.79 * worse)), {}),
        "dnsmos": (float(rng.normal(2 + progress, 0.2)), {}),
        "similarity": (float(rng.normal(0.6 + 0.3 * progress, 0.05)), {"reference": _made_of(prompt)}),
    }
    if prompt.language == "en":
        values |= _heard(prompt, float(rng.uniform(0.1, 0.3 + worse)))
    if prompt.reference_codes is None:
        del values["duration_ratio"]
    version = measures.versions(ASR)
    return [
        Result(identity, pack_id, name, version[name], prompt.language, prompt.item, value, detail)
        for name, (value, detail) in values.items()
        if name in version
    ]


def _made_of(prompt: Prompt) -> str:
    return "recording" if prompt.reference_audio is not None else "decoded codes (a proxy)"


def _heard(prompt: Prompt, rate: float) -> dict[str, tuple[float, dict[str, Any]]]:
    values = {}
    for metric in COUNTED:
        of = len(prompt.text.split()) if metric == "wer" else len(prompt.text)
        wrong = 0 if metric == "wrong_script" else round(of * rate)
        values[metric] = (wrong / of, {"sub": wrong, "dele": 0, "ins": 0, "ref": of})
    values["wer"][1]["heard"] = "synthetic"
    return values


def _references(pack: GoldPack, codec: Codec, rng: np.random.Generator, floor: float) -> list[Result]:
    version, rows = measures.versions(ASR, generated=False), []
    for subject, rate in ((ORIGINAL, floor), (round_trip_id(codec.hash), floor + 0.1), (WRONG_TEXT, 1.0)):
        for prompt in pack.prompts:
            values = {"dnsmos": (3.4, {}), "silence_share": (float(rng.uniform(0.05, 0.15)), {})}
            if subject == WRONG_TEXT:
                values = {}
            if prompt.language == "en":
                values |= _heard(prompt, rate)
            rows += [
                Result(subject, pack.id, name, version[name], prompt.language, prompt.item, value, detail)
                for name, (value, detail) in values.items()
            ]
    return rows


def _speak(folder: Path, prompt: Prompt, codec: Codec, rng: np.random.Generator) -> None:
    length = 150 if prompt.reference_codes is None else len(prompt.reference_codes)
    buffer = io.BytesIO()
    np.save(buffer, rng.integers(0, codec.codebook_size, length).astype(np.uint16), allow_pickle=False)
    write_bytes(folder / f"{prompt.item}.npy", buffer.getvalue())
    row = {"item": prompt.item, "text": prompt.text, "language": prompt.language, "stopped": True, "crashed": ""}
    write_json(folder / f"{prompt.item}.json", row)
