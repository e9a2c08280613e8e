"""How lively and how fast somebody speaks: the spread of the pitch, and written units a second. No network.

Both are what a model loses that is rewarded for clear words and clean sound: reports of reinforcement learning on speech
name flattened, hurried reading as the first thing to go, which neither a recogniser nor a judge of quality hears.
"""

from __future__ import annotations

import numpy as np

from vaak.codec.pitch import track_pitch
from vaak.score.asr import at_rate
from vaak.score.error_rate import written_units
from vaak.score.sanity import FRAME_S, speech_frames

# Fewer voiced frames of 10 ms than this say nothing of a melody.
_LEAST_VOICED = 10
# A frame further from the median than this is a mistake of the tracker, whose mistakes are whole octaves.
_MOST_SEMITONES = 9.0


def f0_spread(wave: np.ndarray, rate: int) -> float:
    """Standard deviation of the pitch of `wave` (float[T], `rate` Hz) over its voiced frames, in semitones.

    Frames further than 9 semitones from the median are left out. 0.0, as of a voice on one note, where fewer than 10
    frames are voiced.
    """
    f0, voiced = track_pitch(at_rate(wave, rate))
    if voiced.sum() < _LEAST_VOICED:
        return 0.0
    semitones = 12 * np.log2(f0[voiced].astype(np.float64))
    from_median = semitones - np.median(semitones)
    return float(np.std(from_median[np.abs(from_median) <= _MOST_SEMITONES]))


def speaking_rate(text: str, language: str, wave: np.ndarray, rate: int) -> float:
    """Written units of `text` a second of `wave` (float[T], `rate` Hz), from its first frame of speech to its last.

    Letters of an English text as it is read aloud, aksharas of an Indic one (`vaak.score.error_rate.written_units`), so
    figures of two languages are on two scales. 0.0 where there is no speech. Of what should be said, not of what was:
    a sample that leaves half of its text out is fast.
    """
    at = np.flatnonzero(speech_frames(wave, rate))
    return len(written_units(text, language)) / ((at[-1] - at[0] + 1) * FRAME_S) if len(at) else 0.0
