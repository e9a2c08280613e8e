"""The six colours of curves stay apart for common kinds of colour vision, and stand out from the page."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

# Machado, Oliveira and Fernandes 2009, full severity, in linear RGB.
VISION = {
    "common": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def schemes() -> list[dict[str, np.ndarray]]:
    """Linear RGB of every colour variable, for the light and the dark scheme."""
    style = (files("vaak.page") / "templates" / "style.css.j2").read_text()
    blocks = re.findall(r":root \{([^}]*)\}", style)[:2]
    found = []
    for block in blocks:
        pairs = re.findall(r"--([\w-]+): #([0-9a-f]{6})", block)
        found.append(
            {name: (np.array([int(code[at : at + 2], 16) for at in (0, 2, 4)]) / 255) ** 2.2 for name, code in pairs}
        )
    return found


def lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of linear sRGB."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(np.clip(matrix @ np.clip(linear, 0, 1), 1e-6, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart(scheme, vision):
    colours = schemes()[scheme]
    seen = {name: lab(VISION[vision] @ colours[name]) for name in (f"c{k}" for k in range(6))}
    distances = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(seen, 2)}
    nearest = min(distances, key=lambda pair: distances[pair])
    assert distances[nearest] > 10, f"{nearest} are {distances[nearest]:.1f} apart"


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_4_5_and_curves_3(scheme):
    colours = schemes()[scheme]

    def contrast(a: str, b: str) -> float:
        high, low = sorted((float(colours[name] @ [0.2126, 0.7152, 0.0722]) for name in (a, b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for name in ("ink", "quiet", "accent", "good", "warning", "error"):
        assert contrast(name, "card") >= 4.5 and contrast(name, "ground") >= 4.5, name
    for state in ("good", "warning", "error"):
        assert contrast(state, f"{state}-ground") >= 4.5, state
    for k in range(6):
        assert contrast(f"c{k}", "card") >= 3, k
