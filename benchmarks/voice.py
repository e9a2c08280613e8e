"""How well a speech language model says sentences that training never heard: words, voice, pace and sound, in one run.

`python benchmarks/voice.py [--checkpoint FOLDER] [--corpus FOLDER] [--limit N] [--others N] [--cache FOLDER]
[--markdown PATH] [--sheets FOLDER] [--json PATH]`. Everything is beside the recordings, the codec's round trip and a
wrong text. With --cache an interrupted run goes on where it was. Needs the `asr` extra and Whisper's weights.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _card_tables import Grouped, markdown, print_grouped, short
from _voice_items import Sentence, chosen, held_out_sentences
from _voice_measure import (
    GENERATED,
    ROUND_TRIP,
    WRONG_TEXT,
    Cloned,
    Measured,
    cloned_voices,
    generations,
    measure,
    wave_of,
)
from _voice_sheets import Panel, write_sheets
from _voice_tables import (
    Groups,
    alikeness,
    cloned_table,
    distance,
    english_groups,
    in_pace,
    is_strange,
    language_groups,
    limit,
    mean,
    rate,
    ratio,
    sound_table,
    speech_table,
    words_table,
)
from codec import Figure, at_least, at_most, exit_of

from vaak.checkpoint import find_model
from vaak.codec import Codec, open_codec
from vaak.corpus import Corpus
from vaak.errors import BadInput
from vaak.evaluate.generations import DECODING, Spoken
from vaak.score.asr import Asr, open_asr
from vaak.score.error_rate import total
from vaak.score.sanity import SILENT, loop_share

# Below this an interval is wider than what is asked for.
ENGLISH_WANTED = 200
SHEET_SENTENCES = 5


def open_whisper(folder: str | None) -> Asr | None:
    """Whisper, or whatever was named; None where there is none, with the reason printed."""
    try:
        asr = open_asr(folder, threads=2)
    except BadInput as error:
        print(f"no WER: {error}")
        return None
    if folder is None and asr.name.startswith("pocketsphinx"):
        print("no WER: no Whisper model is installed (docs/score.md)")
        return None
    return asr


def figures_of(measured: Sequence[Measured], groups: Groups, cloned: Sequence[Cloned]) -> list[Figure]:
    """What is wanted of a voice, each figure beside its own limit from the same run."""
    figures = []
    for name, some in groups.items():
        if name.startswith("voice ") or is_strange(some[0]):
            continue  # a voice may have four sentences: the tables show it, no limit can
        words = sum(one.words[GENERATED].ref for one in some)
        against = f"1.5 × {short(rate(some, ROUND_TRIP))} of the round trip + .05; {len(some)} sentences, {words} words"
        figures.append(at_most(f"voice.wer_{_name(name)}", rate(some, GENERATED), limit(some), against))
    heard = [one for one in measured if not is_strange(one)]
    for code in dict.fromkeys(one.language for one in heard):
        some = [one for one in heard if one.language == code]
        against = f"{len(some)} sentences, 0.8 to 1.25 of the recording's length"
        figures.append(at_least(f"voice.in_pace_{code}", in_pace(some), 0.9, against))
        there = [one for one in some if one.mel_dtw]
        half = (distance(there, ROUND_TRIP) + distance(there, WRONG_TEXT)) / 2
        against = f"half way from the round trip to a wrong text; {len(there)} recordings"
        figures.append(at_most(f"voice.mel_dtw_{code}", distance(there, GENERATED), half, against, "dB"))
    stopped = mean([float(one.spoken.stopped) for one in measured])
    figures.append(at_least("voice.stop_rate", stopped, 0.99, f"{len(measured)} sentences of all languages and voices"))
    loops = mean([loop_share(one.spoken.codes) for one in measured])
    figures.append(at_most("voice.in_loops", loops, 0.01, "the share of codes that stand in a loop"))
    silent = mean([float(one.silence[GENERATED] > SILENT) for one in measured])
    figures.append(at_most("voice.silent", silent, 0.01, f"sentences of which more than {SILENT:.0%} is silence"))
    alike = ratio(alikeness(heard, GENERATED), alikeness(heard, ROUND_TRIP))
    figures.append(at_least("voice.similarity_beside_round_trip", alike, 0.9, "the round trip's, to the recordings"))
    for one in cloned:
        against = f"the nearest voice of training; {len(one.own[GENERATED])} sentences continued from a recording"
        name = f"voice.cloned_{one.language}_{one.speaker}"
        figures.append(at_least(name, mean(one.own[GENERATED]), mean(one.nearest[GENERATED]), against))
    return [figure for figure in figures if math.isfinite(figure.value) and math.isfinite(figure.want)]


def _name(group: str) -> str:
    return group.replace(",", "").replace(" ", "_").replace("-", "_")


def facts(
    model_id: str, corpus: Corpus, codec: Codec, asr: Asr | None, measured: Sequence[Measured], groups: Groups
) -> list[str]:
    """What the tables stand on, in lines."""
    lines = [
        f"model {model_id}, sampling {DECODING}, a seed for each sentence; corpus {corpus.id[:12]}, codec {codec.name} "
        f"({codec.hash[:12]})",
        f"{len(measured)} held-out sentences; voices that training heard are asked for by their description, others are "
        "continued from another recording",
        f"WER by {asr.name if asr else 'nobody'}; wrong text: what is heard in the round trip of another sentence, and in "
        "the sound what was generated for another one of the same voice",
        "mel-DTW and similarity are to the recording; the way to wrong is 0% at the round trip, 100% at the wrong text",
    ]
    for name, some in groups.items():
        ours = total(one.words[GENERATED] for one in some)
        held = "holds" if ours.rate <= limit(some) else "DOES NOT HOLD"
        lines.append(
            f"{name}: generated {short(ours.rate)} ≤ 1.5 × {short(rate(some, ROUND_TRIP))} + .05 = {short(limit(some))} {held}"
        )
    crashed = [one for one in measured if one.spoken.crashed]
    if crashed:
        lines.append(f"{len(crashed)} crashed and count as silence, the first with {crashed[0].spoken.crashed}")
    silent = sum(not len(one.spoken.codes) for one in measured)
    return [*lines, f"{silent} generated nothing and count as silence"] if silent else lines


def make_card(given: argparse.Namespace, cache: Path) -> list[Figure]:
    """Generates, measures, prints figures and tables, writes the Markdown and the sheets; returns the figures."""
    model_id, model_folder = _model(given.checkpoint)
    corpus, everything = held_out_sentences(_corpus(given.corpus))
    codec = open_codec(given.codec)
    if corpus.codec_hash != codec.hash:
        raise BadInput(f"{corpus.folder}: its codes are not of codec {codec.name}; name the codec it was made with")
    sentences = chosen(everything, given.limit, given.others)
    english = sum(one.prompt.language == "en" for one in sentences)
    if english < ENGLISH_WANTED:
        print(f"only {english} English sentences: the intervals of their WER are wide")
    asr = open_whisper(given.asr)
    began = time.monotonic()
    folder, spoken = generations(model_id, model_folder, corpus.id, sentences, codec, cache)
    print(f"generated {len(sentences)} sentences in {time.monotonic() - began:.0f} s ({folder.name})", flush=True)
    began = time.monotonic()
    measured = measure(sentences, spoken, codec, asr, cache / "heard")
    cloned = cloned_voices(measured, everything, codec, cache / "heard")
    print(f"measured them in {time.monotonic() - began:.0f} s", flush=True)
    groups = english_groups(measured)
    figures = figures_of(measured, groups, cloned)
    languages = language_groups(measured)
    tables: list[Grouped] = [words_table(groups), speech_table(languages), sound_table(languages), cloned_table(cloned)]
    if groups:
        tables.insert(2, _renamed(speech_table(groups), "English speech"))
        tables.insert(4, _renamed(sound_table(groups), "English sound, where the recording ships"))
    tables = [table for table in tables if table.rows]
    lines = facts(model_id, corpus, codec, asr, measured, groups)
    print("\n".join(lines))
    print_grouped(tables)
    if given.markdown:
        given.markdown.write_text(markdown(f"The voice of {model_id}", lines, tables), encoding="utf-8")
    if given.sheets:
        for path in write_sheets(panels(sentences, spoken, codec), given.sheets):
            print(f"wrote {path}")
    return figures


def _renamed(table: Grouped, title: str) -> Grouped:
    return Grouped(title, table.first, table.rows, table.starts, table.columns, table.left)


def panels(sentences: Sequence[Sentence], spoken: dict[str, Spoken], codec: Codec) -> dict[str, list[Panel]]:
    """Five sentences of each language in heard voices, spread over its list: the recording (or its round trip) and ours."""
    found: dict[str, list[Panel]] = {}
    for code in dict.fromkeys(one.prompt.language for one in sentences):
        prompts = [one.prompt for one in sentences if one.prompt.language == code and one.prompt.seen_voice]
        prompts = [one for one in prompts if one.reference_audio] or prompts
        step = max(1, len(prompts) // SHEET_SENTENCES)
        for prompt in prompts[::step][:SHEET_SENTENCES]:
            reference: Path | None = prompt.reference_audio
            recorded = wave_of(prompt.reference_codes, codec) if reference is None else reference
            ours = wave_of(spoken[prompt.item].codes, codec)
            found.setdefault(code, []).append(Panel(prompt.item, prompt.text, recorded, ours))
    return found


def _model(name: str) -> tuple[str, Path]:
    """The model in the package for the bare word `demo`, as in `vaak speak`, else a checkpoint, a run or an export."""
    if name != "demo":
        return find_model(name)
    import vaak.demo

    return find_model(vaak.demo.model_folder())


def _corpus(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    import vaak.demo

    return vaak.demo.corpus_folder()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="demo", help="a checkpoint, a run or an export; else the shipped model")
    parser.add_argument("--corpus", type=Path, help="a frozen corpus with held-out sentences; else the example's")
    parser.add_argument("--codec", default="embedded")
    parser.add_argument("--limit", type=int, default=240, help="at most so many English sentences; 0 for all")
    parser.add_argument("--others", type=int, default=12, help="at most so many of each other language; 0 for all")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was generated and what was heard in it")
    parser.add_argument("--asr", help="folder of a faster-whisper model, or pocketsphinx; else the Whisper installed")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--sheets", type=Path, help="folder for a picture of spectrograms of each language")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    given = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        return exit_of(lambda: make_card(given, given.cache or Path(scratch)), given.json)


if __name__ == "__main__":
    raise SystemExit(main())
