"""Documents that are no text to learn from: the same words again and again, or more signs and digits than words.

The rules are those of Gopher (Rae et al. 2021, appendix A.1.1) with other limits. Shares are counted in words, not in
characters: a word of Tamil has twice the letters of an English one, and a limit in words holds for both. The limits let a
song with a refrain pass, and documents of 128 characters, in which one phrase twice is already a large share.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import count, pairwise

import numpy as np

from vaak.text.identifying.scripts import PLANE, classes_of

# A refrain after each of five verses is a quarter of the lines of a song; in a listing with the same line under each entry
# it is half.
DUPLICATE_LINES = 0.4
LEAST_LINES = 6
# Share of the words that belong to the most frequent run of 2, 3, 4 words, if it stands there at least five times: four times
# in a paragraph is a figure of speech ("it would be ..., it would be ..."). Gopher, for whole pages: 0.20, 0.18, 0.16; the
# articles of a law that begin alike ("everyone has the right to ...") reach a third, lists of key words three quarters.
TOP_RUNS = {2: 0.25, 3: 0.35, 4: 0.40}
LEAST_TIMES = 5
# Share of the words in runs of 5, 10 words that stood in the document before. Gopher: 0.15 and 0.10, which would drop songs,
# and laws, whose articles begin alike.
REPEATED_RUNS = {5: 0.4, 10: 0.3}
LEAST_REPEATED = 10  # words
# No language has words of so many characters on average: what follows is a run without spaces, repeated if zlib can press
# it to a twentieth (300 kB of Tamil: a quarter).
LONG_WORDS = 40
PRESSED = 0.05

# Shares of the characters that are not spaces.
SYMBOLS = 0.10  # neither letters, marks, digits nor punctuation of sentences: # * | • and emoji
PUNCTUATION = 0.30  # dots that lead to page numbers, rows of dashes; a dialogue of short words has a fifth
DIGITS = 0.30  # price lists and tables; a chronicle with a date in each sentence has a sixth
# Shares of the lines.
BULLETS = 0.9  # nothing but points: menus, tags. A recipe has sentences beside its list.
ELLIPSES = 0.3  # teasers of other pages

_BULLET = "•‣●▪■◦○►▶*-–·"
_SENTENCE_PUNCTUATION = ".,;:!?'\"()-–—।॥…‘’“”«»/%&₹$£€॰۔၊"
_LETTER, _DIGIT, _PUNCTUATION, _SYMBOL, _SPACE = range(5)
_RULES = sorted({*TOP_RUNS, *REPEATED_RUNS})


def filter_reason(text: str) -> str | None:
    """Why the document may not stay: "repetition", "symbols", or None if it may. Never raises on any string; linear in its length."""
    lines = []
    if text.count("\n") >= LEAST_LINES - 1:  # no rule is for fewer
        lines = [line for line in map(str.strip, text.split("\n")) if line]
    words = text.split()
    if not words:
        return None  # nothing is neither; too short is another reason
    if len(text) > LONG_WORDS * (len(words) + 1):
        return "repetition" if _is_pressed_small(text) else "symbols"
    if _has_repeated_lines(lines) or has_repeated_runs(words):
        return "repetition"
    if _has_many_signs(text) or _has_bullets_or_ellipses(lines):
        return "symbols"
    return None


def _has_repeated_lines(lines: list[str]) -> bool:
    return len(lines) >= LEAST_LINES and 1.0 - len(set(lines)) / len(lines) > DUPLICATE_LINES


def has_repeated_runs(words: list[str]) -> bool:
    """Whether runs of words repeat beyond `TOP_RUNS` or `REPEATED_RUNS`.

    A repeated run of n words is a repeated run of every shorter length, so few repeats of a short run rule out the rules
    for longer ones: first for pairs, which a set counts fastest and of which ordinary text has far too few.
    """
    if len(words) - 1 - len(set(pairwise(words))) < _pairs_needed(len(words)):
        return False
    for place, (n, runs) in enumerate(_runs(words, _RULES)):
        ordered = np.sort(runs)
        repeats = np.count_nonzero(ordered[1:] == ordered[:-1])
        if all(repeats < _repeats_needed(m, n, len(words)) for m in _RULES[place:]):
            return False
        if repeats < _repeats_needed(n, n, len(words)):
            continue
        if n in TOP_RUNS and _is_top_run_frequent(ordered, n, len(words)):
            return True
        if n in REPEATED_RUNS and _are_runs_repeated(runs, n, len(words)):
            return True
    return False


def _runs(words: list[str], lengths: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Each length n and a number for every run of n words (int64 [words - n + 1]), equal for equal runs and only for them.

    A run is the pair of a shorter run and of what follows it; a pair (a, b) is the number a * (how many b there are) + b.
    """
    index = dict(zip(dict.fromkeys(words), count(), strict=False))
    single = np.fromiter(map(index.__getitem__, words), np.int64, len(words))
    known = {1: (single, len(index))}
    for n in lengths:
        half = n // 2
        first, rest = (half, half) if n % 2 == 0 and half in known else (n - 1, 1)
        if n > len(words) or first not in known:
            return
        (left, n_left), (right, n_right) = known[first], known[rest]
        if n_left * n_right >= 1 << 62:  # numbers this large would not fit: count them from 0 again
            distinct, left = np.unique(left, return_inverse=True)
            n_left = len(distinct)
            if rest == first:
                right, n_right = left, n_left
        runs = left[: len(words) - n + 1] * n_right + right[first : len(words) - rest + 1]
        known[n] = (runs, n_left * n_right)
        yield n, runs


