"""A metric and the names of rows that are its own."""

from __future__ import annotations

import pytest

from vaak.align.metrics import ALIGNMENT
from vaak.checkpoint.metrics import PUBLISHING
from vaak.evaluate.metrics import EVALUATION, SIDECAR
from vaak.track.metric import Metric, metric_of
from vaak.track.prometheus_exporter import OWN
from vaak.train.metrics import TRAINING

# What one process exports.
PROCESSES = {"train": TRAINING, "align": ALIGNMENT, "evaluate": EVALUATION + SIDECAR, "publish": PUBLISHING}


@pytest.mark.parametrize(
    "name, metrics, defined, labels",
    [
        ("loss", TRAINING, "loss", {}),
        ("loss/audio", TRAINING, "loss/audio", {}),
        ("loss/source/a/b", TRAINING, "loss/source/{source}", {"source": "a/b"}),
        ("loss/source/two\nlines", TRAINING, "loss/source/{source}", {"source": "two\nlines"}),
        ("reward/chosen", ALIGNMENT, "reward/chosen", {}),
        ("reward/content", ALIGNMENT, "reward/{part}", {"part": "content"}),
        ("reward/language/hi", ALIGNMENT, "reward/language/{language}", {"language": "hi"}),
        ("reward/content/language/hi", ALIGNMENT, "reward/{part}/language/{language}", {"part": "content", "language": "hi"}),
        ("judges/failed/asr: TimeoutError", ALIGNMENT, "judges/failed/{reason}", {"reason": "asr: TimeoutError"}),
        ("evaluate/quick/wer", EVALUATION, "evaluate/{level}/{figure}", {"level": "quick", "figure": "wer"}),
        ("evaluate/full/wer/kind/long_form", EVALUATION, "evaluate/{level}/{figure}/kind/{kind}",
         {"level": "full", "figure": "wer", "kind": "long_form"}),
        ("evaluate/held_out/alarm", EVALUATION, "evaluate/held_out/alarm", {}),
        ("evaluate/held_out/change/plcmos", EVALUATION, "evaluate/held_out/change/{figure}", {"figure": "plcmos"}),
    ],
)  # fmt: skip
def test_of_several_that_fit_the_one_that_says_most_is_meant(name, metrics, defined, labels):
    found = metric_of(name, metrics)
    assert found is not None and (found[0].name, found[1]) == (defined, labels)


def test_a_name_that_nobody_defines_is_nobodys():
    assert metric_of("losses", TRAINING) is metric_of("sidecar/loss", SIDECAR) is metric_of("loss", ()) is None


@pytest.mark.parametrize(
    "metric, exported",
    [
        (Metric("loss/language/{language}", "", ""), "vaak_loss_language"),
        (Metric("reward/{part}/language/{language}", "", ""), "vaak_reward_part_language"),
        (Metric("skipped", "", "", counter=True), "vaak_skipped_total"),
        (Metric("untold/{tracker}", "", "", counter=True), "vaak_untold_tracker_total"),
    ],
)
def test_its_name_for_prometheus_has_no_label_in_it(metric, exported):
    assert metric.exported == exported


@pytest.mark.parametrize("job", PROCESSES)
def test_no_two_metrics_of_a_process_share_a_name(job):
    every = (*PROCESSES[job], *OWN)
    assert len({metric.name for metric in every}) == len({metric.exported for metric in every}) == len(every)
    assert all(metric.unit or metric.meaning for metric in every)
