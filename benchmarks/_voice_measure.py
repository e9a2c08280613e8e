"""What is generated for each held-out sentence, and what is measured of it beside the recording and the round trip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _card_measure import ORIGINAL, RATE, ROUND_TRIP, SCORED_LANGUAGES, remembered
from _voice_items import Sentence, voices_of, with_partners

from vaak.codec import Codec, read_audio
from vaak.codec.audio import resample
from vaak.evaluate.generations import Spoken, generate_items, generations_folder, load_generation
from vaak.evaluate.items import is_cloned, most_codes
from vaak.score.asr import Asr
from vaak.score.error_rate import Counts, word_counts
from vaak.score.mel_dtw import mel_dtw
from vaak.score.sanity import silence_share
from vaak.score.similarity import embed_voice, similarity
from vaak.speak.speech import check_codec, vocode

GENERATED, WRONG_TEXT = "generated", "wrong text"
_BATCH = 32
_RECORDINGS = 5  # of a voice, to know it by


@dataclass(frozen=True)
class Measured:
    """One sentence. By condition: `words` (English), `silence` shares, and to its recording, where that ships, `mel_dtw` in
    dB and `similarity`. `voice`: the embedding of what was generated and of the round trip, for voices that are cloned."""

    sentence: Sentence
    spoken: Spoken
    words: Mapping[str, Counts]
    silence: Mapping[str, float]
    mel_dtw: Mapping[str, float]
    similarity: Mapping[str, float]
    voice: Mapping[str, np.ndarray | None]

    @property
    def language(self) -> str:
        return self.sentence.prompt.language

    @property
    def codes(self) -> tuple[int, int]:
        """How many were generated, and how many the recording has."""
        reference = self.sentence.prompt.reference_codes
        return len(self.spoken.codes), 0 if reference is None else len(reference)


@dataclass(frozen=True)
class Cloned:
    """Sentences of a voice that training never heard, continued from one of its recordings.

    Per sentence and condition: `own`, similarity to that voice, and `nearest`, to the nearest voice of training; `name`
    is the voice that was nearest most often to what was generated.
    """

    language: str
    speaker: str
    own: Mapping[str, list[float]]
    nearest: Mapping[str, list[float]]
    name: str


def generations(
    model_id: str, model_folder: Path, corpus_id: str, sentences: Sequence[Sentence], codec: Codec, cache: Path
) -> tuple[Path, dict[str, Spoken]]:
    """What the model says, by item; what is below `cache` is not generated again. Returns the folder of codes, too.

    Prompts, seeds, sampling and limits are those of `vaak.evaluate`: a voice that training heard is asked for by its
    description, another one by a recording to continue.
    """
    prompts = [one.prompt for one in sentences]
    folder = generations_folder(cache, model_id, corpus_id)
    missing = sorted((prompt for prompt in prompts if load_generation(folder, prompt) is None), key=most_codes)
    if missing:
        from vaak.grammar.tokenizer import load_tokenizer
        from vaak.model import open_model

        model, tokenizer = open_model(model_folder), load_tokenizer(model_folder)
        check_codec(model.vocabulary, codec)
        batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
        for batch in progress(batches, len(batches), "generate"):
            generate_items(model, tokenizer, batch, folder)
    spoken = {prompt.item: load_generation(folder, prompt) for prompt in prompts}
    return folder, {item: one for item, one in spoken.items() if one is not None}


def progress(work: Iterable[Any], total: int, what: str) -> Iterable[Any]:
    """`work` with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    return track(work, what, total=total, console=Console(stderr=True), transient=True)


def wave_of(codes: np.ndarray | None, codec: Codec) -> np.ndarray:
    """Codes as float32[T] at 16 kHz; none are an empty wave."""
    if codes is None or not len(codes):
        return np.zeros(0, np.float32)
    return resample(vocode(codec, codes), codec.output_rate, RATE)


def measure(
    sentences: Sequence[Sentence],
    spoken: Mapping[str, Spoken],
    codec: Codec,
    asr: Asr | None,
    cache: Path,
    workers: int = 2,
) -> list[Measured]:
    """All sentences, `workers` at once; what the instruments said of a wave before is read from `cache`.

    The words of a wrong text are what was heard in the round trip of another sentence, its sound is what was generated
    for that one: a model that speaks just as well and says something else.
    """
    pairs = with_partners(sentences)
    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(lambda pair: _measure_one(pair[0], pair[1], spoken, codec, asr, cache), pairs)
        return list(progress(done, len(pairs), "measure"))


