from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from vaak.corpus import encode, open_corpus, verify_corpus
from vaak.corpus.encode import EncodeOptions, encode_list
from vaak.corpus.lists import ListDefaults, read_list
from vaak.errors import BadInput

ENGLISH = ListDefaults(language="en")


def tone(path, seconds=0.5, rate=16000, level=0.3, pitch=200.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * pitch * time), rate)


@pytest.fixture
def recordings(tmp_path):
    """Six good recordings, three with a text, and one of each kind that cannot be encoded."""
    folder = tmp_path / "audio"
    for i in range(6):
        tone(folder / f"voice {i % 2}" / f"good-{i}.wav", 0.3 + i / 10, level=0.1 + i / 20)
    for i in range(3):
        (folder / f"voice {i % 2}" / f"good-{i}.txt").write_text(f" sentence {i}\n")
    tone(folder / "silent.wav", level=0.0)
    tone(folder / "short.wav", seconds=0.05)
    (folder / "broken.wav").write_bytes(b"RIFF and nothing")
    (folder / "readme.md").write_text("not audio")
    return folder


def test_a_folder_becomes_a_corpus_and_the_counts_add_up(recordings, tmp_path, codec):
    told = []
    report = encode_list(recordings, codec, tmp_path / "out", defaults=ENGLISH, progress=lambda *at: told.append(at))
    assert (report.read, report.kept) == (9, 6)
    assert report.set_aside == {"silent": 1, "too short": 1, "unreadable": 1}
    assert report.read == report.kept + sum(report.set_aside.values())
    assert report.seconds == pytest.approx(sum(0.3 + i / 10 for i in range(6)))
    assert told == [(9, 9)]
    lines = [json.loads(line) for line in report.set_aside_file.read_text().splitlines()]
    assert sorted((line["sample_id"], line["kind"]) for line in lines) == [
        ("broken", "unreadable"),
        ("short", "too short"),
        ("silent", "silent"),
    ]
    corpus = open_corpus(tmp_path / "out", verify=True)
    assert corpus.id == report.corpus_id
    assert corpus.groups["raw", "en", "unrated"].n_samples == corpus.groups["paired", "en", "unrated"].n_samples == 3
    sample = next(corpus.groups["paired", "en", "unrated"].samples())
    assert (sample.sample_id, sample.transcript) == ("voice_0.good-0", "sentence 0")
    assert (sample.source, sample.source_id) == ("audio", "voice 0/good-0.wav")
    assert (sample.start_ms, sample.end_ms, sample.sample_rate) == (0, 300, 16000)
    assert "how they were cut" in sample.unknown["vad_config_hash"]
    assert not (tmp_path / "out.parts").exists()


