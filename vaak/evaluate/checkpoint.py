"""One checkpoint: speak the pack's prompts, keep the codes, measure each item, write each row once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from vaak.checkpoint.claim import run_of
from vaak.codec import Codec, open_codec
from vaak.corpus.pack import open_pack
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.errors import BadInput
from vaak.evaluate import measures
from vaak.evaluate.generations import Spoken, generate_items, generations_folder, load_generation, missing_of
from vaak.evaluate.held_out import HeldOut, held_out_of, open_held_out
from vaak.evaluate.held_out_changes import Comparison, alarms_of, change_entries, compare_run, words_of
from vaak.evaluate.items import Level, check_pack_codec, items_of
from vaak.evaluate.places import Opened, aligned_at, find_subject, step_of
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
    held_out: bool = False,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """Evaluate a checkpoint on a pack at `level`; returns its id.

    checkpoint: its folder or address, a run's for its newest, an exported model, or the id of one that is gone but whose
    speech is kept. What is in the database or generated already is not done again, so a call after a crash continues. A
    generation that crashed is an error of its item. `held_out`: other judges hear it too (`vaak.evaluate.held_out`), and of
    an aligned run it is said where the reward rises and they get worse. `threads` items are measured at once, each on one core. Raises
    `BadInput` for a damaged checkpoint or a codec that is not the pack's, and `Stopped` when `stop` turned true.
    """
    pack = pack if isinstance(pack, GoldPack) else open_pack(pack)
    codec = open_codec(codec) if isinstance(codec, str) else codec
    check_pack_codec(pack, codec)
    results = db if isinstance(db, Results) else open_results(db)
    identity, opened = find_subject(checkpoint, results.folder, stop)
    asr = asr or open_asr(threads=threads)
    others = held_out_of(aligned_at(checkpoint), open_held_out(asr, threads=threads), say) if held_out else None
    evaluate_subject(identity, opened, pack, codec, results, level=level, asr=asr, held_out=others, threads=threads,
                     say=say, stop=stop)  # fmt: skip
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
    held_out: HeldOut | None,
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
    _score(identity, pack, codec, results, asr, held_out, prompts, folder, threads, stop)
    seconds = time.monotonic() - began
    finished = (identity, pack.id, level, instruments(asr, held_out))
    step = step_of(identity)  # an export has none, and no place on a tracker's axis of steps
    reward = held_out.reward if held_out else None
    entries = [] if step is None else [tracker_entry(results, *finished, step, reward)]
    compared = _compared(results, held_out, finished, len(prompts), seconds)
    results.finish(*finished, len(prompts), seconds, [*entries, *change_entries(compared, pack.id, finished[-1])])
    say(f"{identity}: {level} evaluation of {len(prompts)} items took {seconds:.0f} s")
    for one in alarms_of(compared):
        say(f"ALARM {run_of(identity)}: {words_of(one)}")


def _compared(
    results: Results, held_out: HeldOut | None, finished: tuple[str, str, str, str], items: int, seconds: float
) -> list[Comparison]:
    """What changed in the run between its first and its newest checkpoint, this one among them; of an aligned run alone."""
    if held_out is None or not held_out.aligned or held_out.reward is None or step_of(finished[0]) is None:
        return []
    this = dict(zip(("checkpoint_id", "pack_id", "level", "instruments"), finished, strict=True))
    this |= {"items": items, "seconds": seconds, "finished_at": datetime.now(UTC).isoformat(timespec="seconds")}
    return compare_run(results, finished[1], run_of(finished[0]), held_out.reward, this)


def _score(
    checkpoint_id: str,
    pack: GoldPack,
    codec: Codec,
    results: Results,
    asr: Asr,
    held_out: HeldOut | None,
    prompts: Sequence[Prompt],
    folder: Path,
    threads: int,
    stop: Callable[[], bool],
) -> None:
    """Measure what is not in the database yet, from the generations in `folder`."""
    version_of = measures.versions(asr, held_out=held_out)
    written = results.items_with(checkpoint_id, pack.id, version_of)

    def measured(prompt: Prompt) -> list[Result]:
        has_voice = measures.voice_of(prompt, codec) is not None
        wanted = measures.metrics_of(prompt, asr, generated=True, has_voice=has_voice, held_out=held_out)
        missing = wanted - written.get(prompt.item, set())
        if not missing:
            return []
        spoken = load_generation(folder, prompt)
        assert spoken is not None, f"{folder} lost the generation of {prompt.item}"
        figures = measures.measure(_sound(prompt, spoken, codec), asr, missing, held_out)
        return [
            Result(checkpoint_id, pack.id, name, version_of[name], prompt.language, prompt.item, one.value, one.detail)
            for name, one in figures.items()
        ]

    for rows in in_turn(measured, prompts, threads, stop):
        results.write(rows)


def instruments(asr: Asr, held_out: HeldOut | None = None) -> str:
    """One short name for all metric versions together: an evaluation with other instruments is another evaluation."""
    return hash_json(measures.versions(asr, held_out=held_out))[:12]


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
