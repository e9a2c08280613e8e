"""A folder of pairs: what goes in comes out as ids, damage is said, and a run goes through all of them in an order by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.align.toy_alignment import TOKENIZER, VOCABULARY
from vaak.align.pairs import PairOrder, check_pairs, identity, open_pairs, write_pairs
from vaak.codec import open_codec
from vaak.errors import BadInput, CheckFailed


def side(codes: list[int], stopped: bool = True) -> dict:
    return {"reward": 0.5, "parts": {"quality": 0.5}, "gate": "", "heard": "", "stopped": stopped, "codes": codes}


def pair(number: int, chosen: list[int], rejected: list[int], stopped: bool = True) -> dict:
    return {"number": number, "item": f"en-{number}", "language": "en", "text": "one", "prompt": [5, 6, 7 + number],
            "chosen": side(chosen), "rejected": side(rejected, stopped)}  # fmt: skip


def make_folder(folder, count: int = 3):
    model = identity("toy/0/0", VOCABULARY, TOKENIZER, open_codec("embedded"))
    metadata = {**model, "trusted": ["en"], "temperature": 0.7}
    write_pairs(folder, [pair(n, [n, n + 1], [9, 8, 7], n != 1) for n in range(count)], metadata)
    return open_pairs(folder)


def test_a_pair_comes_out_as_ids_of_the_policy(tmp_path):
    """Text ids as they were, codes as speech ids, and the stop token where a completion stopped and nowhere else."""
    pairs = make_folder(tmp_path / "pairs")
    first, stop = VOCABULARY.first_speech_id, VOCABULARY.speech_end
    one, other = pairs.pair(0, VOCABULARY), pairs.pair(1, VOCABULARY)
    assert one.prompt.tolist() == [5, 6, 7] and other.prompt.tolist() == [5, 6, 8]
    assert one.chosen.tolist() == [first, first + 1, stop]
    assert one.rejected.tolist() == [first + 9, first + 8, first + 7, stop]
    assert other.rejected.tolist() == [first + 9, first + 8, first + 7]


def test_the_same_pairs_are_the_same_bytes_and_other_ones_another_id(tmp_path):
    assert make_folder(tmp_path / "a").id == make_folder(tmp_path / "b").id != make_folder(tmp_path / "c", 2).id


@pytest.mark.parametrize("name", ["pairs.jsonl", "codes.npy", "prompts.npy"])
def test_one_changed_byte_is_refused_in_a_sentence(tmp_path, name):
    make_folder(tmp_path / "pairs")
    file = tmp_path / "pairs" / name
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckFailed, match=rf"{name}: damaged.*make them again"):
        open_pairs(tmp_path / "pairs")


def test_a_manifest_that_was_edited_is_refused(tmp_path):
    make_folder(tmp_path / "pairs")
    file = tmp_path / "pairs" / "MANIFEST.json"
    file.write_text(file.read_text().replace("toy/0/0", "toy/1/1"))
    with pytest.raises(BadInput, match="root hash"):
        open_pairs(tmp_path / "pairs")


def test_an_array_that_would_run_code_is_not_loaded(tmp_path):
    """Whoever can write the folder can write its hashes: what is in it must be numbers all the same."""
    from vaak.corpus.manifest import freeze_folder

    make_folder(tmp_path / "pairs")
    manifest = open_pairs(tmp_path / "pairs").manifest
    (tmp_path / "pairs" / "MANIFEST.json").unlink()
    np.save(tmp_path / "pairs" / "codes.npy", np.array([print], object), allow_pickle=True)
    freeze_folder(tmp_path / "pairs", {name: one for name, one in manifest.items() if name not in ("id", "files")})
    with pytest.raises(ValueError, match="Python objects"):
        open_pairs(tmp_path / "pairs")


def test_pairs_of_another_vocabulary_are_refused_and_of_another_checkpoint_are_not(tmp_path):
    pairs = make_folder(tmp_path / "pairs")
    model = identity("toy/0/9", VOCABULARY, TOKENIZER, open_codec("embedded"))
    check_pairs(pairs, model, 0.7)
    with pytest.raises(BadInput, match=r"vocabulary .* make pairs with this model"):
        check_pairs(pairs, {**model, "vocabulary": {**model["vocabulary"], "base_size": 17}}, 0.7)


def test_pairs_drawn_at_another_temperature_are_refused_with_both_named(tmp_path):
    """Their log-probabilities would be of a policy that never spoke them."""
    model = identity("toy/0/0", VOCABULARY, TOKENIZER, open_codec("embedded"))
    with pytest.raises(BadInput, match=r"pairs: .* at temperature 0\.7, and rollouts\.temperature is 1; say --set"):
        check_pairs(make_folder(tmp_path / "pairs"), model, 1.0)


@settings(max_examples=20)
@given(count=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_pair_comes_once_in_each_turn(tmp_path_factory, count, seed):
    order = PairOrder(make_folder(tmp_path_factory.mktemp("order") / "pairs", count), VOCABULARY, seed)
    turns = [[order[turn * count + place].item for place in range(count)] for turn in range(2)]
    assert sorted(turns[0]) == sorted(turns[1]) == sorted(f"en-{n}" for n in range(count))
    assert count < 8 or turns[0] != turns[1]


def test_another_seed_is_another_order_and_fingerprint(tmp_path):
    pairs = make_folder(tmp_path / "pairs", 20)
    one, other = PairOrder(pairs, VOCABULARY, 1), PairOrder(pairs, VOCABULARY, 2)
    assert [one[n].item for n in range(20)] != [other[n].item for n in range(20)]
    assert one.fingerprint != other.fingerprint
