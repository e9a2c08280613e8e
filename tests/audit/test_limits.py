"""Limits of a user's own: entry by entry over those that ship, and what of them is looser is said."""

from __future__ import annotations

import pytest
import yaml

from tests.audit.items import LIMITS
from vaak.audit.audit import PACK_CHECKS
from vaak.audit.checks import CORPUS_CHECKS, ITEM_CHECKS
from vaak.audit.limits import _LOOSER, load_limits, loosened
from vaak.errors import BadInput


def test_every_check_has_its_limits_and_every_entry_a_direction():
    checks = {check.__name__ for check in (*ITEM_CHECKS, *CORPUS_CHECKS, *PACK_CHECKS)} | {"decodes", "audible"}
    assert checks == LIMITS.keys()
    assert {entry for entries in LIMITS.values() for entry in entries} == _LOOSER.keys() | {"severity"}


@pytest.mark.parametrize("name,entry", [(name, entry) for name, entries in LIMITS.items() for entry in entries])
def test_a_looser_entry_is_named_and_a_tighter_one_is_not(tmp_path, name, entry):
    ours = LIMITS[name][entry]
    path = tmp_path / "limits.yaml"
    if entry == "severity":
        path.write_text(f"{name}: {{severity: warning}}")
        assert loosened(path) == ([f"{name} severity error → warning"] if ours == "error" else [])
        return
    higher, lower = (min(1, ours + 0.5), ours / 2) if entry == "share" else (ours + 1, ours - 1)
    looser, tighter = (higher, lower) if _LOOSER[entry] == "higher" else (lower, higher)
    for value, wanted in ((looser, [f"{name} {entry} {ours} → {looser}"]), (tighter, []), (ours, [])):
        path.write_text(yaml.safe_dump({name: {entry: value}}))
        if isinstance(value, float) or value > 0 or entry == "share":
            assert loosened(path) == wanted


def test_nothing_is_loosened_without_a_file_of_ones_own():
    assert loosened(None) == [] and loosened(LIMITS) == []


@pytest.mark.parametrize(
    "text,words",
    [
        ("no_such_check: {share: 0}", "no_such_check"),
        ("audible: {loudness: 3}", "has no 'loudness'"),
        ("audible: {severity: fatal}", "use error or warning"),
        ("audible: {share: 2}", "0 to 1"),
        ("audible: {share: yes}", "give a number"),
        ("audible: {share: .nan}", "give a number"),
        ("no_repeated_codes: {longest_period: 1.5}", "whole number"),
        ("no_repeated_phrase: {phrase_codes: 0}", "whole number"),
        ("- audible", "must map"),
        ("audible: {", "cannot be read"),
    ],
)
def test_wrong_limits_are_refused_in_words(tmp_path, text, words):
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(BadInput, match=words):
        load_limits(tmp_path / "limits.yaml")
    with pytest.raises(BadInput, match=words):
        loosened(tmp_path / "limits.yaml")
