"""A million strings made to be nasty through every step of the text pipeline: does any raise, does any not settle?

The strings are those of tests/text/cleaning/fuzz.py: random Unicode of all planes, lone surrogates, pieces of markup, code, tables and
mojibake, mutated sentences of twelve languages. Each goes through cleaning and normalising until they settle, all three policies for
numerals, identification, filters, hash and signature, and the tokenizer.
Prints one line per figure: `python benchmarks/text_fuzz.py [--json PATH] [--strings N]`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from codec import at_least, at_most

from tests.text.cleaning.fuzz import strings
from tests.text.dumps import small_tokenizer
from vaak.grammar.fast_encoding import fast_encoder
from vaak.languages import LANGUAGES
from vaak.text.duplicates.signatures import fingerprints
from vaak.text.filters import filter_reason
from vaak.text.identifying.identify import identify
from vaak.text.numbers.numerals import numerals
from vaak.text.prepare import plain

BATCH = 500
POLICIES = ("keep", "native", "words")


def faults(seed_and_number: tuple[int, int]) -> tuple[int, list[str]]:
    """How many strings of a seed went through, and what was wrong, with the string."""
    seed, number = seed_and_number
    encode = fast_encoder(small_tokenizer()).encode
    languages, found, done = list(LANGUAGES), [], 0
    remaining = strings(seed, number)
    while batch := list(islice(remaining, BATCH)):
        settled = []
        for raw in batch:
            language = languages[done % len(languages)]
            done += 1
            try:
                text = plain(raw, language)
                if plain(text, language) != text:
                    found.append(f"not settled in {language}: {raw!r}")
                identify(text, language)
                filter_reason(text)
                for policy in POLICIES:
                    read = numerals(text, language, policy)
                    if numerals(read, language, policy) != read:
                        found.append(f"numerals {policy} in {language}: {raw!r}")
                encode(read)
                settled.append(read)
            except Exception as error:
                found.append(f"{error!r} in {language}: {raw!r}")
        try:
            fingerprints(settled)
        except Exception as error:
            found.append(f"{error!r} in signatures of {settled!r}")
    return done, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--strings", type=int, default=1_000_000)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    pieces = max(cores, 50)
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        work = [(seed, -(-arguments.strings // pieces)) for seed in range(1, pieces + 1)]
        told = list(pool.imap_unordered(faults, work))
    wrong = [line for _, lines in told for line in lines]
    for line in wrong[:20]:
        print(line)
    print(f"{time.monotonic() - started:.0f} s")
    figures = [
        at_least("strings", sum(done for done, _ in told), arguments.strings, "the goal's million"),
        at_most("strings that raised or did not settle", len(wrong), 0, "none"),
    ]
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
