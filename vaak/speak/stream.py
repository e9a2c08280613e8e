"""Sound while the codes are still being drawn: pieces of a wave that, joined, are what `speak_long` gives at once."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from vaak.codec import Codec
from vaak.codec.stream import open_stream
from vaak.grammar.tokenizer import TextTokenizer
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.model.speech_lm import SpeechLM
from vaak.speak.generation import Generation, check_sampling, stream_codes
from vaak.speak.long import Chunk, Voice, chunk_seed, pause, prompt_of, texts_of
from vaak.speak.sentences import LONGEST
from vaak.speak.speech import check_codec

# Codes between two looks at the wave: the fewest, and from 40 codes on a share of what was said. The embedded codec computes
# 36 more around each piece and its first sound waits for 20 codes in any case, so fewer would cost more than they hasten. Where
# a piece is a quarter of what is heard before it, no gap comes between the two while codes come 1.25 times as fast as sound.
PIECE, _SHARE = 10, 4

Pieces = Generator[np.ndarray, None, list[Chunk]]


def speak_stream(
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
) -> Pieces:
    """A text as pieces of its wave, float32[n] at `codec.output_rate`, none of them empty, each as early as it is certain.

    Prompts, seeds and pauses are those of `speak_long`, so the same is said in the same voice. What the generator returns at
    its end (`chunks = yield from ...`) are the chunks, as there. With the embedded codec the pieces joined are the wave of
    `speak_long` up to rounding; with another one near it (`vaak.codec.stream`). Raises `BadInput` at once, as `speak_long` does.
    """
    check_codec(model.vocabulary, codec)
    check_sampling(temperature, top_k, top_p)
    texts, voice = texts_of(text, longest), Voice(voice_description, voice_text, voice_codes)
    first = prompt_of(model, tokenizer, texts[0], voice)
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}

    def pieces() -> Pieces:
        chunks: list[Chunk] = []
        current, heard = voice, False
        for i, part in enumerate(texts):
            prompt, limit = prompt_of(model, tokenizer, part, current) if i else first
            codes = stream_codes(model, prompt, max_codes=limit, seed=chunk_seed(seed, i), **sampling)
            spoken = _spoken(codec, codes, pause(codec) if heard else None)
            chunks.append(Chunk(part, (yield from spoken)))
            heard = heard or len(chunks[-1].generation.codes) > 0
            current = current.after(chunks[-1])
        return chunks

    return pieces()


def _spoken(
    codec: Codec, codes: Generator[int, None, bool], before: np.ndarray | None
) -> Generator[np.ndarray, None, Generation]:
    """The wave of one chunk in pieces, after the pause `before` it if it has any sound."""
    stream, said, at = open_stream(codec), [], 0
    while True:
        try:
            said.append(next(codes))
        except StopIteration as end:
            stopped = end.value
            break
        if len(said) - at >= max(PIECE, at // _SHARE):
            piece = stream.push(np.array(said[at:], np.uint16))
            at = len(said)
            if len(piece):
                yield from _led(before, piece)
                before = None
    rest = np.concatenate([stream.push(np.array(said[at:], np.uint16)), stream.finish()])
    if len(rest):
        yield from _led(before, rest)
    return Generation(np.array(said, np.uint16), stopped)


def _led(before: np.ndarray | None, piece: np.ndarray) -> Generator[np.ndarray, None, None]:
    if before is not None:
        yield before
    yield piece
