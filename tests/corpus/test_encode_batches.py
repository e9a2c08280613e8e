"""A recording's codes are its own: through `encode_list`, alone or with others, whatever the others are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.codec.small_xcodec2 import save_small
from vaak.codec import open_codec
from vaak.corpus import open_corpus
from vaak.corpus.encode import EncodeOptions, encode_list

# Samples at 16 kHz: lengths that several share, whole and broken frames, neighbours that differ by one sample.
LENGTHS = (9600,) * 4 + (9601,) * 3 + (16000,) * 3 + (4801, 12345, 23999)


class PaddingCodec:
    """What the pipeline must never be given: a batch padded to its longest, as encoders without a mask are often run."""

    def __init__(self, codec) -> None:
        self._codec = codec
        for name in ("name", "hash", "codebook_size", "sample_rate", "tokens_per_second"):
            setattr(self, name, getattr(codec, name))

    def encode_batch(self, waves):
        longest = max(map(len, waves))
        padded = self._codec.encode_batch([np.pad(wave, (0, longest - len(wave))) for wave in waves])
        return [codes[: -(-len(wave) // 320)] for codes, wave in zip(padded, waves, strict=True)]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Chirps and noise, the lengths mixed, and the same list in another order."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(4)
    rows = []
    for i in rng.permutation(len(LENGTHS)).tolist():
        time = np.arange(LENGTHS[i]) / 16000
        wave = 0.3 * np.sin(2 * np.pi * (120 + 40 * i + 300 * time) * time) + rng.normal(0, 0.05, len(time))
        soundfile.write(folder / f"{i}.wav", wave, 16000, subtype="FLOAT")
        rows.append({"path": f"{i}.wav", "language": "en"})
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "turned.jsonl").write_text("\n".join(map(json.dumps, rows[::-1])))
    return folder


@pytest.fixture(scope="module", params=["embedded", "xcodec2", "neucodec"])
def codec(request, tmp_path_factory):
    if request.param == "embedded":
        return open_codec("embedded")
    return open_codec(save_small(request.param, tmp_path_factory.mktemp(request.param) / request.param))


def codes_by_id(path: Path, codec, out: Path, part_items: int) -> dict[str, list[int]]:
    encode_list(path, codec, out, "one", options=EncodeOptions(part_items=part_items))
    (group,) = open_corpus(out).groups.values()
    return {sample.sample_id: group.tokens(i).tolist() for i, sample in enumerate(group.samples())}


def share_equal(some: dict[str, list[int]], others: dict[str, list[int]]) -> float:
    assert some.keys() == others.keys() and all(len(some[name]) == len(others[name]) for name in some)
    equal = sum(one == other for name in some for one, other in zip(some[name], others[name], strict=True))
    return equal / sum(map(len, some.values()))


@pytest.mark.slow
def test_alone_and_in_batches_of_one_length(recordings, tmp_path, codec, monkeypatch):
    sizes: list[int] = []
    if codec.name != "embedded":
        encode = codec._encode
        monkeypatch.setattr(codec, "_encode", lambda waves: sizes.append(len(waves)) or encode(waves))
    alone = codes_by_id(recordings / "list.jsonl", codec, tmp_path / "alone", 1)
    assert set(sizes) <= {1} and len({code for codes in alone.values() for code in codes}) > 50
    together = codes_by_id(recordings / "list.jsonl", codec, tmp_path / "together", 256)
    turned = codes_by_id(recordings / "turned.jsonl", codec, tmp_path / "turned", 256)
    fives = codes_by_id(recordings / "turned.jsonl", codec, tmp_path / "fives", 5)
    # The embedded codec encodes one by one; the others share a batch among what is equally long.
    assert codec.name == "embedded" or max(sizes) >= 4
    for others in (together, turned, fives):
        share = share_equal(alone, others)
        assert share == 1 if codec.name == "embedded" else share >= 0.999


def test_a_codec_that_pads_is_caught(recordings, tmp_path):
    """The same comparison, on what it is there for."""
    codec = PaddingCodec(open_codec("embedded"))
    alone = codes_by_id(recordings / "list.jsonl", codec, tmp_path / "alone", 1)
    together = codes_by_id(recordings / "list.jsonl", codec, tmp_path / "together", 256)
    assert share_equal(alone, together) < 0.999
