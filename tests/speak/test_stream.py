"""Sound in pieces: what is said, and heard, is what `speak_long` says at once."""

from typing import Any

import numpy as np
import pytest

from tests.speak.tiny_speaker import ToneCodec, tiny_model, tiny_tokenizer
from vaak.codec import open_codec
from vaak.errors import BadInput
from vaak.speak.long import speak_long
from vaak.speak.stream import PIECE, speak_stream

Speaker = tuple[Any, Any, Any]  # model, tokenizer, codec


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    """A random model with so few codes of the embedded codec's that it stops now and then."""
    tokenizer, codec = tiny_tokenizer(), open_codec("embedded")
    return tiny_model(base_size=tokenizer.size, codes=codec.codebook_size), tokenizer, codec


def gathered(stream):
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_the_pieces_are_the_wave_of_the_text_and_its_chunks(speaker: Speaker):
    text = "ab. cd."
    whole, wanted = speak_long(*speaker, text, longest=3, temperature=0)
    pieces, chunks = gathered(speak_stream(*speaker, text, longest=3, temperature=0))
    assert [chunk.text for chunk in chunks] == [chunk.text for chunk in wanted] == ["ab.", "cd."]
    for one, other in zip(chunks, wanted, strict=True):
        assert np.array_equal(one.generation.codes, other.generation.codes)
        assert one.generation.stopped == other.generation.stopped
    joined = np.concatenate(pieces)
    assert len(pieces) > 6 and all(len(piece) for piece in pieces)
    assert joined.shape == whole.shape and np.square(joined - whole).mean() < 1e-4 * np.square(whole).mean()


def test_the_first_piece_is_there_after_a_few_codes(speaker: Speaker, monkeypatch):
    import vaak.speak.stream as room

    drawn, real = [], room.stream_codes

    def counting(*arguments, **options):
        codes = real(*arguments, **options)
        while True:
            try:
                code = next(codes)
            except StopIteration as end:
                return end.value
            drawn.append(code)
            yield code

    monkeypatch.setattr(room, "stream_codes", counting)
    stream = speak_stream(*speaker, "the quick brown fox", temperature=0)
    assert not drawn and len(next(stream)) and len(drawn) <= 20 + 2 * PIECE


def test_bad_requests_are_refused_before_anything_is_said(speaker: Speaker):
    model, tokenizer, _ = speaker
    with pytest.raises(BadInput, match="empty"):
        speak_stream(*speaker, " ")
    with pytest.raises(BadInput, match="both"):
        speak_stream(*speaker, "the fox", voice_text="a dog")
    with pytest.raises(BadInput, match="codec"):
        speak_stream(model, tokenizer, ToneCodec(), "the fox")
