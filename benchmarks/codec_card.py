"""The card of a codec, in one run: what it keeps of held-out speech, beside Debian's codec2 at 1,200 and 3,200 bit/s.

`python benchmarks/codec_card.py [--codec NAME_OR_FOLDER] [--list heldout.jsonl] [--limit N] [--markdown PATH] [--json PATH]`.
A list has a row {"path", "language", "voice", "engine", "seen", "text"} for each utterance; without one, the original
audio that ships with the example is used. Needs the `asr` extra, and the Debian package codec2 for the comparison.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import _card_codec2
import numpy as np
from _card_items import Item, example_items, limited, read_list
from _card_measure import CODEC2, ORIGINAL, RATE, ROUND_TRIP, Measured, Speed, make_sounds, measure, speeds
from _card_tables import (
    Sum,
    by_language,
    by_voice,
    everything,
    facts,
    grouped,
    markdown,
    print_grouped,
    short,
    summed,
)
from codec import Figure, at_least, at_most, exit_of

from vaak.codec import Codec, open_codec
from vaak.codec.codebook import CodebookUse, codebook_use
from vaak.errors import BadInput
from vaak.score.asr import Asr, open_asr

SPEED_SECONDS = 30


def open_asrs(folder: str | None) -> dict[str, Asr]:
    """The house's two recognisers of English; one that is not here is left out, with its reason printed."""
    found: dict[str, Asr] = {}
    for kind, name in (("whisper", folder), ("pocketsphinx", "pocketsphinx")):
        try:
            asr = open_asr(name, threads=2)
        except BadInput as error:
            print(f"no WER by {kind}: {error}")
            continue
        if kind == "whisper" and asr.name.startswith("pocketsphinx"):
            print("no WER by whisper: no Whisper model is installed (docs/score.md)")
        else:
            found[kind] = asr
    return found


def beside_codec2(sums: Mapping[str, Sum]) -> list[Figure]:
    """Better than codec2 at 1,200 bit/s in everything, and at 3,200 in words."""
    figures, ours = [], sums[ROUND_TRIP]
    for peer in [name for name in CODEC2 if name in sums]:
        theirs, name = sums[peer], peer.replace(" ", "_")
        for kind in sorted(ours.words):
            heard = f"{len(ours.words[kind])} English utterances, ours {ours.rate_in_words(kind)}"
            against = f"{peer}, {theirs.rate_in_words(kind)}; {heard}"
            figures.append(at_most(f"card.wer_{kind}_beside_{name}", ours.rate(kind), theirs.rate(kind), against))
        if peer == "codec2 1200":
            against = f"{peer}, {ours.n} utterances"
            figures += [
                at_least(f"card.dnsmos_beside_{name}", ours.dnsmos, theirs.dnsmos, against),
                at_most(f"card.log_mel_beside_{name}", ours.log_mel, theirs.log_mel, against, "dB"),
                at_most(
                    f"card.log_mel_below_3600_Hz_beside_{name}",
                    ours.log_mel_narrow, theirs.log_mel_narrow, against + ", the bands that it has", "dB",
                ),
                at_least(f"card.similarity_beside_{name}", ours.similarity, theirs.similarity, against),
            ]  # fmt: skip
    return [figure for figure in figures if math.isfinite(figure.value)]


def held_out_beside_others(measured: Sequence[Measured]) -> list[Figure]:
    """Round trips of voices that the list calls unseen, wanted no worse than those of the others."""
    sides = {
        (condition, seen): [one for one in measured if one.condition == condition and one.item.seen == seen]
        for condition in (ORIGINAL, ROUND_TRIP)
        for seen in (True, False)
    }
    if not all(sides.values()):
        print("no comparison of held-out voices with others: the list has one of them only")
        return []
    sums = {side: summed(some) for side, some in sides.items()}
    seen, unseen = sums[ROUND_TRIP, True], sums[ROUND_TRIP, False]
    names = ", ".join(sorted({one.item.voice for one in sides[ROUND_TRIP, False]}))
    figures = []
    for kind in sorted(set(seen.words) & set(unseen.words)):
        before = short(sums[ORIGINAL, False].rate(kind))
        against = f"other voices; {len(unseen.words[kind])} utterances, {unseen.rate_in_words(kind)}, original {before}"
        figures.append(at_most(f"card.held_out_voices_wer_{kind}", unseen.rate(kind), seen.rate(kind), against))
    against = f"other voices; {unseen.n} utterances of {names}"
    lost = {side: sums[ORIGINAL, side].dnsmos - sums[ROUND_TRIP, side].dnsmos for side in (True, False)}
    return [
        *figures,
        at_most("card.held_out_voices_dnsmos_lost", lost[False], lost[True], against),
        at_most("card.held_out_voices_log_mel", unseen.log_mel, seen.log_mel, against, "dB"),
        at_least("card.held_out_voices_similarity", unseen.similarity, seen.similarity, against),
    ]


