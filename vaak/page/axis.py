"""What all drawings share: numbers in words, round ticks, a linear or logarithmic scale, the order of colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Six colours that stay apart for every common kind of colour vision (tests/page/test_colours.py); further series
# repeat them dashed, then dotted.
COLOURS = 6
_DASHES = 3


def series_classes(index: int) -> tuple[str, str]:
    """CSS classes of colour and dash for series number `index`."""
    return f"s{index % COLOURS}", f"d{index // COLOURS % _DASHES}"


def number(value: float) -> str:
    """A number for reading: thousands separated, four significant digits, small ones in powers of ten."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def tick_text(value: float) -> str:
    """A number as short as an axis wants it: 200k, 1.5M, 2e−4."""
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if size == 1e3 else 1):
            return f"{value / size:.4g}{suffix}".replace("-", "−")
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], near `about` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within [low, high], with 2 and 5 between them if there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 3.5 else (1, 2, 5)
    found = [factor * 10.0**decade for decade in decades for factor in factors]
    return [tick for tick in found if low * 0.999 <= tick <= high * 1.001] or [low, high]


@dataclass(frozen=True)
class Scale:
    """Maps data values to drawing units; `start` and `stop` are where `low` and `high` are drawn."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(max(value, self.low)), math.log(low), math.log(high)
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.stop - self.start), 1)

    def ticks(self, about: int = 6) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, about)
