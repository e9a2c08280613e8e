"""`vaak mixture plan`: what cannot be planned is one sentence and exit 2."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_doors import leave

STREAM = "mixture.streams={paired: {share: 1.0, SETTING}}"


@pytest.mark.parametrize(
    "setting,words",
    [
        (STREAM.replace("SETTING", "sources: {studio: 0.9, nowhere: 0.1}"), "nothing of source 'nowhere'"),
        (STREAM.replace("SETTING", "tiers: [golden]"), "no tier 'golden'; its tiers are clean, wild"),
        ("mixture.languages={caps: {en: 0.45}, fixed: {xx: 0.15}, rest: {share: 0.4}}", "xx"),
        ("mixture.streams={raw: {share: 0.5}, paired: {share: 0.2}}", "add up to 0.700, not 1"),
        ("mixture.languages={caps: {en: 0.2}, fixed: {hi: 0.1}, rest: null}", "add up to 0.300, less than 1"),
        ("mixture.streams={sound: {share: 1.0}}", "stream 'sound' is unknown"),
        ("mixture.languages={epoch_limit: 0}", "epoch_limit"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(setting, words, capsys):
    code, out, error = leave(["mixture", "plan", "pt-s2-tiny", "--set", setting], capsys)
    assert code == 2 and out == "" and words in error and "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_a_row_shorter_than_the_shortest_pair_is_refused(capsys):
    arguments = ["mixture", "plan", "sft-tiny", "--set", "context=16", "--set", "tokens_per_step=64"]
    code, _, error = leave(arguments, capsys)
    assert code == 2 and "fits into a row of 16" in error and "longer context" in error


def test_rows_by_length_and_a_limit_of_epochs_are_noted(capsys):
    changes = ["mixture.length_buckets=true", "mixture.languages={epoch_limit: 4}", "length={passes: 6}"]
    arguments = ["mixture", "plan", "pt-s2-tiny", "--json", *(part for one in changes for part in ("--set", one))]
    code, out, _ = leave(arguments, capsys)
    notes = " | ".join(json.loads(out)["notes"])
    assert code == 0 and "rows by length leave" in notes and "the limit of 4 epochs gives way" in notes
