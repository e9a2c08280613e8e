"""Who the codec hears while it is trained, for how many minutes, and whom it never hears.

The voices of the example (`vaak.demo.voices`) are all here but those that it holds out, and many more besides: a codec
that knows few voices makes strangers unintelligible. English that a recogniser understands has more than half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vaak.demo.voices import VOICES, Voice
from vaak.languages import LANGUAGES

# What the codec never hears: (language, voice), `*` for every one. It meets them in the held-out audio only.
HELD_OUT: Sequence[tuple[str, str, str]] = (
    ("en", "awb", "a statistical English voice, held out in the example too"),
    ("en", "bf_emma", "a neural English voice"),
    ("ta", "meera", "a pair: Meera is heard in Hindi, Bengali and Marathi, and Tamil from Asha and Ravi"),
    ("hi", "kiran", "held out in the example too"),
    ("*", "librivox", "readers of LibriVox, in pocketsphinx-testdata"),
    ("*", "tuxpaint-el", "the Greek speaker of tuxpaint-stamps-default"),
)


@dataclass(frozen=True)
class Share:
    """A voice and how many minutes of it the codec hears."""

    voice: Voice
    minutes: float


# English, minutes. heart, slt and rms also speak the example, as joe and some of Kokoro do that stand further down; the
# larger ones of Kokoro are those it rates best.
_EXAMPLE_ENGLISH = {"heart": 90.0, "slt": 45.0, "rms": 45.0}
_KOKORO_LARGE = ("af_bella", "am_michael", "am_fenrir", "af_sarah", "bm_george", "bm_fable", "af_kore", "am_puck")
_KOKORO_LARGE_MINUTES = 11.0
_KOKORO_SMALL = [
    "af_alloy",
    "af_aoede",
    "af_jessica",
    "af_nicole",
    "af_nova",
    "af_river",
    "af_sky",
    "am_adam",
    "am_echo",
    "am_eric",
    "am_liam",
    "am_onyx",
    "am_santa",
    "bf_alice",
    "bf_isabella",
    "bf_lily",
    "bm_daniel",
    "bm_lewis",
]
_KOKORO_SMALL_MINUTES = 4.0
_ENGLISH = (
    Share(Voice("joe", "piper", "en", "joe", "Joe, a man"), 70.0),
    Share(Voice("slt-hts", "festival", "en", "cmu_us_slt_arctic_hts", "Susan, another engine"), 25.0),
    Share(Voice("kal", "festival", "en", "kal_diphone", "a man"), 15.0),
    Share(Voice("ked", "festival", "en", "ked_diphone", "a man"), 15.0),
    Share(Voice("kal16", "flite", "en", "kal16", "the man of kal, another engine"), 5.0),
)

# Indic: what an hour of espeak-ng leaves to each voice and language of the example, and better or other voices.
_ESPEAK_MINUTES = 6.0
_INDIC = (
    *(Share(Voice(name, "kokoro", "hi", name, name), 5.0) for name in ("hf_alpha", "hf_beta", "hm_omega", "hm_psi")),
    Share(Voice("nsk", "festival", "hi", "hindi_NSK_diphone", "a man"), 8.0),
    Share(Voice("nsk", "festival", "mr", "marathi_NSK_diphone", "a man"), 8.0),
    Share(Voice("nsk", "festival", "te", "telugu_NSK_diphone", "a man"), 8.0),
)

# Strangers: variants of espeak-ng in Indic languages, and voices of languages that Vaak does not have.
_ESPEAK_STRANGERS = [
    "f5",
    "m1",
    "m5",
    "m7",
    "Andy",
    "belinda",
    "Denis",
    "Mr_serious",
    "Alicia",
    "linda",
    "m8",
    "iven3",
    "Michael",
    "norbert",
]
_ESPEAK_STRANGER_MINUTES = 2.0
_KOKORO_STRANGERS = {
    "es": ("ef_dora", "em_alex"),
    "it": ("if_sara", "im_nicola"),
    "pt": ("pf_dora", "pm_alex"),
    "fr": ("ff_siwis",),
}
_KOKORO_STRANGER_MINUTES = 2.0
_FESTIVAL_STRANGERS = (
    ("cs", "czech_dita"),
    ("cs", "czech_krb"),
    ("cs", "czech_machac"),
    ("cs", "czech_ph"),
    ("it", "lp_diphone"),
    ("it", "pc_diphone"),
    ("fi", "suo_fi_lj_diphone"),
    ("fi", "hy_fi_mv_diphone"),
    ("ca", "upc_ca_ona_hts"),
    ("ru", "msu_ru_nsh_clunits"),
)
_FESTIVAL_STRANGER_MINUTES = 3.0


def is_held_out(language: str, name: str) -> bool:
    """Whether the codec must never hear that voice in that language."""
    return any(name == held and language_ in ("*", language) for language_, held, _ in HELD_OUT)


def shares() -> list[Share]:
    """Every synthetic voice, those that are held out with 0 minutes."""
    kokoro = [(name, _KOKORO_LARGE_MINUTES) for name in _KOKORO_LARGE]
    kokoro += [(name, _KOKORO_SMALL_MINUTES) for name in (*_KOKORO_SMALL, "bf_emma")]
    english = [Share(Voice(name, "kokoro", "en", name, name), minutes) for name, minutes in kokoro]
    listed = [*_ENGLISH, *english, *_INDIC, *_strangers()]
    elsewhere = {(share.voice.language, share.voice.name) for share in listed}
    example = [voice for voice in VOICES if (voice.language, voice.name) not in elsewhere]
    found = [*(Share(v, _EXAMPLE_ENGLISH.get(v.name, _ESPEAK_MINUTES)) for v in example), *listed]
    return [Share(s.voice, 0.0 if is_held_out(s.voice.language, s.voice.name) else s.minutes) for s in found]


def _strangers() -> list[Share]:
    indic = [code for code in LANGUAGES if code != "en"]
    found = []
    for n, name in enumerate(_ESPEAK_STRANGERS):
        code = indic[n % len(indic)]
        voice = Voice(name, "espeak", code, f"{LANGUAGES[code].espeak}+{name}", name)
        found.append(Share(voice, _ESPEAK_STRANGER_MINUTES))
    for language, names in _KOKORO_STRANGERS.items():
        found += [Share(Voice(n, "kokoro", language, n, n), _KOKORO_STRANGER_MINUTES) for n in names]
    for language, name in _FESTIVAL_STRANGERS:
        found.append(Share(Voice(name, "festival", language, name, name), _FESTIVAL_STRANGER_MINUTES))
    return found
