"""Sheets of spectrograms: some sentences of a language side by side, the recording above what the model said."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaak.codec import read_audio
from vaak.demo.texts.rich.script import romanise
from vaak.languages import LANGUAGES
from vaak.page.sound import log_mel
from vaak.storage.files import write_bytes

RATE = 16000
LARGEST = 120_000  # bytes of a sheet
# Decibels below the loudest of a panel, but for the last half per cent, that are shown.
_RANGE_DB = 60.0
_FONT = "DejaVu Sans"  # in matplotlib itself


@dataclass(frozen=True)
class Panel:
    """One sentence: the recording (a file, or float32[T] at 16 kHz) and what was generated (float32[T] at 16 kHz)."""

    name: str
    text: str
    recorded: Path | np.ndarray
    generated: np.ndarray


def write_sheets(panels: Mapping[str, Sequence[Panel]], folder: Path) -> Iterator[Path]:
    """One WebP of at most 120 kB for each language, `voice-CODE.webp`; yields their paths as they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    for code, some in panels.items():
        path = folder / f"voice-{code}.webp"
        write_bytes(path, _small(_drawn(some, code)))
        yield path


def title(name: str, text: str, language: str) -> str:
    """What stands above a sentence: its text, romanised and behind its id where the font lacks a letter of it.

    The font has no Indic script, and a row of empty boxes says nothing; whatever it lacks after that is left out.
    """
    known = _letters()
    if not all(ord(letter) in known for letter in text):
        text = f"{name}: {romanise(text, language)}"
    clean = "".join(letter for letter in text if ord(letter) in known)
    return "\n".join(textwrap.wrap(" ".join(clean.split()), 34, max_lines=3, placeholder=" …")).replace("$", r"\$")


def _letters() -> frozenset[int]:
    from matplotlib import font_manager, ft2font

    path = font_manager.findfont(_FONT, fallback_to_default=True)
    return frozenset(ft2font.FT2Font(path).get_charmap())


def _drawn(panels: Sequence[Panel], code: str) -> bytes:
    """The sheet as PNG: a column for each sentence, both sounds on one axis of seconds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.0 * len(panels), 3.6), dpi=100, layout="constrained")
    axes = figure.subplots(2, len(panels), squeeze=False, sharey=True)
    for column, panel in enumerate(panels):
        recorded = panel.recorded if isinstance(panel.recorded, np.ndarray) else read_audio(panel.recorded, RATE)
        seconds = max(len(recorded), len(panel.generated), 1) / RATE
        for row, wave in enumerate((recorded, panel.generated)):
            _draw(axes[row, column], wave, seconds)
        axes[0, column].set_title(title(panel.name, panel.text, code), fontsize=8, family=_FONT)
        axes[1, column].set_xlabel("s", fontsize=7)
    for row, label in enumerate(("recording", "model")):
        axes[row, 0].set_ylabel(label, fontsize=9, family=_FONT)
    figure.suptitle(LANGUAGES[code].name if code in LANGUAGES else code, fontsize=10, family=_FONT)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw(axis, wave: np.ndarray, seconds: float) -> None:
    axis.set_xlim(0, seconds)
    axis.set_yticks([])
    axis.tick_params(labelsize=7)
    axis.set_facecolor("black")
    if not len(wave):
        axis.text(0.5, 0.5, "nothing", transform=axis.transAxes, color="white", ha="center", va="center", family=_FONT)
        return
    bands = log_mel(wave, RATE)
    loudest = max(float(np.quantile(bands, 0.995)), -60.0)  # or silence would be stretched to look like sound
    axis.imshow(
        bands, origin="lower", aspect="auto", cmap="magma", vmin=loudest - _RANGE_DB, vmax=loudest,
        extent=(0, len(wave) / RATE, 0, 1),
    )  # fmt: skip
    axis.set_xlim(0, seconds)


def _small(png: bytes) -> bytes:
    """The picture as WebP, as good as the limit of bytes allows."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    data = b""
    for quality in (85, 70, 55, 40, 25, 10):
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6)
        data = buffer.getvalue()
        if len(data) <= LARGEST:
            break
    return data
