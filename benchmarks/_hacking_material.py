"""What the reward is attacked with: prompts, honest renderings of them, and everything that is none."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vaak.demo
from vaak.codec import Codec
from vaak.corpus import Corpus, open_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.corpus.pack_items import Prompt
from vaak.languages import LANGUAGES
from vaak.model.speech_lm import SpeechLM
from vaak.speak.generation import Generation, generate
from vaak.speak.speech import build_prompt, likely_codes

TEMPERATURE = 0.7
# As many samples are drawn until one is understood: at most one word of five is wrong.
SAMPLES, UNDERSTOOD = 4, 0.2
# White noise as loud as the example's recordings, and how many dB below itself quiet speech lies.
NOISE_DB, QUIET_DB = -23.0, -30.0
# Played slower by so much: other codes of the same words, a semitone lower. Half a code: 10 ms.
SLOWER, HALF_A_CODE = 1.0625, 0.5
# A voice of fewer training samples is not told from others by the model.
HEARD = 150
# A pattern short enough for the loop gate (16 codes), and how often a phrase is said that is longer.
LOOP, PHRASES = 12, 3


@dataclass(frozen=True)
class Speaker:
    """The model under attack, its tokenizer and its codec."""

    model: SpeechLM
    tokenizer: object
    codec: Codec

    def samples(self, prompt: Prompt, description: str | None = None) -> Iterator[Generation]:
        """Up to `SAMPLES` samples of the text, in the voice that `description` names or in the prompt's own."""
        voice = description or prompt.voice_description
        ids = build_prompt(self.model.vocabulary, self.tokenizer, prompt.text, voice_description=voice)  # pyright: ignore[reportArgumentType]
        limit = likely_codes(prompt.text)
        for seeds in ([0], range(1, SAMPLES)):
            yield from generate(self.model, [ids] * len(seeds), max_codes=limit, temperature=TEMPERATURE, seeds=seeds)


def reference(prompt: Prompt) -> np.ndarray:
    assert prompt.reference_codes is not None
    return np.asarray(prompt.reference_codes)


def held_out_prompts(english: int, others: int) -> list[Prompt]:
    """Those of a gold pack of the example in voices that training heard: so many at most of English and of each other language."""
    corpus = open_corpus(vaak.demo.corpus_folder())
    wanted = {code: english if code == "en" else others for code in LANGUAGES}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pack"
        build_pack(
            corpus, folder, 0, len(wanted), per_language=0, cross_lingual=0, long_form=0, probes=0, extended=wanted
        )
        # The arrays are mapped files, which go with the folder.
        prompts = [one for one in open_pack(folder).prompts if one.seen_voice]
        return [_kept(one, reference(one).copy()) for one in prompts]


def training_prompts(english: int, others: int) -> list[Prompt]:
    """The same of what training heard, voices in turn: what the defaults of the reward were chosen on."""
    corpus = open_corpus(vaak.demo.corpus_folder())
    return [one for code in LANGUAGES for one in _training(corpus, code, english if code == "en" else others)]


