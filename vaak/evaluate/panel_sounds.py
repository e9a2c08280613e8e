"""Players and spectrograms: each prompt as it was recorded, through the codec, and as a few checkpoints said it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from vaak.codec import Codec, read_audio
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate.generations import Spoken, generations_folder, load_generation
from vaak.evaluate.measures import RATE
from vaak.evaluate.panel_figures import Evaluation, Figures, Point
from vaak.evaluate.recognition import ERROR_NAMES, first_figure
from vaak.languages import LANGUAGES
from vaak.page import alarm, grid, in_language, sound, tabs

# So many checkpoints of a run are heard, and so many prompts of each language: enough to hear it change, few enough to hear.
HEARD_CHECKPOINTS, HEARD_PROMPTS = 5, 3
KINDS = {
    "native": "a held-out sentence",
    "extended": "a held-out sentence",
    "long_form": "several sentences",
    "cross_lingual": "in a voice of another language, from a reference",
    "number": "a number",
    "name": "names",
    "question": "a question",
    "minimal_pair": "one of two words that differ in one sound",
}


@dataclass(frozen=True)
class Panel:
    """What the players are made of."""

    pack: GoldPack
    codec: Codec
    folder: Path  # of the results database: generations lie there
    figures: Figures
    heard: tuple[Evaluation, ...]

    def spoken(self, one: Evaluation, prompt: Prompt) -> Spoken | None:
        return load_generation(generations_folder(self.folder, one.checkpoint_id, self.pack.id), prompt)


def to_hear(evaluations: Sequence[Evaluation], count: int = HEARD_CHECKPOINTS) -> tuple[Evaluation, ...]:
    """The first, the last, and those evenly between, `count` in all."""
    places = np.unique(np.linspace(0, len(evaluations) - 1, min(count, len(evaluations))).round().astype(int))
    return tuple(evaluations[at] for at in places)


def listening_parts(panel: Panel, most_bytes: int) -> list[Markup | str]:
    """A tab for each language. Prompts are taken in turns over the languages while their sound fits `most_bytes` of HTML."""
    chosen = {
        code: prompts
        for code in LANGUAGES
        if (prompts := _chosen(panel, [one for one in panel.pack.prompts if one.language == code]))
    }
    said: dict[str, list[Markup]] = {code: [] for code in chosen}
    left, left_out = most_bytes, 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for turn in range(HEARD_PROMPTS):
            here = {code: prompts[turn] for code, prompts in chosen.items() if turn < len(prompts)}
            articles = pool.map(_article, [panel] * len(here), here.values())
            for code, article in zip(here, articles, strict=True):
                size = len(article.encode())
                if size > left:
                    left_out += 1
                    continue
                said[code].append(article)
                left -= size
    parts: list[Markup | str] = [_what_is_heard(panel)]
    if left_out:
        parts.append(alarm("note", f"{left_out} more prompts were left out to keep this page small"))
    panels = {LANGUAGES[code].name: Markup("\n").join(articles) for code, articles in said.items() if articles}
    return [*parts, tabs(panels, "languages of the players")] if panels else parts


def _what_is_heard(panel: Panel) -> str:
    total, heard = len(panel.figures.evaluations), panel.heard
    if not heard:
        return "No checkpoint has been evaluated yet: the pack's own sound only."
    steps = ", ".join(f"{one.step:,}" for one in heard)
    which = "all of them" if total == len(heard) else "the first, the last, and those evenly between"
    return (
        f"{total:,} evaluated checkpoint{'s' if total > 1 else ''}; {len(heard)} can be heard here, {which}: step {steps}. "
        f"At most {HEARD_PROMPTS} prompts of each language, those that most of these have spoken. "
        "Round trip is the recording through the codec: what a model on it could say at best."
    )


def _chosen(panel: Panel, prompts: list[Prompt]) -> list[Prompt]:
    """Prompts that most of the heard checkpoints have spoken; among equals first one sentence with its recording, then another
    kind of prompt."""
    spoken = {one.item: sum(panel.spoken(each, one) is not None for each in panel.heard) for one in prompts}
    if panel.heard:
        prompts = [one for one in prompts if spoken[one.item]]
    plain = ("native", "extended")
    # The kinds take turns: a second plain sentence comes after the first cloned and the first long one.
    number: dict[str, int] = {}
    rank = {}
    for one in sorted(prompts, key=lambda one: (-spoken[one.item], one.reference_audio is None, not one.seen_voice)):
        kind = "plain" if one.kind in plain else one.kind
        number[kind] = number.get(kind, 0) + 1
        rank[one.item] = number[kind] - (kind == "plain")
    prompts = sorted(prompts, key=lambda one: (-spoken[one.item], rank[one.item], one.kind not in plain))
    return prompts[:HEARD_PROMPTS]


def _article(panel: Panel, prompt: Prompt) -> Markup:
    sounds = _references(panel, prompt)
    silent: dict[str, list[str]] = {}
    for one in panel.heard:
        spoken = panel.spoken(one, prompt)
        step = f"step {one.step:,}"
        if spoken is None:
            silent.setdefault(f"not among the prompts of its {one.level} evaluation", []).append(step)
        elif not len(spoken.codes):
            why = f"crashed ({spoken.crashed})" if spoken.crashed else "said nothing, it stopped at once"
            silent.setdefault(why, []).append(step)
        else:
            sounds.append(_generation(panel, one, prompt, spoken))
    voice = prompt.voice_description or prompt.speaker or "a voice"
    unseen = "" if prompt.seen_voice else ", a voice that training never heard, cloned from a reference"
    lines = Markup("").join(
        Markup('<p class="quiet">{}: {}.</p>').format(", ".join(steps), why) for why, steps in silent.items()
    )
    head = Markup('<h4>{}</h4><p class="quiet">{}: {}{} ({})</p>').format(
        in_language(prompt.text, prompt.language), KINDS[prompt.kind], voice, unseen, prompt.item
    )
    return Markup('<article class="prompt">{}{}{}</article>').format(head, grid(*sounds, min_width_rem=16), lines)


def _references(panel: Panel, prompt: Prompt) -> list[Markup]:
    parts = []
    if prompt.reference_audio is not None:
        wave = read_audio(prompt.reference_audio, RATE)
        parts.append(sound(wave, RATE, "original", _note(panel, "original", prompt)))
    if prompt.reference_codes is not None and len(prompt.reference_codes):
        wave = panel.codec.decode(np.asarray(prompt.reference_codes))
        note = _note(panel, "round trip", prompt)
        if prompt.reference_audio is None:
            note = " · ".join(
                filter(None, ["a proxy: decoded codes in place of a recording, which the pack lacks", note])
            )
        parts.append(sound(wave, panel.codec.output_rate, "round trip", note))
    return parts


def _generation(panel: Panel, one: Evaluation, prompt: Prompt, spoken: Spoken) -> Markup:
    label, note = f"step {one.step:,}", _note(panel, "", prompt, one)
    if not spoken.stopped:
        note = " · ".join(filter(None, ["cut: did not stop by itself", note]))
    try:
        wave = panel.codec.decode(spoken.codes)
    except Exception as error:  # what the evaluation counted as a crash of the item is one here, too
        return alarm("warning", f"{label}: its codes cannot be decoded ({type(error).__name__}: {error})")
    return sound(wave, panel.codec.output_rate, label, note)


def _note(panel: Panel, reference: str, prompt: Prompt, one: Evaluation | None = None) -> str:
    """The figures of one sound, of a reference or a checkpoint; errors only where their recogniser is trusted."""

    def point(metric: str) -> Point | None:
        of = panel.figures.points(one.checkpoint_id, metric) if one else panel.figures.reference(reference, metric)
        return of.get(prompt.language, {}).get(prompt.item)

    words = []
    wer, similarity, quality = point("wer"), point("similarity"), point("dnsmos")
    if wer is not None and prompt.language in panel.figures.trusted:
        first = first_figure(prompt.language)
        errors = point(first) or wer
        words.append(f"{errors.value:.2f} {ERROR_NAMES[first]} wrong, heard: “{wer.heard}”")
    if quality is not None:
        words.append(f"DNSMOS {quality.value:.2f}")
    if similarity is not None:
        words.append(f"similarity {similarity.value:.2f}" + (" to decoded codes (a proxy)" if similarity.proxy else ""))
    return " · ".join(words)
