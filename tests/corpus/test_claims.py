"""Whose unfinished folder is whose: a command clears what it began itself, and says so of everything else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.corpus.inworld import target, write_split
from tests.corpus.toy import CODEC, LevelCodec
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.corpus.encode import EncodeOptions, encode_list, encode_share
from vaak.corpus.import_inworld import import_inworld
from vaak.corpus.lists import ListDefaults
from vaak.errors import BadInput

ENGLISH = ListDefaults(language="en")


@pytest.fixture
def audio(tmp_path) -> Path:
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "a.wav", 0.3 * np.sin(np.arange(8000) / 9), 16000)
    return tmp_path / "audio"


def half_pull(out: Path) -> None:
    """What an interrupted pull leaves."""
    out.mkdir()
    (out / "UNFINISHED.json").write_text(json.dumps({"name": "other", "pull": "p" * 64, "from": "s3://a/b"}))


def half_import(out: Path) -> None:
    source = write_split(out.parent / "src")

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_inworld(source, target(out, note_every=1), progress=interrupt)


def half_written(out: Path) -> None:
    CorpusWriter(out, "mine", codec=CODEC).add("raw", Sample("a", "here", "hi"), [1, 2, 3])


def thesis(out: Path) -> None:
    out.mkdir()


TAKEN = {"pull": half_pull, "import": half_import, "writer": half_written, "thesis": thesis}


@pytest.mark.parametrize("share", [False, True], ids=["rank 0", "another rank"])
@pytest.mark.parametrize("name", TAKEN)
def test_encoding_refuses_anothers_folder_before_it_encodes(tmp_path, audio, name, share):
    out, codec = tmp_path / "out", LevelCodec()
    TAKEN[name](out)
    (out / "raw" / "hi").mkdir(parents=True, exist_ok=True)
    (out / "raw" / "hi" / "mine.txt").write_text("precious")
    before = sorted(out.rglob("*"))
    with pytest.raises(BadInput, match="name a"):
        if share:
            encode_share(audio, codec, out, ENGLISH, options=EncodeOptions(rank=1, ranks=2))
        else:
            encode_list(audio, codec, out, defaults=ENGLISH)
    assert codec.encoded == 0 and sorted(out.rglob("*")) == before
    assert not (tmp_path / "out.parts").exists()


def test_a_folder_that_was_taken_while_parts_lay_beside_it_is_refused_too(tmp_path, audio):
    codec = LevelCodec()

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_list(audio, codec, tmp_path / "out", defaults=ENGLISH, progress=interrupt)
    half_pull(tmp_path / "out")
    with pytest.raises(BadInput, match="unfinished version of another command"):
        encode_list(audio, codec, tmp_path / "out", defaults=ENGLISH)
    assert (tmp_path / "out" / "UNFINISHED.json").exists()


def test_an_import_refuses_a_folder_that_was_taken_since_it_was_begun(tmp_path):
    out = tmp_path / "out"
    half_import(out)
    (out / "UNFINISHED.json").unlink()
    (out / "raw" / "hi").mkdir(parents=True, exist_ok=True)
    (out / "raw" / "hi" / "mine.txt").write_text("precious")
    (out / "UNFINISHED.json").write_text(json.dumps({"name": "other", "pull": "p" * 64}))
    with pytest.raises(BadInput, match="unfinished version of another command"):
        import_inworld(tmp_path / "src", target(out, note_every=1))
    assert (out / "raw" / "hi" / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize("ending", [".parts", ".import"])
def test_a_folder_of_ones_own_that_is_called_like_a_work_folder(tmp_path, audio, ending):
    (tmp_path / f"out{ending}").mkdir()
    (tmp_path / f"out{ending}" / "engine.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds 'engine.txt', which was not begun here"):
        if ending == ".parts":
            encode_list(audio, LevelCodec(), tmp_path / "out", defaults=ENGLISH)
        else:
            import_inworld(write_split(tmp_path / "src"), target(tmp_path / "out"))
    assert (tmp_path / f"out{ending}" / "engine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_without_a_name_is_a_sentence(tmp_path, audio, monkeypatch, name):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "below")
    with pytest.raises(BadInput, match=r"--out \.+ is no name"):
        encode_list(audio, LevelCodec(), name, defaults=ENGLISH)
    with pytest.raises(BadInput, match=r"--out \.+ is no name"):
        import_inworld(write_split(tmp_path / "src"), target(Path(name)))


def test_a_list_or_a_folder_may_be_where_one_stands(audio, tmp_path, monkeypatch):
    monkeypatch.chdir(audio)
    report = encode_list(".", LevelCodec(), tmp_path / "out", defaults=ENGLISH)
    assert report.kept == 1
    (group,) = open_corpus(tmp_path / "out").groups.values()
    assert group.sample(0).source == "audio"
    with pytest.raises(BadInput, match="inside the source"):
        encode_list(".", LevelCodec(), "corpus", defaults=ENGLISH)