def _measure_one(
    one: Sentence, other: Sentence | None, spoken: Mapping[str, Spoken], codec: Codec, asr: Asr | None, cache: Path
) -> Measured:
    prompt, said = one.prompt, spoken[one.prompt.item]
    waves = {ROUND_TRIP: wave_of(prompt.reference_codes, codec), GENERATED: wave_of(said.codes, codec)}
    original = None if prompt.reference_audio is None else read_audio(prompt.reference_audio, RATE)
    words, distances, voices, alike = {}, {}, {}, {}
    if asr is not None and prompt.language in SCORED_LANGUAGES & asr.languages:
        heard = partial(_heard, asr=asr, language=prompt.language, cache=cache)
        conditions = waves if original is None else {ORIGINAL: original, **waves}
        words = {name: word_counts(prompt.text, heard(wave), prompt.language) for name, wave in conditions.items()}
        if other is not None:
            elsewhere = heard(wave_of(other.prompt.reference_codes, codec))
            words[WRONG_TEXT] = word_counts(prompt.text, elsewhere, prompt.language)
    if original is not None or is_cloned(prompt):
        voices = {name: voice_of(wave, cache) for name, wave in waves.items()}
    if original is not None:
        sounds = dict(waves)
        if other is not None:
            sounds[WRONG_TEXT] = wave_of(spoken[other.prompt.item].codes, codec)
        distances = {name: mel_dtw(wave, original, RATE) for name, wave in sounds.items()}
        own = voice_of(original, cache)
        alike = {name: similarity(voice, own) for name, voice in voices.items()}
    silence = {name: silence_share(wave, RATE) for name, wave in waves.items()}
    return Measured(one, said, words, silence, distances, alike, voices if is_cloned(prompt) else {})


def _heard(wave: np.ndarray, asr: Asr, language: str, cache: Path) -> str:
    instrument = f"{asr.name}-{asr.hash[:12]}"
    return str(remembered(cache, instrument, wave, partial(asr.transcribe, wave, RATE, language)))


def voice_of(wave: np.ndarray, cache: Path) -> np.ndarray | None:
    """`embed_voice` at 16 kHz, as it was remembered if it was."""
    found = remembered(cache, "resemblyzer", wave, lambda: _as_list(embed_voice(wave, RATE)))
    return None if found is None else np.array(found, np.float32)


def _as_list(voice: np.ndarray | None) -> list[float] | None:
    return None if voice is None else voice.tolist()


def cloned_voices(
    measured: Sequence[Measured], sentences: Sequence[Sentence], codec: Codec, cache: Path
) -> list[Cloned]:
    """How near cloned speech is to the voice that it continues, beside the nearest voice of training in that language.

    sentences: all that the corpus holds out. A voice is the mean embedding of up to five of them, the recording where it
    ships and else its round trip.
    """
    unheard = sorted({(one.language, str(one.sentence.prompt.speaker)) for one in measured if one.voice})
    known = voices_of(sentences, _RECORDINGS)
    embed: Callable[[list[Sentence]], np.ndarray | None] = partial(_mean_voice, codec=codec, cache=cache)
    found = []
    for language, speaker in unheard:
        own = embed(known[language, speaker])
        rivals = {
            name: embed(some) for (code, name), some in known.items() if code == language and some[0].prompt.seen_voice
        }
        ours = [
            one for one in measured if one.voice and (one.language, one.sentence.prompt.speaker) == (language, speaker)
        ]
        near: dict[str, list[float]] = {GENERATED: [], ROUND_TRIP: []}
        far: dict[str, list[float]] = {GENERATED: [], ROUND_TRIP: []}
        names: Counter[str] = Counter()
        for one in ours:
            for condition, voice in one.voice.items():
                near[condition].append(similarity(voice, own))
                scores = {name: similarity(voice, rival) for name, rival in rivals.items()}
                best = max(scores, key=lambda name: scores[name], default="")
                far[condition].append(scores.get(best, 0.0))
                names.update([best] if condition == GENERATED else [])
        found.append(Cloned(language, speaker, near, far, names.most_common(1)[0][0]))
    return found


def _mean_voice(sentences: list[Sentence], codec: Codec, cache: Path) -> np.ndarray | None:
    """The mean of the embeddings, of length one; None where nothing is heard."""
    waves = [
        wave_of(one.prompt.reference_codes, codec)
        if one.prompt.reference_audio is None
        else read_audio(one.prompt.reference_audio, RATE)
        for one in sentences
    ]
    voices = [voice for voice in (voice_of(wave, cache) for wave in waves) if voice is not None]
    if not voices:
        return None
    mean = np.mean(voices, axis=0)
    return mean / np.linalg.norm(mean)
