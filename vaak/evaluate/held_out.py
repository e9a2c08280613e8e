"""Judges that no reward listens with: a second recogniser, PLCMOS, and how lively and how fast the speech is.

A model that is trained to please judges gets better at pleasing them, whether or not it speaks better. So an evaluation of
an aligned run hears it with others too, on the same items; what changes between two checkpoints is judged by
`vaak.evaluate.held_out_changes`. Beside them stand the two figures that only the gates of the reward look at, so that the
reward itself can be told from the rows of an item (`vaak.evaluate.rewards`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vaak.corpus.pack_items import Prompt
from vaak.errors import BadInput
from vaak.evaluate.aligned import Aligned
from vaak.evaluate.recognition import HELD_OUT_COUNTED, id_of
from vaak.languages import language_of
from vaak.score import plcmos
from vaak.score.asr import POCKETSPHINX, WHISPER_TINY, Asr, is_installed, open_asr
from vaak.score.prosody import f0_spread, speaking_rate
from vaak.score.reward_gates import copied_share, level_db
from vaak.score.reward_settings import RewardSettings

# How each is computed: raise the number when its code changes what it gives.
VERSIONS = {
    **dict.fromkeys(HELD_OUT_COUNTED, 1),
    "plcmos": 1,
    "f0_spread": 1,
    "speaking_rate": 1,
    "level_db": 1,
    "copied": 1,
}


@dataclass(frozen=True)
class HeldOut:
    """What an evaluation with held-out judges has beside the usual ones.

    asr: a recogniser that is not the first one; None where there is none. reward: the settings by which the reward is told;
    None: not told. aligned: whether the run was trained on that reward, so that its rise while others fall is an alarm.
    """

    asr: Asr | None
    reward: RewardSettings | None = field(default_factory=RewardSettings)
    aligned: bool = False


def open_held_out(first: Asr, *, threads: int = 1) -> Asr | None:
    """A recogniser other than `first`: what `VAAK_HELD_OUT_ASR` names (as `open_asr` takes it), else Whisper tiny.en, else
    pocketsphinx, the first of these that is installed; None where none is.

    Raises `BadInput` when one of them is damaged, or the named one is `first`.
    """
    named = os.environ.get("VAAK_HELD_OUT_ASR")
    if named:
        asr = open_asr(named, threads=threads)
        if asr.hash == first.hash:
            raise BadInput(f"VAAK_HELD_OUT_ASR names {asr.name}, which is the first recogniser too; name another one")
        return asr
    for name in (WHISPER_TINY, POCKETSPHINX):
        if is_installed(name):
            asr = open_asr(name, threads=threads)
            if asr.hash != first.hash:
                return asr
    return None


def held_out_of(aligned: Aligned | None, asr: Asr | None, say: Callable[[str], None]) -> HeldOut:
    """What hears a run with such a recipe, `asr` being `open_held_out`: without that where the reward listened with it."""
    if aligned is None:
        return HeldOut(asr)
    if asr is not None and aligned.listens_with(asr):
        say(
            f"the reward of this run listened with {asr.name}: it is no held-out judge of it; name another in VAAK_HELD_OUT_ASR"
        )
        asr = None
    if aligned.reward is None:
        say("the recipe of this run has a reward that cannot be read: it is not told, and nothing is held against it")
    return HeldOut(asr, aligned.reward, aligned=True)


def versions(held_out: HeldOut) -> dict[str, str]:
    """Metric -> version of those that exist with what is installed; a network that measures is named."""
    named = {metric: str(number) for metric, number in VERSIONS.items()}
    for metric in HELD_OUT_COUNTED:
        if held_out.asr is None:
            del named[metric]
        else:
            named[metric] += f"+{id_of(held_out.asr)}"
    if plcmos.is_installed():
        named["plcmos"] += f"+{plcmos.NAME}"
    else:
        del named["plcmos"]
    return named


def metrics_of(prompt: Prompt, held_out: HeldOut, *, generated: bool) -> set[str]:
    """The metrics that exist for an item: decided by the prompt and what is installed, never by how the speech turned out."""
    names = versions(held_out).keys() - HELD_OUT_COUNTED.keys()
    if held_out.asr is not None and language_of(prompt.language) in held_out.asr.languages:
        names |= HELD_OUT_COUNTED.keys()
    if not generated or prompt.reference_codes is None or not len(prompt.reference_codes):
        names -= {"copied"}
    return names


def value_of(name: str, prompt: Prompt, wave: np.ndarray, rate: int, codes: np.ndarray) -> float:
    """One of the metrics that need no recogniser. `codes` int[n]: what was generated; read by "copied" alone."""
    if name == "copied":
        assert prompt.reference_codes is not None, "metrics_of names it only where there is a recording"
        return copied_share(codes, prompt.reference_codes)
    if name == "speaking_rate":
        return speaking_rate(prompt.text, prompt.language, wave, rate)
    return _OF_SOUND[name](wave, rate)


_OF_SOUND: dict[str, Callable[[np.ndarray, int], float]] = {
    "plcmos": plcmos.plcmos,
    "f0_spread": f0_spread,
    "level_db": level_db,
}
