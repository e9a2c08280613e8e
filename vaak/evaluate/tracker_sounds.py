"""The table of sounds that a tracker gets with a finished evaluation: a few prompts of each language, the same ones always.

It is made when the entry is handed on, from what is kept beside the database: no sound is stored in the database.
"""

from __future__ import annotations

from typing import Any

from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate.generations import Spoken, generations_folder, load_generation
from vaak.evaluate.items import items_of
from vaak.evaluate.recognition import first_figure
from vaak.evaluate.store import Result, Results, newest_versions
from vaak.evaluate.summaries import trusted_in
from vaak.page.sound import encoded
from vaak.track import Sound

# So many prompts of each language are heard at every checkpoint, and so many bytes of sound go with one evaluation.
HEARD_PROMPTS, MOST_BYTES = 2, 8_000_000
_SUFFIXES = {"audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/wav": "wav"}


def heard_prompts(pack: GoldPack) -> list[Prompt]:
    """At most two prompts of each language, of those that a quick look speaks, so that every evaluation has them: a
    held-out sentence first, then one in a voice of another language, else another sentence."""
    spoken = items_of(pack, "quick")
    chosen: list[Prompt] = []
    for language in dict.fromkeys(prompt.language for prompt in spoken):
        here = [prompt for prompt in spoken if prompt.language == language]
        plain = [prompt for prompt in here if prompt.kind != "cross_lingual"]
        cloned = [prompt for prompt in here if prompt.kind == "cross_lingual"]
        chosen += (plain[:1] + cloned[:1] + plain[1:] + cloned[1:])[:HEARD_PROMPTS]
    return chosen


def sound_table(results: Results, pack: GoldPack, codec: Codec, checkpoint_id: str) -> list[dict[str, Any]]:
    """Rows of item, language, kind, text, heard, errors, DNSMOS, similarity, stopped, sound; no row for what was not
    generated on this machine.

    `errors` is the first figure of the language, a rate, and None where its recogniser is not trusted. `sound` is None where
    nothing was said, the codes cannot be decoded, or `MOST_BYTES` are full.
    """
    rows = newest_versions(results.read(checkpoint_id, pack.id))
    trusted = trusted_in(results, rows)
    found = {(row.item, row.metric): row for row in rows}
    folder = generations_folder(results.folder, checkpoint_id, pack.id)
    table, left = [], MOST_BYTES
    for prompt in heard_prompts(pack):
        spoken = load_generation(folder, prompt)
        if spoken is None:
            continue
        sound = _sound(spoken, codec)
        if sound is not None and len(sound.data) > left:
            sound = None
        left -= len(sound.data) if sound else 0
        table.append(_row(prompt, spoken, found, prompt.language in trusted) | {"sound": sound})
    return table


def _row(prompt: Prompt, spoken: Spoken, found: dict[tuple[str, str], Result], trusted: bool) -> dict[str, Any]:
    def value(metric: str) -> float | None:
        row = found.get((prompt.item, metric))
        return None if row is None else row.value

    heard = found.get((prompt.item, "wer"))
    return {
        "item": prompt.item,
        "language": prompt.language,
        "kind": prompt.kind,
        "text": prompt.text,
        "heard": None if heard is None else heard.detail.get("heard"),
        "errors": value(first_figure(prompt.language)) if trusted else None,
        "DNSMOS": value("dnsmos"),
        "similarity": value("similarity"),
        "stopped": spoken.stopped,
    }


def _sound(spoken: Spoken, codec: Codec) -> Sound | None:
    if not len(spoken.codes):
        return None
    try:
        wave = codec.decode(spoken.codes)
    except Exception:  # the evaluation has counted it as a crash of the item
        return None
    if not len(wave):
        return None
    kind, data = encoded(wave, codec.output_rate)
    return Sound(f"{spoken.item}.{_SUFFIXES[kind]}", data)
