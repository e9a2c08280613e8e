"""One text to one wave: the training grammar's prompt, generated codes, the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vaak.codec import Codec, open_codec
from vaak.errors import BadInput
from vaak.grammar.prompt import prompt_ids
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.model.sampling import TEMPERATURE, TOP_K, TOP_P
from vaak.speak.generation import Generation, generate

# Slow speech has about eight characters a second, and no text is shorter than a second and a half.
_CODES_PER_CHARACTER, _FEWEST_CODES = 50 / 8, 75


def likely_codes(text: str) -> int:
    """A generous bound on the codes of `text` at 50 codes a second: where generation is cut if it does not stop."""
    return _FEWEST_CODES + int(_CODES_PER_CHARACTER * len(text))


def build_prompt(
    vocabulary: Vocabulary,
    tokenizer: TextTokenizer,
    text: str,
    *,
    voice_description: str | None = None,
    voice_text: str | None = None,
    voice_codes: np.ndarray | None = None,
) -> np.ndarray:
    """Ids that a model continues with the codes of `text`, int64[n]; built by the grammar that built its training rows.

    A voice is cloned by continuation: the reference's transcript stands before the text, its codes (any integer
    dtype) after speech_start, and the model goes on in that voice. Raises `BadInput` for an empty text, or for a
    reference without its transcript or its codes.
    """
    if not text.strip():
        raise BadInput("the text is empty; give at least one word to speak")
    if (voice_text is None) != (voice_codes is None):
        raise BadInput("a reference voice needs both its codes and the text that it says; give both or neither")
    if voice_text is not None:
        text = f"{voice_text.strip()} {text.strip()}"
    voice = tokenizer.encode(voice_description) if voice_description else None
    ids = prompt_ids(vocabulary, tokenizer.encode(text), voice)
    return ids if voice_codes is None else np.concatenate([ids, vocabulary.speech_ids(voice_codes)])


def speak(
    model,
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
    max_codes: int | None = None,
) -> tuple[np.ndarray, Generation]:
    """`text` as a wave (float32[T] at `codec.output_rate`) and its codes, without those of the reference voice.

    The wave is empty when the model stopped at once. Raises `BadInput` when codec and model have other codebooks.
    """
    check_codec(model.vocabulary, codec)
    prompt = build_prompt(
        model.vocabulary,
        tokenizer,
        text,
        voice_description=voice_description,
        voice_text=voice_text,
        voice_codes=voice_codes,
    )
    limit = likely_codes(text) if max_codes is None else max_codes
    [generation] = generate(
        model, [prompt], max_codes=limit, temperature=temperature, top_k=top_k, top_p=top_p, seeds=[seed]
    )
    return vocode(codec, generation.codes), generation


def vocode(codec: Codec, codes: np.ndarray) -> np.ndarray:
    """Codes to float32[T]; no codes are an empty wave."""
    return codec.decode(codes) if len(codes) else np.zeros(0, np.float32)


def check_codec(vocabulary: Vocabulary, codec: Codec) -> None:
    """Raises `BadInput` unless the codec has the codebook size that the model was trained for."""
    if codec.codebook_size != vocabulary.codebook_size:
        raise BadInput(
            f"codec {codec.name} has {codec.codebook_size} codes, the model {vocabulary.codebook_size}; "
            "use the codec that the model was trained with"
        )


def open_speaker(folder: str | Path, codec: str = "embedded"):
    """(model, tokenizer, codec) of a checkpoint or export folder, ready for `speak`."""
    from vaak.model import open_model

    model = open_model(Path(folder))
    model.eval()
    opened = open_codec(codec)
    check_codec(model.vocabulary, opened)
    return model, load_tokenizer(folder), opened
