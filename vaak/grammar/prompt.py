"""The one prompt grammar: `[voice_start voice voice_end] transcript speech_start codes speech_end`.

Training, evaluation and `vaak speak` all build their ids here. Raw audio is `Vocabulary.speech_ids` of its codes and
text is its tokenizer's ids with the end-of-text id at its end; neither has a control token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vaak.errors import BadInput
from vaak.grammar.vocabulary import Vocabulary

# The label that cross-entropy leaves out.
IGNORED = -100


def prompt_ids(vocabulary: Vocabulary, transcript_ids: ArrayLike, voice_ids: ArrayLike | None = None) -> np.ndarray:
    """What stands before the codes: `[voice_start voice voice_end] transcript speech_start`, int64[n].

    Both arguments are ids of the base tokenizer; no or an empty voice description leaves its two marks out.
    Raises `BadInput` if an id is not one of the base tokenizer, so no transcript can carry a control token.
    """
    transcript = _text_ids(vocabulary, transcript_ids, "transcript")
    voice = _text_ids(vocabulary, voice_ids if voice_ids is not None else [], "voice description")
    ids = np.empty(len(transcript) + (len(voice) + 2 if len(voice) else 0) + 1, np.int64)
    write_prompt(vocabulary, ids, transcript, voice)
    return ids


def write_prompt(
    vocabulary: Vocabulary, ids: np.ndarray, transcript: np.ndarray, voice: Sequence | np.ndarray = ()
) -> int:
    """Write a prompt to the beginning of `ids` (int64) and return its length. Nothing is checked here.

    The one place that knows the order; loaders write whole batches with it.
    """
    at = 0
    if len(voice):
        ids[0] = vocabulary.voice_start
        at = len(voice) + 2
        ids[1 : at - 1] = voice
        ids[at - 1] = vocabulary.voice_end
    end = at + len(transcript)
    ids[at:end] = transcript
    ids[end] = vocabulary.speech_start
    return end + 1


def paired_ids(
    vocabulary: Vocabulary, transcript_ids: ArrayLike, codes: ArrayLike, voice_ids: ArrayLike | None = None
) -> np.ndarray:
    """A whole paired document: the prompt, the codes as speech ids, and speech_end, int64[n]."""
    return np.concatenate(
        [
            prompt_ids(vocabulary, transcript_ids, voice_ids),
            vocabulary.speech_ids(codes),
            np.array([vocabulary.speech_end], np.int64),
        ]
    )


def pretrain_labels(ids: ArrayLike) -> np.ndarray:
    """Next-token targets of one document, already shifted: `labels[t] = ids[t + 1]`, the last is -100; int64[n]."""
    ids = np.asarray(ids, np.int64)
    labels = np.full(ids.shape, IGNORED, np.int64)
    labels[:-1] = ids[1:]
    return labels


def sft_labels(vocabulary: Vocabulary, ids: ArrayLike) -> np.ndarray:
    """Targets of one paired document, already shifted: speech_start .. speech_end, both included; int64[n].

    `labels[t]` is predicted at position t: everything before speech_start is -100, and so is the last label.
    Raises `BadInput` unless the document has one speech_start and ends with its speech_end: a document cut before
    its end would teach endless speech.
    """
    ids = np.asarray(ids, np.int64)
    starts = np.flatnonzero(ids == vocabulary.speech_start)
    if len(starts) != 1 or ids[-1] != vocabulary.speech_end:
        raise BadInput(
            f"a paired document needs one speech_start and speech_end as its last id; this one of {len(ids)} ids has "
            f"{len(starts)} and ends with id {ids[-1] if len(ids) else None}"
        )
    labels = pretrain_labels(ids)
    labels[: max(starts[0] - 1, 0)] = IGNORED
    return labels


def _text_ids(vocabulary: Vocabulary, ids: ArrayLike, what: str) -> np.ndarray:
    array = np.asarray(ids)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise BadInput(f"a {what} must be a list of integer ids, not {array.dtype}[{array.ndim} dimensions]")
    wide = array.astype(np.int64)
    if wide.min() < 0 or wide.max() >= vocabulary.base_size:
        raise BadInput(f"a {what} holds id {wide.max()}, but the base tokenizer ends at {vocabulary.base_size - 1}")
    return wide
