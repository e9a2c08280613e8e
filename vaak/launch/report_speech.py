"""The listening part of a launch's page: players beside their figures, and English scored on one set of items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from vaak.codec import Codec, read_audio
from vaak.corpus.pack_items import GoldPack, Prompt
from vaak.evaluate import item_results, newest_versions, open_results, summary
from vaak.evaluate.database import is_address
from vaak.evaluate.generations import generations_folder, load_generation
from vaak.evaluate.panel_sounds import KINDS
from vaak.evaluate.recognition import ORIGINAL, counts_of, first_figure, recogniser_of, trusted_languages
from vaak.evaluate.reference import WRONG_TEXT, round_trip_id
from vaak.evaluate.store import Result, Results
from vaak.languages import LANGUAGES
from vaak.page import Cell, alarm, grid, in_language, sound, table, tabs
from vaak.score.error_rate import bootstrap_interval, total

# Prompts of each language whose sound goes into the page: more would make it large without making it clearer.
HEARD_PER_LANGUAGE = 4


@dataclass(frozen=True)
class ErrorRate:
    """Word error rate over a set of items: summed counts, 95% bootstrap interval over items."""

    rate: float
    low: float
    high: float
    items: int
    words: int


@dataclass(frozen=True)
class Speech:
    """Everything that has been generated and measured for one checkpoint of a launch, and its references."""

    pack: GoldPack
    codec: Codec
    results: Results
    checkpoint: str  # the id of the checkpoint that is heard

    @cached_property
    def rows(self) -> dict[str, list[Result]]:
        """Rows of metric wer by subject: original, round trip, generated, wrong text."""
        subjects = {
            "original": ORIGINAL,
            "round trip": round_trip_id(self.codec.hash),
            "generated": self.checkpoint,
            "wrong text": WRONG_TEXT,
        }
        return {
            name: [row for row in newest_versions(self.results.read(subject, self.pack.id)) if row.metric == "wer"]
            for name, subject in subjects.items()
        }

    @cached_property
    def english(self) -> dict[str, ErrorRate]:
        """WER of each subject over the same items: held-out English sentences by voices that training has heard."""
        wanted = {
            prompt.item
            for prompt in self.pack.prompts
            if prompt.language == "en" and prompt.kind in ("native", "extended") and prompt.seen_voice
        }
        common = wanted.intersection(*({row.item for row in rows} for rows in self.rows.values()))
        found: dict[str, ErrorRate] = {}
        for name, rows in self.rows.items():
            counts = [counts_of(row) for row in rows if row.item in common]
            if counts:
                low, high = bootstrap_interval(counts)
                found[name] = ErrorRate(total(counts).rate, low, high, len(counts), total(counts).ref)
        return found

    @cached_property
    def english_voices(self) -> dict[str, dict[str, ErrorRate]]:
        """WER per voice and subject, over the held-out English sentences that have an original."""
        speakers = {
            prompt.item: prompt.voice_description or prompt.speaker or ""
            for prompt in self.pack.prompts
            if prompt.language == "en" and prompt.kind in ("native", "extended")
        }
        found: dict[str, dict[str, ErrorRate]] = {}
        for name in ("original", "round trip", "generated"):
            for voice in sorted(set(speakers.values())):
                counts = [counts_of(row) for row in self.rows[name] if speakers.get(row.item) == voice]
                if counts:
                    low, high = bootstrap_interval(counts)
                    rate = ErrorRate(total(counts).rate, low, high, len(counts), total(counts).ref)
                    found.setdefault(voice, {})[name] = rate
        return found

    @cached_property
    def recogniser(self) -> str:
        """The recogniser's name and hash, and nothing if it never listened."""
        rows = self.rows["original"] or self.rows["generated"]
        return recogniser_of(rows[-1].metric_version) if rows else ""

    @cached_property
    def trusted(self) -> frozenset[str]:
        return trusted_languages(self.results, self.pack.id, self.recogniser) if self.recogniser else frozenset()

    @cached_property
    def figures(self) -> dict[str, Any]:
        return summary(self.results, self.checkpoint, self.pack.id)

    @cached_property
    def items(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Per subject and item: its metrics and what was heard."""
        return {
            "original": item_results(self.results, ORIGINAL, self.pack.id),
            "round trip": item_results(self.results, round_trip_id(self.codec.hash), self.pack.id),
            "generated": item_results(self.results, self.checkpoint, self.pack.id),
        }


def open_speech(db: str, pack: GoldPack, codec: Codec, checkpoint: str) -> Speech | None:
    """What was measured of a checkpoint in the results database `db`, or None before the sidecar has finished it."""
    if not is_address(db) and not Path(db).exists():
        return None
    results = open_results(db)
    if not any(done["checkpoint_id"] == checkpoint for done in results.finished(pack.id)):
        return None
    return Speech(pack, codec, results, checkpoint)


def english_table(speech: Speech) -> list[Markup]:
    """The four figures side by side, with what they mean."""
    meaning = {
        "original": "the recordings themselves: the recogniser's own errors",
        "round trip": "the same recordings through the codec: the best any model on it can reach",
        "generated": "spoken by the model from the text alone",
        "wrong text": "recordings scored against another sentence: the floor",
    }
    rows = [
        (
            name,
            Cell(rate.rate, f"{rate.rate:.3f}"),
            f"{rate.low:.3f} – {rate.high:.3f}",
            rate.items,
            rate.words,
            meaning[name],
        )
        for name, rate in speech.english.items()
    ]
    parts = [
        table(
            rows,
            ["English", "word error rate", "95% interval", "sentences", "words", "what it is"],
            caption=f"Held-out English sentences, heard by {speech.recogniser or 'no recogniser'}",
            sortable=False,
        )
    ]
    voices = []
    for voice, rates in speech.english_voices.items():
        cells = [rates[name].rate if name in rates else None for name in ("original", "round trip", "generated")]
        voices.append((voice, max(rate.items for rate in rates.values()), *cells))
    columns = ["voice", "sentences", "original", "round trip", "generated"]
    parts.append(
        table(voices, columns, caption="The same by voice: a voice that the codec blurs is a ceiling for the model")
    )
    if "en" not in speech.trusted:
        parts.append(
            alarm("warning", "the recogniser is not trusted even for English here: its figures decide nothing")
        )
    return parts


def language_table(speech: Speech) -> Markup:
    """Per language what can be measured without a recogniser, and the errors that one hears."""
    rows = [(LANGUAGES[code].name, *_cells(figures, code)) for code, figures in speech.figures["languages"].items()]
    return table(rows, ["language", *_COLUMNS], caption="The final model, every prompt of the gold pack")


def kind_table(speech: Speech) -> Markup:
    """The same for each kind of prompt: what long text, a voice of another language, a number does to the model."""
    rows = [(kind.replace("_", " "), *_cells(figures, "")) for kind, figures in speech.figures["kinds"].items()]
    return table(rows, ["prompt", *_COLUMNS], caption="The same by kind of prompt, all languages together")


_COLUMNS = (
    "items",
    "failed",
    "stopped",
    "length",
    "DNSMOS",
    "similarity",
    "proxies",
    "repeats",
    "silence",
    "errors",
)
_UNITS = {"wer": "words", "cer": "units"}
UNTRUSTED = (
    "Failed: beyond a limit of sanity in any way. Length: over the reference's, median. Proxies: voice similarities to "
    "decoded codes in place of a recording. Errors: heard per word, or per written unit; in grey where the recogniser is "
    "not trusted, and then they decide nothing."
)


def _cells(figures: dict[str, Any], language: str) -> tuple[object, ...]:
    return (
        figures["items"],
        _share(figures.get("failure_rate")),
        _share(figures.get("stop_rate")),
        _number(figures.get("duration_ratio_median")),
        _number(figures.get("dnsmos")),
        _number(figures.get("similarity")),
        figures.get("proxies"),
        _share(figures.get("repeat_rate")),
        _share(figures.get("silence_share")),
        _errors(figures, language),
    )


def _errors(figures: dict[str, Any], language: str) -> object:
    """Of words in English and together, of written units in another language; in grey where it is not trusted."""
    metric = first_figure(language) if language else "wer"
    found = figures[metric] or figures.get("untrusted", {}).get(metric)
    if found is None:
        return "no ASR"
    words = f"{found['rate']:.2f} {_UNITS[metric]}"
    return words if found["trusted"] else Markup('<span class="undecided">{}</span>').format(words)


def _number(value: float | None) -> Cell | None:
    return None if value is None else Cell(value, f"{value:.3f}")


def _share(value: float | None) -> Cell | None:
    return None if value is None else Cell(value, f"{value:.1%}")


def followed_table(speech: Speech, runs: list[Path]) -> Markup:
    """Every checkpoint that the sidecar has finished, oldest first."""
    rows = []
    for done in speech.results.finished(speech.pack.id):
        if done["checkpoint_id"].startswith("reference/"):
            continue
        found = summary(speech.results, done["checkpoint_id"], speech.pack.id)["all"]
        run, step = done["checkpoint_id"].split("/")[:2]
        wer = found["wer"]["rate"] if found["wer"] else None
        rows.append(
            (f"{run} {step}", done["level"], done["items"], wer, _share(found.get("stop_rate")),
             found.get("duration_ratio_median"), found.get("dnsmos"), found.get("similarity"), round(done["seconds"]))
        )  # fmt: skip
    columns = ["checkpoint", "level", "items", "WER", "stopped", "length", "DNSMOS", "similarity", "seconds"]
    return table(rows, columns, caption="Checkpoints that the sidecar followed", sortable=False)


def listening(speech: Speech) -> Markup:
    """A tab a language: the text, the original, its round trip, and what the model made of it."""
    panels = {}
    for code, language in LANGUAGES.items():
        prompts = _to_hear([prompt for prompt in speech.pack.prompts if prompt.language == code])
        if prompts:
            panels[language.name] = Markup("\n").join(_prompt(speech, prompt) for prompt in prompts)
    return tabs(panels, "languages")


def _to_hear(prompts: list[Prompt]) -> list[Prompt]:
    """Sentences with their original first, then one in another language's voice and one long one, as far as there are."""
    kinds = ("native", "extended", "cross_lingual", "long_form")
    by_kind = {kind: [prompt for prompt in prompts if prompt.kind == kind] for kind in kinds}
    plain = by_kind["native"] + by_kind["extended"]
    plain.sort(key=lambda prompt: (prompt.reference_audio is None, not prompt.seen_voice))
    others = by_kind["cross_lingual"][:1] + by_kind["long_form"][:1]
    return plain[: HEARD_PER_LANGUAGE - 1] + others


def _prompt(speech: Speech, prompt: Prompt) -> Markup:
    folder = generations_folder(speech.results.folder, speech.checkpoint, speech.pack.id)
    spoken = load_generation(folder, prompt)
    sounds = []
    if prompt.reference_audio is not None:
        wave = read_audio(prompt.reference_audio, 16000)
        sounds.append(_sound(speech, "original", prompt, wave, 16000))
    if prompt.reference_codes is not None:
        wave = speech.codec.decode(np.asarray(prompt.reference_codes))
        sounds.append(_sound(speech, "round trip", prompt, wave, speech.codec.output_rate))
    if spoken is not None and len(spoken.codes):
        wave = speech.codec.decode(spoken.codes)
        sounds.append(_sound(speech, "generated", prompt, wave, speech.codec.output_rate))
    elif spoken is None and prompt.item in speech.items["generated"]:
        sounds.append(alarm("note", "what was generated lies beside the database of the machine that measured it"))
    else:
        reason = spoken.crashed if spoken is not None and spoken.crashed else "the model stopped at once"
        sounds.append(alarm("warning", f"nothing was generated: {reason or 'not evaluated'}"))
    voice = prompt.voice_description or prompt.speaker or "a voice"
    unseen = "" if prompt.seen_voice else ", a voice that training never heard, cloned from a reference"
    head = Markup("<h3>{}</h3><p><small>{}: {}{}</small></p>").format(
        in_language(prompt.text, prompt.language), KINDS[prompt.kind], voice, unseen
    )
    return Markup('<article class="prompt">{}{}</article>').format(head, grid(*sounds, min_width_rem=18))


def _sound(speech: Speech, subject: str, prompt: Prompt, wave: np.ndarray, rate: int) -> Markup:
    figures = speech.items[subject].get(prompt.item, {})
    words = [subject]
    if prompt.language in speech.trusted and "wer" in figures:
        words.append(f"WER {figures['wer']:.2f}, heard: “{figures.get('heard', '')}”")
    if subject == "generated" and figures.get("stopped") == 0.0:
        words.append("cut: did not stop by itself")
    if figures.get("dnsmos") is not None:
        words.append(f"DNSMOS {figures['dnsmos']:.2f}")
    return sound(wave, rate, " · ".join(words))
