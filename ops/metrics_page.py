"""Writes docs/metrics.md from the definitions of the metrics, which stand beside the code that measures them.

`python ops/metrics_page.py`, or `make generated`. The prose about them stands here; a test compares the page with what this gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vaak.align.metrics import DPO, GRPO, SHARED
from vaak.checkpoint.metrics import PUBLISHING
from vaak.evaluate.metrics import EVALUATION, FIGURES, SIDECAR
from vaak.track.metric import Metric
from vaak.track.prometheus_exporter import OWN
from vaak.train.metrics import CHECKPOINTS, STEP, UNTOLD, VALIDATION

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"

_INTRODUCTION = """\
# Metrics: what every number means

*Made from the code by `make generated`; change a definition where the last line says.*

`metrics.jsonl` in a run folder has one JSON object a line: `step` and what was measured at it. Under torchrun the first process
writes it, with the numbers of all. After a resume the rows of steps that are done again are removed first, so a step has one row of
training; rows of validation and of checkpoints have the step at which they were told. The numbers of a sidecar are told to
[trackers](track.md) and kept in its database.

A name with braces is a family: `loss/language/{language}` is `loss/language/hi` in a row. *By* is the part of a process that measures
it: the trainer, its loader and its checkpointer are one process, as the aligner is. The last column is the name that the exporter gives
it for Prometheus; every series has the label `run` besides, the name of the run's folder. A text is in no exporter.
"""

_STEP = """\
## Every step

Losses are cross-entropies in nats: sums over the target tokens of the whole step, of all microbatches and processes, over the
number of those targets. The step of a gradient uses the same divisor, so `loss` is exactly what was minimised. A loss of a
thousandth of all targets counts a thousandth, and a name without a target in a step has no value there, not a zero.
"""

_AFTER_STEP = """\
The time of a step is that between asking for its rows and the end of its optimizer update, on the first process. Logging,
validation and saving are not in it; `time` has them. What is said to have been counted since the stage began goes on over a resume.

The realised mixture (targets served by stream, language and source) is no loss: it stands as `mass` in each checkpoint's `state.json`.
"""

_VALIDATION = """\
## Validation

Every `validation.every` steps and at the end of a stage a row has the cross-entropy of the gold pack's first
`validation.samples` samples in the streams that the stage trains, held out from training, without dropout or any help of
training. Samples are labelled as the stage labels them, so a fine-tuning stage is measured on speech alone. The numbers
are the same on any number of processes.
"""

_CHECKPOINTS = """\
## Checkpoints

Of training and alignment: a row before the first step, and one after each save that ended or was left out, at the step at which the
training noticed it. Models alone, between full checkpoints, are not told unless they fail.
"""

_TRACKERS = """\
## Trackers
"""

_ALIGNMENT = """\
## Alignment

A row for each step of `vaak align`; [what to do about them](align.md). Rows of checkpoints are those above. Of both kinds:
"""

_BATCHES = """\
With `updates_per_batch` above 1 the figures of a batch (rewards, gates, lengths, seconds of drawing and judging) stand only in the row of the first
step that learns from it; `judges/…`, counts since the run began, in every row.
"""

_FIGURES = """\
## Evaluation

A sidecar tells each finished evaluation as `evaluate/LEVEL/FIGURE`, over all items, over those of a language and over those of a kind of
prompt; [what they are made of](evaluate.md). Where nothing could be measured, or no recogniser is trusted, there is no number. The
exporter shows the newest evaluated checkpoint of each level. The figures:
"""

_SIDECAR = """\
## The sidecar

Its own state, for an exporter alone (`--track prometheus`), of every run that it follows: told at every round and, while an evaluation goes on,
every ten seconds or after the item at hand.
"""

_PUBLISHER = """\
## The publisher

Its own state, for an exporter alone (`vaak checkpoint publish --track prometheus`, or the `track` of a launch): every five seconds. While a
model goes to the Hub it stands still.
"""

_EXPORTERS = """\
## Every exporting process

Beside these an exporter has `process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds` and others of its process.
"""

_TRAPS = """\
## Traps

- `loss` of pretraining and of fine-tuning are not comparable: the latter has no transcript among its targets.
- Two stages with other mixtures have other `loss` for the same model. Compare `loss/stream/…` and `val/…`.
- `tokens_per_s` times `1 - padding` are useful tokens; a fine-tuning stage has fewer targets than that.
- With `context_noise` or an `alignment_prior` training losses are those under that help; validation has neither.
- A counter of an exporter begins anew with its process, except those that count since the stage or run began: take `increase`, which knows.
- `evaluate/…` of the newest checkpoint comes before that of older ones: plot it over `evaluate/step`.

Defined in `vaak/train/metrics.py`, `vaak/align/metrics.py`, `vaak/evaluate/metrics.py`, `vaak/checkpoint/metrics.py` and, of every exporter,
`vaak/track/prometheus_exporter.py`.
"""


def page() -> str:
    """The whole page."""
    figures = [[f"`{one.name}`", one.unit, one.meaning, one.worry] for one in FIGURES]
    own = [[_exported(one), one.unit, one.meaning, one.worry] for one in OWN]
    parts = [
        _INTRODUCTION,
        *(_STEP, _defined(STEP), _AFTER_STEP),
        *(_VALIDATION, _defined(VALIDATION)),
        *(_CHECKPOINTS, _defined(CHECKPOINTS)),
        *(_TRACKERS, _defined(UNTOLD)),
        *(_ALIGNMENT, _defined(SHARED), "### GRPO\n", _BATCHES, _defined(GRPO), "### DPO\n", _defined(DPO)),
        *(_FIGURES, _table(["figure", "unit", "meaning", "look at it when"], figures)),
        *("They, and what goes with them, stand in a row as:\n", _defined(EVALUATION)),
        *(_SIDECAR, _defined(SIDECAR)),
        *(_PUBLISHER, _defined(PUBLISHING)),
        *(_EXPORTERS, _table(["for Prometheus", "unit", "meaning", "look at it when"], own)),
        _TRAPS,
    ]
    return "\n".join(parts)


def _defined(metrics: Iterable[Metric]) -> str:
    rows = [[f"`{one.name}`", one.unit, one.meaning, one.worry, one.measured_by, _exported(one)] for one in metrics]
    return _table(["name", "unit", "meaning", "look at it when", "by", "for Prometheus"], rows)


def _exported(metric: Metric) -> str:
    if metric.unit == "text":
        return ""
    labels = f"{{{', '.join(metric.labels)}}}" if metric.labels else ""
    return f"`{metric.exported}{labels}`"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