def of_codebook_and_time(codec: Codec, use: CodebookUse, took: Mapping[str, Speed]) -> list[Figure]:
    most = math.log2(use.size)
    peer = took.get("codec2 3200")
    takes = [
        f"; codec2 at 3,200 takes {value:.4f}" if peer else "" for value in (asdict(peer).values() if peer else (0, 0))
    ]
    against = "real time, processor seconds on one thread, median of 5"
    return [
        at_least("card.codebook_used", use.share, 0.5, f"all {use.size:,} entries, {use.codes:,} codes"),
        at_least("card.entropy", use.entropy, 0.75 * most, f"{most:g} bits if all were equally likely", "bit"),
        at_most("card.bits_per_second", codec.tokens_per_second * most, 1200, "codec2's 1,200", "bit/s"),
        at_most("card.encode_real_time_factor", took[ROUND_TRIP].encode, 0.05, against + takes[0]),
        at_most("card.decode_real_time_factor", took[ROUND_TRIP].decode, 0.05, against + takes[1]),
    ]


def make_card(codec: Codec, items: Sequence[Item], given: argparse.Namespace) -> list[Figure]:
    """Measures all, prints figures and tables, writes the Markdown; returns the figures."""
    reason = _card_codec2.missing()
    if reason:
        print(f"no comparison with codec2: {reason}")
    peers, asrs = {} if reason else CODEC2, open_asrs(given.asr)
    sounds = make_sounds(items, codec, peers)
    took = speeds(np.concatenate(sounds.waves[ORIGINAL])[: SPEED_SECONDS * RATE], codec, peers)
    use = codebook_use(sounds.codes, codec.codebook_size)
    measured = measure(items, sounds, asrs, given.cache)
    sums = {condition: summed([one for one in measured if one.condition == condition]) for condition in sounds.waves}
    figures = beside_codec2(sums) + held_out_beside_others(measured) + of_codebook_and_time(codec, use, took)
    seconds = sum(map(len, sounds.waves[ORIGINAL])) / RATE
    lines = [
        f"codec {codec.name}, hash {codec.hash[:12]}; {len(items)} held-out utterances, {seconds:,.0f} s; "
        f"WER of English by {' and '.join(asr.name for asr in asrs.values()) or 'nobody'}, 95% intervals",
        *facts(use, codec.tokens_per_second, took, sounds.delays),
    ]
    tables = [
        grouped("Everything", "", measured, everything),
        grouped("By voice", "voice", measured, by_voice),
        grouped("By language", "language", measured, by_language),
    ]
    print("\n".join(lines))
    print_grouped(tables)
    if given.markdown:
        given.markdown.write_text(markdown(f"Card of the codec {codec.name}", lines, tables), encoding="utf-8")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", default="embedded")
    parser.add_argument("--list", type=Path, help="JSON lines of held-out audio; else the example's")
    parser.add_argument(
        "--unseen",
        nargs="*",
        metavar="VOICE",
        help="voices of the example to count as unseen by the codec; else those that the example holds out",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=24,
        help="at most so many utterances of each voice, its languages in turn; 0 for all",
    )
    parser.add_argument("--cache", type=Path, help="folder that remembers by each wave's hash what was heard in it")
    parser.add_argument("--asr", help="folder of a faster-whisper model; else what open_asr finds")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()

    def card() -> list[Figure]:
        items = read_list(given.list) if given.list else example_items(given.unseen)
        return make_card(open_codec(given.codec), limited(items, given.limit), given)

    return exit_of(card, given.json)


if __name__ == "__main__":
    raise SystemExit(main())
