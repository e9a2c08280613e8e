"""Lists of other people's making: parquet with the audio in it, the published data sets, columns of any name."""

from __future__ import annotations

import io
import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from vaak.corpus import open_corpus
from vaak.corpus.encode import EncodeOptions, encode_list
from vaak.corpus.lists import FROM_ROW, BadRow, ListDefaults, read_list, read_rows
from vaak.corpus.mappings import HIFITTS2, INDICVOICES_R, FieldMapping, open_mapping
from vaak.errors import BadInput

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def sound(seconds: float = 0.4, level: float = 0.2, rate: int = 16000, form: str = "WAV") -> bytes:
    time = np.arange(round(seconds * rate)) / rate
    buffer = io.BytesIO()
    soundfile.write(buffer, level * np.sin(2 * np.pi * 300 * time), rate, format=form)
    return buffer.getvalue()


def write_parquet(path, rows, audio=AUDIO, labels=None, row_group_size=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    table = pa.table({name: pa.array(values, audio if name == "audio" else None) for name, values in columns.items()})
    features = {name: {"names": names, "_type": "ClassLabel"} for name, names in (labels or {}).items()}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=row_group_size)


def indicvoices_row(i: int, **changes) -> dict:
    """A row with the columns of the data set's card, except the many about the speaker's life."""
    row = {
        "text": f"वाक्य {i}",
        "lang": "hi",
        "samples": 19200,
        "verbatim": f"वाक्य {i} [noise]",
        "normalized": f"वाक्य {i}",
        "speaker_id": f"S{i % 2}",
        "scenario": "Extempore",
        "gender": "Female",
        "audio": {"bytes": sound(0.3 + i / 50, rate=48000), "path": f"{i}_chunk_1.wav"},
        "snr": 41.5,
        "c50": 60.0,
        "cer": "0.03",
        "duration": 0.4,
    }
    return {**row, **changes}


