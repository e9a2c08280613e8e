"""Data sets of the Hub through `datasets` streaming, from folders laid out as their repositories; nothing leaves the machine."""

from __future__ import annotations

import os
import pickle

import pytest

pytest.importorskip("datasets", reason="datasets is not installed (pip install vaak[text])")

from tests.text.readers.shipped import (
    HINDI,
    TAMIL,
    documents_of,
    inputs_of,
    json_lines,
    write,
    write_parquet,
    write_sangraha,
)
from vaak.errors import BadInput
from vaak.text.document import Raw


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def hub(folder, config=None, split="train") -> dict:
    return {"hub": {"dataset": str(folder), "config": config, "split": split}}


def test_each_data_file_is_an_input_named_by_its_path_in_the_data_set(tmp_path):
    folder = write_sangraha(tmp_path / "sangraha")
    found = inputs_of(tmp_path, reader="sangraha", **hub(folder, "verified", "tam"))
    assert [one.name for one in found] == ["verified/tam/data-0.parquet", "verified/tam/data-1.parquet"]
    assert [one.bytes for one in found] == [(folder / one.name).stat().st_size for one in found]
    documents = list(found[1].open_documents())
    assert [raw for raw, _ in documents] == [Raw(TAMIL, "tam-1-0", "ta"), Raw(TAMIL, "tam-1-1", "ta")]
    assert [n for _, n in documents] == [len(TAMIL.encode()), 2 * len(TAMIL.encode())]


def test_a_streamed_data_set_gives_what_its_files_give(tmp_path):
    folder = write_sangraha(tmp_path / "sangraha")
    files = documents_of(tmp_path, reader="sangraha", files="sangraha/verified/hin")
    assert documents_of(tmp_path, reader="sangraha", **hub(folder, "verified", "hin")) == files


def test_the_stamp_changes_with_the_file(tmp_path):
    folder = write_sangraha(tmp_path / "sangraha")
    before = {one.name: one.stamp for one in inputs_of(tmp_path, reader="sangraha", **hub(folder, "verified", "hin"))}
    os.utime(folder / "verified/hin/data-0.parquet", ns=(0, 0))
    after = {one.name: one.stamp for one in inputs_of(tmp_path, reader="sangraha", **hub(folder, "verified", "hin"))}
    assert [name for name in before if before[name] != after[name]] == ["verified/hin/data-0.parquet"]


def test_a_shard_can_be_given_to_another_process(tmp_path):
    folder = write_sangraha(tmp_path / "sangraha")
    one = inputs_of(tmp_path, reader="sangraha", **hub(folder, "verified", "hin"))[0]
    assert list(pickle.loads(pickle.dumps(one)).open_documents()) == list(one.open_documents())


def test_text_files_of_a_split_per_language_become_documents(tmp_path):
    folder = tmp_path / "IndicCorpV2"
    write(folder / "data/hi-1.txt", f"{HINDI}\n\n{HINDI}\n{HINDI}\n".encode())
    card = (
        "---\nconfigs:\n- config_name: indiccorp_v2\n  data_files:\n  - split: hin_Deva\n    path: data/hi-*.txt\n---\n"
    )
    (folder / "README.md").write_text(card)
    assert documents_of(tmp_path, reader="indiccorp-v2", **hub(folder, "indiccorp_v2", "hin_Deva")) == [
        Raw(HINDI, "data/hi-1.txt:0", "hi"),
        Raw(f"{HINDI}\n{HINDI}", "data/hi-1.txt:2", "hi"),
    ]


def test_json_lines_with_names_of_their_own(tmp_path):
    rows = [{"body": "one", "lang": "hi", "n": 1}, {"body": None, "lang": "ta", "n": 2}]
    write(tmp_path / "set/train.jsonl", json_lines(rows))
    source = {"reader": "jsonl", "text_field": "body", "id_field": "n", "language_field": "lang"}
    assert documents_of(tmp_path, **source, **hub(tmp_path / "set")) == [
        Raw("one", "1", "hi"),
        Raw("", "2", "ta", "row 1 of train.jsonl has no text in 'body'"),
    ]
    with pytest.raises(BadInput, match="has no field 'text' but 'body', 'lang', 'n'; name another"):
        documents_of(tmp_path, reader="oig", **hub(tmp_path / "set"))


def test_code_that_comes_with_a_data_set_is_not_run(tmp_path):
    folder = write_sangraha(tmp_path / "sangraha")
    (folder / "sangraha.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit")
    with pytest.raises(
        BadInput, match="comes with code, which is never run; download its files and name them under `files`"
    ):
        documents_of(tmp_path, reader="sangraha", **hub(folder, "verified", "hin"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "split", "said"),
    [
        ("verfied", "hin", "'verfied' not found.*correct `config`"),
        ("verified", "train", "Bad split: train.*correct `config`"),
    ],
)
def test_a_config_or_split_that_is_not_there_is_a_sentence(tmp_path, config, split, said):
    folder = write_sangraha(tmp_path / "sangraha")
    with pytest.raises(BadInput, match=said):
        inputs_of(tmp_path, reader="sangraha", **hub(folder, config, split))


def test_a_data_set_out_of_reach_is_a_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"the data set nobody/nothing of the Hub (cannot be read \(\w+\)|is not there)"):
        inputs_of(tmp_path, reader="fineweb", **hub("nobody/nothing"))


def test_a_damaged_file_is_a_sentence_that_names_the_way_out(tmp_path):
    texts = {"text": [f"{i} {HINDI}" for i in range(5000)]}
    file = write_parquet(tmp_path / "set/train.parquet", texts, row_group_size=1000, compression="zstd")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] + b"\xff" * 64 + data[len(data) // 2 + 64 :])
    with pytest.raises(BadInput, match=r"cannot be read .*download its files and name them under `files`"):
        documents_of(tmp_path, reader="parquet", language="hi", **hub(tmp_path / "set"))
