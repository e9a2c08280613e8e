"""Festival from Debian: diphones and statistical voices. A variant is what `(voice.list)` says, such as `kal_diphone`."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from vaak.errors import BadInput

LICENCE = (
    "X11-like, English voices too; voices of Czech, Italian and the Indian languages GPL, of Catalan and Finnish LGPL,"
    " of Russian BSD-like"
)
_LONGEST = 120  # seconds that it may take for one text
_UNSPOKEN = re.compile(r'[\\"]|\s[-–—]\s|[–—…]')  # what ends a string, and dashes, at which the Russian voice gives up
# Old voices read the eight-bit letters of their time.
_ENCODING = {"cs": "iso-8859-2", "fi": "iso-8859-1", "it": "iso-8859-1", "ca": "iso-8859-1"}


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] and its rate in Hz, that of the voice."""
    import soundfile

    said = _UNSPOKEN.sub(" ", text)
    with tempfile.TemporaryDirectory() as folder:
        script, path = Path(folder) / "say.scm", Path(folder) / "speech.wav"
        lines = [
            f"(voice_{variant})",
            f"(Parameter.set 'Duration_Stretch {1 / speed:.4f})",
            f'(set! said (SynthText "{said}"))',
            f'(utt.save.wave said "{path}" \'riff)',
        ]
        script.write_bytes("\n".join(lines).encode(_ENCODING.get(language, "utf-8"), errors="replace"))
        _run(["-b", str(script)])
        if not path.is_file():
            raise BadInput(
                f"festival did not speak {text[:40]!r} as {variant!r}: install the voice (apt-cache search festvox)"
            )
        return soundfile.read(path, dtype="float32")


def version() -> str:
    return " ".join(_run(["--version"]).split()[1:6]).replace(" System:", "")


def _run(arguments: list[str]) -> str:
    try:
        found = subprocess.run(["festival", *arguments], check=False, capture_output=True, timeout=_LONGEST)
    except FileNotFoundError:
        raise BadInput("this voice needs festival: apt-get install festival") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"festival did not end within {_LONGEST} s: run it again on a less busy machine") from None
    return found.stdout.decode("utf-8", "replace")