def _training(corpus: Corpus, language: str, most: int) -> list[Prompt]:
    group = corpus.groups["paired", language, "clean"]
    by_speaker: dict[str, list[int]] = defaultdict(list)
    rows = zip(group.column("held_out"), group.column("long_form"), group.column("speaker"), strict=True)
    for number, (held_out, long_form, speaker) in enumerate(rows):
        if not held_out and not long_form:
            by_speaker[speaker].append(number)
    rng = np.random.default_rng(0)
    speakers = sorted(speaker for speaker, numbers in by_speaker.items() if len(numbers) >= HEARD)
    each = -(-most // len(speakers))
    numbers = [rng.choice(by_speaker[speaker], each, replace=False) for speaker in speakers]
    chosen = [int(number) for turn in zip(*numbers, strict=True) for number in turn][:most]
    return [_training_prompt(group.sample(number), np.asarray(group.tokens(number))) for number in chosen]


def _training_prompt(sample, codes: np.ndarray) -> Prompt:
    return Prompt(
        item=sample.sample_id, language=sample.language, kind="training", text=sample.transcript or "",
        speaker=sample.speaker, voice_description=sample.voice_description, reference_codes=codes, reference_audio=None,
        voice_text=None, voice_codes=None, voice_language=None, seen_voice=True, seen_text=True, sample_id=sample.sample_id,
    )  # fmt: skip


def _kept(prompt: Prompt, codes: np.ndarray) -> Prompt:
    return Prompt(**{**vars(prompt), "reference_codes": codes, "reference_audio": None, "voice_codes": None})


def slower(prompt: Prompt, codec: Codec) -> np.ndarray:
    """Codes of the recording played 6% slower: its words and, a semitone lower, its voice; hardly a code is the same."""
    import soxr

    wave = codec.decode(reference(prompt))
    return codec.encode(soxr.resample(wave, codec.sample_rate, codec.sample_rate * SLOWER).astype(np.float32))


def derived(honest: np.ndarray, codec: Codec) -> dict[str, np.ndarray]:
    """Attacks made of the codes of an honest rendering."""
    loop = honest[len(honest) // 2 :][:LOOP]
    phrase = honest[: len(honest) // PHRASES]
    return {
        "loop": np.resize(loop, len(honest)),
        "phrase again and again": np.tile(phrase, PHRASES),
        "half the sentence": honest[: len(honest) // 2],
        "sentence twice": np.tile(honest, 2),
        "very quiet": codec.encode(codec.decode(honest) * np.float32(10 ** (QUIET_DB / 20))),
    }


def unmoved(prompt: Prompt, codec: Codec) -> dict[str, np.ndarray]:
    """Attacks that no rendering is needed for: nothing, noise, and the recording of the prompt in four states."""
    codes = reference(prompt)
    rng = np.random.default_rng(len(codes))
    samples = len(codes) * codec.sample_rate // 50
    noise = rng.standard_normal(samples) * 10 ** (NOISE_DB / 20)
    wave = codec.decode(codes)
    mended = np.delete(codes, np.arange(len(codes) // 4, len(codes), len(codes) // 4))
    return {
        "silence": codec.encode(np.zeros(samples, np.float32)),
        "noise": codec.encode(noise.astype(np.float32)),
        "random codes": rng.integers(0, codec.codebook_size, len(codes)).astype(np.uint16),
        "reference codes": codes,
        "reference, codes left out": mended,
        "reference, encoded again": codec.encode(wave),
        "reference, moved by half a code": codec.encode(np.roll(wave, int(HALF_A_CODE * codec.sample_rate / 50))),
    }


def other_recordings(prompt: Prompt, prompts: Sequence[Prompt]) -> dict[str, np.ndarray]:
    """Recordings of the nearest length: of other words in the same voice, and of another language (in the same voice if it speaks it)."""
    same_voice = [one for one in prompts if one.speaker == prompt.speaker and one.text != prompt.text]
    kinds = {
        "other words": [one for one in same_voice if one.language == prompt.language],
        "another language": [one for one in same_voice if one.language != prompt.language]
        or [one for one in prompts if one.language != prompt.language],
    }
    length = len(reference(prompt))

    def away(one: Prompt) -> tuple[int, str]:
        return abs(len(reference(one)) - length), one.item

    return {name: reference(min(some, key=away)) for name, some in kinds.items() if some}


def another_voice(prompt: Prompt, prompts: Sequence[Prompt], turn: int) -> str | None:
    """Description of another voice of the language: the best known one of English, else the others in turn."""
    found = {one.speaker: one.voice_description for one in prompts if one.language == prompt.language}
    found.pop(prompt.speaker, None)
    names = sorted(name for name in found if name)
    return found.get("heart") or (found[names[turn % len(names)]] if names else None)
