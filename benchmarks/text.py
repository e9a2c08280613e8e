"""From a crawl's dump to frozen ids: how fast is each step of the text pipeline, and the whole, beside its libraries and datatrove?

The dump (_text_documents.py) is like a crawl's, in twelve languages, half of it English. Steps and libraries are measured alone on one
core, over the same documents, in MB of UTF-8 per second of CPU. The whole is `vaak text build` with two processes on two cores, the
start of its processes included; the peer is an equivalent pipeline of datatrove's own blocks (_text_datatrove.py) with two workers,
in the same run, in turn. Near duplicates have a benchmark of their own, text_dedupe.py.
Prints one line per figure: `python benchmarks/text.py [--json PATH] [--megabytes N]`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Every step has one core, here and in the processes that are started.
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}

import yaml
from _text_datatrove import missing, run_datatrove
from _text_documents import ENGLISH, Dump, texts_of, write_dump
from _text_libraries import library_steps, megabytes_per_second
from codec import Figure, at_least

from vaak.grammar.fast_encoding import fast_encoder
from vaak.grammar.tokenizer import TextTokenizer, load_tokenizer, train_tokenizer
from vaak.languages import LANGUAGES
from vaak.text.cleaning.clean import clean
from vaak.text.duplicates.signatures import fingerprints
from vaak.text.filters import filter_reason
from vaak.text.identifying.identify import identify
from vaak.text.normalising.normalise import normalise
from vaak.text.numbers.numerals import numerals
from vaak.text.prepare import plain

PROCESSES = 2
REPEATS = 3
# The one library for each step that the whole is held against; the others are printed to compare with. The pipeline tokenizes
# by tiktoken, and its classifiers see less.
CALLED = (
    "tokenizers encode_batch_fast", "ftfy is_bad", "pycld2 detect, 1,000 characters", "py3langid classify, 1,000 characters",
    "rensa signature of word pairs",
)  # fmt: skip
_SHARE = {language: ENGLISH if language == "en" else (1 - ENGLISH) / (len(LANGUAGES) - 1) for language in LANGUAGES}

Step = Callable[[Sequence[str]], object]
# What each of our builds took, and each of the peer's.
Turns = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def real_tokenizer() -> TextTokenizer:
    """Qwen3's own, where `make setup` could fetch it, else one of ours."""
    published = Path(sys.prefix) / "tokenizers" / "qwen3"
    if (published / "tokenizer.json").exists():
        return load_tokenizer(published)
    print("note: Qwen3's tokenizer is not there; a small one is trained instead")
    from vaak.demo.texts import sentences_of

    return train_tokenizer([one for language in LANGUAGES for one in sentences_of(language)], 20_000)


def own_steps(language: str, tokenizer: TextTokenizer) -> dict[str, Step]:
    """The steps of the pipeline on raw documents of a language, each as `prepare` calls it."""
    encode = fast_encoder(tokenizer).encode
    return {
        "clean": lambda texts: [clean(text) for text in texts],
        "normalise": lambda texts: [normalise(text, language) for text in texts],
        "clean and normalise until settled": lambda texts: [plain(text, language) for text in texts],
        "identify": lambda texts: [identify(text, language) for text in texts],
        "numerals in words": lambda texts: [numerals(text, language, "words") for text in texts],
        "filter": lambda texts: [filter_reason(text) for text in texts],
        "tokenize": lambda texts: [encode(text) for text in texts],
        "hash and signature": fingerprints,
    }


