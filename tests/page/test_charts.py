"""Curves, bars and histograms show what they were given: gaps, spikes, values in words."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.page import Bins, bar_chart, bins_of, histogram, line_chart
from vaak.page.axis import number, tick_text, ticks
from vaak.page.lines import rolling_mean, spread, thinned


def svg_of(html: str) -> ElementTree.Element:
    """The drawing of a figure (not the swatches of its legend); raises if it is not well-formed XML."""
    (drawing,) = re.findall(r'<svg(?: class="s0")? viewBox="[^"]+" role="img".*?</svg>', html, re.DOTALL)
    return ElementTree.fromstring(drawing)


def test_a_chart_says_its_curves_in_words_and_on_hover():
    html = line_chart({"Hindi & Urdu": ([1, 2, 3], [7.0, 5.0, 3.5])}, "Loss", "step", "nats")
    assert svg_of(html).get("aria-label") == "Loss. Hindi & Urdu: from 7 at 1 to 3.5 at 3."
    assert "<title>Hindi &amp; Urdu: 5 at 2</title>" in html
    assert 'aria-pressed="true"' in html  # the legend's button


def test_nan_breaks_a_curve_and_infinity_is_left_out():
    html = line_chart({"loss": ([1, 2, 3, 4, 5, 6], [3.0, 2.0, np.nan, 2.0, 1.0, np.inf])}, "Loss")
    path = re.search(r'class="curve stroke d0" d="([^"]+)"', html)
    assert path and path[1].count("M") == 2 and path[1].count("L") == 2


def test_a_chart_of_nothing_says_so():
    assert "No values yet" in line_chart({"a": ([], []), "b": ([1], [np.nan])}, "Loss")
    with pytest.raises(ValueError, match="2 x and 1 y"):
        line_chart({"a": ([1, 2], [1])}, "Loss")


def test_eighteen_curves_are_told_apart_by_colour_and_dash():
    html = line_chart({f"s{k}": ([0, 1], [k, k + 1]) for k in range(18)}, "Many")
    looks = re.findall(r'<g data-series="\d+" class="(s\d)"><path class="curve stroke (d\d)"', html)
    assert len(set(looks)) == 18


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show():
    html = line_chart({"loss": ([1, 2, 3], [10.0, 0.0, 0.001])}, "Overfit", log_y=True)
    assert ">0.01<" in html and "NaN" not in re.sub("<title>.*?</title>", "", html)


def test_smoothing_shows_the_raw_curve_behind_it():
    x = np.arange(200)
    html = line_chart({"loss": (x, np.cos(x))}, "Loss", smooth=20)
    assert 'class="raw stroke"' in html and "rolling mean of 20 points" in html


def test_rolling_mean_passes_over_nan():
    y = np.array([1.0, 3.0, np.nan, 5.0, 7.0])
    np.testing.assert_allclose(rolling_mean(y, 2), [1.0, 2.0, np.nan, 5.0, 6.0])
    np.testing.assert_allclose(rolling_mean(y, 1), y)


def test_a_million_points_are_thinned_and_no_spike_is_lost():
    y = np.sin(np.arange(1_000_000) / 1e5)
    y[123_456] = 40.0
    x, kept = thinned(np.arange(1_000_000), y)
    assert len(x) <= 602 and kept.max() == 40.0 and x[0] == 0 and x[-1] == 999_999


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_round_and_inside(low, width):
    found = ticks(low, low + width)
    slack = 1e-6 * max(abs(low), width)
    assert all(low - slack <= tick <= low + width + slack for tick in found) and len(found) <= 13


@given(st.lists(st.floats(0, 300), min_size=1, max_size=20))
def test_labels_are_spread_apart_within_the_drawing(places):
    moved = spread(sorted(places), 13, 0, 300)
    assert all(b - a >= 13 - 1e-6 for a, b in pairwise(moved)) and min(moved) >= -1e-6 and max(moved) <= 300


@pytest.mark.parametrize(
    "value,long,short",
    [(1234567, "1,234,567", "1.235M"), (0.00002, "2e-05".replace("-", "−"), "2e−5"), (-3, "−3", "−3"), (2.5e11, "250,000,000,000", "250B"),
     (2000, "2,000", "2000"), (float("nan"), "NaN", "nan")],
)  # fmt: skip
def test_numbers_for_reading_and_for_axes(value, long, short):
    assert (number(value), tick_text(value)) == (long, short)


def test_bars_write_their_values():
    html = bar_chart(
        {"raw": {"wanted": 0.82, "realised": 0.81}, "text": {"wanted": 0.1, "realised": float("nan")}},
        "Mass",
        form="{:.1%}",
    )
    drawing = svg_of(html)
    assert drawing.get("aria-label") == "Mass. raw: wanted 82.0%, realised 81.0%; text: wanted 10.0%, realised nan%"
    widths = [float(bar.get("width", "")) for bar in drawing.iter() if bar.tag.endswith("rect")]
    assert widths[0] > widths[1] > widths[2] > widths[3] == 0.0
    with pytest.raises(ValueError, match="negative"):
        bar_chart({"a": {"b": -1.0}}, "Mass")


def test_histograms_count_every_finite_value_once():
    values = np.random.default_rng(0).lognormal(1, 0.5, 1000)
    data = bins_of([*values, np.nan, np.inf], 30)
    assert sum(data.counts) == 1000 and len(data.edges) == 31
    assert svg_of(histogram(data, "Duration", "seconds")).get("aria-label", "").startswith("Duration: 1,000 values")
    for little in ([], [2.0], Bins((0.0, 1.0), (0,))):
        svg_of(histogram(little, "Little"))


def test_bins_of_equal_octaves_are_equally_wide_on_a_logarithmic_axis():
    html = histogram(Bins((8.0, 16.0, 32.0, 64.0), (1, 2, 3)), "Lengths", log=True)
    widths = [float(rect.get("width", "0")) for rect in svg_of(html).iter() if rect.tag.endswith("rect")]
    assert len(widths) == 3 and max(widths) - min(widths) < 0.3
    assert re.findall(r'text-anchor="middle">([^<]+)<', html) == ["10", "20", "50"]
    wide = histogram(Bins((8.0, 128.0, 16384.0), (1, 2)), "Lengths", log=True)
    assert re.findall(r'text-anchor="middle">([^<]+)<', wide) == ["10", "100", "1000", "10k"]


def test_a_band_surrounds_its_curve_and_has_the_gaps_of_its_edges():
    nan = np.nan
    low, high = [1.0, nan, 2.0, 2.0], [3.0, nan, 4.0, 4.0]
    html = line_chart({"en": ([1, 2, 3, 4], [2.0, 2.0, 3.0, 3.0])}, "WER", "step", bands={"en": (low, high)})
    (path,) = re.findall(r'class="band" d="([^"]+)"', html)
    assert path.count("M") == path.count("Z") == 2  # a lone point, then two together
    assert "to 3 at 4 (interval 2 to 4)." in str(svg_of(html).get("aria-label"))
    # The axis reaches as far as the band does, above the curve's highest value.
    heights = [float(pair.split()[1]) for pair in re.findall(r"[\d.]+ [\d.]+", path)]
    assert min(heights) > 0 and max(heights) < 330


def test_levels_are_lines_across_with_their_names_in_words():
    html = line_chart({"en": ([5], [0.2])}, "WER", "step", levels={"original": 0.1, "wrong text": 1.0})
    assert "original: level at 0.1; wrong text: level at 1." in str(svg_of(html).get("aria-label"))
    lines = re.findall(r'<line class="level" x1="58" y1="([\d.]+)" x2="\d+" y2="([\d.]+)"><title>', html)
    assert len(lines) == 2 and all(left == right for left, right in lines) and lines[0][0] > lines[1][0]


def test_what_decides_nothing_is_grey():
    assert 'class="chart undecided"' in line_chart({"hi": ([1, 2], [0.9, 0.8])}, "WER", undecided=True)
    assert "undecided" not in line_chart({"hi": ([1, 2], [0.9, 0.8])}, "WER")