def test_indicvoices_r_as_published(tmp_path, codec):
    """A folder per language with parquet of splits; 48 kHz audio inside; the test split is held out with its sound."""
    folder = tmp_path / "indicvoices_r" / "Hindi"
    write_parquet(folder / "train-00000-of-00002.parquet", [indicvoices_row(i) for i in range(7)])
    write_parquet(folder / "train-00001-of-00002.parquet", [indicvoices_row(i) for i in range(7, 9)])
    write_parquet(folder / "test-00000-of-00001.parquet", [indicvoices_row(9)])
    report = encode_list(folder, codec, tmp_path / "out", options=EncodeOptions(mapping=INDICVOICES_R, part_items=4))
    assert (report.read, report.kept, report.set_aside) == (10, 10, {})
    group = open_corpus(tmp_path / "out", verify=True).groups["paired", "hi", "clean"]
    samples = {sample.sample_id: (sample, i) for i, sample in enumerate(group.samples())}
    sample, i = samples["train-00000-of-00002-4"]
    assert (sample.transcript, sample.speaker, sample.source) == ("वाक्य 4", "S0", "indicvoices_r")
    assert (sample.source_id, sample.sample_rate, sample.held_out) == ("4_chunk_1.wav", 48000, False)
    assert len(group.tokens(i)) == -(-round((0.3 + 4 / 50) * 16000) // 320)
    held, _ = samples["test-00000-of-00001-0"]
    assert held.held_out and (tmp_path / "out" / held.audio).read_bytes() == indicvoices_row(9)["audio"]["bytes"]
    assert [one.held_out for one, _ in samples.values()].count(True) == 1


def test_class_labels_are_read_by_name(tmp_path):
    rows = [indicvoices_row(i, lang=i % 2) for i in range(4)]
    write_parquet(tmp_path / "train.parquet", rows, labels={"lang": ["ta", "Telugu"]})
    found = [item.sample.language for item in read_list(tmp_path / "train.parquet", mapping=INDICVOICES_R)]
    assert found == ["ta", "te", "ta", "te"]


def test_hifitts2_as_published(tmp_path, codec):
    """A JSON line per utterance, the audio cut into another folder; the other sets than train are held out."""
    rows = []
    for i, part in enumerate(["train", "train", "dev_seen", "test_unseen"]):
        name = f"100/2315/100_2315_fairies_{i}.flac"
        (tmp_path / "audio_22khz" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "audio_22khz" / name).write_bytes(sound(rate=22050, form="FLAC"))
        said = {"audio_filepath": name, "speaker": "100", "set": part, "duration": 0.4, "text": "The Raw, Text."}
        rows.append({**said, "normalized_text": f"the text {i}", "cer": 0.01, "wer": 0.02, "text_source": "book"})
    rows.append({**rows[0], "audio_filepath": "100/2315/removed_from_librivox.flac"})
    path = tmp_path / "manifest_filtered_22khz.json"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    options = EncodeOptions(mapping=HIFITTS2, audio_folder=tmp_path / "audio_22khz")
    report = encode_list(path, codec, tmp_path / "out", options=options)
    assert (report.kept, report.set_aside) == (4, {"missing": 1})
    samples = list(open_corpus(tmp_path / "out").groups["paired", "en", "clean"].samples())
    assert [one.held_out for one in samples] == [False, False, True, True]
    assert (samples[1].transcript, samples[1].source, samples[1].transcript_kind) == (
        "the text 1",
        "hifitts2",
        "native",
    )
    assert (samples[1].sample_id, samples[1].sample_rate) == ("100.2315.100_2315_fairies_1", 22050)


@pytest.mark.parametrize(
    ("name", "held_out"),
    [("hindi.parquet", False), ("train-00000-of-00002.parquet", False), ("validation-00000-of-00001.parquet", True)],
)
def test_only_a_split_for_evaluation_is_held_out(tmp_path, name, held_out):
    write_parquet(tmp_path / name, [indicvoices_row(1)])
    (item,) = read_list(tmp_path / name, mapping=INDICVOICES_R)
    assert item.sample.held_out is held_out


@pytest.mark.parametrize(
    ("place", "held_out"),
    [
        ("Hindi/test/0000.parquet", True),
        ("Hindi/train/0000.parquet", False),
        ("Hindi/valid/0000.parquet", True),
        ("Hindi/Dev-clean/part/0000.parquet", True),
        ("test/Hindi/0000.parquet", True),
        ("Hindi/hi_test.parquet", True),
        ("Testimony/device/valentina.d/latest.parquet", False),
    ],
)
@pytest.mark.parametrize("named", ["the data set", "its folder", "the file"])
def test_the_split_of_a_file_is_also_that_of_its_folders(tmp_path, place, held_out, named):
    """`<language>/<split>/0000.parquet` is how the Hub converts data sets; the file's own name says nothing there."""
    path = tmp_path / "indicvoices_r" / place
    write_parquet(path, [indicvoices_row(1)])
    if named != "the data set" and place.startswith("test/"):
        held_out = False  # nothing that is named says so
    if named != "the data set" and "Dev-clean" in place:
        held_out = False  # a data set may be called anything: of its own folder only a whole name counts
    where = {"the data set": tmp_path / "indicvoices_r", "its folder": path.parent, "the file": path}[named]
    (item,) = read_list(where, mapping=INDICVOICES_R)
    assert item.sample.held_out is held_out


def test_what_lies_above_the_data_set_says_nothing_of_a_split(tmp_path):
    write_parquet(tmp_path / "test" / "Hindi" / "train" / "0000.parquet", [indicvoices_row(1)])
    (item,) = read_list(tmp_path / "test" / "Hindi", mapping=INDICVOICES_R)
    assert not item.sample.held_out


def test_a_tier_is_the_rows_the_users_the_mappings_or_nobodys(tmp_path):
    write_parquet(tmp_path / "train.parquet", [indicvoices_row(1)])
    (tmp_path / "list.jsonl").write_text('{"path": "a.wav", "language": "hi", "tier": "wild"}\n{"path": "b.wav"}\n')

    def tiers(path, mapping=None, tier=None):
        return [one.sample.tier for one in read_list(path, ListDefaults(language="hi", tier=tier), mapping)]

    assert tiers(tmp_path / "train.parquet", INDICVOICES_R) == ["clean"]
    assert tiers(tmp_path / "train.parquet", INDICVOICES_R, "studio") == ["studio"]
    assert tiers(tmp_path / "list.jsonl") == ["wild", "unrated"]
    assert tiers(tmp_path / "list.jsonl", tier="studio") == ["wild", "studio"]


def test_a_column_is_named_on_the_command_line(tmp_path):
    rows = [{"wav": "a.wav", "sentence": "ஒன்று", "locale": "ta-IN", "snr": 3.0}]
    (tmp_path / "list.jsonl").write_text(json.dumps(rows[0]))
    mapping = open_mapping(None, ["path=wav", "transcript=sentence"], ("path", *FROM_ROW))
    (item,) = read_list(tmp_path / "list.jsonl", mapping=mapping)
    assert (item.path, item.sample.transcript, item.sample.language) == (tmp_path / "a.wav", "ஒன்று", "ta")


def test_a_column_of_ones_own_goes_before_the_mappings(tmp_path):
    write_parquet(tmp_path / "train.parquet", [indicvoices_row(1)])
    mapping = open_mapping("indicvoices-r", ["transcript=verbatim"], ("path", *FROM_ROW))
    (item,) = read_list(tmp_path / "train.parquet", mapping=mapping)
    assert item.sample.transcript == "वाक्य 1 [noise]"


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("indicvoices", [], "mapping 'indicvoices' is unknown"),
        (None, ["transcript"], "write OURS=THEIRS"),
        (None, ["words=text"], "no field 'words' to read; did you mean"),
        (None, ["duration_s=seconds"], "no field 'duration_s' to read"),
    ],
)
def test_a_mapping_that_is_none_is_refused(name, overrides, message):
    with pytest.raises(BadInput, match=message):
        open_mapping(name, overrides, ("path", *FROM_ROW))


