"""Which prompts belong to which level, and how those are asked for that nobody has said."""

from __future__ import annotations

import pytest

from tests.corpus.toy import LANGUAGES, big_corpus
from vaak.corpus.pack import build_pack, open_pack
from vaak.corpus.pack_probes import PROBE_KINDS
from vaak.evaluate.items import is_cloned, items_of, most_codes
from vaak.evaluate.panel_sounds import KINDS


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    build_pack(big_corpus(folder / "corpus"), folder / "pack", seed=3, n_ce=6)
    return open_pack(folder / "pack")


def test_probes_are_of_the_full_level_alone(pack):
    full, quick = items_of(pack, "full"), items_of(pack, "quick")
    assert full == pack.prompts and {one.kind for one in full} > set(PROBE_KINDS)
    assert {one.kind for one in quick} == {"native", "extended", "cross_lingual"}
    assert {one.language for one in quick} == set(LANGUAGES)


def test_a_probe_is_read_in_a_heard_voice_by_its_name_and_in_a_new_one_by_its_sound(pack):
    probes = [one for one in pack.prompts if one.kind in PROBE_KINDS and one.reference_kind is None]
    assert {is_cloned(one) for one in probes} == {True, False}
    assert all(is_cloned(one) != one.seen_voice and most_codes(one) > 50 for one in probes)


def test_every_kind_has_its_words_on_the_page(pack):
    assert {one.kind for one in pack.prompts} == KINDS.keys()