def _is_top_run_frequent(ordered: np.ndarray, n: int, n_words: int) -> bool:
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
    times = int(np.diff(starts).max())
    return times >= LEAST_TIMES and times * n > TOP_RUNS[n] * n_words


def _are_runs_repeated(runs: np.ndarray, n: int, n_words: int) -> bool:
    """Whether the words in runs that stood before are too many; a word in two such runs counts once."""
    repeats = np.ones(len(runs), bool)
    repeats[np.unique(runs, return_index=True)[1]] = False
    covered = np.zeros(n_words, bool)
    for shift in range(n):
        covered[shift : shift + len(runs)] |= repeats
    repeated = int(covered.sum())
    return repeated >= LEAST_REPEATED and repeated > REPEATED_RUNS[n] * n_words


@lru_cache(4096)
def _pairs_needed(n_words: int) -> float:
    """With fewer repeated pairs of words than this a document of so many words breaks no rule."""
    return min(_repeats_needed(n, 2, n_words) for n in _RULES)


def _repeats_needed(n: int, counted: int, n_words: int) -> float:
    """With fewer repeated runs of `counted` words than this the rules for runs of n words (`counted` or more) hold.

    A repeated run of n words has n - counted + 1 repeated runs of `counted` in it. Where repeated runs of n cover some
    words, the fewest there can be is that many for each n words: when the runs stand side by side.
    """
    needed = []
    if n in TOP_RUNS:
        needed.append(max(LEAST_TIMES, TOP_RUNS[n] * n_words / n) - 1)
    if n in REPEATED_RUNS:
        needed.append(max(LEAST_REPEATED, REPEATED_RUNS[n] * n_words) * (n - counted + 1) / n)
    return min(needed)


def _is_pressed_small(text: str) -> bool:
    data = text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(data, 1)) < PRESSED * len(data)


def _has_many_signs(text: str) -> bool:
    signs = classes_of(text, _classes()).translate(None, bytes([_LETTER]))
    full = max(1, len(text) - signs.count(_SPACE))
    return (
        signs.count(_SYMBOL) > SYMBOLS * full
        or signs.count(_PUNCTUATION) > PUNCTUATION * full
        or signs.count(_DIGIT) > DIGITS * full
    )


def _has_bullets_or_ellipses(lines: list[str]) -> bool:
    if len(lines) < LEAST_LINES:
        return False
    bullets = sum(line[0] in _BULLET for line in lines)
    ellipses = sum(line.endswith(("...", "…")) for line in lines)
    return bullets > BULLETS * len(lines) or ellipses > ELLIPSES * len(lines)


@cache
def _classes() -> np.ndarray:
    """Class of every code point of the first plane and one for those above, uint8 [0x10001]. Vowel signs and joiners are letters."""
    table = np.full(PLANE + 1, _SYMBOL, np.uint8)
    for point in range(PLANE):
        char = chr(point)
        category = unicodedata.category(char)
        if char in _SENTENCE_PUNCTUATION:
            table[point] = _PUNCTUATION
        elif category[0] in "LM" or char in "\u200c\u200d":
            table[point] = _LETTER
        elif category[0] == "N":
            table[point] = _DIGIT
        elif char.isspace():
            table[point] = _SPACE
    return table
