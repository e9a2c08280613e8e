"""A long text in one voice: chunk by chunk, each continuing from the voice that was given, or that the first one found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vaak.codec import Codec
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.model.speech_lm import SpeechLM
from vaak.speak import speech
from vaak.speak.generation import Generation, positions_of
from vaak.speak.sentences import LONGEST, chunks_of

# What a reader leaves between two sentences.
PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Chunk:
    """A part of a text and what was generated for it. Where it did not stop by itself, words at its end may be missing."""

    text: str
    generation: Generation


@dataclass(frozen=True)
class Voice:
    """Who speaks: described in words, or continued from what a reference said (`text`) and its codes, or both.

    carried: the reference is an earlier chunk, not one that was given.
    """

    description: str | None = None
    text: str | None = None
    codes: np.ndarray | None = None
    carried: bool = False

    def after(self, chunk: Chunk) -> Voice:
        """The same voice, continued from `chunk` if there was no reference and the chunk is fit to be one.

        One that was cut says less than its text; to continue it would be to say the rest first.
        """
        if self.codes is not None or not chunk.generation.stopped or not len(chunk.generation.codes):
            return self
        return replace(self, text=chunk.text, codes=chunk.generation.codes, carried=True)


def speak_long(
    model: SpeechLM,
    tokenizer: TextTokenizer,
    codec: Codec,
    text: str,
    voice_description: str | None = None,
    voice_text: str | None = None,
    voice_codes: np.ndarray | None = None,
    *,
    temperature: float = TEMPERATURE,
    top_k: int = TOP_K,
    top_p: float = TOP_P,
    seed: int = 0,
    longest: int = LONGEST,
) -> tuple[np.ndarray, list[Chunk]]:
    """A text of any length as one wave (float32[T] at `codec.output_rate`), and the chunks that it was said in.

    A chunk has at most `longest` characters; between two there is a short pause. All continue from the reference voice, if
    one is given; else from the first chunk that stopped by itself. Look at every chunk's `generation.stopped`. A text of one
    chunk sounds as from `speak`. Raises `BadInput` as `speak` does, and for a reference that leaves no room for a chunk.
    """
    speech.check_codec(model.vocabulary, codec)
    texts, voice = texts_of(text, longest), Voice(voice_description, voice_text, voice_codes)
    chunks: list[Chunk] = []

    def say(numbers: Sequence[int]) -> None:
        prompts, limits = zip(*(prompt_of(model, tokenizer, texts[i], voice) for i in numbers), strict=True)
        generations = speech.generate(
            model,
            prompts,
            max_codes=limits,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seeds=[chunk_seed(seed, i) for i in numbers],
        )
        chunks.extend(Chunk(texts[i], one) for i, one in zip(numbers, generations, strict=True))

    # Until there is a voice to continue from, one after the other; then all that remain at once.
    while len(chunks) < len(texts) and voice.codes is None:
        say([len(chunks)])
        voice = voice.after(chunks[-1])
    if len(chunks) < len(texts):
        say(range(len(chunks), len(texts)))
    return joined(codec, [speech.vocode(codec, chunk.generation.codes) for chunk in chunks]), chunks


def texts_of(text: str, longest: int) -> list[str]:
    """The chunks of a text. Raises `BadInput` if there is nothing to say."""
    texts = chunks_of(text, longest)
    if not texts:
        raise BadInput("the text is empty; give at least one word to speak")
    return texts


def chunk_seed(seed: int, number: int) -> int:
    """The seed of a text's chunk: the first has the text's own, so that a text of one chunk sounds as it does by itself."""
    if number == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")


def prompt_of(model: SpeechLM, tokenizer: TextTokenizer, text: str, voice: Voice) -> tuple[np.ndarray, int]:
    """The prompt of a chunk, int64[n], and the bound on its codes; both together fit into the model's positions.

    Where an earlier chunk does not fit before this one, the description alone says who speaks. Raises `BadInput` for a
    reference that was given and does not fit.
    """
    limit, positions = speech.likely_codes(text), positions_of(model)
    prompt = speech.build_prompt(
        model.vocabulary,
        tokenizer,
        text,
        voice_description=voice.description,
        voice_text=voice.text,
        voice_codes=voice.codes,
    )
    if positions is None or len(prompt) + limit <= positions:
        return prompt, limit
    if voice.carried:
        return prompt_of(model, tokenizer, text, Voice(voice.description))
    if voice.codes is not None:
        raise BadInput(
            f"the reference voice of {len(voice.codes)} codes leaves no room for {len(text)} characters in the model's "
            f"{positions} positions; give a shorter recording, or a smaller bound on the chunks"
        )
    return prompt, max(1, positions - len(prompt))


def joined(codec: Codec, waves: Sequence[np.ndarray]) -> np.ndarray:
    """Waves with a pause between each two of them; empty ones leave none."""
    parts: list[np.ndarray] = []
    for wave in waves:
        if len(wave):
            parts += [*([pause(codec)] if parts else []), wave]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def pause(codec: Codec) -> np.ndarray:
    """The silence between two chunks, float32."""
    return np.zeros(round(PAUSE_SECONDS * codec.output_rate), np.float32)