def by_step(dump: Dump, tokenizer: TextTokenizer, path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """MB/s of each step and of each library over the dump's mixture of languages, on one core."""
    own: dict[str, float] = {}
    libraries: dict[str, float] = {}
    alone = library_steps(path)
    for language, share in _SHARE.items():
        raw = list(texts_of(dump, language))[:1500]
        settled = [text for text in (plain(one, language) for one in raw) if text]
        for name, step in own_steps(language, tokenizer).items():
            first = name.startswith(("clean", "normalise"))
            own[name] = own.get(name, 0.0) + share / megabytes_per_second(step, raw if first else settled)
        for name, step in alone.items():
            libraries[name] = libraries.get(name, 0.0) + share / megabytes_per_second(step, settled)
    return ({name: 1 / cost for name, cost in own.items()}, {name: 1 / cost for name, cost in libraries.items()})


def whole(dump: Dump, tokenizer: Path, folder: Path) -> dict[str, Any]:
    """One `vaak text build` of the dump."""
    folder.mkdir()
    source = {
        "name": "web",
        "reader": "jsonl",
        "files": str(dump.folder),
        "language_field": "language",
        "id_field": "id",
    }
    tree = {"corpus": "corpus", "tokenizer": str(tokenizer), "sources": [source]}
    (folder / "text.yaml").write_text(yaml.safe_dump(tree))
    command = [
        sys.executable,
        str(Path(__file__).with_name("_text_whole.py")),
        str(folder / "text.yaml"),
        str(PROCESSES),
    ]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def measured(dump: Dump, tokenizer: Path, folder: Path) -> Turns:
    """What the whole and the peer took, in turn."""
    ours, theirs = [], []
    for turn in range(REPEATS):
        ours.append(whole(dump, tokenizer, folder / f"ours-{turn}"))
        if turn < REPEATS - 1 and missing() is None:
            theirs.append(run_datatrove(dump, tokenizer, folder / f"theirs-{turn}", PROCESSES))
    return ours, theirs


def compared(dump: Dump, own: dict[str, float], libraries: dict[str, float], turns: Turns) -> list[Figure]:
    """The whole beside its libraries and beside the peer."""
    ours, theirs = turns
    size = dump.size / 1e6
    clock = statistics.median(size / one["seconds"] for one in ours)
    core = statistics.median(size / one["cpu_seconds"] for one in ours)
    main_share = statistics.median(one["main_cpu_seconds"] / one["cpu_seconds"] for one in ours)
    kept = ours[0]["kept"] / ours[0]["read"]
    print(
        f"whole {clock:.2f} MB/s by the clock with {PROCESSES} processes, {core:.2f} per core; {size:.0f} MB, {kept:.0%} kept"
    )
    print(f"share of the CPU that the main process used {main_share:.0%}")
    slowest = min(CALLED, key=lambda name: libraries[name])
    fast, plain_library = own["tokenize"], libraries["tokenizers encode_batch_fast"]
    figures = [
        at_least("whole over its slowest library", core / libraries[slowest], 0.6, f"{slowest} alone, per core"),
        at_least("whole over our own tokenizing", core / fast, 0.6, "the same ids by tiktoken, alone, per core"),
        at_least("tokenize over the library", fast / plain_library, 1.0, "tokenizers encode_batch_fast"),
    ]
    if not theirs:
        print(f"note: no peer: {missing()}")
        return figures
    peer_core = statistics.median(size / one["cpu_seconds"] for one in theirs)
    peer_clock = statistics.median(size / one["seconds"] for one in theirs)
    return [
        *figures,
        at_least("whole over datatrove, per core", core / peer_core, 1.0, f"datatrove's {peer_core:.2f} MB/s"),
        at_least("whole over datatrove, by the clock", clock / peer_clock, 1.0, f"datatrove's {peer_clock:.2f} MB/s"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--megabytes", type=float, default=80.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer = real_tokenizer()
        tokenizer.save(folder / "tokenizer")
        path = folder / "tokenizer" / "tokenizer.json"
        dump = write_dump(folder / "dump", arguments.megabytes, 1)
        own, libraries = by_step(dump, tokenizer, path)
        for name, value in own.items():
            print(f"{name} {value:.1f} MB/s on one core")
        for name, value in libraries.items():
            print(f"library alone: {name} {value:.1f} MB/s on one core")
        figures = compared(dump, own, libraries, measured(dump, path, folder))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