def test_a_mapped_column_that_no_row_has_is_refused(tmp_path):
    (tmp_path / "list.jsonl").write_text('{"path": "a.wav", "language": "en", "txt": "one"}\n')
    with pytest.raises(BadInput, match="no column 'tekst' in any row but language, path, txt"):
        list(read_list(tmp_path / "list.jsonl", mapping=FieldMapping(columns={"transcript": "tekst"})))
    write_parquet(tmp_path / "train.parquet", [indicvoices_row(1)])
    with pytest.raises(BadInput, match="no column 'sound' but text, lang"):
        list(read_list(tmp_path / "train.parquet", mapping=FieldMapping(columns={"path": "sound"})))


def test_parquet_of_every_shape(tmp_path, codec):
    """Bytes without a path, a path without bytes, neither; audio as plain bytes; rows far apart in another order."""
    (tmp_path / "data" / "beside.wav").parent.mkdir()
    (tmp_path / "data" / "beside.wav").write_bytes(sound(0.5))
    rows = [
        {"audio": {"bytes": sound(0.2, form="FLAC"), "path": None}},
        {"audio": {"bytes": None, "path": "beside.wav"}},
        {"audio": {"bytes": None, "path": None}},
        {"audio": {"bytes": b"no sound at all", "path": "a.wav"}},
        {"audio": {"bytes": sound(level=0.0), "path": "silent.wav"}},
    ]
    write_parquet(tmp_path / "data" / "one.parquet", rows)
    pq.write_table(pa.table({"audio": [sound(0.6)]}), tmp_path / "data" / "two.parquet")
    report = encode_list(tmp_path / "data", codec, tmp_path / "out", defaults=ListDefaults(language="en"))
    assert report.set_aside == {"missing": 1, "silent": 1, "unreadable": 1}
    group = open_corpus(tmp_path / "out").groups["raw", "en", "unrated"]
    assert group.column("sample_id") == ["one-0", "one-1", "two-0"]
    assert group.lengths.tolist() == [10, 25, 30]


def test_a_parquet_file_that_is_none_is_named(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(BadInput, match=r"train\.parquet cannot be read as parquet"):
        list(read_list(tmp_path / "train.parquet"))


def test_rows_that_cannot_be_read_are_set_aside_when_that_is_asked_for(tmp_path, codec):
    (tmp_path / "good.wav").write_bytes(sound())
    lines = [b'{"path": "good.wav", "language": "en"}', b'{"path": ', b'"\xff"', b'{"path": "x.wav", "language": "xx"}']
    (tmp_path / "list.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(BadInput, match="row 2 is not valid JSON"):
        encode_list(tmp_path / "list.jsonl", codec, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = encode_list(
        tmp_path / "list.jsonl", codec, tmp_path / "out", options=EncodeOptions(quarantine=tmp_path / "aside")
    )
    assert (report.read, report.kept, report.set_aside) == (4, 1, {"bad row": 3})
    reasons = [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert [one["where"].rsplit(" ", 1)[1] for one in reasons] == ["2", "3", "4"]
    assert reasons[2]["detail"].startswith("language tag 'xx' is unknown")


def test_folders_are_walked_in_the_order_of_their_paths(tmp_path):
    for name in ("b/1.wav", "a/z.wav", "a/b/c.wav", "a.wav", "B.wav", "a b/x.FLAC", "a/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [item.path for item in read_list(tmp_path, ListDefaults(language="en"))]
    assert found == [path for path in sorted(tmp_path.rglob("*")) if path.suffix.lower() in (".wav", ".flac")]


def test_a_list_is_never_in_memory(tmp_path):
    path = tmp_path / "list.jsonl"
    with open(path, "w") as file:
        for i in range(4_000):
            file.write(json.dumps({"path": f"{i}.wav", "language": "en", "text": "a sentence " * 1000}) + "\n")
    tracemalloc.start()
    n = sum(1 for row in read_rows(path) if not isinstance(row, BadRow))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 4_000 and peak < path.stat().st_size / 5
