"""One checkpoint: speak the pack's prompts, keep the codes, measure each item, write each row once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.errors import BadInput
from vaak.evaluate import measures
from vaak.evaluate.generations import Spoken, generate_items, generations_folder, load_generation, missing_of
from vaak.evaluate.items import Level, check_pack_codec, items_of
from vaak.evaluate.places import Opened, find_subject, step_of
from vaak.evaluate.store import Result, Results, open_results
from vaak.evaluate.summaries import tracker_entry
from vaak.evaluate.turns import Stopped, in_turn
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.score.asr import Asr, open_asr
from vaak.storage.files import hash_json


def evaluate_checkpoint(
    checkpoint: str | Path,
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
    """Evaluate a checkpoint on a pack at `level`; returns its id.

    checkpoint: its folder or address, a run's for its newest, an exported model, or the id of one that is gone but whose
    speech is kept. What is in the database or generated already is not done again, so a call after a crash continues. A
    generation that crashed is an error of its item. `threads` items are measured at once, each on one core. Raises
    `BadInput` for a damaged checkpoint or a codec that is not the pack's, and `Stopped` when `stop` turned true.
    """
    pack = pack if isinstance(pack, GoldPack) else open_pack(pack)
    codec = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(pack, codec)
    results = db if isinstance(db, Results) else open_results(db)
    identity, opened = find_subject(checkpoint, results.folder, stop)
    asr = asr or open_asr(threads=threads)
    evaluate_subject(identity, opened, pack, codec, results, level=level, asr=asr, threads=threads, say=say, stop=stop)
    return identity


def evaluate_subject(
    identity: str,
    opened: Opened,
    pack: GoldPack,
    codec: Codec,
    results: Results,
    *,
    level: Level,
    asr: Asr,
    threads: int,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    """`evaluate_checkpoint` of what has this id. `opened` gives its folder; that is asked for, and the model read, only
    while something of the level is not spoken yet."""
    began = time.monotonic()
    prompts = items_of(pack, level)
    folder = generations_folder(results.folder, identity, pack.id)
    if missing := missing_of(folder, prompts):
        with opened() as checkpoint:
            say(f"{identity}: generating {len(missing)} items")
            _generate(checkpoint, codec, prompts, folder, stop)
    say(f"{identity}: scoring {len(prompts)} items")
    _score(identity, pack, codec, results, asr, prompts, folder, threads, stop)
    seconds = time.monotonic() - began
    finished = (identity, pack.id, level, instruments(asr))
    step = step_of(identity)  # an export has none, and no place on a tracker's axis of steps
    entries = [] if step is None else [tracker_entry(results, *finished, step)]
    results.finish(*finished, len(prompts), seconds, entries)
    say(f"{identity}: {level} evaluation of {len(prompts)} items took {seconds:.0f} s")


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
    from vaak.model import open_model
    from vaak.speak.speech import check_codec

    model, tokenizer = open_model(checkpoint), load_tokenizer(checkpoint)
    check_codec(model.vocabulary, codec)
    _check_tokenizer(model.vocabulary, tokenizer, checkpoint)
    generate_items(model, tokenizer, prompts, folder, stop)
    if stop():
        raise Stopped


def _check_tokenizer(vocabulary: Vocabulary, tokenizer: TextTokenizer, folder: Path) -> None:
    """Raises `BadInput` when ids of text would mean something else to the model: an export's tokenizer spells codes as well."""
    sizes = (vocabulary.base_size, vocabulary.size)
    if tokenizer.size not in sizes or tokenizer.end_of_text_id != vocabulary.end_of_text_id:
        raise BadInput(
            f"{folder / 'tokenizer.json'} has {tokenizer.size} ids and vocabulary.json {sizes[0]} of text; "
            "put the tokenizer there that the model was trained with"
        )


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
