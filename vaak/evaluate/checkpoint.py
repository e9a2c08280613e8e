"""One checkpoint: speak the pack's prompts, keep the codes, measure each item, write each row once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vaak.checkpoint import find_checkpoint
from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate import measures
from vaak.evaluate.generations import Spoken, generate_items, generations_folder, load_generation
from vaak.evaluate.items import Level, check_pack_codec, items_of
from vaak.evaluate.store import Result, Results, open_results
from vaak.evaluate.summaries import tracker_entry
from vaak.evaluate.turns import Stopped, in_turn
from vaak.score.asr import Asr, open_asr
from vaak.storage.files import hash_json


def evaluate_checkpoint(
    checkpoint_folder: str | Path,
    pack: GoldPack | str | Path,
    codec: Codec | str,
    db: Results | str | Path,
    *,
    level: Level = "full",
    asr: Asr | None = None,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """Evaluate a checkpoint (its folder, or a run for its newest) on a pack at `level`; returns the checkpoint's id.

    What is in the database or generated already is not done again, so a call after a crash continues. A generation
    that crashed is an error of its item. `threads` items are measured at once, each on one core. Raises `BadInput` for
    a damaged checkpoint or a codec that is not the pack's, and `Stopped` when `stop` turned true.
    """
    began = time.monotonic()
    checkpoint = find_checkpoint(checkpoint_folder)
    pack = pack if isinstance(pack, GoldPack) else open_pack(pack)
    codec = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(pack, codec)
    results = db if isinstance(db, Results) else open_results(db)
    asr = asr or open_asr(threads=threads)
    prompts = items_of(pack, level)
    folder = generations_folder(results.folder, checkpoint.id, pack.id)
    if any(load_generation(folder, prompt) is None for prompt in prompts):
        say(f"{checkpoint.id}: generating {len(prompts)} items")
        _generate(checkpoint.path, codec, prompts, folder, stop)
    say(f"{checkpoint.id}: scoring {len(prompts)} items")
    _score(checkpoint.id, pack, codec, results, asr, prompts, folder, threads, stop)
    seconds = time.monotonic() - began
    finished = (checkpoint.id, pack.id, level, instruments(asr))
    results.finish(*finished, len(prompts), seconds, [tracker_entry(results, *finished, checkpoint.step)])
    say(f"{checkpoint.id}: {level} evaluation of {len(prompts)} items took {seconds:.0f} s")
    return checkpoint.id


def _score(
    checkpoint_id: str,
    pack: GoldPack,
    codec: Codec,
    results: Results,
    asr: Asr,
    prompts: Sequence[Prompt],
    folder: Path,
    threads: int,
    stop: Callable[[], bool],
) -> None:
    """Measure what is not in the database yet, from the generations in `folder`."""
    version_of = measures.versions(asr)
    written = results.items_with(checkpoint_id, pack.id, version_of)

    def measured(prompt: Prompt) -> list[Result]:
        has_voice = measures.voice_of(prompt, codec) is not None
        wanted = measures.metrics_of(prompt, asr, generated=True, has_voice=has_voice)
        missing = wanted - written.get(prompt.item, set())
        if not missing:
            return []
        spoken = load_generation(folder, prompt)
        assert spoken is not None, f"{folder} lost the generation of {prompt.item}"
        figures = measures.measure(_sound(prompt, spoken, codec), asr, missing)
        return [
            Result(checkpoint_id, pack.id, name, version_of[name], prompt.language, prompt.item, one.value, one.detail)
            for name, one in figures.items()
        ]

    for rows in in_turn(measured, prompts, threads, stop):
        results.write(rows)


def instruments(asr: Asr) -> str:
    """One short name for all metric versions together: an evaluation with other instruments is another evaluation."""
    return hash_json(measures.versions(asr))[:12]


def _generate(checkpoint: Path, codec: Codec, prompts: list[Prompt], folder: Path, stop: Callable[[], bool]) -> None:
    from vaak.grammar.tokenizer import load_tokenizer
    from vaak.model import open_model
    from vaak.speak.speech import check_codec

    model = open_model(checkpoint)
    check_codec(model.vocabulary, codec)
    generate_items(model, load_tokenizer(checkpoint), prompts, folder, stop)
    if stop():
        raise Stopped


def _sound(prompt: Prompt, spoken: Spoken, codec: Codec) -> measures.Sound:
    """The generated codes as sound; a codec that fails on them leaves silence and the reason."""
    wave, error = np.zeros(0, np.float32), ""
    if len(spoken.codes):
        try:
            wave = codec.decode(spoken.codes)
        except Exception as failure:
            error = f"decoding: {type(failure).__name__}: {failure}"[:500]
    voice = measures.voice_of(prompt, codec)
    return measures.Sound(prompt, wave, codec.output_rate, spoken, error, codec.codebook_size, voice)