def test_codes_are_the_codecs_own(recordings, tmp_path, codec):
    encode_list(recordings, codec, tmp_path / "out", defaults=ENGLISH)
    group = open_corpus(tmp_path / "out").groups["raw", "en", "unrated"]
    for i, sample in enumerate(group.samples()):
        wave, _ = soundfile.read(recordings / sample.source_id, dtype="float32")
        assert group.tokens(i).tolist() == codec.encode_batch([wave])[0].tolist()
        assert len(group.tokens(i)) == -(-len(wave) // 320)


def test_a_list_says_what_its_recordings_are(recordings, tmp_path, codec):
    rows = [
        {"audio_filepath": "voice 0/good-0.wav", "text": "नमस्ते", "lang": "hi-IN", "speaker_id": "asha", "tier": "wild"},
        {"path": "voice 1/good-5.wav", "language": "en", "start_ms": 100, "end_ms": 300, "held_out": True},
        {"path": "voice 1/good-5.wav", "language": "en", "start_ms": 300, "end_ms": 500, "sample_id": "last"},
        {"path": "voice 1/good-5.wav", "language": "en", "start_ms": 300, "end_ms": 5000},
        {"path": "voice 1/gone.wav", "language": "en"},
        {"path": "voice 0/good-2.wav", "language": "en", "sample_id": "last"},
    ]
    path = recordings / "all.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    report = encode_list(path, codec, tmp_path / "out")
    assert report.set_aside == {"duplicate id": 1, "missing": 1, "segment outside": 1}
    corpus = open_corpus(tmp_path / "out", verify=True)
    hindi = corpus.groups["paired", "hi", "wild"].sample(0)
    assert (hindi.speaker, hindi.transcript, hindi.source) == ("asha", "नमस्ते", "all")
    parts = list(corpus.groups["raw", "en", "unrated"].samples())
    assert [(one.sample_id, one.start_ms, one.end_ms) for one in parts] == [
        ("voice_1.good-5-100", 100, 300),
        ("last", 300, 500),
    ]
    assert corpus.groups["raw", "en", "unrated"].lengths.tolist() == [10, 10]
    # What is held out keeps its original audio, for the gold pack.
    kept, rate = soundfile.read(tmp_path / "out" / parts[0].audio)
    assert (len(kept), rate) == (3200, 16000) and parts[1].audio is None


def test_a_csv_list(recordings, tmp_path, codec):
    path = recordings / "all.csv"
    path.write_text(
        'path,text,language,held_out\nvoice 0/good-0.wav,"one, two",English,true\nvoice 1/good-1.wav,,en,\n'
    )
    encode_list(path, codec, tmp_path / "out")
    corpus = open_corpus(tmp_path / "out")
    sample = corpus.groups["paired", "en", "unrated"].sample(0)
    assert (sample.transcript, sample.held_out) == ("one, two", True)
    assert (tmp_path / "out" / sample.audio).read_bytes() == (recordings / "voice 0/good-0.wav").read_bytes()
    assert corpus.groups["raw", "en", "unrated"].n_samples == 1


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_an_interrupted_run_continues_and_ends_the_same(recordings, tmp_path, codec, stop_after):
    options = EncodeOptions(part_items=4)
    whole = encode_list(recordings, codec, tmp_path / "whole", name="one", defaults=ENGLISH)
    codec.encoded = 0

    def interrupt(done, _):
        if done > stop_after * 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_list(recordings, codec, tmp_path / "out", "one", ENGLISH, interrupt, options)
    with pytest.raises(BadInput):
        open_corpus(tmp_path / "out")
    report = encode_list(recordings, codec, tmp_path / "out", "one", ENGLISH, options=options)
    assert report.corpus_id == whole.corpus_id
    assert codec.encoded == 6  # nothing was encoded twice


@pytest.mark.parametrize("moment", ["add", "freeze", "after"])
def test_an_interruption_while_the_corpus_is_put_together(recordings, tmp_path, codec, monkeypatch, moment):
    whole = encode_list(recordings, codec, tmp_path / "whole", name="one", defaults=ENGLISH)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    target = {
        "add": (encode.CorpusWriter, "add"),
        "freeze": (encode.CorpusWriter, "freeze"),
        "after": (encode.shutil, "rmtree"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*target[moment], interrupt)
        with pytest.raises(KeyboardInterrupt):
            encode_list(recordings, codec, tmp_path / "out", name="one", defaults=ENGLISH)
    report = encode_list(recordings, codec, tmp_path / "out", name="one", defaults=ENGLISH)
    assert (report.corpus_id, report.set_aside) == (whole.corpus_id, whole.set_aside)
    assert verify_corpus(tmp_path / "out") == [] and not (tmp_path / "out.parts").exists()


def test_parts_of_another_list_are_not_continued(recordings, tmp_path, codec):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_list(recordings, codec, tmp_path / "out", defaults=ENGLISH, progress=interrupt)
    with pytest.raises(BadInput, match="another list or codec"):
        encode_list(recordings, codec, tmp_path / "out", defaults=ListDefaults(language="hi"))


def test_a_frozen_corpus_is_not_encoded_over(recordings, tmp_path, codec):
    encode_list(recordings, codec, tmp_path / "out", defaults=ENGLISH)
    with pytest.raises(BadInput, match="frozen"):
        encode_list(recordings, codec, tmp_path / "out", defaults=ENGLISH)


def test_when_nothing_can_be_encoded_it_is_said_where_the_reasons_are(tmp_path, codec):
    tone(tmp_path / "audio" / "silent.wav", level=0.0)
    with pytest.raises(BadInput, match=r"out\.set-aside\.jsonl"):
        encode_list(tmp_path / "audio", codec, tmp_path / "out", defaults=ENGLISH)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"path": "x.wav", "language": "en"}\n{"path": ', "row 2 is not valid JSON"),
        ("a.jsonl", "[1]", "row 1 is not a JSON object"),
        ("a.jsonl", "[" * 99999, "row 1 is not valid JSON"),
        ("a.jsonl", '{"path": "x.wav", "language": "en", "text": ' + "[" * 980 + "]" * 980 + "}", "row 1"),
        ("a.jsonl", '{"language": "en"}', "row 1 has no path"),
        ("a.jsonl", '{"path": "x.wav"}', "row 1 has no language"),
        ("a.jsonl", '{"path": "x.wav", "language": "klingon"}', "row 1: language tag"),
        ("a.jsonl", '{"path": "x.wav", "language": "en", "start_ms": "soon"}', "row 1"),
        ("a.jsonl", "", "names no audio"),
        ("a.csv", "path,text\nx.wav,one,two\n", "columns"),
        ("a.csv", "path,language,held_out\nx.wav,en,maybe\n", "held_out"),
        ("a.doc", "", "no list of audio"),
    ],
)
def test_a_bad_list_is_refused_naming_the_row(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message):
        list(read_list(tmp_path / name))
