"""The numbers of an evaluation and of the sidecar that does them. `docs/metrics.md` is made from this.

A figure has its meaning once, in `FIGURES`; it stands in a row for all items, for each language and for each kind of prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from vaak.track.metric import Metric


@dataclass(frozen=True)
class Figure:
    """What of `summary` is told to trackers by this name; meaning: of the items that it is over."""

    name: str
    unit: str
    meaning: str
    worry: str = ""


FIGURES = (
    Figure("items", "items", "that were measured"),
    Figure("stop_rate", "share", "items that ended with the stop token", "below .99"),
    Figure("truncated", "share", "items that the limit of codes cut off", "above .01"),
    Figure("crashed", "share", "items whose generation or decoding failed", "any"),
    Figure("failure_rate", "share", "items that break a [limit of sanity](score.md); of the kind `long_form` the long-form failure rate", "above .02"),
    Figure("duration_ratio_median", "", "length over that of the reference, median", "outside .8 to 1.25"),
    Figure("repeat_rate", "share", "codes that repeat the one before, mean over items", "above .2"),
    Figure("ngram_repetition", "share", "4-grams of codes that were there before, mean", "above .2"),
    Figure("loop_share", "share", "codes inside a loop of period 1 to 16, mean", "above .01"),
    Figure("invalid_rate", "share", "generated ids that are no codes, mean", "any"),
    Figure("silence_share", "share", "20 ms frames without speech energy, mean", "above .3"),
    Figure("voice_share", "share", "32 ms windows in which Silero hears a voice, mean; only where it is installed", "below .7"),
    Figure("wer", "rate", "errors of words over words, both summed; only of languages whose recogniser is trusted", "it rises"),
    Figure("cer", "rate", "the same of written units, the first figure of Indic languages", "it rises"),
    Figure("code_point_cer", "rate", "the same of code points", "it rises"),
    Figure("wrong_script", "rate", "letters heard of another script than the language's, over all letters", "it rises"),
    Figure("dnsmos", "1 to 5", "a network's guess at a listener, for noise and roughness, mean", "it falls"),
    Figure("utmos", "1 to 5", "another's, for how natural it is, mean; only where its weights are", "it falls"),
    Figure("similarity", "cosine", "of the voice to that of the prompt's recording, mean", "it falls"),
    Figure("proxies", "items", "whose similarity is to decoded codes, since no recording ships"),
    Figure("held_out_wer", "rate", "as `wer`, by a recogniser that no reward listens with, where it is trusted", "it rises while `reward` does"),
    Figure("held_out_cer", "rate", "as `cer`, by that recogniser", "it rises while `reward` does"),
    Figure("plcmos", "1 to 5", "a held-out network's guess at quality, mean", "it falls while `reward` rises"),
    Figure("f0_spread", "semitones", "spread of the pitch, mean", "it falls while `reward` rises"),
    Figure("speaking_rate_median", "units/s", "written units a second, median", "it moves by a tenth while `reward` rises"),
    Figure("reward", "0 to 1", "what items that have one would get from the recipe's reward, mean; with held-out judges only", "it falls"),
)  # fmt: skip

_OF_FIGURES = (
    Metric("evaluate/{level}/{figure}", "see above", "a figure of a checkpoint over all items of the level, `quick` or `full`", "see above", "sidecar"),
    Metric("evaluate/{level}/{figure}/language/{language}", "see above", "over the items of a language", "see above", "sidecar"),
    Metric("evaluate/{level}/{figure}/kind/{kind}", "see above", "over the items of a kind of prompt (`native`, `cross_lingual`, `long_form`, ...)", "see above",
           "sidecar"),
)  # fmt: skip

EVALUATION = (
    *_OF_FIGURES,
    Metric("evaluate/step", "steps", "of the checkpoint that these figures are of; steps may go backwards", "", "sidecar"),
    Metric("evaluate/checkpoint", "text", "its id; no number, so Prometheus does not have it", "", "sidecar"),
    Metric("evaluate/pack", "text", "the id of the pack; likewise", "", "sidecar"),
    Metric("evaluate/held_out/alarm", "0 or 1", "1: since the first checkpoint the reward rises beyond doubt, and a held-out judge falls beyond its margin and "
           "beyond doubt", "it is 1: listen before it goes on", "sidecar"),
    Metric("evaluate/held_out/alarm_text", "text", "which judge, by how much; no number", "", "sidecar"),
    Metric("evaluate/held_out/first_step", "steps", "of the checkpoint that the newest is held against", "", "sidecar"),
    Metric("evaluate/held_out/change/{figure}", "the figure's", "newest less first on the items of both; of `f0_spread` and `speaking_rate` as a share of the first; "
           "`silent`: the share of items in which nothing was said, which has no margin",
           "beyond the [margin](evaluate.md)", "sidecar"),
)  # fmt: skip

SIDECAR = (
    Metric("sidecar/waiting", "checkpoints", "of this run that are seen and not evaluated yet, the one at hand among them; what is scored again counts, what failed does not",
           "it grows", "sidecar"),
    Metric("sidecar/newest_step", "steps", "of the newest complete checkpoint that is to be evaluated (`--every` leaves some out)", "", "sidecar"),
    Metric("sidecar/evaluated_step", "steps", "of the newest checkpoint that has a finished evaluation, by any sidecar of the database",
           "see `sidecar/behind`", "sidecar"),
    Metric("sidecar/behind", "steps", "`newest_step` less `evaluated_step`, 0 where that is newer; all of `newest_step` before the first evaluation",
           "more than a few times `--every`: give it another core, or another sidecar", "sidecar"),
    Metric("sidecar/evaluated", "evaluations", "that this process finished", "it stands still while `sidecar/waiting` is not 0", "sidecar", counter=True),
    Metric("sidecar/failed", "evaluations", "tries of this process that failed; its log says why", "any", "sidecar", counter=True),
    Metric("sidecar/seconds", "s", "how long its last finished evaluation took", "it is longer than training takes for `--every` steps", "sidecar"),
    Metric("sidecar/outbox", "entries", "of this run that no tracker has taken yet; absent where the sidecar tells none", "it grows: the tracker is down",
           "sidecar"),
)  # fmt: skip
